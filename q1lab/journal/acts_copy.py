"""``acts.jsonl``, the copy of all acts: text to read and to keep, taken up where the database is
gone."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from q1lab.ground.errors import FAILED, Problem, notice
from q1lab.ground.files import open_private, open_regular, os_reason, read_bytes

MOST_BYTES = 1 << 30
"""Bytes of a copy at most: a study's plan takes 5 KB, an answer less."""


def read_copy(copy: Path) -> list[str]:
    """The acts that the copy has; none where there is no copy. A notice counts lines that hold
    none. Problem where it can't be read: a database without them would pass for the whole."""
    try:
        lines = read_bytes(copy, MOST_BYTES, refuse_link=True).splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise Problem(f"{copy} can't be read: {os_reason(error)}", FAILED, file=copy) from error
    bodies = []
    for line in lines:
        with contextlib.suppress(ValueError):
            if isinstance(json.loads(line), dict):
                bodies.append(line.decode())
    taken = f"q1lab.db was gone: it is made again from the {len(bodies):,} acts in {copy}"
    if bad := len(lines) - len(bodies):
        notice(f"{taken}; {bad:,} of its lines can't be read")
    elif bodies:
        notice(taken)
    return bodies


def append_acts(db: sqlite3.Connection, copy: Path, bodies: Sequence[str]) -> None:
    """Append the acts that were added last. Where the copy does not end with the act before them
    (its disk was full, or it was removed), it also gets every other act that it lacks. What stands
    in it stays. Where it can't be written now, the next act does that."""
    with contextlib.suppress(OSError, Problem), open_private(copy) as file:
        before = db.execute(
            "SELECT body FROM acts ORDER BY id DESC LIMIT 1 OFFSET ?", (len(bodies),)
        ).fetchone()
        if not _ends_with(copy, f"{before[0]}\n".encode() if before else b""):
            there = set(
                read_bytes(copy, MOST_BYTES, refuse_link=True).decode(errors="replace").splitlines()
            )
            every = (row[0] for row in db.execute("SELECT body FROM acts ORDER BY id"))
            bodies = [body for body in every if body.encode() not in there]
            if not _ends_with(copy, b"") and not _ends_with(copy, b"\n"):
                file.write(b"\n")
        file.write("".join(f"{body}\n" for body in bodies).encode())


def _ends_with(copy: Path, end: bytes) -> bool:
    """True if the copy ends so; of nothing, if it is empty."""
    with open_regular(copy, refuse_link=True) as file:
        size = file.seek(0, os.SEEK_END)
        if not size or not end:
            return size == len(end)
        file.seek(max(0, size - len(end)))
        return file.read() == end
