"""The database: opened safely, migrated, written to in whole transactions, and asked for runs.

Reading and ingesting go through the standard library's sqlite3, since importing sqlite_utils (and
with it numpy) costs more than a whole `q1lab status`. sqlite_utils makes and migrates the schema.
The journal is SQLite's rollback journal with full sync: this program writes little, and what was
acknowledged must survive a power cut.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from q1lab import paths
from q1lab.errors import FAILED, NOTICES, Problem
from q1lab.files import locked, os_reason, private_folder, prove_at_home, sync_folder, utc_now
from q1lab.index import health
from q1lab.study.states import MISSING, State
from q1lab.study.studies import Study, run_name

if TYPE_CHECKING:
    from q1lab.index.ingest import Tell

SCHEMA = 3
"""Number of migrations in q1lab.index.migrations; kept in ``PRAGMA user_version``."""

TABLES = (
    "studies",
    "runs",
    "metrics",
    "results",
    "settings",
    "step_records",
    "part_times",
    "predictions",
    "kpis",
    "papers",
    "artifacts",
    "posts",
    "shares",
    "modifications",
    "retros",
    "hints",
)
"""Every table that the migrations make (a test says so)."""

WHOLE, QUICK = 1 << 20, 4 << 20
"""Bytes up to which opening a database checks all of it, indexes too, or only its structure: 2 to 4
ms at most. Larger ones are checked once a question has met damage."""

Row = sqlite3.Row


class Store:
    """One connection. Use it from the thread that made it; make another for another thread.

    ``db`` is the sqlite3 connection in autocommit mode, rows are ``sqlite3.Row``. Write inside
    ``with store.write() as db``: a BEGIN IMMEDIATE transaction that commits at the end and rolls
    back on an error.
    """

    def __init__(self, file: Path | None = None) -> None:
        self.file = file or paths.database()
        prove_at_home(self.file)
        self.moved_aside: Path | None = None
        """Where a damaged database was put, when opening found one."""
        self.notice: str | None = None
        """What a person should know about that, in one line: what was wrong, what was saved, where
        the rest is."""
        self.tell: Tell | None = None
        """Who is told how far a look at all studies has come, when nobody else is."""
        self._wrote = False
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
            f"{self.file} was written by a newer q1lab (schema {version}, "
            f"this one knows {SCHEMA}); "
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
                f"{self.file.name} was damaged ({fault}) and is now {self.moved_aside.name}, "
                "untouched; " + saved.words
            )
        elif saved is not None and saved.from_copy:
            self.notice = (
                f"{self.file.name} was gone; {saved.from_copy} rows of what you ticked and wrote "
                f"came back from {copied[0].name}, and runs from their files"
            )
        if self.notice:
            NOTICES.append(self.notice)

    def _beside(self, suffix: str) -> Path:
        return self.file.with_suffix(suffix)

    def follow_the_file(self) -> None:
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
            self.follow_the_file()
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

    # ── runs

    def runs(self, study_id: str) -> list[Row]:
        """A study's runs, in the order of its plan (seed by seed, baseline first)."""
        return self.db.execute(
            "SELECT * FROM runs WHERE study_id = ? ORDER BY id", (study_id,)
        ).fetchall()

    def unfinished(self, study_id: str) -> list[Row]:
        """Those of a study's runs that have not ended."""
        return self.db.execute(
            "SELECT * FROM runs WHERE study_id = ? AND state NOT IN ('finished', 'diverged') "
            "ORDER BY id",
            (study_id,),
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
            run_name(r["arm"], r["seed"])
            for r in self.runs(study.id)
            if State(r["state"]) in MISSING
        ]


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
        return (
            "the disk is full; free some space and run the command again (training and its "
            "files are apart)"
        )
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
