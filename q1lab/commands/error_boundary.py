"""Around every command and the app: a Problem is one line on stderr, and so is what the system
refuses. With ``--json`` it is a record on stdout, too."""

from __future__ import annotations

import codecs
import contextlib
import io
import json
import os
import sys
from collections.abc import Callable

from q1lab.ground.errors import FAILED, INTERRUPTED, NOTICES, STATUSES, Problem

BROKEN_PIPE = 128 + 13
"""The exit status when whoever read the output has left (`… | head -1`), as a shell tells it of
other programs (SIGPIPE). It is no success: of some commands the status is the answer."""


def run_guarded(command: Callable[[], int], as_json: bool = False) -> int:
    """Run it; returns its exit status, or that of what went wrong. Notices come last. ``as_json``:
    what went wrong is a record on stdout, too."""
    reopen_closed_streams()
    print_in_any_encoding()
    try:
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


def _run_reporting(command: Callable[[], int], as_json: bool) -> int:
    try:
        return command()
    except KeyboardInterrupt:
        problem = Problem("interrupted", INTERRUPTED)
    except BrokenPipeError:
        raise
    except Exception as error:
        found = as_problem(error)
        if found is None:
            raise
        problem = found
        print_error(str(problem))
    if as_json:
        sys.stdout.write(json.dumps(problem_record(problem), indent=2) + "\n")
    return problem.code


def as_problem(error: Exception) -> Problem | None:
    """The error as a person can mend it; None where it is a defect of the program."""
    if isinstance(error, Problem):
        return error
    if "sqlite3" in sys.modules and isinstance(error, sys.modules["sqlite3"].DatabaseError):
        from q1lab.index import store

        return store.explain(error)
    if isinstance(error, UnicodeEncodeError) and isinstance(error.object, str):
        return Problem(
            f"not UTF-8 text: {error.object!r}", FAILED, next="rename it, or leave it out"
        )
    if not isinstance(error, OSError):
        return None
    from q1lab.ground.files import os_reason

    named = error.filename or "a file"
    return Problem(f"{named}: {os_reason(error)}", FAILED, file=error.filename)


def problem_record(problem: Problem) -> dict[str, object]:
    """A problem for programs."""
    return {
        "error": STATUSES[problem.code].replace(" ", "-"),
        "what": in_one_line(problem.what),
        "file": None if problem.file is None else in_one_line(str(problem.file)),
        "line": problem.line,
        "next": in_one_line(problem.next) or None,
        "fixable_by": problem.fixable_by,
    }


def print_error(message: str) -> None:
    """One line for a person, on stderr."""
    sys.stderr.write(f"q1lab: {in_one_line(message)}\n")


def in_one_line(message: str) -> str:
    """A message as it may stand in a terminal's line."""
    from q1lab.ground.files import plain

    return shorten_message(" ".join(plain(message).splitlines()))


MAX_WORD, MAX_MESSAGE = 400, 1600
"""Characters of a single word, and of a whole message, that a person can still read."""


def shorten_message(message: str) -> str:
    """A message without the megabyte that somebody typed or a file held: its beginning and end
    say what is wrong and what to do."""
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
"""How signs are written where the terminal's encoding lacks them."""


def transliterate(error: UnicodeError) -> tuple[str, int]:
    """What stands for text that the output's encoding lacks (a handler for ``codecs``)."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    return "".join(TRANSLITERATIONS.get(letter, "?") for letter in letters), error.end


def reopen_closed_streams() -> None:
    """Put an empty stream where the shell closed one (``>&-``): else the next file that is opened
    would take its place, and be written over with what is meant for a person."""
    for fd, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            with contextlib.suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_RDWR), fd)
            setattr(sys, name, open(fd, mode, closefd=False))  # noqa: SIM115


def print_in_any_encoding() -> None:
    """Print to a terminal or a file that knows ASCII or Latin-1 only, and names that are no
    text."""
    codecs.register_error("q1lab", transliterate)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors != "q1lab":
            stream.reconfigure(errors="q1lab")
