"""The database: opened safely, migrated, fed from events, and asked.

Reading and ingesting go through the standard library's sqlite3, since importing sqlite_utils (and
with it numpy) costs more than a whole `q1lab status`. sqlite_utils makes and migrates the schema.
The journal is SQLite's rollback journal with full sync: this program writes little, and what was
acknowledged must survive a power cut.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from q1lab import paths
from q1lab.errors import FAILED, NOTICES, Problem
from q1lab.files import is_locked, locked, os_reason, private_folder, size_of, sync_folder, utc_now
from q1lab.index import health
from q1lab.paths import StudyPaths
from q1lab.study import studies
from q1lab.study.events import last_event, read_new
from q1lab.study.states import ENDED, MISSING, State, may_follow
from q1lab.study.studies import Study

SCHEMA = 2
"""Number of migrations in q1lab.index.migrations; kept in ``PRAGMA user_version``."""

TABLES = (
    "studies", "runs", "metrics", "results", "settings", "step_records", "part_times", "predictions", "kpis",
    "papers", "artifacts", "posts", "shares", "modifications", "retros", "hints",
)  # fmt: skip
"""Every table that the migrations make (a test says so)."""

WHOLE, QUICK = 1 << 20, 4 << 20
"""Bytes up to which opening a database checks all of it, indexes too, or only its structure: 2 to 4
ms at most. Larger ones are checked once a question has met damage."""

ANEW = (
    "state = 'queued', attempt = 0, iter = 0, train_loss = NULL, val_loss = NULL, eval_loss = NULL, "
    "tokens_per_s = NULL, seconds = 0, started = NULL, ended = NULL, message = NULL, reused_from = NULL, "
    "events_offset = 0, bad_lines = 0"
)
"""A run's columns before its first event."""

Row = sqlite3.Row


class Store:
    """One connection. Use it from the thread that made it; make another for another thread.

    ``db`` is the sqlite3 connection in autocommit mode, rows are ``sqlite3.Row``. Write inside
    ``with store.write() as db``: a BEGIN IMMEDIATE transaction that commits at the end and rolls
    back on an error.
    """

    def __init__(self, file: Path | None = None) -> None:
        self.file = file or paths.database()
        self.moved_aside: Path | None = None
        """Where a damaged database was put, when opening found one."""
        self.notice: str | None = None
        """What a person should know about that, in one line: what was wrong, what was saved, where
        the rest is."""
        self._wrote = False
        self._plans: dict[str, int] = {}
        """When each plan had last changed, as this connection saw it: what is settled is not read
        again."""
        private_folder(self.file.parent)
        self.db = self._open()

    def _open(self) -> sqlite3.Connection:
        with contextlib.suppress(Damaged):
            if self.file.exists():
                return self._open_once(alone=False)
        with locked(self._beside(".lock")):
            try:
                if self.file.exists():
                    return self._open_once(alone=True)  # another q1lab was here in the meantime
                self._begin_anew(None)
            except Damaged as fault:
                self._begin_anew(str(fault))
            return self._open_once(alone=True)

    def _open_once(self, *, alone: bool) -> sqlite3.Connection:
        """Open a database that is there. Damaged when it isn't sound, Problem when it can't be
        opened now, or when a newer q1lab made it. ``alone``: the lock is held, so its schema may be
        brought up to date."""
        if self.file.stat().st_size == 0:
            raise Damaged("it is empty")
        fault = health.header_fault(self.file)
        if fault is not None:
            raise Damaged(fault)
        db = self._connect(self.file)
        try:
            # one that was in WAL mode comes back out of it
            db.execute("PRAGMA journal_mode = DELETE")
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA:
                self._is_newer(db, version)
            if version < SCHEMA and not alone:
                raise Damaged("its schema is older")  # not so: it is looked at again, with the lock
            if version < SCHEMA:
                keep_copy(db, self.file)
                migrate(db)
            if db.execute("PRAGMA application_id").fetchone()[0] not in (0, _mark(db)):
                raise Damaged("its schema is damaged")
            suspect = self._beside(".suspect")
            size = self.file.stat().st_size
            if suspect.exists() or size < QUICK:
                check = "integrity_check" if suspect.exists() or size < WHOLE else "quick_check"
                found = db.execute(f"PRAGMA {check}(1)").fetchone()[0]
                if found != "ok":
                    raise Damaged(found.splitlines()[-1])
                suspect.unlink(missing_ok=True)
        # (its own message may quote garbled bytes)
        except (sqlite3.Error, UnicodeDecodeError) as error:
            db.close()
            # (1: a table or column that should be there is not)
            if is_damage(error) or _code(error) == 1:
                raise Damaged(str(error)) from error
            raise Problem(f"cannot open {self.file}: {_reason(error)}", FAILED) from error
        except BaseException:
            db.close()
            raise
        self._inode = self.file.stat().st_ino
        return db

    def _connect(self, file: Path) -> sqlite3.Connection:
        db = sqlite3.connect(file, timeout=10, isolation_level=None)
        db.row_factory = sqlite3.Row
        # a flipped bit must not stop a screen
        db.text_factory = lambda raw: raw.decode("utf-8", "replace")
        db.execute("PRAGMA foreign_keys = ON")
        return db

    def _is_newer(self, db: sqlite3.Connection, version: int) -> None:
        """Problem when a newer q1lab made the file: then it says which migrations it had. A number
        that is just wrong is damage."""
        made = db.execute("SELECT count(*) FROM _sqlite_migrations").fetchone()[0]
        if made <= SCHEMA:
            raise Damaged(f"its version says {version}, its tables say {made}")
        raise Problem(
            f"{self.file} was written by a newer q1lab (schema {version}, this one knows {SCHEMA}); "
            "upgrade q1lab, or point Q1LAB_HOME at another folder. Nothing was changed.",
            FAILED,
        )

    def _begin_anew(self, fault: str | None) -> None:
        """Put a new database in place (the lock is held), with what can be saved of the damaged one
        and of the copies.

        It is made beside and renamed, and the damaged file keeps its bytes under another name:
        whenever this is cut off, nothing is lost and the next try begins from the start.
        """
        fresh = self._beside(".new")
        copied = [path for path in health.copies(self.file) if path.exists()]
        try:
            for stale in (fresh, fresh.with_name(fresh.name + "-journal")):
                stale.unlink(missing_ok=True)
            os.close(os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            with contextlib.closing(self._connect(fresh)) as db:
                migrate(db)
                saved = None
                if fault is not None or copied:
                    pristine = self._beside(".pristine")
                    shutil.copyfile(fresh, pristine)
                    from q1lab.index import rescue

                    saved = rescue.carry_over(self.file, copied, db, pristine)
                    pristine.unlink()
            if fault is not None:
                self.moved_aside = set_aside(self.file)
            fresh.replace(self.file)
            sync_folder(self.file.parent)
            self._beside(".suspect").unlink(missing_ok=True)
        except (OSError, sqlite3.Error) as error:
            raise Problem(f"cannot write {self.file}: {_reason(error)}", FAILED) from error
        if saved is not None and self.moved_aside is not None:
            self.notice = (
                f"{self.file.name} was damaged ({fault}) and is now {self.moved_aside.name}, untouched; "
                + saved.words
            )
        elif saved is not None and saved.from_copy:
            self.notice = (
                f"{self.file.name} was gone; {saved.from_copy} rows of what you ticked and wrote came back from "
                f"{copied[0].name}, and runs from their files"
            )
        if self.notice:
            NOTICES.append(self.notice)

    def _beside(self, suffix: str) -> Path:
        return self.file.with_suffix(suffix)

    def _follow_the_file(self) -> None:
        """Open again when another q1lab has put a new database in the place of this one."""
        with contextlib.suppress(FileNotFoundError):
            if self.file.stat().st_ino == self._inode:
                return
        self.db.close()
        self.db = self._open()

    def close(self) -> None:
        if self._wrote and health.is_due(self.file):
            keep_copy(self.db, self.file)
        self.db.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One immediate transaction; a full disk or a locked or damaged database is a Problem and
        changes nothing.

        Inside another ``write`` it is a part of that one.
        """
        inside = self.db.in_transaction
        if inside:
            yield self.db
            return
        try:
            self._follow_the_file()
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
                suspect(self.file)
                raise Problem(f"{self.file} is damaged ({error}); {MENDS}", FAILED) from error
            raise Problem(f"cannot write {self.file}: {_reason(error)}", FAILED) from error
        self._wrote = True
        if health.is_due(self.file):
            keep_copy(self.db, self.file)

    def stamp(self) -> tuple[int, int]:
        """Changes whenever the database does, by this connection or by another program."""
        return self.db.execute("PRAGMA data_version").fetchone()[0], self.db.total_changes

    # ── settings
    # ─────────────────────────────────────────────────────────────────────────────────────────

    def setting(self, key: str, default: Any = None) -> Any:
        """A value that the program keeps for itself (JSON)."""
        row = self.db.execute("SELECT value FROM settings WHERE key = ?", (key,)).fetchone()
        try:
            return json.loads(row["value"]) if row else default
        except ValueError:
            return default

    def set_setting(self, key: str, value: Any) -> None:
        with self.write() as db:
            db.execute(
                "INSERT OR REPLACE INTO settings VALUES (?, ?, ?)",
                (key, json.dumps(value), utc_now()),
            )

    # ── runs: fed from files
    # ─────────────────────────────────────────────────────────────────────────────

    def ingest_all(self) -> None:
        """Bring the index up to date with every study on disk that isn't settled in it yet."""
        settled = {
            row["id"]
            for row in self.db.execute(
                "SELECT s.id FROM studies s WHERE NOT EXISTS (SELECT 1 FROM runs r WHERE r.study_id = s.id "
                "AND r.state NOT IN ('finished', 'diverged'))"
            )
        }
        now = studies.stamps()
        changed = [
            name
            for name, stamp in now.items()
            if name not in settled or self._plans.get(name) != stamp
        ]
        for study_id in studies.in_order(changed):
            if study_id not in settled or self._extended(study_id):
                with contextlib.suppress(Problem):
                    self.ingest(studies.load(study_id))
        self._plans = now

    def _extended(self, study_id: str) -> bool:
        row = self.db.execute("SELECT plan FROM studies WHERE id = ?", (study_id,)).fetchone()
        file = StudyPaths(paths.study_dir(study_id)).plan
        return bool(row["plan"] != file.read_text())

    def ingest(self, study: Study) -> int:
        """Take a study's new events into the tables; returns how many there were.

        A run's rows and its file offset move in one transaction, so two viewers at once are
        harmless.
        """
        taken = 0
        self._follow_the_file()
        plan_text = study.files.plan.read_text()
        row = self.db.execute("SELECT plan FROM studies WHERE id = ?", (study.id,)).fetchone()
        if row is None or row["plan"] != plan_text:
            with self.write() as db:
                _upsert_study(db, study, plan_text)
        if not _is_sound(study, self.runs(study.id)):
            self.forget(study, plan_text)
        runs = self.db.execute("SELECT * FROM runs WHERE study_id = ?", (study.id,)).fetchall()
        news = [run for run in runs if _has_news(study, run)]
        if news:
            with self.write():  # one commit for all of them: it waits for the disk
                for run in news:
                    taken += self._ingest_run(study, run)
        return taken

    def forget(self, study: Study, plan_text: str | None = None) -> None:
        """Drop what the tables say of a study's runs; the next ingest takes all of it from the
        files again."""
        with self.write() as db:
            # its runs and metrics go with it
            db.execute("DELETE FROM studies WHERE id = ?", (study.id,))
            _upsert_study(db, study, plan_text or study.files.plan.read_text())

    def verify(self, study: Study) -> bool:
        """Take a study in, and hold the numbers that a verdict rests on against the files: where a
        run's last record says otherwise than the tables do (a bad disk), all are taken from the
        files again. Returns whether the tables were right."""
        self.ingest(study)
        for run in self.runs(study.id):
            if State(run["state"]) in ENDED and _says_otherwise(study, run):
                self.forget(study)
                self.ingest(study)
                return False
        return True

    def _ingest_run(self, study: Study, run: Row) -> int:
        files = study.files.run(f"{run['arm']}-seed{run['seed']}")
        taken = 0
        if 0 < size_of(files.events) < run["events_offset"]:  # it was replaced: its row begins anew
            with self.write() as db:
                db.execute(f"UPDATE runs SET {ANEW} WHERE id = ?", (run["id"],))
                db.execute("DELETE FROM metrics WHERE run_id = ?", (run["id"],))
            run = self.db.execute("SELECT * FROM runs WHERE id = ?", (run["id"],)).fetchone()
        while True:
            # looked at before reading: an exit record can't slip in between
            alive = is_locked(files.lock)
            events, offset, bad = read_new(files.events, run["events_offset"])
            lost = run["state"] == State.RUNNING and not alive and not events
            if not events and not bad and not lost:
                return taken
            with self.write() as db:
                now = db.execute("SELECT * FROM runs WHERE id = ?", (run["id"],)).fetchone()
                if now["events_offset"] != run["events_offset"]:  # another viewer was faster
                    run = now
                    continue
                fields = fold(dict(run), events)
                if lost:
                    fields["state"] = str(State.CRASHED)
                    fields["message"] = (
                        "the process ended without a word (killed, or out of memory?)"
                    )
                fields["events_offset"] = offset
                fields["bad_lines"] = run["bad_lines"] + bad
                db.execute(
                    f"UPDATE runs SET {', '.join(f'{key} = :{key}' for key in fields)} WHERE id = :_id",
                    {**fields, "_id": run["id"]},
                )
                db.executemany(
                    "INSERT OR REPLACE INTO metrics VALUES (?, ?, ?, ?)",
                    [(run["id"], *metric) for metric in metrics_of(events)],
                )
            taken += len(events)
            run = self.db.execute("SELECT * FROM runs WHERE id = ?", (run["id"],)).fetchone()
            if lost:
                return taken

    # ── runs: asked
    # ──────────────────────────────────────────────────────────────────────────────────────

    def runs(self, study_id: str) -> list[Row]:
        """A study's runs, in the order of its plan (seed by seed, baseline first)."""
        return self.db.execute(
            "SELECT * FROM runs WHERE study_id = ? ORDER BY id", (study_id,)
        ).fetchall()

    def curve(self, run_id: int, name: str) -> list[tuple[int, float | None]]:
        """A metric (``train_loss`` or ``val_loss``) of a run as (iter, value), by iter."""
        return [
            (row["iter"], row["value"])
            for row in self.db.execute(
                "SELECT iter, value FROM metrics WHERE run_id = ? AND name = ? ORDER BY iter",
                (run_id, name),
            )
        ]

    def missing(self, study: Study) -> list[str]:
        """Names of the runs that the same command again would train."""
        return [
            f"{r['arm']}-seed{r['seed']}"
            for r in self.runs(study.id)
            if State(r["state"]) in MISSING
        ]


def _is_sound(study: Study, rows: list[Row]) -> bool:
    """Whether a study's rows are those of its plan, with states that there are."""
    planned = {(run.arm, run.variant, run.seed, study.max_iters) for run in study.runs}
    there = {(row["arm"], row["variant"], row["seed"], row["max_iters"]) for row in rows}
    return (
        planned == there
        and len(rows) == len(planned)
        and all(row["state"] in set(State) for row in rows)
    )


def _says_otherwise(study: Study, run: Row) -> bool:
    """Whether the last line of a run's events is an exit record that its row doesn't agree with."""
    record = last_event(study.files.run(f"{run['arm']}-seed{run['seed']}").events)
    if record is None or record["type"] != "exit":
        return False  # no file to go by, or notes after the exit
    if record.get("state") != run["state"]:
        return True
    return bool(
        run["state"] == State.FINISHED and finite(record.get("val_loss")) != run["val_loss"]
    )


def fold(run: dict[str, Any], events: list[dict[str, Any]]) -> dict[str, Any]:
    """The changed columns of a run after ``events``: a pure fold, the same however the events are
    cut."""
    state = State(run["state"])
    out: dict[str, Any] = {
        key: run[key]
        for key in ("state", "attempt", "iter", "train_loss", "val_loss", "eval_loss", "tokens_per_s",
                    "seconds", "started", "ended", "message", "reused_from")
    }  # fmt: skip
    for event in events:
        kind = event["type"]
        if kind == "start":
            if not may_follow(state, State.RUNNING) and state is not State.RUNNING:
                continue
            state = State.RUNNING
            out["attempt"] = int(event.get("attempt", out["attempt"] + 1))
            out["started"] = out["started"] or event.get("time")
            out["ended"] = out["message"] = None
            out["iter"] = int(event.get("resumed_from") or 0)
            out["reused_from"] = event.get("reused_from")
        elif kind == "iter":
            out["iter"] = int(event["iter"])
            out["seconds"] = _seconds(event) or out["seconds"]
            out["train_loss"] = finite(event.get("train_loss"))
            out["tokens_per_s"] = finite(event.get("tok_per_s")) or out["tokens_per_s"]
        elif kind == "eval":
            out["eval_loss"] = finite(event.get("val_loss"))
            out["seconds"] = _seconds(event) or out["seconds"]
        elif kind == "exit":
            after = State(event.get("state", "failed"))
            if state not in ENDED and after not in (State.QUEUED, State.RUNNING):
                # (also without a start: a model file that can't be loaded never got that far)
                state = after
                out["ended"] = event.get("time")
                out["message"] = event.get("message")
                out["tokens_per_s"] = finite(event.get("tok_per_s")) or out["tokens_per_s"]
                out["seconds"] = _seconds(event) or out["seconds"]
                out["iter"] = int(event.get("iter", out["iter"]))
                if after is State.FINISHED:
                    out["val_loss"] = finite(event.get("val_loss"))
        elif kind == "note":
            out["message"] = event.get("text")
    out["state"] = str(state)
    return out


def _seconds(event: dict[str, Any]) -> float | None:
    """Seconds that all of the run's attempts have taken; an older trainer knew only this
    attempt's."""
    return finite(event.get("total", event.get("t")))


def metrics_of(events: list[dict[str, Any]]) -> Iterator[tuple[str, int, float | None]]:
    """(name, iter, value) for every number worth a point on a curve."""
    for event in events:
        if event["type"] == "iter":
            yield "train_loss", int(event["iter"]), finite(event.get("train_loss"))
        elif event["type"] == "eval":
            name = "final_val_loss" if event.get("final") else "val_loss"
            yield name, int(event["iter"]), finite(event.get("val_loss"))


def finite(value: Any) -> float | None:
    """``value`` as a float, or None when it isn't a finite number."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    return None


def keep_copy(db: sqlite3.Connection, file: Path) -> None:
    """Copy the learner's tables beside the database (what that takes is imported when it is
    due)."""
    from q1lab.index import rescue

    rescue.keep_copy(db, file)


def migrate(db: sqlite3.Connection) -> None:
    """Bring the schema up to date. The only place that needs sqlite_utils at run time."""
    import sqlite_utils

    from q1lab.index.migrations import migrations

    migrations.apply(sqlite_utils.Database(db))
    db.execute(f"PRAGMA user_version = {SCHEMA}")
    db.execute(f"PRAGMA application_id = {_mark(db)}")


def _mark(db: sqlite3.Connection) -> int:
    """A checksum of the tables' definitions, kept as the application id: damage in them shows when
    a file is opened, not at some later question. Whoever adds tables or indexes of their own
    changes nothing."""
    ours = db.execute(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name IN "
        f"({', '.join('?' * len(TABLES))}) ORDER BY name",
        TABLES,
    ).fetchall()
    return zlib.crc32("\n".join(f"{row[0]} {row[1]}" for row in ours).encode()) & 0x7FFFFFFF or 1


class Damaged(Exception):
    """The database can't be trusted; the message says what was seen."""


MENDS = "run the command again: it is moved aside, and what can be read is saved"

_DAMAGE = {11, 24, 26}
"""SQLITE_CORRUPT, SQLITE_FORMAT, SQLITE_NOTADB."""


def _code(error: Exception) -> int:
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


def is_damage(error: Exception) -> bool:
    """Whether an error of sqlite3 says that the database file itself is damaged."""
    return _code(error) in _DAMAGE or isinstance(error, UnicodeDecodeError)


def _reason(error: Exception) -> str:
    """Why the database can't be used, in words, and what to do."""
    if isinstance(error, OSError):
        return os_reason(error)
    text = str(error)
    if "full" in text:
        return "the disk is full; free some space and run the command again (training and its files are apart)"
    if "locked" in text:
        return "another program holds it; close what has it open and try again"
    return text


def explain(error: sqlite3.DatabaseError) -> str | None:
    """What a question that failed means for a person, in one line; None when it is the program's
    own mistake."""
    if is_damage(error):
        suspect()
        return f"the database is damaged ({error}); {MENDS}"
    if isinstance(error, sqlite3.OperationalError) and _code(error) != 1:
        return f"cannot use {paths.database()}: {_reason(error)}"
    return None


def suspect(file: Path | None = None) -> None:
    """Have the next opening look at the whole file, since a question met damage in it."""
    with contextlib.suppress(OSError):
        (file or paths.database()).with_suffix(".suspect").touch(mode=0o600)


def set_aside(file: Path) -> Path:
    """Give a damaged database (and its journal) another name; returns its new place. Not a byte of
    it changes."""
    stamp = utc_now().replace(":", "").replace("+0000", "")
    target = file.with_name(f"{file.stem}.damaged-{stamp}{file.suffix}")
    count = 1
    while target.exists():
        count += 1
        target = file.with_name(f"{file.stem}.damaged-{stamp}-{count}{file.suffix}")
    try:
        # and the new one is renamed over the old name: there is a database at any time
        os.link(file, target)
    except OSError:
        file.rename(target)  # a file system without links
    for more in ("-journal", "-wal", "-shm"):
        beside = file.with_name(file.name + more)
        if beside.exists():
            beside.rename(target.with_name(target.name + more))
    return target


def _upsert_study(db: sqlite3.Connection, study: Study, plan_text: str) -> None:
    db.execute(
        "INSERT INTO studies VALUES (?,?,?,?,?,?,?,?,?,?,?,?) "
        "ON CONFLICT(id) DO UPDATE SET plan = excluded.plan, seeds = excluded.seeds",
        (
            study.id, study.variant, study.baseline, study.preset, study.data.name, study.data.sha256,
            study.device, study.dtype, study.headline, len(study.seeds), study.created, plan_text,
        ),
    )  # fmt: skip
    db.executemany(
        "INSERT OR IGNORE INTO runs (study_id, arm, variant, seed, max_iters) VALUES (?, ?, ?, ?, ?)",
        [(study.id, run.arm, run.variant, run.seed, study.max_iters) for run in study.runs],
    )


def _has_news(study: Study, run: Row) -> bool:
    """Whether a run's file has grown (or was replaced), or its process is gone without a word."""
    files = study.files.run(f"{run['arm']}-seed{run['seed']}")
    if size_of(files.events) != run["events_offset"]:
        return True
    return bool(run["state"] == State.RUNNING) and not is_locked(files.lock)
