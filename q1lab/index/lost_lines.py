"""Lines that the journal had and has no more: it was deleted, emptied, or an older one was put in
its place, as a synced folder may do.

The index that still knew them is copied beside before it is made anew. As long as that copy is
there, and the journal has not come back, its one line is said; deleting the copy is to go on
without what it knows.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from q1lab.ground.files import printable, sync_folder
from q1lab.ground.text_formats import plural
from q1lab.index import journal
from q1lab.index.entry_fields import LOST, OFFSET


@dataclass(frozen=True)
class KnownJournal:
    """The journal as an index knows it, up to ``mark``, as of ``until`` (UTC). A copy also knows
    how many lines were ``missing`` when it was made (0: another journal had taken the place), and
    ``since`` when."""

    mark: journal.Offset
    until: str
    missing: int = 0
    since: str = ""


def copy_index_if_lost(database: Path, file: Path) -> str | None:
    """Copy the index beside, where the journal ``file`` lacks lines that it knows; returns what to
    say. OSError when the disk refuses."""
    known_journal = _known(database)
    if known_journal is None or journal.begins_with(file, known_journal.mark):
        return None
    for copy in _copies(database):
        if (before := _known(copy)) is not None and before.mark == known_journal.mark:
            return _told(before, copy, file)
    lines = journal.read_entries(file)
    missing = max(0, known_journal.mark.lines - lines.mark.lines)
    bodies = [line.body for line in lines.lines if line.body is not None]
    since = str(bodies[-1].get("at", "")) if bodies and missing else ""
    name = f"{database.stem}.until-{known_journal.until[:10]}"
    copy, number = database.with_name(f"{name}{database.suffix}"), 1
    while copy.exists():
        number += 1
        copy = database.with_name(f"{name}-{number}{database.suffix}")
    part = copy.with_name(f".{copy.name}.part")
    part.unlink(missing_ok=True)
    shutil.copyfile(database, part)
    part.chmod(0o600)
    with contextlib.closing(sqlite3.connect(part)) as db, db:
        value = json.dumps({"missing": missing, "since": since})
        db.execute(
            "INSERT OR REPLACE INTO settings VALUES (?, ?, ?)", (LOST, value, known_journal.until)
        )
    with part.open("rb") as stream:
        os.fsync(stream.fileno())
    part.replace(copy)
    sync_folder(copy.parent)
    return _told(KnownJournal(known_journal.mark, known_journal.until, missing, since), copy, file)


def lost_line_warnings(database: Path, file: Path) -> list[str]:
    """Warnings of lines that the journal ``file`` lacks, one for each copy that has them."""
    warnings = []
    for copy in _copies(database):
        known_journal = _known(copy)
        if known_journal is not None and not journal.begins_with(file, known_journal.mark):
            warnings.append(_told(known_journal, copy, file))
    return warnings


def _told(known_journal: KnownJournal, copy: Path, file: Path) -> str:
    if known_journal.missing:
        last = f" (its last was of {_minute(known_journal.since)})" if known_journal.since else ""
        fewer = plural(known_journal.missing, "line")
        loss = f"was found with {fewer} fewer than it had at {_minute(known_journal.until)}{last}"
    else:
        lines = plural(known_journal.mark.lines, "line")
        loss = f"is not the one that had {lines} at {_minute(known_journal.until)}"
    return (
        f"{file.name} {loss}; put that file back, or delete {copy.name}, the index that knows "
        "them, to go on without them"
    )


def _minute(at: str) -> str:
    return f"{printable(at)[:16].replace('T', ' ')} UTC"


def _copies(database: Path) -> list[Path]:
    return sorted(database.parent.glob(f"{database.stem}.until-*{database.suffix}"))


def _known(database: Path) -> KnownJournal | None:
    """None for an index that can't be read, or knows no line."""
    try:
        with contextlib.closing(
            sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)
        ) as db:
            rows = {
                key: (json.loads(value), updated)
                for key, value, updated in db.execute(
                    "SELECT * FROM settings WHERE key IN (?, ?)", (OFFSET, LOST)
                )
            }
        value, until = rows[OFFSET]
        mark = journal.Offset.from_record(value)
        more = rows[LOST][0] if LOST in rows else {}
    except (sqlite3.Error, OSError, ValueError, TypeError, KeyError):
        return None
    return KnownJournal(mark, until, **more) if mark.lines else None
