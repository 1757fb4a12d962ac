"""The ways in which trainers share a study's plan: claims, locks, a log for each run, and the ways
in which one is told to stop. No torch here."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any


def planned(plan: Mapping[str, Any], only: str | None = None) -> list[tuple[str, int]]:
    """(arm, seed) of the runs that a plan is to train, pair by pair; ``only`` that one. The arm
    that begins alternates, so that a processor that grows warm favors neither."""
    arms = ("baseline", "modified")
    return [
        (arm, seed)
        for at, seed in enumerate(seed for look in plan["looks"] for seed in look)
        for arm in (arms if at % 2 == 0 else arms[::-1])
        if only in (None, f"{arm}-seed{seed}")
    ]


def take(claim: Path) -> bool:
    """Claim a run for this launch; False when another process has it."""
    claim.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        os.close(os.open(claim, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return False
    return True


def stop_options(parser: argparse.ArgumentParser) -> None:
    """The options of a trainer that something else starts for each run, or stops."""
    parser.add_argument(
        "--only",
        metavar="RUN",
        help="train exactly this run, such as modified-seed0, until its stop file is there",
    )
    parser.add_argument(
        "--leash", action="store_true", help="stop with a checkpoint when stdin ends"
    )


def stop_files(study: Path, launch: int, run: str) -> tuple[Path, Path]:
    """The files that stop a launch, and one run of it: a signal may not reach a job elsewhere."""
    claims = study / "claims"
    return claims / f"{launch}-stop", claims / f"{launch}-stop-{run}"


def stop_by_file(files: Collection[Path], stop: Callable[[], object]) -> None:
    """Call ``stop`` as soon as one of the files is there, which a thread looks for each half
    second."""

    def wait() -> None:
        while not any(file.exists() for file in files):
            time.sleep(0.5)
        stop()

    if any(file.exists() for file in files):
        stop()
    else:
        threading.Thread(target=wait, daemon=True).start()


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
