"""The trash: deleted studies until it is emptied, and what killed commands left behind.

What goes is moved to another name first, so a kill leaves it here or gone.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from q1lab.ground import paths
from q1lab.ground.errors import Problem, notice
from q1lab.ground.files import (
    PARTIAL_PREFIX,
    file_size,
    os_errors_as_problems,
    prove_inside,
    remove_inside,
    sync_folder,
)
from q1lab.study import studies
from q1lab.study.liveness import is_alive

OLD = 3600.0
"""Seconds after which an unfinished file or folder is a leftover."""


def list_trash() -> list[Path]:
    """Deleted studies, and leftovers."""
    return [*_entries(paths.trash_dir(), ""), *_leftovers()]


def empty(places: Iterable[Path]) -> None:
    """Remove these places for good. Problem if the disk refuses."""
    for place in places:
        if place.parent == paths.trash_dir():  # half a study is not to be brought back
            move_away(place, place.with_name(".going"))
            place = place.with_name(".going")
        remove_inside(place)


def _leftovers() -> Iterator[Path]:
    """The files that killed processes left: of writes, restores, checks of a bundle, and what
    children wrote where they stood."""
    old = time.time() - OLD
    home, studies_dir = paths.home(), paths.studies_dir()
    candidates = [
        *_entries(paths.scratch_dir(), ""),
        *_entries(home, ".take-in-"),
    ]
    for folder in (home, paths.data_dir(), home / "bases", *_entries(studies_dir, "")):
        candidates += _entries(folder, PARTIAL_PREFIX)
    candidates += [
        folder
        for folder in _entries(studies_dir, "")
        if studies.is_id(folder.name)
        and folder.is_dir()
        and not (folder / "study.json").exists()
        and not studies.has_runs(folder)
        and not is_alive(paths.StudyPaths(folder))
    ]
    for path in candidates:
        with contextlib.suppress(OSError):
            if path.lstat().st_mtime < old:
                yield path


def _entries(folder: Path, prefix: str) -> list[Path]:
    home = paths.home()
    if not folder.is_dir() or (folder != home and not _is_ours(folder)):
        return []
    return sorted(path for path in folder.iterdir() if path.name.startswith(prefix))


def _is_ours(path: Path) -> bool:
    """True if ``path`` may be deleted; a notice where a link is in the way."""
    try:
        prove_inside(path, paths.home())
        return True
    except Problem as problem:
        notice(str(problem))
        return False


def size_of(path: Path) -> int:
    """Bytes of a file, or of all that is in a folder; links count as nothing."""
    if path.is_symlink():
        return 0
    if not path.is_dir():
        return file_size(path)
    files = (Path(root, name) for root, _, names in os.walk(path) for name in names)
    return sum(file_size(file) for file in files if not file.is_symlink())


def move_away(source: Path, target: Path) -> None:
    with os_errors_as_problems(f"cannot move {source} to {target}"):
        source.rename(target)
        sync_folder(target.parent)
        sync_folder(source.parent)
