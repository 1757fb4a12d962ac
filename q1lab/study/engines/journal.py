"""``engine/journal.jsonl``: every line that came from an engine, once and in order.

The journal is the truth and each run's ``events.jsonl`` is made up from it, so a process that is
killed between the two doubles nothing and loses nothing: the next one compares lengths and appends
what is missing.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO

from q1lab.files import open_private, private_folder, prove_at_home, size_of
from q1lab.paths import StudyPaths

TOGETHER = 64
"""Files that are open at once while events are made up."""


class Journal:
    """The journal of one study. One process writes it: the one that holds the study's lock."""

    def __init__(self, files: StudyPaths) -> None:
        self.files = files
        self.path = files.root / "engine" / "journal.jsonl"
        self.cursors: dict[str, int] = {}
        """The last line's number, by job."""
        self.ends: dict[str, int] = {}
        """Bytes of events by run, all jobs together."""
        self.last: dict[str, str] = {}
        """The last line by run that an engine sent."""
        self._tail: dict[str, list[bytes]] = {}
        private_folder(self.path.parent)
        self._open()

    def _open(self) -> None:
        """Read what is there; a torn last line (a kill in mid-write) is cut off."""
        prove_at_home(self.path)
        with contextlib.suppress(FileNotFoundError), self.path.open("r+b") as file:
            sound = 0
            for line in file:
                if not line.endswith(b"\n"):
                    break
                sound += len(line)
                with contextlib.suppress(ValueError, KeyError, TypeError):
                    self._count(json.loads(line))
            if sound < size_of(self.path):
                file.truncate(sound)

    def _count(self, entry: dict[str, Any]) -> None:
        job, n, run = str(entry["job"]), entry["n"], str(entry["run"])
        if n is not None:
            self.cursors[job] = max(self.cursors.get(job, 0), int(n))
        if not entry["line"]:  # a word about the cell, which only moves the cursor
            return
        if n is not None:
            self.last[run] = str(entry["line"])
        line = str(entry["line"]).encode() + b"\n"
        self.ends[run] = self.ends.get(run, 0) + len(line)
        self._tail.setdefault(run, []).append(line)

    def add(self, job: str, lines: Iterable[tuple[int | None, str, str]]) -> int:
        """Append lines that are new (by number; None: q1lab's own words), make them durable, and
        bring the runs' events up to date. Returns how many were new."""
        fresh = []
        cursor = self.cursors.get(job, 0)
        for n, run, line in lines:
            if n is not None:
                if n <= cursor:
                    continue
                cursor = n
            fresh.append({"job": job, "n": n, "run": run, "line": line})
        if fresh:
            block = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in fresh)
            with open_private(self.path) as file:
                file.write(block.encode())
                file.flush()
                os.fsync(file.fileno())
            for entry in fresh:
                self._count(entry)
        return len(fresh)

    def make_up(self, base: dict[str, int]) -> None:
        """Append to each run's events what the journal has and they lack. ``base`` has the bytes
        that were there before an engine's first line."""
        late = [run for run, lines in self._tail.items() if lines]
        for first in range(0, len(late), TOGETHER):
            part = late[first : first + TOGETHER]
            with contextlib.ExitStack() as stack:
                _make_durable([f for run in part if (f := self._append(run, base, stack))])
            for run in part:
                self._tail[run].clear()

    def _append(
        self, run: str, base: Mapping[str, int], stack: contextlib.ExitStack
    ) -> BinaryIO | None:
        """Append what one run's events lack; returns the file, which ``stack`` closes."""
        lines, files = self._tail[run], self.files.run(run)
        private_folder(files.root)
        have = size_of(files.events) - base.get(run, 0)
        behind = self.ends[run] - sum(map(len, lines))
        missing = b"".join(lines)[max(0, have - behind) :]
        if not missing:
            return None
        file = stack.enter_context(open_private(files.events))
        file.write(missing)
        return file

    def base(self, runs: Iterable[str]) -> dict[str, int]:
        """Bytes of each run's events that are not from this journal, as of now: take it before a
        launch."""
        return {
            run: max(0, size_of(self.files.run(run).events) - self.ends.get(run, 0)) for run in runs
        }


def _make_durable(files: list[BinaryIO]) -> None:
    """Wait until the disk has them. A disk takes many at once in the time of a few."""
    for file in files:
        file.flush()
    if len(files) < 2:
        for file in files:
            os.fsync(file.fileno())
        return
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda file: os.fsync(file.fileno()), files))
