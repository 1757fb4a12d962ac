"""Append a run's events: one JSON object a line, one write each, to a file that is only ever appended to.

The reader (q1lab/events.py) lists the types. An event that must survive a power cut (start, eval, exit) is
followed by fsync; the others reach the file at once and the disk when the system pleases.
"""

from __future__ import annotations

import json
import math
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

DURABLE = {"start", "eval", "exit"}


class Report:
    """The event log of one attempt of one run. ``t`` (seconds by the monotonic clock) is added to each event."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._began = time.monotonic()
        size = os.fstat(self._fd).st_size
        if size and os.pread(self._fd, 1, size - 1) != b"\n":
            os.write(self._fd, b"\n")  # a predecessor died in mid-line: its torn line stays, on its own

    def __call__(self, kind: str, **fields: Any) -> None:
        event = {"type": kind, **{key: _plain(value) for key, value in fields.items()}}
        event["t"] = round(time.monotonic() - self._began, 3)
        if kind in ("start", "exit"):
            event["time"] = datetime.now(UTC).isoformat(timespec="seconds")
        line = json.dumps(event, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        written = os.write(self._fd, line)
        if written != len(line):  # the disk filled up in mid-line
            raise OSError(28, "No space left on device")
        if kind in DURABLE:
            os.fsync(self._fd)

    def close(self) -> None:
        os.close(self._fd)


def _plain(value: Any) -> Any:
    """Numbers that JSON can hold: a loss that isn't finite becomes null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def read(path: Path) -> list[dict[str, Any]]:
    """All readable events of a run so far; none when it never started."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    events = []
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            events.append(event)
    return events


def state(events: list[dict[str, Any]]) -> str:
    """``queued``, ``running`` (started, no exit yet: alive or crashed), or the last exit's state."""
    for event in reversed(events):
        if event.get("type") == "exit":
            return str(event.get("state"))
        if event.get("type") == "start":
            return "running"
    return "queued"
