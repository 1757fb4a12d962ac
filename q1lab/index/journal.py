"""The journal: ``journal.jsonl`` in q1lab's home, the only record of what the learner did and said.

One line is one act, as JSON::

    {"v": 3, "body": {"act": "tick", …}}

Lines are only ever appended, each written and synced before it counts. Lines of format 2, which
also hold hashes, are read by their body.

Who acted stands in each body as ``who``: ``person`` (at a terminal), ``agent NAME``, or ``no
terminal``.

Nothing that happens to the file takes more than the damaged line away: it is left out and counted.
A line without an end (the machine went down) waits, and whoever appends next ends it first.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self

from q1lab.ground import plugin_finder
from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import (
    exclusive_lock,
    kind_of_non_file,
    open_regular,
    os_errors_as_problems,
    printable,
    sync_folder,
)

OLDEST_FORMAT, FORMAT = 2, 3
LARGEST_LINE = 8 << 20
"""Bytes of one line at most: an answer has 200,000 characters."""
AGENT = "Q1LAB_AGENT"
"""The environment variable in which an agent that works for the learner gives its name."""
LEARNER_ONLY = {
    "tick": "a tick",
    "answer": "an answer",
    "recall": "how a recall question went",
    "predict": "a prediction",
    "roadmap": "a tick of the roadmap",
}
"""The core's acts that only the learner may do, and the result of each."""

Body = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """A whole line: its number in the file (from 1), and its body, None where a newer q1lab wrote
    it."""

    number: int
    body: Body | None


@dataclass(frozen=True)
class Offset:
    """A reader's position: bytes and lines read, and the hash of those bytes."""

    size: int = 0
    lines: int = 0
    sha256: str = hashlib.sha256().hexdigest()

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """The offset that an index keeps; that of an older q1lab holds more. KeyError where it is
        not whole."""
        return cls(record["size"], record["lines"], record["sha256"])


@dataclass(frozen=True)
class NewEntries:
    """The lines after a reader's mark, and the mark after them. ``damaged`` are numbers of lines
    that could not be read, ``newer`` of those that a newer q1lab wrote."""

    lines: tuple[Entry, ...]
    mark: Offset
    damaged: tuple[int, ...] = ()
    newer: tuple[int, ...] = ()


def agent_name() -> str:
    """The agent that acts, by the name that it gives itself; "" where none does."""
    return " ".join(printable(os.environ.get(AGENT, "")).split())[:60]


def current_actor() -> str:
    """The actor, as a line keeps it."""
    if name := agent_name():
        return f"agent {name}"
    return "person" if sys.stdin is not None and sys.stdin.isatty() else "no terminal"


def learner_only() -> dict[str, str]:
    """The acts that only the learner may do, and the result of each: the core's and plug-ins'."""
    added = {
        act: kind.learner_only
        for plugin in plugin_finder.plugins()
        for act, kind in plugin.entries.items()
        if kind.learner_only
    }
    return {**LEARNER_ONLY, **added}


def refuse_agents(act: str) -> None:
    """Problem if an agent is about to do something that only the learner may do."""
    if (name := agent_name()) and (act_name := learner_only().get(act)):
        raise Problem(
            f"{act_name} is the learner's own, and {name} acts ({AGENT} is set)",
            FAILED,
            fixable_by="learner",
            next="ask the learner to do it",
        )


MOST_JOURNAL_BYTES = 256 << 20
"""Bytes of a journal: some hundred thousand lines, and a line is some hundred bytes."""


class Rewritten(Exception):
    """The file's beginning is not what was read before: start again with an empty mark."""


def read_entries(file: Path, after: Offset | None = None) -> NewEntries:
    """The whole lines after ``after``. OSError when the file can't be read (none is an empty one),
    Rewritten when it isn't the one that the mark was made in."""
    mark = after or Offset()
    try:
        stream = open_regular(file, refuse_link=True)
    except FileNotFoundError:
        if mark.size:
            raise Rewritten from None
        return NewEntries((), mark)
    with stream:
        if os.fstat(stream.fileno()).st_size > MOST_JOURNAL_BYTES:
            raise OSError(errno.EFBIG, f"larger than {MOST_JOURNAL_BYTES >> 20} MB", str(file))
        return _read(stream, mark)


def begins_with(file: Path, mark: Offset) -> bool:
    """True if the file still begins with what was read up to ``mark``. OSError as ``read_entries``
    has."""
    try:
        read_entries(file, mark)
    except Rewritten:
        return False
    return True


def _read(stream: BinaryIO, mark: Offset) -> NewEntries:
    digest = hashlib.sha256(stream.read(mark.size))
    if stream.tell() != mark.size or digest.hexdigest() != mark.sha256:
        raise Rewritten
    lines: list[Entry] = []
    damaged, newer = [], []
    size, number = mark.size, mark.lines
    for raw in stream:
        if not raw.endswith(b"\n"):
            break
        digest.update(raw)
        size += len(raw)
        number += 1
        line = _parsed(raw, number)
        if line is None:
            damaged.append(number)
            continue
        if line.body is None:
            newer.append(number)
        lines.append(line)
    after = Offset(size, number, digest.hexdigest())
    return NewEntries(tuple(lines), after, tuple(damaged), tuple(newer))


def _parsed(raw: bytes, number: int) -> Entry | None:
    if len(raw) > LARGEST_LINE:
        return None
    try:
        record = json.loads(raw)
        version, body = record["v"], record["body"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if type(version) is not int or version < OLDEST_FORMAT or not isinstance(body, dict):
        return None
    return Entry(number, body if version <= FORMAT else None)


def encode_entries(bodies: Sequence[Body]) -> bytes:
    """The lines that carry ``bodies``."""
    out = []
    for body in bodies:
        line = json.dumps({"v": FORMAT, "body": body}, ensure_ascii=False)
        # (half a character, from a terminal that speaks no UTF-8, is written as its escape)
        out.append(re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", line).encode())
        out.append(b"\n")
    return b"".join(out)


@contextlib.contextmanager
def hold_lock(file: Path) -> Iterator[None]:
    """Hold the journal's lock for a block: read the tail, decide, and append inside it. Problem
    when another q1lab holds it for long."""
    with exclusive_lock(file.with_suffix(".lock")):
        yield


def create_file(file: Path) -> None:
    """Make an empty journal where there is none."""
    with _appending(file):
        pass


def end_torn_line(file: Path, mark: Offset) -> None:
    """Give a line that was cut off its end, so that the next one begins on a line of its own. The
    lock is held, and ``mark`` is that of all whole lines."""
    with _appending(file) as fd:
        if os.fstat(fd).st_size > mark.size:
            _write(fd, b"\n")


def append(file: Path, bodies: Sequence[Body], mark: Offset) -> Offset:
    """Append one line a body and sync them, all or none; returns the mark after them. The lock is
    held, and ``mark`` is that of the whole file. Problem when the disk refuses: then nothing was
    added."""
    data = encode_entries(bodies)
    with _appending(file) as fd:
        if os.fstat(fd).st_size != mark.size:
            raise Problem(
                f"{file} was changed by another program just now",
                FAILED,
                next="try again",
                file=file,
            )
        _write(fd, data)
    if not mark.size:
        sync_folder(file.parent)
    # (a prefix that is hashed again: a journal has some hundred lines, and this follows an fsync)
    return read_entries(file, mark).mark


@contextlib.contextmanager
def _appending(file: Path) -> Iterator[int]:
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
    with os_errors_as_problems(f"cannot write {file}"):
        if (file_kind := kind_of_non_file(file)) is not None:
            raise Problem(f"cannot write {file}: it is {file_kind}, not a file", FAILED, file=file)
        fd = os.open(file, flags, 0o600)
        try:
            yield fd
        finally:
            os.close(fd)


def _write(fd: int, data: bytes) -> None:
    size = os.fstat(fd).st_size
    try:
        written = 0
        while written < len(data):
            written += os.write(fd, data[written:])
        os.fsync(fd)
    except OSError:
        os.ftruncate(fd, size)  # what arrived of it was never said to be kept
        raise
