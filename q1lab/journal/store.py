"""The database, ``q1lab.db``: the one record of what the learner did and said.

``acts`` is the truth: a row for each act, as JSON, never changed. All other tables follow from it
and from the runs' events: where their definition changed, they are made again (``_make_tables``).
``acts.jsonl`` beside it is a copy to read and to keep; it is read only where the database is gone.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from q1lab.ground import paths
from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import private_folder, prove_at_home, utc_now
from q1lab.journal import acts, acts_copy, journal_tables, schema
from q1lab.journal.database import as_problem, connect, copy_file

Row = sqlite3.Row


class AddAct(Protocol):
    """Puts one act on record: its name, and what it says."""

    def __call__(self, act: str, /, **fields: Any) -> None: ...


Stamp = tuple[int, int]
"""Changes whenever the database does: by another program, or by this connection."""


class Store:
    """One connection. Use it from the thread that made it; make another for another thread.

    ``db`` is the sqlite3 connection in autocommit mode, rows are ``sqlite3.Row``. What the learner
    does is put on record by ``add``, or inside ``with store.act() as add``. The index of runs is
    written inside ``with store.transaction() as db``.
    """

    def __init__(
        self, file: Path | None = None, *, on_wait: Callable[[str], object] | None = None
    ) -> None:
        self.file = file or paths.database_file()
        prove_at_home(self.file)
        self.on_wait = on_wait
        """Called with a line about what this process waits for, as soon as it waits."""
        self._add: AddAct | None = None
        """Inside ``act``: what adds to it."""
        private_folder(self.file.parent)
        with as_problem(self.file):
            self.db = connect(self.file, self._say_wait)
            try:
                found = self._version()
                if schema.is_newer(found):
                    raise Problem(
                        f"{self.file} is of a newer q1lab",
                        FAILED,
                        next="upgrade q1lab to open it, or choose another home (Q1LAB_HOME)",
                        file=self.file,
                    )
                if found != schema.version():
                    self._make_tables()
            except BaseException:
                self.db.close()
                raise

    def _say_wait(self) -> None:
        if self.on_wait is not None:
            self.on_wait(f"waiting for another program, which holds {self.file} …")

    def _version(self) -> int:
        return int(self.db.execute("PRAGMA user_version").fetchone()[0])

    def _make_tables(self) -> None:
        """Make all tables but ``acts`` again, and take each act into them."""
        self.file.chmod(0o600)
        with self.transaction() as db:
            if self._version() == schema.version():
                return  # another q1lab was here in the meantime
            db.execute("PRAGMA defer_foreign_keys = ON")
            is_new = not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'acts'").fetchone()
            schema.make_again(db)
            if is_new:
                bodies = acts_copy.read_copy(copy_file(self.file))
                db.executemany("INSERT INTO acts (body) VALUES (?)", [(each,) for each in bodies])
            for (text,) in db.execute("SELECT body FROM acts ORDER BY id").fetchall():
                db.execute("SAVEPOINT act")
                try:
                    journal_tables.fold_act(db, json.loads(text))
                except (KeyError, ValueError, TypeError, sqlite3.Error):  # of another q1lab
                    db.execute("ROLLBACK TO act")
                db.execute("RELEASE act")
            db.execute(f"PRAGMA user_version = {schema.version()}")

    def close(self) -> None:
        self.db.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ── acts

    @contextlib.contextmanager
    def act(self) -> Iterator[AddAct]:
        """One act of the learner: a question inside sees the present state. What is added is in the
        tables at once, and on record, all or nothing, when the block ends. Inside another ``act``
        it is a part of that one. Problem when the disk refuses: then nothing happened."""
        if self._add is not None:
            yield self._add
            return
        lines: list[str] = []
        with self.transaction() as db:

            def add(act: str, /, **fields: Any) -> None:
                acts.refuse_agents(act)
                body = {"act": act, "at": utc_now(), "who": acts.current_actor(), **fields}
                journal_tables.fold_act(db, body)
                lines.append(json.dumps(body))
                db.execute("INSERT INTO acts (body) VALUES (?)", (lines[-1],))

            self._add = add
            try:
                yield add
            finally:
                self._add = None
        if lines:
            acts_copy.append_acts(self.db, copy_file(self.file), lines)

    def add(self, act: str, /, **fields: Any) -> None:
        """Put one act on record (see ``act``)."""
        with self.act() as add:
            add(act, **fields)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One immediate transaction; a full disk or a locked or damaged database is a Problem and
        changes nothing. Inside another ``transaction`` it is a part of that one."""
        if self.db.in_transaction:
            yield self.db
            return
        with as_problem(self.file):
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield self.db
                self.db.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):  # SQLite undoes some by itself
                    self.db.execute("ROLLBACK")
                raise

    def stamp(self) -> Stamp:
        (version,) = self.db.execute("PRAGMA data_version").fetchone()
        return version, self.db.total_changes

    # ── settings

    def setting(self, key: str, default: Any = None) -> Any:
        """A value that the program keeps for itself (JSON)."""
        return journal_tables.read_setting(self.db, key, default)

    def set_setting(self, key: str, value: Any) -> None:
        """Save a setting that may be lost, since it can be worked out again."""
        with self.transaction() as db:
            journal_tables.write_setting(db, key, value)

    # ── runs

    def runs(self, study_id: str) -> list[Row]:
        """A study's runs, in the order of its plan (seed by seed, baseline first)."""
        return self.db.execute(
            "SELECT * FROM runs WHERE study_id = ? ORDER BY id", (study_id,)
        ).fetchall()

    def unfinished_runs(self, study_id: str) -> list[Row]:
        """Those of a study's runs that have not ended."""
        return self.db.execute(
            "SELECT * FROM runs WHERE study_id = ? AND state NOT IN ('finished', 'diverged') "
            "ORDER BY id",
            (study_id,),
        ).fetchall()

    def curve(self, run_id: int, name: str) -> list[tuple[int, float | None]]:
        """A metric of a run, by its name, as (iter, value), by iter."""
        rows = self.db.execute(
            "SELECT iter, value FROM metrics WHERE run_id = ? AND name = ? ORDER BY iter",
            (run_id, name),
        )
        return [(row["iter"], row["value"]) for row in rows]

    def metric_names(self, run_id: int) -> list[str]:
        """Names of the metrics that a run has points of, in alphabetical order."""
        # (a step in the index for each name; DISTINCT would read every point)
        rows = self.db.execute(
            "WITH RECURSIVE each(name) AS (SELECT min(name) FROM metrics WHERE run_id = :run "
            "UNION ALL SELECT (SELECT min(name) FROM metrics WHERE run_id = :run AND "
            "name > each.name) FROM each WHERE each.name IS NOT NULL) "
            "SELECT name FROM each WHERE name IS NOT NULL",
            {"run": run_id},
        )
        return [row["name"] for row in rows]
