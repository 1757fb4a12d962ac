"""Run git without a prompt, an editor or a pager, and end it with all that it started."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import printable

# Variables that keep git quiet. GIT_OPTIONAL_LOCKS: reading never rewrites the index. GPG_TTY: git
# can't ask for a passphrase; signing with an agent, or with a key that has none, works.
_QUIET = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_EDITOR": "true",
    "GIT_SEQUENCE_EDITOR": "true",
    "GIT_PAGER": "cat",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_ASKPASS": "true",
    "SSH_ASKPASS": "true",
    "GPG_TTY": "",
}
# A repository can name a program here that git starts for each look at its files.
_NO_WATCHER = ("-c", "core.fsmonitor=false")
# Set by a caller (a hook, a wrapper), these point git at another repository than the one on disk.
_MISLEADING = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_NAMESPACE",
)
_GRACE = 2.0
"""Seconds between TERM and KILL for git and its hooks."""


@dataclass(frozen=True)
class Limits:
    """Limits of a git that reads what a stranger made: the time at which it is ended, by the
    monotonic clock, and the bytes that it may print."""

    deadline: float
    most_bytes: int


def run(
    folder: Path, *arguments: str, settings: Mapping[str, str] = {}, limits: Limits | None = None
) -> tuple[int, str, str]:
    """Run git in ``folder``; (status, stdout, stderr). No prompt, editor, pager or optional lock.
    ``settings`` are further variables of its environment. Problem when it goes beyond ``limits``.

    When it is interrupted, git and its hooks have ended before the exception goes on: nothing
    below may still commit what the caller takes back.
    """
    process: subprocess.Popen[bytes] | None = None
    try:
        with _interrupts_wait():
            process = subprocess.Popen(
                ["git", *_NO_WATCHER, *arguments],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, **_QUIET, **settings},
                # no controlling terminal: nothing below git can ask on it either
                start_new_session=True,
            )
        if limits is None:
            out, err = process.communicate()
        else:
            out, err = _communicate(process, limits)
    except FileNotFoundError as error:
        if not folder.is_dir():
            raise Problem(f"there is no folder {folder} any more", FAILED) from error
        raise Problem(
            "git is not installed, or not on PATH", FAILED, next="install it, or use --no-commit"
        ) from error
    except ValueError as error:  # a NUL byte in an argument
        raise Problem(f"git cannot take this name or message: {error}") from error
    except BaseException:
        if process is not None:
            _end_group(process)
        raise
    return process.returncode, os.fsdecode(out), os.fsdecode(err)


def output(folder: Path, *arguments: str) -> str:
    """The output of git in ``folder``. Problem with git's own words when it fails."""
    code, out, err = run(folder, *arguments)
    if code != 0:
        raise Problem(f"git failed in {folder}: {error_line(err or out)}", FAILED, file=folder)
    return out


def names(out: str) -> tuple[str, ...]:
    """The items of git's output with -z."""
    return tuple(filter(None, out.split("\0")))


def _communicate(process: subprocess.Popen[bytes], limits: Limits) -> tuple[bytes, bytes]:
    """Read what git prints until it ends. Problem when it takes too long or prints too much."""
    assert process.stdout is not None
    assert process.stderr is not None
    streams = (process.stdout, process.stderr)
    printed = {stream.fileno(): bytearray() for stream in streams}
    with selectors.DefaultSelector() as open_streams:
        for stream in streams:
            open_streams.register(stream, selectors.EVENT_READ)
        while open_streams.get_map():
            seconds_left = limits.deadline - time.monotonic()
            if seconds_left <= 0 or not (ready := open_streams.select(seconds_left)):
                raise Problem("git took too long, and was ended", FAILED)
            for key, _ in ready:
                block = os.read(key.fd, 1 << 16)
                printed[key.fd] += block
                if not block:
                    open_streams.unregister(key.fileobj)
            if sum(map(len, printed.values())) > limits.most_bytes:
                raise Problem(f"git prints more than {limits.most_bytes >> 20} MB", FAILED)
    process.wait()
    for stream in streams:
        stream.close()
    out, err = map(bytes, printed.values())
    return out, err


@contextlib.contextmanager
def _interrupts_wait() -> Iterator[None]:
    """Defer Ctrl-C to the end of the block: between the start of a process and the moment its id is
    known, nothing could end that process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    deferred: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: deferred.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)
    if deferred:
        raise KeyboardInterrupt


def _end_group(child: subprocess.Popen[bytes]) -> None:
    """End git and all that it started in its session, and wait until none of it lives: TERM, on
    which git removes its locks; KILL after a moment, or at the next Ctrl-C."""
    with contextlib.suppress(ProcessLookupError, KeyboardInterrupt):
        os.killpg(child.pid, signal.SIGTERM)
        deadline = time.monotonic() + _GRACE
        while time.monotonic() < deadline:
            child.poll()
            os.killpg(child.pid, 0)  # as long as any of the group is left
            time.sleep(0.01)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    for stream in (child.stdout, child.stderr):
        if stream is not None:
            stream.close()
    child.wait()


def refuse_misleading_environment() -> None:
    """Raise a Problem if a variable points git at another repository than the one on disk."""
    if misleading := next((name for name in _MISLEADING if os.environ.get(name)), None):
        raise Problem(
            f"{misleading} is set, so git would work on another repository: ",
            next="unset it and try again",
        )


def output_lines(text: str) -> list[str]:
    """The lines of git's output that hold something, made safe to print."""
    return [line.strip() for line in printable(text).splitlines() if line.strip()]


def error_line(text: str) -> str:
    """The line of git's output that says what failed, or else its first line."""
    lines = output_lines(text) or ["no reason"]
    chosen = next((line for line in lines if line.startswith(("fatal:", "error:"))), lines[0])
    return chosen.removeprefix("fatal: ").removeprefix("error: ")
