"""The one error that a person is meant to read, and the exit status of every command."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

OK, FAILED, USAGE, UNFINISHED, OUT_OF_TOUCH, INTERRUPTED = 0, 1, 2, 3, 4, 130

STATUSES = {
    OK: "done",
    FAILED: "failed",  # of a study: a run failed or diverged
    USAGE: "usage",
    UNFINISHED: "unfinished or stopped",  # the same command goes on
    OUT_OF_TOUCH: "out of touch",  # an engine does not answer; ask again later
    INTERRUPTED: "interrupted",  # by Ctrl-C
}
"""The exit statuses of all commands."""

KEEP, DISCARD, MORE, REFUSED = OK, 10, 11, 12

GATE_STATUSES = {
    KEEP: "keep",
    FAILED: "failed",
    USAGE: "usage",
    UNFINISHED: "another proposal is being judged",
    DISCARD: "discard",
    MORE: "more runs are wanted than --max-cost allows",
    REFUSED: "refused, the budget is spent",
    INTERRUPTED: "interrupted",
}
"""Those of `q1lab gate`, whose answer is its status."""

REFUSED_BUNDLE, NOT_CHECKED = 20, 21

VERIFY_STATUSES = {
    OK: "verified",
    FAILED: "no bundle",
    USAGE: "usage",
    REFUSED_BUNDLE: "refused",
    NOT_CHECKED: "could not be checked whole",
    INTERRUPTED: "interrupted",
}
"""Those of `q1lab verify`."""


def _listed(statuses: Mapping[int, str]) -> str:
    return "Exit status: " + ", ".join(f"{code} {what}" for code, what in statuses.items()) + "."


EXIT_STATUS = _listed(STATUSES)
"""The table as help texts print it."""
GATE_STATUS = _listed(GATE_STATUSES)
VERIFY_STATUS = _listed(VERIFY_STATUSES)

NOTICES: list[str] = []
"""What a person should know though it stopped nothing, a line each; the command line says it at the
end."""


def notice(text: str) -> None:
    """Have something said at the end, once."""
    if text not in NOTICES:
        NOTICES.append(text)


class Problem(Exception):
    """Something a person can mend: what is wrong, where, and what to do, in one line.

    The line is ``what; next``. A ``what`` that ends in a blank brings its own sign before ``next``
    (``"GIT_DIR is set: "``). ``next`` is empty where nothing is said of what to do. ``file`` and
    ``line`` are the place that the line names, for programs.

    ``code`` is the exit status of the command that meets it: 2 (usage) unless said otherwise.
    ``fixable_by`` is who can mend it: "you" (whoever gave the command), "learner" (nobody but the
    person whose week it is), or "time" (ask again later).
    """

    def __init__(
        self,
        what: str,
        code: int = USAGE,
        fixable_by: str = "",
        *,
        next: str = "",  # noqa: A002
        file: object = None,
        line: int | None = None,
    ) -> None:
        super().__init__(f"{what}{'' if what.endswith(' ') or not next else '; '}{next}")
        self.what = what.rstrip(" :.,")
        self.next = next
        self.file = file
        self.line = line
        self.code = code
        self.fixable_by = fixable_by or ("time" if code == OUT_OF_TOUCH else "you")


def nearest(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """The end of a message on an unknown word: ``did you mean 'x'?``, or what there is."""
    from difflib import get_close_matches

    names = list(known)
    near = get_close_matches(word, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    return otherwise or f"there is {', '.join(names) or 'none'}"
