"""What q1lab means to write into the learner's files, and where else a person wants it: known
before it writes.

A process can be killed between the writing of a document and its commit. The file then differs from
the last commit, and the next command must not take q1lab's own bytes for edits of the learner's. So
the hash of what will be written is kept in q1lab's home first, under a lock that the kernel frees.

A hash is kept only for text whose every byte is q1lab's, was committed before, or was agreed to.
By the same hash a file that an option names (``--output``) is known for one that q1lab wrote, and
may be written again.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from q1lab.ground import paths
from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import (
    exclusive_lock,
    expand_user,
    kind_of_non_file,
    os_errors_as_problems,
    os_reason,
    read_bytes,
    sync_folder,
    write_atomic,
)

KEPT = 200
"""So many files are remembered; the oldest are forgotten first."""
_STAGED = "q1lab-writing"
LARGEST = 1 << 30
"""Bytes of a file that q1lab may have written out."""


def _file() -> Path:
    return paths.home() / "written.json"


@contextlib.contextmanager
def single_writer(git_dir: Path | None) -> Iterator[None]:
    """One writer at a time. What a killed one left in the staging places is removed first."""
    paths.ensure_home()
    with exclusive_lock(paths.home() / "written.lock"):
        for folder in _staging(git_dir):
            (folder / _STAGED).unlink(missing_ok=True)
        yield


def is_last_written(path: Path, data: bytes | None) -> bool:
    """Whether ``data`` is what q1lab meant to write to ``path`` the last time."""
    return data is not None and _known().get(str(path)) == _hash(data)


def record_intent(files: Mapping[Path, bytes]) -> None:
    """Note what is about to be written, before it is."""
    known = _known()
    for path, data in files.items():
        known.pop(str(path), None)
        known[str(path)] = _hash(data)
    write_atomic(_file(), json.dumps(dict(list(known.items())[-KEPT:]), indent=1))


def replace_file(path: Path, data: bytes, *, mode: int, git_dir: Path | None) -> None:
    """Replace ``path`` by ``data``, whole or not at all. A new file gets ``mode``.

    The new bytes are staged outside the learner's work tree wherever that is on the same disk, so
    that a kill leaves nothing there. Problem when the folder can't be written or the disk is full.
    """
    with os_errors_as_problems(f"cannot write {path}"):
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


def write_output(
    path: Path, content: str | bytes, *, mode: int = 0o644, force: bool = False
) -> None:
    """Write what a person wants to have at ``path`` (``--output``): a file atomically; into a pipe
    or a terminal (``/dev/stdout``, ``>(less)``) as it comes.

    Problem over a file that q1lab did not write there as it is now (unless ``force``), where the
    folder isn't there (a slip of the finger makes none), for a disk device, and for a pipe that
    nobody reads.
    """
    path = expand_user(path).absolute()
    data = content.encode() if isinstance(content, str) else content
    if _is_stream(path):
        _write_through(path, data)
        return
    if not path.parent.is_dir():
        raise Problem(
            f"there is no folder {path.parent}",
            next="make it first, or give another path",
            file=path.parent,
        )
    prove_writable(path, force)
    with contextlib.suppress(Problem), exclusive_lock(paths.home() / "written.lock"):
        record_intent({path: data})  # a home that can't be written is no reason to write nothing
    write_atomic(path, data, mode=mode, through=True)


def prove_writable(path: Path, force: bool = False) -> None:
    """Problem where ``path`` is there, and is no file that q1lab wrote there and nobody changed."""
    path = expand_user(path).absolute()
    if force or not os.path.lexists(path) or kind_of_non_file(path):
        return  # (what is no file is refused, or written into, whatever was said)
    try:
        if not path.is_symlink() and is_last_written(path, read_bytes(path, LARGEST)):
            return
    except OSError:
        pass
    raise Problem(
        f"{path} is there already, and is not what q1lab wrote there",
        next="give another name, or --force to write over it",
        file=path,
    )


def _is_stream(path: Path) -> bool:
    try:
        kind = path.stat().st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(kind) or stat.S_ISCHR(kind)


def _write_through(path: Path, data: bytes) -> None:
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        os.set_blocking(fd, True)
        with os.fdopen(fd, "wb", closefd=True) as out:
            out.write(data)
    except BrokenPipeError:
        raise
    except OSError as error:
        reason = "nobody reads from it" if error.errno == errno.ENXIO else os_reason(error)
        raise Problem(f"cannot write {path}: {reason}", FAILED, file=path) from error


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
