"""The database: an index of the journal and of the studies' files, which can be thrown away.

What the learner did and said is in ``journal.jsonl`` (journal.py), runs are in their events; the
tables make both quick to ask. A database that is missing, damaged or from an older q1lab is made
again from them.

sqlite-utils makes the tables and views (schema.py). Rows are put in and read through the standard
library's sqlite3: any command takes in news, and importing sqlite-utils costs more than a whole
`q1lab status`.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from q1lab.ground import paths, plugin_finder
from q1lab.ground.errors import FAILED, Problem, notice
from q1lab.ground.files import (
    exclusive_lock,
    file_size,
    os_errors_as_problems,
    os_reason,
    private_folder,
    prove_at_home,
    sync_folder,
    utc_now,
)
from q1lab.index import journal, journal_tables, lost_lines, old_levels
from q1lab.index.entry_fields import FOLDED, OFFSET, PLUGINS, UNREAD
from q1lab.study.run_states import MISSING, RunState

if TYPE_CHECKING:  # a tick needs no study
    from q1lab.index.ingest_events import OnProgress
    from q1lab.study.studies import Study

SCHEMA = 15
"""The number of the schema in schema.py, kept in ``PRAGMA user_version``."""

SCHEMA_WITH_LEVELS = 13
"""The first schema whose journal says in the line of a study at which level it is judged."""

APPLICATION_ID = 0x71316C00
"""The value of ``PRAGMA application_id`` before the schema's number is added: with both, a number
that is just wrong is told from a newer one."""

INDEX_TABLES = ("studies", "runs", "metrics", "results")
CORE_TABLES = (*INDEX_TABLES, *journal_tables.JOURNAL_TABLES)


def all_tables() -> tuple[str, ...]:
    """Every table of the schema (a test says so)."""
    return (*INDEX_TABLES, *journal_tables.tables_of_journal())


QUICK_CHECK_BYTES = 4 << 20
"""Bytes up to which opening a database checks its structure: 2 to 4 ms at most. In a larger one
damage shows when a question meets it."""

Row = sqlite3.Row


class AddAct(Protocol):
    """Puts one act on record: its name, and what it says."""

    def __call__(self, act: str, /, **fields: Any) -> None: ...


class Stamp(NamedTuple):
    """Changes whenever the database does, by this connection or by another program, and when
    another one has taken its place."""

    file: int
    others: int
    changes: int
    """Rows that this connection has changed, but those of ``progress``."""
    progress: int
    """Rows that it has changed by acts on progress alone: a tick, an answer, minutes."""

    @property
    def without_progress(self) -> Stamp:
        """The stamp of everything that such an act does not touch."""
        return self._replace(progress=0)


class Store:
    """One connection. Use it from the thread that made it; make another for another thread.

    ``db`` is the sqlite3 connection in autocommit mode, rows are ``sqlite3.Row``. What the learner
    does is put on record by ``add``, or inside ``with store.act() as add``. The index of runs is
    written inside ``with store.transaction() as db``: a BEGIN IMMEDIATE transaction that commits at
    the end and rolls back on an error.
    """

    def __init__(self, file: Path | None = None) -> None:
        self.file = file or paths.database_file()
        prove_at_home(self.file)
        self.journal = self.file.with_name("journal.jsonl")
        self.notice: str | None = None
        """A warning about how it was opened, in one line."""
        self.on_ingest: OnProgress | None = None
        """Called with the progress of reading events, unless a call passes its own function."""
        self.on_wait: Callable[[str], object] | None = None
        """Called with a line about what this process waits for, as soon as it waits."""
        self._add: AddAct | None = None
        """Inside ``act``: what adds to it."""
        self._of_progress = 0
        """Rows that acts on progress have changed (``Stamp.progress``)."""
        private_folder(self.file.parent)
        self.db = self._open()
        try:
            self.fold_journal(whole=True)
        except BaseException:
            self.db.close()
            raise

    # ── opening

    def _open(self) -> sqlite3.Connection:
        with contextlib.suppress(DamagedIndex, FileNotFoundError):
            return self._connected()
        with exclusive_lock(self.file.with_suffix(".lock")):
            with contextlib.suppress(FileNotFoundError):
                try:
                    return self._connected()  # another q1lab was here in the meantime
                except OlderIndex:
                    pass
                except DamagedIndex as fault:
                    self._give_notice(
                        f"{self.file.name} was damaged ({fault}); it was made again from "
                        "journal.jsonl and the studies' files"
                    )
            self._begin_again()
            return self._connected()

    def _connected(self) -> sqlite3.Connection:
        """Open a database that is there. Damaged when it can't be used and is to be made again,
        Problem when it can't be opened now, or when a newer q1lab made it."""
        size = self.file.stat().st_size
        db = connect(self.file)
        try:
            # one that was in WAL mode comes back out of it
            db.execute("PRAGMA journal_mode = DELETE")
            version = db.execute("PRAGMA user_version").fetchone()[0]
            application = db.execute("PRAGMA application_id").fetchone()[0]
            tables = {row[0] for row in db.execute("SELECT name FROM sqlite_schema")}
            if 0 < version < SCHEMA:
                raise OlderIndex(f"its schema is {version}")
            is_numbered = application == APPLICATION_ID + version
            if is_numbered and version > SCHEMA:
                raise self._newer(version)
            if not is_numbered or not tables.issuperset(CORE_TABLES):
                raise DamagedIndex("its tables are not those of q1lab")
            if not tables.issuperset(all_tables()):
                raise OlderIndex("a plug-in is new")
            if size < QUICK_CHECK_BYTES:
                check = db.execute("PRAGMA quick_check(1)").fetchone()[0]
                if check != "ok":
                    raise DamagedIndex(check.splitlines()[-1])
        # (sqlite3's own message may quote garbled bytes)
        except (sqlite3.Error, UnicodeDecodeError) as error:
            db.close()
            if is_damage(error) or _code(error) == 1:
                raise DamagedIndex(str(error)) from error
            raise Problem(
                f"cannot open {self.file}: {_reason(error)}", FAILED, file=self.file
            ) from error
        except BaseException:
            db.close()
            raise
        self._inode = self.file.stat().st_ino
        return db

    def _newer(self, version: int) -> Problem:
        return Problem(
            f"{self.file} was written by a newer q1lab (schema {version}, this one knows {SCHEMA})",
            FAILED,
            next="upgrade q1lab, or point Q1LAB_HOME at another folder. Nothing was changed.",
            file=self.file,
        )

    def _give_notice(self, text: str | None) -> None:
        if text is not None:
            self.notice = text
            notice(text)

    def _begin_again(self) -> None:
        """Put a new, empty database in the place of what is there (the lock is held). Whenever this
        is cut off, the next try begins from the start."""
        fresh = self.file.with_suffix(".new")
        try:
            for stale in (fresh, _rollback(fresh)):
                stale.unlink(missing_ok=True)
            with contextlib.closing(connect(fresh)) as db:
                create_index(db)
            fresh.chmod(0o600)
            self._give_notice(self._keep_what_it_lost())
            journal.create_file(self.journal)
            self._record_old_levels()
            # an unfinished transaction of the old file must not be rolled back into the new one
            _rollback(self.file).unlink(missing_ok=True)
            fresh.replace(self.file)
            sync_folder(self.file.parent)
        except (OSError, sqlite3.Error) as error:
            raise Problem(
                f"cannot write {self.file}: {_reason(error)}", FAILED, file=self.file
            ) from error

    def _record_old_levels(self) -> None:
        """Put the levels on record at which an older q1lab judged the studies, where the index
        still has them: by today's rule they might be judged at others."""
        if levels := old_levels.levels_of_older_index(self.file, SCHEMA_WITH_LEVELS):
            with journal.hold_lock(self.journal):
                mark = journal.read_entries(self.journal).mark
                journal.end_torn_line(self.journal, mark)
                mark = journal.read_entries(self.journal).mark
                body = {"act": "levels", "at": utc_now(), "who": "q1lab", "levels": levels}
                journal.append(self.journal, [body], mark)

    def refresh(self) -> None:
        """Open again when another q1lab has put a new database in the place of this one, or
        it was deleted; and take in what others put on record."""
        self._reopen_if_replaced()
        self.fold_journal()

    def _reopen_if_replaced(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            if self.file.stat().st_ino == self._inode:
                return
        self.db.close()
        self.db = self._open()
        self.fold_journal(whole=True)

    def close(self) -> None:
        self.db.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ── the journal

    def fold_journal(self, *, whole: bool = False) -> None:
        """Fold what was appended to the journal since the last look into the tables. Without
        ``whole``, a file that has not grown is taken for unchanged. Once a day all of it is folded
        again, since SQLite doesn't notice a letter that the disk garbled; so it is when a plug-in
        came or went."""
        if self.db.in_transaction:
            return
        offset = self._journal_mark()
        if not whole and file_size(self.journal) == offset.size:
            return
        plugins = sorted(plugin_finder.named_plugins())
        are_same = self.setting(PLUGINS) == plugins
        fold_all = whole and (self.setting(FOLDED) != utc_now()[:10] or not are_same)
        news = None if fold_all else self._news(offset)
        if news is not None and news.mark == offset:
            return
        with self.transaction() as db:
            offset = self._journal_mark()  # another viewer may have been faster
            news = None if fold_all else self._news(offset)
            # what an earlier look could not read was said then
            is_known = are_same and (news is not None or fold_all)
            since = offset.lines if is_known else 0
            if news is None:
                self._give_notice(self._keep_what_it_lost())
                for table in journal_tables.tables_of_journal():
                    db.execute(f"DELETE FROM {table}")
                news = self._news(journal.Offset())
                assert news is not None
                journal_tables.write_setting(db, FOLDED, utc_now()[:10], utc_now())
                journal_tables.write_setting(db, PLUGINS, plugins, utc_now())
                if not are_same:  # a plan that could be read may be of one that is away
                    db.execute("UPDATE studies SET stamp = ''")
            self._fold(db, news, since)

    def _keep_what_it_lost(self) -> str | None:
        """Copy the index beside before it is made anew, where it knows lines that the journal has
        lost; returns what to say."""
        with os_errors_as_problems(f"cannot copy {self.file}"):
            return lost_lines.copy_index_if_lost(self.file, self.journal)

    def _news(self, mark: journal.Offset) -> journal.NewEntries | None:
        """The new lines of the journal; None when it is another file than before."""
        with (
            contextlib.suppress(journal.Rewritten),
            os_errors_as_problems(f"cannot read {self.journal}"),
        ):
            return journal.read_entries(self.journal, mark)
        return None

    def _fold(self, db: sqlite3.Connection, news: journal.NewEntries, since: int) -> None:
        lost, newer = list(news.damaged), list(news.newer)
        for line in news.lines:
            if line.body is None:
                continue
            db.execute("SAVEPOINT act")
            try:
                if not journal_tables.fold_act(db, line.body):
                    newer.append(line.number)
            except journal_tables.MALFORMED_BODY:
                db.execute("ROLLBACK TO act")
                lost.append(line.number)
            db.execute("RELEASE act")
        self._keep_mark(db, news.mark)
        unread = self.unread + len(lost) + len(newer)
        journal_tables.write_setting(db, UNREAD, unread, utc_now())
        for numbers, words in (
            (lost, "can't be read: what it said is lost, the others are whole"),
            (newer, f"is from a newer q1lab or a plug-in that is away, and is left out: {SEEN_BY}"),
        ):
            fresh = [number for number in numbers if number > since]
            if fresh:
                more = f" and {len(fresh) - 1} more" if len(fresh) > 1 else ""
                notice(f"{self.journal.name}, line {fresh[0]}{more} {words}")

    @property
    def unread(self) -> int:
        """The number of lines of the journal that can't be read."""
        return int(self.setting(UNREAD, 0))

    def _journal_mark(self) -> journal.Offset:
        try:
            return journal.Offset.from_record(self.setting(OFFSET, {}))
        except KeyError:
            return journal.Offset()

    def _keep_mark(self, db: sqlite3.Connection, mark: journal.Offset) -> None:
        journal_tables.write_setting(db, OFFSET, asdict(mark), utc_now())

    @contextlib.contextmanager
    def act(self) -> Iterator[AddAct]:
        """One act of the learner: the journal is held, and everything in it is in the tables, so
        that a question inside sees the present state. What is added is in the tables at once, and
        on record, all or nothing, when the block ends. Inside another ``act`` it is a part of that
        one. Problem when the disk refuses: then nothing happened."""
        if self._add is not None:
            yield self._add
            return
        with journal.hold_lock(self.journal):
            self.refresh()
            journal.end_torn_line(self.journal, self._journal_mark())
            self.fold_journal()
            with self.transaction() as db:
                bodies: list[journal.Body] = []

                def add(act: str, /, **fields: Any) -> None:
                    journal.refuse_agents(act)
                    body = {"act": act, "at": utc_now(), "who": journal.current_actor(), **fields}
                    before = db.total_changes
                    journal_tables.fold_act(db, body)
                    if act in journal_tables.PROGRESS_ACTS:
                        self._of_progress += db.total_changes - before
                    bodies.append(body)

                self._add = add
                try:
                    yield add
                finally:
                    self._add = None
                if bodies:
                    mark = journal.append(self.journal, bodies, self._journal_mark())
                    self._keep_mark(db, mark)
                    self._of_progress += 1  # the mark is nothing that a person sees

    def add(self, act: str, /, **fields: Any) -> None:
        """Put one act on record (see ``act``)."""
        with self.act() as add:
            add(act, **fields)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One immediate transaction; a full disk or a locked or damaged database is a Problem and
        changes nothing.

        Inside another ``transaction`` it is a part of that one.
        """
        inside = self.db.in_transaction
        if inside:
            yield self.db
            return
        try:
            self._reopen_if_replaced()
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield self.db
            except BaseException:
                # SQLite undoes some failed transactions by itself
                with contextlib.suppress(sqlite3.Error):
                    self.db.execute("ROLLBACK")
                raise
            self.db.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            if (
                isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError)
                or _code(error) == 1
            ):
                raise  # the caller's to handle, or its mistake
            with contextlib.suppress(sqlite3.Error):
                if self.db.in_transaction:
                    self.db.execute("ROLLBACK")
            if is_damage(error):
                discard_database(self.file)
                raise Problem(
                    f"{self.file} is damaged ({error})", FAILED, next=REBUILDS, file=self.file
                ) from error
            raise Problem(
                f"cannot write {self.file}: {_reason(error)}", FAILED, file=self.file
            ) from error

    def stamp(self) -> Stamp:
        version = self.db.execute("PRAGMA data_version").fetchone()[0]
        changes = self.db.total_changes - self._of_progress
        return Stamp(self._inode, version, changes, self._of_progress)

    # ── settings

    def setting(self, key: str, default: Any = None) -> Any:
        """A value that the program keeps for itself (JSON)."""
        return journal_tables.read_setting(self.db, key, default)

    def set_setting(self, key: str, value: Any) -> None:
        """Save a setting that may be lost with the database, since it can be worked out again."""
        with self.transaction() as db:
            journal_tables.write_setting(db, key, value, utc_now())

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
        return [
            (row["iter"], row["value"])
            for row in self.db.execute(
                "SELECT iter, value FROM metrics WHERE run_id = ? AND name = ? ORDER BY iter",
                (run_id, name),
            )
        ]

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

    def missing_runs(self, study: Study) -> list[str]:
        """Names of the runs that the same command again would train."""
        from q1lab.study.studies import run_name

        return [
            run_name(r["arm"], r["seed"])
            for r in self.runs(study.id)
            if RunState(r["state"]) in MISSING
        ]


def connect(file: Path) -> sqlite3.Connection:
    """A connection as q1lab uses them."""
    db = sqlite3.connect(file, timeout=10, isolation_level=None)
    db.row_factory = sqlite3.Row
    # a flipped bit must not stop a screen
    db.text_factory = lambda raw: raw.decode("utf-8", "replace")
    db.execute("PRAGMA foreign_keys = ON")
    return db


def create_index(db: sqlite3.Connection) -> None:
    """Make an empty database into an index, in one transaction: each syncs the file three times."""
    from q1lab.index import schema

    db.execute("BEGIN")
    schema.create_schema(db)
    db.execute(f"PRAGMA application_id = {APPLICATION_ID + SCHEMA}")
    db.execute(f"PRAGMA user_version = {SCHEMA}")
    db.execute("COMMIT")


def _rollback(file: Path) -> Path:
    """The file in which SQLite keeps an unfinished transaction's changes."""
    return file.with_name(file.name + "-journal")


class DamagedIndex(Exception):
    """The database can't be used and is made again; the message says what was seen."""


class OlderIndex(DamagedIndex):
    """An older q1lab made it, or one with other plug-ins: the lines of a plug-in that has come back
    were left out."""


REBUILDS = "run the command again: it is made again from journal.jsonl and the studies' files"

SEEN_BY = "upgrade q1lab, or bring the plug-in back, to see it"

_DAMAGE = {11, 24, 26}
"""SQLITE_CORRUPT, SQLITE_FORMAT, SQLITE_NOTADB."""


def _code(error: Exception) -> int:
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


def is_damage(error: Exception) -> bool:
    """True if an error of sqlite3 says that the database file itself is damaged."""
    return _code(error) in _DAMAGE or isinstance(error, UnicodeDecodeError)


def _reason(error: Exception) -> str:
    """Why the database can't be used, in words, and what to do."""
    if isinstance(error, OSError):
        return os_reason(error)
    text = str(error)
    if "full" in text:
        return (
            "the disk is full; free some space and run the command again (training and its "
            "files are apart)"
        )
    if "locked" in text:
        return "another program holds it; close what has it open and try again"
    return text


def database_problem(error: sqlite3.DatabaseError) -> Problem | None:
    """Explain a query that failed; None for an error of the program itself."""
    if is_damage(error):
        discard_database()
        return Problem(f"the database is damaged ({error})", FAILED, next=REBUILDS)
    if isinstance(error, sqlite3.OperationalError) and _code(error) != 1:
        file = paths.database_file()
        return Problem(f"cannot use {file}: {_reason(error)}", FAILED, file=file)
    return None


def discard_database(file: Path | None = None) -> None:
    """Have a damaged database made again by the next opening: everything in it is in files."""
    file = file or paths.database_file()
    with contextlib.suppress(OSError), exclusive_lock(file.with_suffix(".lock")):
        file.replace(file.with_suffix(".damaged"))
        _rollback(file).unlink(missing_ok=True)
