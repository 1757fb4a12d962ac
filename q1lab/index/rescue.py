"""What saves the learner's ticks and answers when the database is damaged.

Runs come back from their files. What the learner typed has its only home in the database, so two
things are done for it: every minute in which something was written, the learner's own tables are
copied into a small JSON file beside the database (two are kept: the newest, and the last one of an
earlier day); and when a database has to be moved aside, every row that can still be read is carried
into the new one, the copies filling the gaps. The damaged file itself is never written to.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sqlite3
import struct
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from q1lab.errors import Problem
from q1lab.files import utc_now, write_atomic
from q1lab.index.health import HEADER, PAGE, copies

INDEX = {"studies", "runs", "metrics", "results"}
"""Tables that are made again from the studies' files. All others are the learner's."""

BROKEN = (sqlite3.Error, UnicodeDecodeError)
"""What reading a damaged file may raise: sqlite3 can't always decode its own message about it."""

Rows = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Rescued:
    """What came over into a new database: rows out of the damaged one, and rows that only a copy
    still had."""

    read: int
    from_copy: int
    unusable: int
    """Rows that were read, but garbled: a copy had them, or they are only in the file that was
    moved aside."""

    @property
    def words(self) -> str:
        """One line for people."""
        parts = [f"{self.read} rows of what you ticked and wrote were saved from it"]
        if self.from_copy:
            parts.append(f"{self.from_copy} came from the last copy")
        if self.unusable:
            parts.append(f"{self.unusable} could not be read")
        return ", ".join(parts) + "; runs are rebuilt from their files"


# ── looking


def own_tables(db: sqlite3.Connection) -> list[str]:
    """The learner's tables of a database, parents before children (in the order they were made)."""
    names = [
        row[0]
        for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid")
    ]
    return [
        name for name in names if name not in INDEX and not name.startswith(("sqlite_", "_sqlite"))
    ]


# ── copies


def keep_copy(db: sqlite3.Connection, file: Path) -> None:
    """Copy the learner's tables beside the database. A disk that is full, or a table that can't be
    read, leaves the copies as they are.

    A row that differs from the last copy though nobody changed it since was garbled by the disk:
    SQLite has no checksums to notice that by, the copy has. It is put right first.
    """
    newest, older = copies(file)
    with contextlib.suppress(Problem, OSError, *BROKEN):
        before = read_copy(newest)
        tables = {}
        for table in own_tables(db):
            rows = list(_rows(db, f'SELECT * FROM "{table}"'))
            tables[table] = _put_right(db, table, rows, before) if before else rows
        if before is not None and before.tables == tables:
            os.utime(newest)
            return
        if before is not None and (before.saved[:10] != utc_now()[:10] or not older.exists()):
            write_atomic(older, newest.read_bytes())
        body = json.dumps(tables, ensure_ascii=False)
        record = {
            "q1lab": "a copy of what you ticked and wrote",
            "saved": utc_now(),
            "sha256": _sum(body),
        }
        write_atomic(newest, f"{json.dumps(record)}\n{body}\n")


def _put_right(
    db: sqlite3.Connection, table: str, rows: list[dict[str, Any]], copy: Copy
) -> list[dict[str, Any]]:
    """``rows``, with those taken from the copy that are of the same version and differ; the table
    likewise."""
    keys = _key_columns(db, table)
    sound = {tuple(row.get(key) for key in keys): row for row in copy.tables.get(table, [])}
    out = []
    for row in rows:
        kept = sound.get(tuple(row.get(key) for key in keys))
        if kept is not None and kept != row and copy.is_of_version(kept, row):
            values = ", ".join(f'"{name}" = ?' for name in kept)
            where = " AND ".join(f'"{key}" = ?' for key in keys)
            db.execute(
                f'UPDATE "{table}" SET {values} WHERE {where}',
                [*kept.values(), *(row[key] for key in keys)],
            )
            row = kept
        out.append(row)
    return out


@dataclass(frozen=True)
class Copy:
    """The learner's tables as they were at ``saved`` (UTC ISO text)."""

    tables: Rows
    saved: str

    def is_of_version(self, kept: dict[str, Any], row: dict[str, Any]) -> bool:
        """Whether nobody has changed ``row`` since it was copied as ``kept``. Stamps have seconds:
        a row that was changed in the very second of the copy may have changed again."""
        stamp = kept.get("updated")
        return isinstance(stamp, str) and stamp == row.get("updated") and stamp < self.saved


def read_copy(file: Path) -> Copy | None:
    """A copy; None when it isn't there or isn't whole."""
    try:
        head, _, body = file.read_text(encoding="utf-8").partition("\n")
        body = body.removesuffix("\n")
        record = json.loads(head)
        if record["sha256"] != _sum(body):
            return None
        return Copy(json.loads(body), record["saved"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _sum(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


# ── saving


def carry_over(
    damaged: Path, copied: list[Path], new: sqlite3.Connection, pristine: Path
) -> Rescued:
    """Fill a new, empty database with what can be read of a damaged one and of the copies.

    ``pristine`` is a database file that was just made: its header and schema stand in for damaged
    ones. A row that both have in the same version (the same ``updated``) is taken from the copy,
    whose checksum says it is sound.
    """
    kept: dict[str, dict[tuple[Any, ...], tuple[Copy, dict[str, Any]]]] = {}
    tables = own_tables(new)
    keys = {table: _key_columns(new, table) for table in tables}
    for copy in filter(None, map(read_copy, reversed(copied))):
        for table in tables:
            for row in copy.tables.get(table, []):
                kept.setdefault(table, {})[tuple(row.get(key) for key in keys[table])] = copy, row
    read = from_copy = unusable = 0
    found = read_damaged(damaged, tables, pristine) if damaged.exists() else {}
    new.execute("PRAGMA foreign_keys = OFF")
    new.execute("BEGIN IMMEDIATE")
    for table in tables:
        rest = dict(kept.get(table, {}))
        for row in found.get(table, []):
            key = tuple(row.get(name) for name in keys[table])
            if key in rest and rest[key][0].is_of_version(rest[key][1], row):
                row = rest[key][1]
            if _insert(new, table, row):
                read += 1
                rest.pop(key, None)
            else:
                unusable += 1
        for _, row in rest.values():
            from_copy += _insert(new, table, row)
    _drop_orphans(new)
    new.execute("COMMIT")
    new.execute("PRAGMA foreign_keys = ON")
    return Rescued(read, from_copy, unusable)


def read_damaged(damaged: Path, tables: list[str], pristine: Path) -> Rows:
    """Every row of ``tables`` that can be read, on copies of the file: as it is, with a sound
    header, and with a sound header and schema. The first way that reads a table without an error
    has the last word on it."""
    found: dict[str, dict[int, dict[str, Any]]] = {table: {} for table in tables}
    open_questions = set(tables)
    with tempfile.TemporaryDirectory(prefix=".rescue-", dir=damaged.parent) as folder:
        for n, mend in enumerate((None, _mend_header, _mend_schema)):
            if not open_questions:
                break
            trial = Path(folder) / f"{n}.db"
            shutil.copyfile(damaged, trial)
            journal = damaged.with_name(damaged.name + "-journal")
            if mend is not None:
                mend(trial, pristine)
            elif journal.exists():  # an unfinished transaction is rolled back first
                shutil.copyfile(journal, trial.with_name(trial.name + "-journal"))
            with contextlib.suppress(*BROKEN), contextlib.closing(sqlite3.connect(trial)) as db:
                db.text_factory = bytes  # a flipped bit may leave bytes that are no UTF-8
                for table in tuple(open_questions):
                    rows = found[table]
                    if _read_table(db, table, rows):
                        open_questions.discard(table)
    return {table: [rows[n] for n in sorted(rows)] for table, rows in found.items()}


def _read_table(db: sqlite3.Connection, table: str, rows: dict[int, dict[str, Any]]) -> bool:
    """Add a table's readable rows to ``rows`` by rowid; False when some could not be read.

    From the front up to a damaged page, from the back down to one, and between the two row by row.
    """
    ends: list[int] = []
    for order in ("ASC", "DESC"):
        last = None
        try:
            for row in _rows(
                db, f'SELECT rowid AS "_n", * FROM "{table}" NOT INDEXED ORDER BY rowid {order}'
            ):
                last = row.pop("_n")
                rows.setdefault(last, row)
            return not ends  # the whole table in one go
        except BROKEN:
            ends.append(last if last is not None else (0 if order == "ASC" else 2000))
    for n in range(ends[0] + 1, min(ends[1], ends[0] + 2000)):
        with contextlib.suppress(*BROKEN):
            for row in _rows(
                db, f'SELECT rowid AS "_n", * FROM "{table}" NOT INDEXED WHERE rowid = {n}'
            ):
                rows.setdefault(row.pop("_n"), row)
    return False


def _rows(db: sqlite3.Connection, query: str) -> Iterator[dict[str, Any]]:
    cursor = db.execute(query)
    cursor.row_factory = None
    names = [column[0] for column in cursor.description]
    for row in cursor:
        yield {
            name: value.decode("utf-8", "replace") if isinstance(value, bytes) else value
            for name, value in zip(names, row, strict=True)
        }


def _insert(db: sqlite3.Connection, table: str, row: dict[str, Any]) -> bool:
    """Insert what the table has columns for; False when it doesn't fit (a wrong type, a missing
    value, a twin)."""
    columns = [name for name in _columns(db, table) if name in row]
    if table == "settings" and not _is_json(row.get("value")):
        return False
    names = ", ".join(f'"{name}"' for name in columns)
    marks = ", ".join("?" * len(columns))
    try:
        db.execute(
            f'INSERT INTO "{table}" ({names}) VALUES ({marks})', [row[name] for name in columns]
        )
        return True
    except (sqlite3.Error, OverflowError):
        return False


def _drop_orphans(db: sqlite3.Connection) -> None:
    """Undo references to rows that are lost: empty them where they may be empty, else drop the
    row."""
    for table, rowid, _, reference in db.execute("PRAGMA foreign_key_check").fetchall():
        column = next(
            row[3]
            for row in db.execute(f'PRAGMA foreign_key_list("{table}")')
            if row[0] == reference
        )
        try:
            db.execute(f'UPDATE "{table}" SET "{column}" = NULL WHERE rowid = ?', (rowid,))
        except sqlite3.IntegrityError:
            db.execute(f'DELETE FROM "{table}" WHERE rowid = ?', (rowid,))


def _columns(db: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in db.execute(f'PRAGMA table_info("{table}")')]


def _key_columns(db: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in db.execute(f'PRAGMA table_info("{table}")') if row[5]]


def _is_json(text: Any) -> bool:
    try:
        json.loads(text)
        return True
    except (TypeError, ValueError):
        return False


def _mend_header(trial: Path, pristine: Path) -> None:
    """Give a file the header of a sound one, with its own number of pages."""
    data = bytearray(trial.read_bytes())
    data += bytes(-len(data) % PAGE)
    data[:HEADER] = pristine.read_bytes()[:HEADER]
    data[28:32] = struct.pack(">I", len(data) // PAGE)
    data[32:40] = bytes(8)  # no free pages: none is needed to read
    trial.write_bytes(data)


def _mend_schema(trial: Path, pristine: Path) -> None:
    """Put a sound file's schema pages in place as well: the same migrations make the same roots."""
    sound = pristine.read_bytes()
    data = bytearray(trial.read_bytes())
    pages = schema_pages(sound)
    data += bytes(max(0, max(pages) * PAGE - len(data)))
    for page in pages:
        at = (page - 1) * PAGE
        data[at : at + PAGE] = sound[at : at + PAGE]
    trial.write_bytes(data)
    _mend_header(trial, pristine)


def schema_pages(data: bytes) -> list[int]:
    """Page numbers of the schema table: page 1, and its children where page 1 is an interior page
    (type 5)."""
    if data[HEADER] != 5:
        return [1]
    count = int.from_bytes(data[HEADER + 3 : HEADER + 5], "big")
    pages = [1, int.from_bytes(data[HEADER + 8 : HEADER + 12], "big")]
    for n in range(count):
        at = int.from_bytes(data[HEADER + 12 + 2 * n : HEADER + 14 + 2 * n], "big")
        pages.append(int.from_bytes(data[at : at + 4], "big"))
    return pages
