"""Small, careful file acts: atomic writes, hashes, time stamps, text made safe for a terminal."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, BinaryIO, cast

from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.text_formats import printable as printable


def utc_now() -> str:
    """The time in UTC as ISO text with seconds, e.g. ``2026-03-07T09:30:00+00:00``."""
    return datetime.now(UTC).isoformat(timespec="seconds")


# ── reading what a person or a folder names


def expand_user(path: Path | str) -> Path:
    """``path`` with a ``~`` or ``~user`` at its beginning replaced by that folder. Problem where
    there is no such user."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        head = Path(path).parts[0]
        raise Problem(
            f"{path}: there is no user {head[1:]!r} here"
            if head != "~"
            else f"{path}: the home folder is not known here",
            next="give the full path",
        ) from None


def absolute_path(path: Path | str) -> Path:
    """``path`` made absolute, with ``~`` expanded: the form that q1lab shows and stores. Links are
    resolved only where the path holds ``..``."""
    expanded = expand_user(path)
    return expanded.resolve() if ".." in expanded.parts else expanded.absolute()


MOST = 64 << 20
"""Bytes of the largest file that is read in one piece, unless said otherwise."""

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


def kind_of_non_file(path: Path) -> str | None:
    """The kind of thing at ``path`` when it is not a regular file (``a folder``, ``a device``);
    None for a regular file or nothing."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return None
    return next((word for holds, word in _KINDS if holds(mode)), None)


def open_regular(path: Path, *, refuse_link: bool = False) -> BinaryIO:
    """Open a regular file for reading, without ever waiting for one.

    A name may come from a person, a copied study or a document, and lead to a named pipe without an
    end, a device or a folder: these raise OSError with the reason in words. ``refuse_link``: raise
    OSError for a link, too, as q1lab itself never writes one there.
    """
    if refuse_link and path.is_symlink():
        raise OSError(errno.ELOOP, "a link, not a file", str(path))
    kind = kind_of_non_file(path)
    if kind is None:
        # the path may have been replaced since the check: open without waiting, and check again
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        except ValueError as error:  # a NUL byte
            raise OSError(errno.EINVAL, "no file can have this name", str(path)) from error
        if stat.S_ISREG(os.fstat(fd).st_mode):
            return os.fdopen(fd, "rb")
        os.close(fd)
        kind = "not a plain file"
    code = errno.EISDIR if kind == "a folder" else errno.EINVAL
    raise OSError(code, f"{kind}, not a file", str(path))


def read_bytes(path: Path, most: int = MOST, *, refuse_link: bool = False) -> bytes:
    """The bytes of a regular file. OSError when it is not a regular file (``refuse_link``: or is
    a link), can't be read, or has more than ``most`` bytes."""
    with open_regular(path, refuse_link=refuse_link) as file:
        stated_size = os.fstat(file.fileno()).st_size
        # A file that reports size 0 is not read: the kernel's files in /proc do, and some of them
        # block or never end.
        # Python takes memory for all that is asked for: no more than the file may have grown by.
        asked = min(most, stated_size + (1 << 16)) + 1
        data = (file.read(asked) if 0 < stated_size <= most else None) or b""
    if max(stated_size, len(data)) > most:
        size = next(
            f"{most >> by} {unit}"
            for by, unit in ((30, "GB"), (20, "MB"), (10, "KB"))
            if most >> by
        )
        raise OSError(errno.EFBIG, f"larger than {size}", str(path))
    return data


def read_text(path: Path, most: int = MOST, encoding: str = "utf-8") -> str:
    """The text of a regular file, its line ends as Python has them; UnicodeDecodeError or OSError
    (see ``read_bytes``)."""
    text = read_bytes(path, most).decode(encoding)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_json(path: Path, most: int = MOST, *, refuse_link: bool = False) -> Any:
    """The parsed value of a JSON file. OSError (see ``read_bytes``); ValueError when it is not JSON
    or is nested too deeply."""
    try:
        return json.loads(read_bytes(path, most, refuse_link=refuse_link).decode("utf-8"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


# ── paths that q1lab may write and delete


def home() -> Path:
    """The folder that holds all of q1lab's state (this call does not create it)."""
    override = os.environ.get("Q1LAB_HOME")
    if not override:
        return _default_home()
    folder = _as_path(override)
    return folder if folder.is_absolute() else expand_user(folder).absolute()


@lru_cache(maxsize=8)  # every path in it asks for the home
def _as_path(text: str) -> Path:
    return Path(text)


@cache
def _default_home() -> Path:
    import platformdirs

    return Path(platformdirs.user_data_dir("q1lab", appauthor=False))


def prove_inside(path: Path, root: Path) -> Path:
    """``path``, once checked to lie below ``root`` with no link among its parts below ``root``, the
    last part included. (The path to ``root`` may hold links: a person chose it.)

    Every file that q1lab writes or deletes on its own passes this check. Problem where the write
    or deletion would land elsewhere.
    """
    parts = path.relative_to(root).parts if path.is_relative_to(root) else ()
    if not parts or ".." in parts:
        raise Problem(
            f"{path} is not inside {root}: nothing outside it is written or deleted", file=path
        )
    ancestor = root
    for part in parts:
        ancestor /= part
        if ancestor.is_symlink():
            raise _is_a_link(ancestor)
    return path


def _is_a_link(path: Path) -> Problem:
    return Problem(
        f"{path} is a link: q1lab writes and deletes nothing through links",
        FAILED,
        next="put the file or folder itself there",
        file=path,
    )


def prove_at_home(path: Path) -> None:
    """``prove_inside`` for a path in q1lab's home; other paths pass."""
    root = home()
    if path != root and path.is_relative_to(root):
        prove_inside(path, root)


def prove_no_links(folder: Path, left_out: str = "") -> None:
    """Raise Problem if anything below ``folder`` (in q1lab's home) is a link. Called before another
    process writes there. What lies in a folder with the name ``left_out`` is a program's own."""
    prove_at_home(folder)
    for root, folders, names in os.walk(folder):
        for path in (Path(root, name) for name in (*folders, *names)):
            if path.is_symlink():
                raise _is_a_link(path)
        folders[:] = [name for name in folders if name != left_out]


def remove_inside(path: Path, root: Path | None = None) -> None:
    """Remove a file, a folder with all in it, or a link (never its target) below ``root``, by
    default q1lab's home. A missing path is fine. Problem when it lies elsewhere or the removal
    fails."""
    root = home() if root is None else root
    if path.parent != root:
        prove_inside(path.parent, root)
    with os_errors_as_problems(f"cannot remove {path}"):
        if path.is_symlink() or not path.is_dir():
            path.unlink(missing_ok=True)
        else:
            shutil.rmtree(path)


# ── writing


PARTIAL_PREFIX = ".writing-"
"""The name prefix of a file that is still being written; a killed write leaves one behind."""


def write_atomic(
    path: Path,
    content: str | bytes | Callable[[BinaryIO], None],
    *,
    mode: int = 0o600,
    through: bool = False,
) -> None:
    """Replace ``path`` by ``content`` so that a crash leaves the old file or the new one, never a
    part.

    Text is written as UTF-8; a function is given the file to write into. An existing file keeps its
    permissions; a new one gets ``mode``. ``through``: replace the target where a person has
    made ``path`` a link, even in q1lab's home. Raises Problem (exit 1) when the folder can't be
    written, the disk is full, or ``path`` is a link (without ``through``) or not a regular file.
    """
    if not through:
        prove_at_home(path)
    with os_errors_as_problems(f"cannot write {path}"):
        kind = kind_of_non_file(path)
        if kind is not None:
            raise Problem(f"cannot write {path}: it is {kind}, not a file", FAILED, file=path)
        private_folder(path.parent)
        target = path.resolve() if path.is_symlink() else path
        with contextlib.suppress(FileNotFoundError):
            mode = target.stat().st_mode & 0o777
        fd, name = tempfile.mkstemp(
            prefix=f"{PARTIAL_PREFIX}{target.name[:40]}.", dir=target.parent
        )
        try:
            with os.fdopen(fd, "wb") as file:
                if callable(content):
                    content(file)
                else:
                    file.write(content.encode() if isinstance(content, str) else content)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(mode)
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        sync_folder(target.parent)


def private_folder(folder: Path) -> None:
    """Make ``folder`` and those of its parents that are missing, each private to the user whatever
    the umask is.

    (``mkdir(parents=True, mode=…)`` gives the mode to the last one alone.)
    """
    prove_at_home(folder)
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for new_folder in reversed(missing):
        new_folder.mkdir(mode=0o700, exist_ok=True)


def open_private(path: Path) -> BinaryIO:
    """Open a log for appending; a new one is private to the user whatever the umask is."""
    prove_at_home(path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK
    fd = os.open(path, flags, 0o600)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "not a plain file", str(path))
    return os.fdopen(fd, "ab")


def sync_folder(folder: Path) -> None:
    """Make a rename inside ``folder`` durable. Some network file systems refuse, which is
    ignored."""
    with contextlib.suppress(OSError):
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
"""Error codes of ``flock`` where a file system has no locks: NFS without lockd, Lustre without
``-o flock``."""


def os_reason(error: OSError, *, reading: bool = False) -> str:
    """The reason of an OSError in words, with what to do where that is known. ``reading``: what to
    do is not to write elsewhere."""
    if error.errno == errno.ENOSPC:
        return "the disk is full; free some space and run the command again"
    if not reading and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{(error.strerror or '').lower()}; choose a folder you can write to (Q1LAB_HOME)"
    if error.errno in NO_LOCKS:
        return "its file system has no locks; choose a folder on one that has (Q1LAB_HOME)"
    if error.errno == errno.ELOOP:  # also the system's code for a link that may not be followed
        return "a link, not a file; put the file itself there"
    reason = error.strerror or str(error)
    return reason[:1].lower() + reason[1:]


@contextlib.contextmanager
def os_errors_as_problems(what: str, code: int = FAILED) -> Iterator[None]:
    """Turn an OSError in the block into a Problem: ``what`` ("cannot write …"), then the reason."""
    try:
        yield
    except OSError as error:
        raise Problem(f"{what}: {os_reason(error)}", code) from error


def file_size(path: Path) -> int:
    """A file's bytes; 0 when it is missing or can't be read."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with open_regular(path) as file:
        return hashlib.file_digest(cast("Any", file), "sha256").hexdigest()


def sha256_text(text: str) -> str:
    """Hex SHA-256 of a text's UTF-8 bytes."""
    return hashlib.sha256(text.encode()).hexdigest()


def sha256_json(value: Any) -> str:
    """Hex SHA-256 of a value's JSON, with sorted keys, in ASCII."""
    return sha256_text(json.dumps(value, sort_keys=True, separators=(",", ":")))


# ── locks
# An flock belongs to the open file description: children that receive the descriptor inherit
# it, and it is free exactly when all of them have ended, killed or not. That is how q1lab knows
# which processes are alive.


def _lock(fd: int, kind: int, path: Path) -> None:
    """Take a lock on an open file. BlockingIOError if another process holds it; another OSError,
    with the path, where there are no locks."""
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def try_lock(path: Path, *, wait: float = 0.0) -> int | None:
    """Take the exclusive lock on ``path``; returns its descriptor, or None when another process
    holds it.

    ``wait`` is how many seconds to keep trying, since a viewer's ``is_locked`` holds it for an
    instant.
    """
    prove_at_home(path)
    private_folder(path.parent)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + wait
    while True:
        try:
            _lock(fd, fcntl.LOCK_EX, path)
            return fd
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(fd)
                return None
            time.sleep(0.02)


def is_locked(path: Path) -> bool:
    """True if a living process holds the lock on ``path``. A missing file is not locked."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        _lock(fd, fcntl.LOCK_SH, path)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(fd)


@contextlib.contextmanager
def exclusive_lock(
    path: Path, *, wait: float = 30.0, doing: str = "", say: Callable[[str], object] | None = None
) -> Iterator[int]:
    """Hold the exclusive lock on ``path`` for a block; Problem when another process still has it
    after ``wait`` seconds.

    ``doing`` describes this process's work; it is written into the lock file for the processes that
    wait. After a moment of waiting, this process shows the holder's text with ``say``.
    """
    with os_errors_as_problems(f"cannot write {path}"):
        fd = try_lock(path, wait=min(wait, SILENT_WAIT))
        if fd is None:
            holder = _holder(path)
            if say is not None:
                say(f"waiting for {holder} …")
            fd = try_lock(path, wait=max(0.0, wait - SILENT_WAIT))
        if fd is None:
            raise Problem(f"{path.name} is held by {holder}", FAILED, next="try again in a moment")
    try:
        if doing:
            with contextlib.suppress(OSError):  # a full disk, which the work itself will meet
                os.truncate(fd, 0)
                os.write(fd, f"process {os.getpid()}, which {doing}".encode())
        yield fd
    finally:
        os.close(fd)


SILENT_WAIT = 0.5
"""Seconds of waiting for a lock before a message is shown."""


def _holder(path: Path) -> str:
    """The holder of a lock, as its file describes it."""
    with open_regular(path, refuse_link=True) as file:
        holder = printable(file.read(200).decode(errors="replace"))
    return holder or "another q1lab"
