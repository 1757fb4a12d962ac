"""The outermost handler of every command and of the app: a Problem, or an error of the system,
becomes one line on stderr. With ``--json`` it is also printed on stdout, as a record."""

from __future__ import annotations

import codecs
import contextlib
import io
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator

from q1lab.ground.errors import FAILED, INTERRUPTED, NOTICES, STATUSES, Problem
from q1lab.ground.files import os_reason, printable
from q1lab.ground.secret_text import IN_ADDRESS

BROKEN_PIPE = 128 + 13
"""The exit status when the reader of stdout has gone (`… | head -1`); shells report SIGPIPE so. It
must not be 0: the exit status of some commands is their answer."""


def run_guarded(command: Callable[[], int], as_json: bool = False) -> int:
    """Run a command and return its exit status, or the status of the Problem that stopped it.
    Prints pending notices last. With ``as_json`` the Problem is also a record on stdout."""
    reopen_closed_streams()
    print_in_any_encoding()
    try:
        with _undone_when_ended():
            status = _run_reporting(command, as_json)
        for notice in NOTICES:
            print_error(notice)
        sys.stdout.flush()
    except BrokenPipeError:
        status = BROKEN_PIPE
        for fd, stream in ((1, sys.stdout), (2, sys.stderr)):
            try:
                stream.flush()
            except BrokenPipeError:
                os.dup2(os.open(os.devnull, os.O_WRONLY), fd)
    NOTICES.clear()
    return status


@contextlib.contextmanager
def _undone_when_ended() -> Iterator[None]:
    """Let SIGTERM raise SystemExit, so that what was begun is undone and children end, too."""

    def end(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_IGN)  # timeout sends it twice
        sys.exit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _run_reporting(command: Callable[[], int], as_json: bool) -> int:
    try:
        return command()
    except KeyboardInterrupt:
        problem = Problem("interrupted", INTERRUPTED)
    except BrokenPipeError:
        raise
    except Exception as error:
        explained = as_problem(error)
        if explained is None:
            raise
        problem = explained
        print_error(str(problem))
    if as_json:
        sys.stdout.write(json.dumps(problem_record(problem), indent=2) + "\n")
    return problem.code


def as_problem(error: Exception) -> Problem | None:
    """The error as a Problem that a person can fix; None if it is a defect of q1lab."""
    if isinstance(error, Problem):
        return error
    if "sqlite3" in sys.modules and isinstance(error, sys.modules["sqlite3"].DatabaseError):
        from q1lab.journal.database import database_problem

        return database_problem(error)
    if isinstance(error, UnicodeEncodeError) and isinstance(error.object, str):
        return Problem(
            f"not UTF-8 text: {error.object!r}", FAILED, next="rename it, or leave it out"
        )
    if isinstance(error, ModuleNotFoundError) and not (error.name or "").startswith("q1lab"):
        return Problem(
            f"{error.name} is not installed here, and of q1lab only judge needs nothing of it",
            FAILED,
            next="pip install q1lab brings it",
        )
    if not isinstance(error, OSError):
        return None
    file_name = error.filename or "a file"
    return Problem(f"{file_name}: {os_reason(error)}", FAILED, file=error.filename)


def problem_record(problem: Problem) -> dict[str, object]:
    """A Problem as JSON types, for programs."""
    return {
        "error": STATUSES[problem.code].replace(" ", "-"),
        "what": in_one_line(problem.what),
        "file": None if problem.file is None else in_one_line(str(problem.file)),
        "line": problem.line,
        "next": in_one_line(problem.next) or None,
        "fixable_by": problem.fixable_by,
    }


def print_error(message: str) -> None:
    """Print one line for a person on stderr."""
    sys.stderr.write(f"q1lab: {in_one_line(message)}\n")


def in_one_line(message: str) -> str:
    """A message as one line of printable text, at most ``MAX_MESSAGE`` characters long, without the
    logins of addresses."""
    return shorten_message(IN_ADDRESS.sub("", " ".join(printable(message).splitlines())))


MAX_WORD, MAX_MESSAGE = 400, 1600
"""Most characters printed of one word, and of one message."""


def shorten_message(message: str) -> str:
    """A message with the middle of overlong words, and of an overlong message, cut out: text from a
    file may be megabytes, and the beginning and end say what is wrong and what to do."""
    words = message.split(" ")
    message = " ".join(w if len(w) <= MAX_WORD else f"{w[:60]}…{w[-20:]}" for w in words)
    return (
        message
        if len(message) <= MAX_MESSAGE
        else f"{message[: MAX_MESSAGE // 2]} … {message[-MAX_MESSAGE // 2 :]}"
    )


TRANSLITERATIONS = {
    "–": "-",
    "—": "-",
    "−": "-",
    "…": "...",
    "·": "|",
    "×": "x",
    "→": "->",
    "←": "<-",
    "✓": "+",
    "✗": "x",
    "“": '"',
    "”": '"',
    "’": "'",
    "δ": "delta",
    "σ": "sigma",
    "±": "+-",
    "≥": ">=",
    "≤": "<=",
    "≈": "~",
    "█": "#",
    "─": "-",
    "│": "|",
    "●": "*",
    "○": "o",
    "◆": "*",
    "├": "|",
    "┤": "|",
    "┼": "+",
    "╌": ":",
    "┄": ".",
    "◂": "<",
    "▸": ">",
    "⚠": "!",
    "α": "alpha",
}
"""ASCII substitutes for characters that the output's encoding lacks."""


def transliterate(error: UnicodeError) -> tuple[str, int]:
    """Substitute ASCII for text that the output's encoding lacks (an error handler of
    ``codecs``)."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    return "".join(TRANSLITERATIONS.get(letter, "?") for letter in letters), error.end


def reopen_closed_streams() -> None:
    """Replace standard streams that the shell closed (``>&-``) with /dev/null. Otherwise the next
    file that is opened would get that descriptor, and output would be written into it."""
    for fd, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            with contextlib.suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_RDWR), fd)
            setattr(sys, name, open(fd, mode, closefd=False))  # noqa: SIM115


def print_in_any_encoding() -> None:
    """Make stdout and stderr accept any text, also where they can encode only ASCII or Latin-1, and
    file names that are not valid text."""
    codecs.register_error("q1lab", transliterate)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors != "q1lab":
            stream.reconfigure(errors="q1lab")
