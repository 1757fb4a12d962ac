"""Around every command and the app: a Problem is one line on stderr, and so is what the system
refuses."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys
from collections.abc import Callable

from q1lab.errors import FAILED, INTERRUPTED, NOTICES, Problem


def guarded(command: Callable[[], int]) -> int:
    """Run it; returns its exit status, or that of what went wrong. Notices come last."""
    open_all_streams()
    speak_any_encoding()
    status = _guarded(command)
    for notice in NOTICES:
        say(notice)
    NOTICES.clear()
    return status


def _guarded(command: Callable[[], int]) -> int:
    try:
        return command()
    except Problem as problem:
        say(str(problem))
        return problem.code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader left; nothing more to say to it
        return 0
    except Exception as error:
        if "sqlite3" in sys.modules and isinstance(error, sys.modules["sqlite3"].DatabaseError):
            from q1lab.index import store

            said = store.explain(error)
            if said is not None:
                say(said)
                return FAILED
        if isinstance(error, UnicodeEncodeError) and isinstance(error.object, str):
            say(f"not UTF-8 text: {error.object!r}; rename it, or leave it out")
            return FAILED
        if not isinstance(error, OSError):
            raise
        from q1lab.files import os_reason

        say(f"{error.filename or 'a file'}: {os_reason(error)}")
        return FAILED


def say(message: str) -> None:
    """One line for a person, on stderr."""
    from q1lab.files import plain

    sys.stderr.write(f"q1lab: {shortened(' '.join(plain(message).splitlines()))}\n")


LONGEST, LINE = 400, 1600
"""Characters of a single word, and of a whole message, that a person can still read."""


def shortened(message: str) -> str:
    """A message without the megabyte that somebody typed or a file held: its beginning and end
    say what is wrong and what to do."""
    words = message.split(" ")
    message = " ".join(w if len(w) <= LONGEST else f"{w[:60]}…{w[-20:]}" for w in words)
    return message if len(message) <= LINE else f"{message[: LINE // 2]} … {message[-LINE // 2 :]}"


SPELLED = {
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


def spell(error: UnicodeError) -> tuple[str, int]:
    """What stands for text that the output's encoding lacks (a handler for ``codecs``)."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    return "".join(SPELLED.get(letter, "?") for letter in letters), error.end


def open_all_streams() -> None:
    """Put an empty stream where the shell closed one (``>&-``): else the next file that is opened
    would take its place, and be written over with what is meant for a person."""
    for fd, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            with contextlib.suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_RDWR), fd)
            setattr(sys, name, open(fd, mode, closefd=False))  # noqa: SIM115


def speak_any_encoding() -> None:
    """Print to a terminal or a file that knows ASCII or Latin-1 only, and names that are no
    text."""
    codecs.register_error("q1lab", spell)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors != "q1lab":
            stream.reconfigure(errors="q1lab")
