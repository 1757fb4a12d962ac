"""Whether something of a study still works: the only place that says so."""

from __future__ import annotations

from q1lab.files import is_locked
from q1lab.paths import RunPaths, StudyPaths


def is_alive(files: StudyPaths | RunPaths) -> bool:
    """Whether the runner or any trainer of a study lives, or the trainer of one run: somebody holds
    its lock, which the kernel frees when all who held it are gone."""
    return is_locked(files.lock)
