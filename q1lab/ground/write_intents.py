"""Hashes of the files that q1lab is about to write, recorded before it writes them.

A process can be killed between the writing of a document and its commit. The file then differs from
the last commit, and the next command must not mistake q1lab's own bytes for the learner's edits. So
q1lab first records the hash of the new content in its home, under a lock that the kernel frees.

A hash is recorded only for text whose every byte q1lab wrote, a commit holds, or the learner agreed
to. The same hash shows that q1lab wrote a file named by an option (``--output``), which it may then
overwrite.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import stat
import sys
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

MOST_RECORDED = 200
"""The number of files whose hashes are stored; the oldest are dropped first."""
_STAGED_NAME = "q1lab-writing"
STDOUT = Path("-")
"""Standard output, as a person names it."""
MOST_HASHED_BYTES = 1 << 30
"""The most bytes of a file that q1lab compares with its hash."""


def _file() -> Path:
    return paths.home() / "written.json"


@contextlib.contextmanager
def single_writer(git_dir: Path | None) -> Iterator[None]:
    """Hold the lock of the one writer, after removing staged files that a killed writer left."""
    paths.ensure_home()
    with exclusive_lock(paths.home() / "written.lock"):
        for folder in _staging(git_dir):
            (folder / _STAGED_NAME).unlink(missing_ok=True)
        yield


def is_last_written(path: Path, data: bytes | None) -> bool:
    """True if ``data`` is the content that q1lab last meant to write to ``path``."""
    return data is not None and _recorded_hashes().get(str(path)) == _hash(data)


def record_intent(files: Mapping[Path, bytes]) -> None:
    """Record the hashes of files that are about to be written."""
    hashes = _recorded_hashes()
    for path, data in files.items():
        hashes.pop(str(path), None)
        hashes[str(path)] = _hash(data)
    write_atomic(_file(), json.dumps(dict(list(hashes.items())[-MOST_RECORDED:]), indent=1))


def replace_file(path: Path, data: bytes, git_dir: Path | None) -> None:
    """Replace ``path`` by ``data`` atomically. A new file is as public as any program's.

    The new bytes are staged outside the learner's work tree wherever that is on the same disk, so
    that a kill leaves nothing there. Problem when the folder can't be written or the disk is full.
    """
    with os_errors_as_problems(f"cannot write {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = _public_mode()
        with contextlib.suppress(FileNotFoundError):
            mode = path.stat().st_mode & 0o777
        disk = path.parent.stat().st_dev
        places = [folder for folder in _staging(git_dir) if _disk(folder) == disk]
        if not places:
            write_atomic(path, data, mode=mode)
            return
        staged = places[0] / _STAGED_NAME
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


def write_output(path: Path, content: str | bytes, *, force: bool = False) -> None:
    """Write ``content`` to the ``path`` that a person named (``--output``): a file atomically, a
    pipe or a terminal (``/dev/stdout``, ``>(less)``) directly, ``-`` to standard output.

    Problem for an existing file that q1lab did not write or that has changed since (unless
    ``force``), a missing folder (never created, as the path may be a typo), a disk device, and a
    pipe without a reader.
    """
    data = content.encode() if isinstance(content, str) else content
    if path == STDOUT:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
        return
    path = expand_user(path).absolute()
    if is_stream(path):
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
        record_intent({path: data})  # an unwritable home must not prevent the write
    write_atomic(path, data, mode=_public_mode(), through=True)


def _public_mode() -> int:
    """The permissions that any program of this person gives a new file (q1lab's own files are
    private instead)."""
    mask = os.umask(0o077)
    os.umask(mask)
    return 0o666 & ~mask


def prove_writable(path: Path, force: bool = False) -> None:
    """Problem if ``path`` exists, unless q1lab wrote the file and it has not changed since."""
    path = expand_user(path).absolute()
    if force or not os.path.lexists(path) or kind_of_non_file(path):
        return  # the write itself refuses folders and devices, and streams are written into
    try:
        if not path.is_symlink() and is_last_written(path, read_bytes(path, MOST_HASHED_BYTES)):
            return
    except OSError:
        pass
    raise Problem(
        f"{path} is there already, and is not what q1lab wrote there",
        next="give another name, or --overwrite to write over it",
        file=path,
    )


def is_stream(path: Path) -> bool:
    """True for a pipe, a terminal or standard output: a message on what was written there would
    mix with it."""
    if path == STDOUT:
        return True
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
        reason = "no process reads from it" if error.errno == errno.ENXIO else os_reason(error)
        raise Problem(f"cannot write {path}: {reason}", FAILED, file=path) from error


def _staging(git_dir: Path | None) -> list[Path]:
    """Folders for staged bytes: q1lab's home, then git's own folder."""
    return [paths.home(), *([git_dir] if git_dir else [])]


def _disk(folder: Path) -> int | None:
    try:
        return folder.stat().st_dev
    except OSError:
        return None


def _recorded_hashes() -> dict[str, str]:
    try:
        hashes = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # without it, the worst is one question too many
    return hashes if isinstance(hashes, dict) else {}


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
