"""Signs that the runs of a command aren't independent: one goes on where another ended, or the seed
does not reach them. Standard library only."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from labs import report

BEGAN = "began"
"""An empty file in a run's folder, as old as the run."""
MOST_ENTRIES = 20_000
"""Files and folders of a program's folder that are looked at."""
LOADS, WORD = re.compile(r"resum|load", re.I), re.compile(r"[^\s'\"()\[\]:=,]+")
TEXT_OR_DATABASE = re.compile(rb"SQLite format 3\0.*|[\t\n\r\x1b -~\x80-\xff]*", re.S)
DIGITS = 5
"""Digits from which on two runs hardly report the same number by chance."""


class OtherRunsFiles:
    """The files in a program's folder that other runs of a study have written, as a run begins."""

    def __init__(self, folder: Path, runs: Path) -> None:
        since = min((file.stat().st_mtime_ns for file in runs.glob(f"*/{BEGAN}")), default=None)
        self.began = time.time_ns()
        self.times: dict[Path, int] = {}
        for path in _entries(folder, but=runs) if since is not None else ():
            modified = _modified(path)
            if modified >= since:
                self.times[path] = modified
        self.folder = folder

    def loaded(self, log: Path, metric: str) -> str:
        """The first of them that a run's log says, before it names the metric, that it resumed
        from, or loaded and then wrote again; empty for none."""
        names: dict[str, list[Path]] = {}
        for path in self.times:
            names.setdefault(path.name, []).append(path)
        if not names or not log.exists():
            return ""
        with log.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if metric in line:
                    return ""
                if not LOADS.search(line) or "best" in line.lower():
                    continue  # the best one is this run's own
                for word in WORD.findall(line[:4096]):
                    for path in names.get(word.rstrip("./…").rpartition("/")[2], ()):
                        if _modified(path) != self.times[path] or "resum" in line.lower():
                            return str(path.relative_to(self.folder))
        return ""

    def overwritten(self) -> str:
        """The first of them that is no text and no database, which the run read and then wrote
        again in place, as a program that resumes in silence does; empty for none."""
        for path in self.times:
            try:
                now = path.lstat()
                if stat.S_ISREG(now.st_mode) and self.began < now.st_atime_ns < now.st_mtime_ns:
                    with path.open("rb") as file:
                        if not TEXT_OR_DATABASE.fullmatch(file.read(4096)):
                            return str(path.relative_to(self.folder))
            except OSError:
                continue
        return ""


def seed_with_same_numbers(run: Path, values: Mapping[int, float]) -> str:
    """Another run of the same arm, with another seed, that reported these values of the metric, by
    step, to the bit; empty for none, and where they have too few digits to tell."""
    if not any(
        len(re.sub(r"e.*|\D", "", str(each)).lstrip("0")) >= DIGITS for each in values.values()
    ):
        return ""
    arm = run.name.rpartition("-seed")[0]
    for other in sorted(run.parent.glob(f"{arm}-seed*")):
        events = report.read(other / "events.jsonl")
        theirs = {e.get("iter"): e.get("val_loss") for e in events if e.get("type") == "eval"}
        is_same = theirs and all(values.get(step) == value for step, value in theirs.items())
        if other != run and is_same and report.state(events) == "finished":
            return other.name
    return ""


def _entries(folder: Path, but: Path) -> Iterator[Path]:
    """The files and folders below a folder, but hidden ones and those of ``but``."""
    count = 0
    for root, folders, names in os.walk(folder):
        folders[:] = [
            name
            for name in folders
            if name[0] not in "._" and not but.is_relative_to(Path(root, name))
        ]
        for name in (*folders, *names):
            count += 1
            if count > MOST_ENTRIES:
                return
            yield Path(root, name)


def _modified(path: Path) -> int:
    """When a file was written last, in nanoseconds; 0 where it is gone."""
    try:
        return path.lstat().st_mtime_ns
    except OSError:
        return 0
