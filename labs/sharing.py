"""The ways in which trainers share a study's plan, and an engine's demands on one: claims, locks, a
log for each run, exactly this run, stop when stdin ends. No torch here."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any


def planned(plan: Mapping[str, Any], only: str | None = None) -> list[tuple[str, int]]:
    """(arm, seed) of the runs that a plan is to train, in its order; ``only`` that one."""
    cells = plan.get("gate", {}).get("cells")  # of a proposal to a gate: not the whole grid
    return [
        (arm, seed)
        for look in plan["looks"]
        for seed in look
        for arm in ("baseline", "modified")
        if only in (None, name := f"{arm}-seed{seed}") and (cells is None or name in cells)
    ]


def take(claim: Path) -> bool:
    """Claim a run for this launch; False when another process has it."""
    claim.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        os.close(os.open(claim, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return False
    return True


def engine_options(parser: argparse.ArgumentParser) -> None:
    """The options of an engine that schedules each run itself."""
    parser.add_argument(
        "--only", metavar="RUN", help="train exactly this run, such as modified-seed0"
    )
    parser.add_argument(
        "--attempt", type=int, help="number of this attempt, where earlier events are elsewhere"
    )
    parser.add_argument(
        "--leash", action="store_true", help="stop with a checkpoint when stdin ends"
    )


def leash(stop: Callable[[], object]) -> None:
    """Call ``stop`` when stdin ends: whoever started this process holds the other end, and is
    gone."""

    def wait() -> None:
        # not sys.stdin: it would hold a lock that the interpreter wants at its exit
        while os.read(0, 1):
            pass
        stop()

    threading.Thread(target=wait, daemon=True).start()


def inside(folder: Path, name: str) -> Path:
    """``folder/name``. ValueError when ``name`` leads out of the folder (study.json is data, not to
    be trusted)."""
    parts = PurePath(name)
    if parts.is_absolute() or ".." in parts.parts:
        raise ValueError(f"study.json names a file outside its folder: {name}")
    return folder / parts


@contextlib.contextmanager
def holding(lock: Path) -> Iterator[None]:
    """Hold the run's lock: as long as it is held, the run is alive, and nothing else is proof of
    that."""
    lock.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        # a viewer's look holds it for an instant; an orphan, until it has ended
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


@contextlib.contextmanager
def output_to(log: Path) -> Iterator[None]:
    """Send what the model file prints, and tracebacks, to the run's own log."""
    sys.stdout.flush()
    sys.stderr.flush()
    saved_outputs = os.dup(1), os.dup(2)
    fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        os.dup2(fd, 1)
        os.dup2(fd, 2)
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            # a full disk; a model file that closed it
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os.dup2(saved_outputs[0], 1)
        os.dup2(saved_outputs[1], 2)
        for each in (fd, *saved_outputs):
            os.close(each)
