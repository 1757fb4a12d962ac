"""Problem, the one error that a person reads, and the exit statuses of all commands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

OK, FAILED, USAGE, UNFINISHED, INTERRUPTED = 0, 1, 2, 3, 130

STATUSES = {
    OK: "done",
    FAILED: "failed",  # of a study: a run failed or diverged
    USAGE: "usage",
    UNFINISHED: "unfinished or stopped",  # the same command continues
    INTERRUPTED: "interrupted",  # by Ctrl-C
}
"""The exit statuses of all commands."""


def listed_statuses(statuses: Mapping[int, str]) -> str:
    """Exit statuses as help texts print them."""
    return (
        "Exit status: " + ", ".join(f"{code} {meaning}" for code, meaning in statuses.items()) + "."
    )


EXIT_STATUS = listed_statuses(STATUSES)
"""The table as help texts print it."""

NOTICES: list[str] = []
"""Warnings that stopped nothing, one line each; the command line prints them at the end."""


def notice(text: str) -> None:
    """Add a warning to be printed at the end, once."""
    if text not in NOTICES:
        NOTICES.append(text)


class Problem(Exception):
    """An error that a person can fix: what is wrong, where, and what to do, in one line.

    The line is ``what; next``. A ``what`` that ends in a blank brings its own sign before ``next``
    (``"GIT_DIR is set: "``). ``next`` is empty where there is no advice. ``file`` and ``line``
    are the place that the message names, for programs; ``field`` is the field of a form that it is
    about.

    ``code`` is the exit status of the command that raises it, 2 (usage) by default. ``fixable_by``
    says who can fix it: "you" (whoever gave the command), or "learner" (only the person who
    follows the week).
    """

    def __init__(
        self,
        what: str,
        code: int = USAGE,
        fixable_by: str = "you",
        *,
        next: str = "",  # noqa: A002
        file: object = None,
        line: int | None = None,
        field: str = "",
    ) -> None:
        super().__init__(f"{what}{'' if what.endswith(' ') or not next else '; '}{next}")
        self.what = what.rstrip(" :.,")
        self.next = next
        self.file = file
        self.line = line
        self.field = field
        self.code = code
        self.fixable_by = fixable_by


def nearest(word: str, candidates: Iterable[str], otherwise: str = "") -> str:
    """The end of a message about an unknown word: ``did you mean 'x'?``, else ``otherwise`` or the
    list of candidates."""
    from difflib import get_close_matches

    names = list(candidates)
    near = get_close_matches(word, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    return otherwise or f"there is {', '.join(names) or 'none'}"


def not_a_choice(value: str, choices: Iterable[str]) -> tuple[str, str]:
    """The words about a value that is none of a few, after its name, and what to do."""
    names = list(choices)
    one_of = f"it is one of {', '.join(names)}" if len(names) > 1 else f"it takes {names[0]} alone"
    return f"can't be {value[:60]!r}", nearest(value, names, one_of)
