"""The one error that a person is meant to read."""

from __future__ import annotations

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130

NOTICES: list[str] = []
"""What a person should know though it stopped nothing, a line each; the command line says it at the
end."""


class Problem(Exception):
    """Something a person can mend: what is wrong, where, and what to do, in one line.

    ``code`` is the exit status of the command that meets it: 2 (usage) unless said otherwise.
    """

    def __init__(self, message: str, code: int = USAGE) -> None:
        super().__init__(message)
        self.code = code
