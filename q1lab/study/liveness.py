"""Liveness of studies: the only place that decides if a study or a run still trains."""

from __future__ import annotations

from typing import Any

from q1lab.ground.files import is_locked, read_json
from q1lab.ground.paths import RunPaths, StudyPaths


def is_alive(files: StudyPaths | RunPaths) -> bool:
    """True if the runner or any trainer of a study lives, or the trainer of one run: a process
    holds its lock, which the kernel frees when the last holder is gone. Runs behind a launcher may
    live on another machine, where they hold their own lock alone."""
    return is_locked(files.lock) or (isinstance(files, StudyPaths) and has_jobs(files))


def has_runner(files: StudyPaths) -> bool:
    """True if the runner of a study lives, or a trainer that it started on this machine."""
    return is_locked(files.lock)


def has_jobs(files: StudyPaths) -> bool:
    """True if a run of the study trains behind a launcher, with or without its runner."""
    return files.launched.exists() and any(map(is_locked, files.runs.glob("*/lock")))


def last_launch(files: StudyPaths) -> dict[str, Any]:
    """The record of the last launch; empty when there was none or it can't be read."""
    try:
        record = read_json(files.launch, 1 << 20)
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}
