"""Run git without a prompt, and end it with all that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import printable

# Variables that keep git quiet. GIT_OPTIONAL_LOCKS: reading never rewrites the index. GPG_TTY: git
# can't ask for a passphrase; signing with an agent, or with a key that has none, works.
_QUIET = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_ASKPASS": "true",
    "SSH_ASKPASS": "true",
    "GPG_TTY": "",
}
# A repository can name a program here that git starts for each look at its files.
_NO_WATCHER = ("-c", "core.fsmonitor=false")
# Set by a caller (a hook, a wrapper), these point git at another repository than the one on disk,
# so they are not passed on.
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


class Result(NamedTuple):
    """What git returned and printed."""

    status: int
    out: str
    err: str


def run(folder: Path, *arguments: str, settings: Mapping[str, str] = {}) -> Result:
    """Run git in ``folder``. No prompt and no optional lock. ``settings``
    are further variables of its environment. When it is interrupted, git and its hooks end, too."""
    environment = {name: value for name, value in os.environ.items() if name not in _MISLEADING}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            git = subprocess.Popen(
                ["git", *_NO_WATCHER, *arguments],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={**environment, **_QUIET, **settings},
                # no controlling terminal: nothing below git can ask on it either
                start_new_session=True,
            )
        except FileNotFoundError as error:
            if not folder.is_dir():
                raise Problem(f"there is no folder {folder} any more", FAILED) from error
            next_step = "install it, or use --no-commit"
            raise Problem("git is not installed, or not on PATH", FAILED, next=next_step) from error
        except ValueError as error:  # a NUL byte in an argument
            raise Problem(f"git cannot take this name or message: {error}") from error
        try:
            git.wait()
        except BaseException:
            _end_group(git)
            raise
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(os.fsdecode(file.read()))
        return Result(git.returncode, *texts)


def output(folder: Path, *arguments: str) -> str:
    """The output of git in ``folder``. Problem with git's own words when it fails."""
    code, out, err = run(folder, *arguments)
    if code != 0:
        raise Problem(f"git failed in {folder}: {said(err or out)}", FAILED, file=folder)
    return out


def names(out: str) -> tuple[str, ...]:
    """The items of git's output with -z."""
    return tuple(filter(None, out.split("\0")))


def _end_group(git: subprocess.Popen[bytes]) -> None:
    """End git, which removes its locks on TERM, and then all that it started."""
    with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired, KeyboardInterrupt):
        os.killpg(git.pid, signal.SIGTERM)
        git.wait(_GRACE)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(git.pid, signal.SIGKILL)
    git.wait()


def said(text: str, most: int = 8) -> str:
    """The last lines of what git and its hooks printed, as one line that is safe to print."""
    lines = [line.strip() for line in printable(text).splitlines() if line.strip()]
    return " / ".join(lines[-most:]) or "nothing"
