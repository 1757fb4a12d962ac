"""Liveness of studies: the only place that decides if a study or a run still trains."""

from __future__ import annotations

from q1lab.ground.files import is_locked
from q1lab.ground.paths import RunPaths, StudyPaths
from q1lab.study import engine_state


def is_alive(files: StudyPaths | RunPaths) -> bool:
    """True if the runner or any trainer of a study lives, or the trainer of one run: a process
    holds its lock, which the kernel frees when the last holder is gone, or an engine last reported
    that it has it. Silence proves nothing: an engine out of reach works on."""
    if is_locked(files.lock):
        return True
    if isinstance(files, StudyPaths):
        return engine_state.engine_has_study(files.root)
    return engine_state.engine_has_run(files.root.parent.parent, files.root.name)


def has_runner(files: StudyPaths) -> bool:
    """True if the study has a runner on this machine."""
    return is_locked(files.lock)
