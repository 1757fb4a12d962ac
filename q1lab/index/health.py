"""A look at the database file before it is opened, and at its copies: all that every start needs of
`rescue`."""

from __future__ import annotations

import os
import time
from pathlib import Path

from q1lab.files import open_regular

EVERY = 60.0
"""Seconds between two copies of the learner's tables."""

HEADER = 100
"""Bytes of a SQLite file's header (https://www.sqlite.org/fileformat.html)."""

PAGE = 4096


def header_fault(file: Path) -> str | None:
    """What is wrong with a database file's header as q1lab writes it, or None. Reads 100 bytes."""
    with open_regular(file) as stream:
        head = stream.read(HEADER)
        size = stream.seek(0, os.SEEK_END)
    if len(head) < HEADER or head[:16] != b"SQLite format 3\x00":
        return "it is no SQLite file"
    if size % PAGE:
        return "it is cut off in the middle of a page"
    fixed = (
        (int.from_bytes(head[16:18], "big") == PAGE, "the page size"),
        (head[18] == head[19] and head[18] in (1, 2), "the file format"),
        (head[20:24] == bytes((0, 64, 32, 32)), "the page layout"),
        (head[44:48] == b"\0\0\0\x04", "the schema format"),
        (head[52:56] == head[64:68] == b"\0\0\0\0", "the vacuum mode"),
        (head[56:60] == b"\0\0\0\x01", "the text encoding"),
        (not any(head[72:92]), "the reserved bytes"),
    )
    return next((f"{what} in its header is damaged" for sound, what in fixed if not sound), None)


def copies(file: Path) -> list[Path]:
    """Where the copies of the learner's tables lie, newest first (whether they are there or
    not)."""
    return [file.with_name(f"{file.stem}.copy-{n}.json") for n in (1, 2)]


def is_due(file: Path) -> bool:
    """Whether the newest copy is older than EVERY (or dated in the future, by a clock that was set
    back)."""
    try:
        return not 0 <= time.time() - copies(file)[0].stat().st_mtime < EVERY
    except OSError:
        return True
