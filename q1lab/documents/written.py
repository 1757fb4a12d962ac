"""What q1lab means to write into the learner's files: known before it writes.

A process can be killed between the writing of a document and its commit. The file then differs from
the last commit, and the next command must not take q1lab's own bytes for edits of the learner's. So
the hash of what will be written is kept in q1lab's home first, under a lock that the kernel frees.

A hash is kept only for text whose every byte is q1lab's, was committed before, or was agreed to.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from q1lab import paths
from q1lab.errors import FAILED, Problem
from q1lab.files import locked, os_reason, sync_folder, write_atomic

KEPT = 200
"""So many files are remembered; the oldest are forgotten first."""
_STAGED = "q1lab-writing"


def _file() -> Path:
    return paths.home() / "written.json"


@contextlib.contextmanager
def writing(git_dir: Path | None) -> Iterator[None]:
    """One writer at a time. What a killed one left in the staging places is removed first."""
    paths.ensure_home()
    with locked(paths.home() / "written.lock"):
        for folder in _staging(git_dir):
            (folder / _STAGED).unlink(missing_ok=True)
        yield


def ours(path: Path, data: bytes | None) -> bool:
    """Whether ``data`` is what q1lab meant to write to ``path`` the last time."""
    return data is not None and _known().get(str(path)) == _hash(data)


def mean(files: Mapping[Path, bytes]) -> None:
    """Note what is about to be written, before it is."""
    known = _known()
    for path, data in files.items():
        known.pop(str(path), None)
        known[str(path)] = _hash(data)
    write_atomic(_file(), json.dumps(dict(list(known.items())[-KEPT:]), indent=1))


def put(path: Path, data: bytes, *, mode: int, git_dir: Path | None) -> None:
    """Replace ``path`` by ``data``, whole or not at all. A new file gets ``mode``.

    The new bytes are staged outside the learner's work tree wherever that is on the same disk, so
    that a kill leaves nothing there. Problem when the folder can't be written or the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            mode = path.stat().st_mode & 0o777
        disk = path.parent.stat().st_dev
        places = [folder for folder in _staging(git_dir) if _disk(folder) == disk]
        if not places:
            write_atomic(path, data, mode=mode)
            return
        staged = places[0] / _STAGED
        try:
            fd = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            staged.chmod(mode)
            staged.replace(path)
        except BaseException:
            staged.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise Problem(f"cannot write {path}: {os_reason(error)}", FAILED) from error


def _staging(git_dir: Path | None) -> list[Path]:
    """Where new bytes wait: q1lab's home, else git's own folder."""
    return [paths.home(), *([git_dir] if git_dir else [])]


def _disk(folder: Path) -> int | None:
    try:
        return folder.stat().st_dev
    except OSError:
        return None


def _known() -> dict[str, str]:
    try:
        found = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # without it, the worst is a question too many
    return found if isinstance(found, dict) else {}


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
