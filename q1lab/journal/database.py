"""A connection to SQLite as q1lab uses it, and SQLite's errors as lines for a person."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from q1lab.ground import paths
from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import file_size

SILENT_SECONDS, WAIT_SECONDS = 0.5, 10.0
"""Seconds to wait for another program that holds the database: without a word, then with one."""

DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FORMAT, sqlite3.SQLITE_NOTADB})
REFUSALS = {
    sqlite3.SQLITE_FULL: (
        "the disk is full",
        "free some space and run the command again (training and its files are apart)",
    ),
    sqlite3.SQLITE_IOERR: (
        "the disk refuses to read or write it",
        "see that there is room on the disk, in your quota, and under `ulimit -f`",
    ),
    sqlite3.SQLITE_BUSY: (
        "another program holds it",
        "close what has it open and try again",
    ),
    sqlite3.SQLITE_READONLY: (
        "it can't be written",
        "choose a home that you can write to (Q1LAB_HOME)",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "it can't be opened",
        "see that it is a file, and that you may write to its folder",
    ),
}
"""The reason and the advice for what SQLite refuses, by its primary error code."""


class Connection(sqlite3.Connection):
    """A connection that says what it waits for."""

    on_wait: Callable[[], object]
    """Called as soon as it has waited for ``SILENT_SECONDS``."""

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        try:
            return super().execute(sql, parameters)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
        self.on_wait()
        self._set_wait(WAIT_SECONDS)
        try:
            return super().execute(sql, parameters)
        finally:
            self._set_wait(SILENT_SECONDS)

    def _set_wait(self, seconds: float) -> None:
        super().execute(f"PRAGMA busy_timeout = {seconds * 1000:.0f}")


def connect(file: Path, on_wait: Callable[[], object]) -> Connection:
    """A connection in autocommit mode, with rows by name."""
    db = sqlite3.connect(file, timeout=SILENT_SECONDS, isolation_level=None, factory=Connection)
    db.on_wait = on_wait
    db.row_factory = sqlite3.Row
    # a flipped bit must not stop a screen
    db.text_factory = lambda raw: raw.decode("utf-8", "replace")
    db.execute("PRAGMA foreign_keys = ON")
    return db


@contextlib.contextmanager
def as_problem(file: Path) -> Iterator[None]:
    """Turn an error of SQLite in the block into a Problem."""
    try:
        yield
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        if (problem := database_problem(error, file)) is None:
            raise  # the caller's to handle, or its mistake
        raise problem from error


def database_problem(error: Exception, file: Path | None = None) -> Problem | None:
    """Explain an error of SQLite; None for one of the program itself."""
    file = file or paths.database_file()
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    if code in DAMAGE or isinstance(error, UnicodeDecodeError):
        return Problem(f"{file} is damaged ({error})", FAILED, next=_after_damage(file), file=file)
    if not isinstance(error, sqlite3.OperationalError) or code == sqlite3.SQLITE_ERROR:
        return None
    reason, advice = REFUSALS.get(code, (str(error), "try again"))
    return Problem(f"cannot use {file}: {reason}", FAILED, next=advice, file=file)


def _after_damage(file: Path) -> str:
    if file_size(copy_file(file)):
        return "move it away: it is made again from acts.jsonl and the studies' files"
    return (
        "put a backup in its place, or move it away: the studies are read again from their files, "
        "but no acts.jsonl is there to take what you did from"
    )


def copy_file(database: Path) -> Path:
    """The copy of all acts as text, beside the database."""
    return database.with_name("acts.jsonl")
