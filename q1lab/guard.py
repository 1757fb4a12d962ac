"""Around every command and the app: a Problem is one line on stderr, and so is what the system
refuses."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from q1lab.errors import FAILED, INTERRUPTED, NOTICES, Problem


def guarded(command: Callable[[], int]) -> int:
    """Run it; returns its exit status, or that of what went wrong. Notices come last."""
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
        if not isinstance(error, OSError):
            raise
        from q1lab.files import os_reason

        say(f"{error.filename or 'a file'}: {os_reason(error)}")
        return FAILED


def say(message: str) -> None:
    """One line for a person, on stderr."""
    from q1lab.files import plain

    sys.stderr.write(f"q1lab: {plain(message)}\n")
