"""Append a run's events: one JSON object per line, one write each, to a file that is only ever
appended to.

The reader (q1lab/study/events.py) lists the types. An event that must survive a power cut (start,
eval, exit) is followed by fsync; the others reach the file at once and the disk when the system
pleases.
"""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

DURABLE = {"start", "eval", "exit"}

RESERVE = 16 << 10
"""Bytes kept beside the log while a run trains, so that its last word finds room on a full disk."""


class Report:
    """The event log of one attempt of one run. Each event gets ``t``, seconds of this attempt by
    the monotonic clock, and ``total``, the same with the ``before`` seconds of earlier attempts."""

    def __init__(self, path: Path, before: float = 0.0) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._began, self._before = time.monotonic(), before
        size = os.fstat(self._fd).st_size
        if size and os.pread(self._fd, 1, size - 1) != b"\n":
            # a predecessor died in mid-line: its torn line stays, on its own
            os.write(self._fd, b"\n")
        self._reserve = path.with_name(".reserve")
        with contextlib.suppress(OSError):
            self._reserve.write_bytes(b"." * RESERVE)

    def __call__(self, kind: str, **fields: Any) -> None:
        event = {"type": kind, **{key: _plain(value) for key, value in fields.items()}}
        seconds = time.monotonic() - self._began
        event["t"], event["total"] = round(seconds, 3), round(self._before + seconds, 3)
        if kind in ("start", "exit"):
            event["time"] = datetime.now(UTC).isoformat(timespec="seconds")
        line = (
            json.dumps(event, ensure_ascii=False, allow_nan=False).encode(errors="replace") + b"\n"
        )
        try:
            self._append(line)
        except OSError as error:
            if kind != "exit" or error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            self._reserve.unlink(missing_ok=True)
            self._append(line)
        if kind in DURABLE:
            os.fsync(self._fd)

    def _append(self, line: bytes) -> None:
        size = os.fstat(self._fd).st_size
        # the disk filled up in mid-line, which no reader has taken
        if os.write(self._fd, line) != len(line):
            os.ftruncate(self._fd, size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self) -> None:
        os.close(self._fd)
        self._reserve.unlink(missing_ok=True)


def _plain(value: Any) -> Any:
    """Numbers that JSON can hold: one that isn't finite becomes null."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def read(path: Path) -> list[dict[str, Any]]:
    """All readable events of a run so far; none when it never started."""
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    events = []
    for line in lines:
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(event, dict):
            events.append(event)
    return events


def seconds(events: list[dict[str, Any]]) -> float:
    """Seconds that all attempts so far have run."""
    for event in reversed(events):
        total = event.get("total")
        if isinstance(total, int | float) and 0 <= total < 1e9:
            return float(total)
    return 0.0


def state(events: list[dict[str, Any]]) -> str:
    """``queued``, ``running`` (started, no exit yet: alive or crashed), or the last exit's
    state."""
    for event in reversed(events):
        if event.get("type") == "exit":
            return str(event.get("state"))
        if event.get("type") == "start":
            return "running"
    return "queued"
