"""What commands mean to a week: the conditions of steps that each fulfills, and the fields of the
actions that a week's text may hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

WRITTEN, COMMITTED = "modification written", "modification committed"
CONDITIONS: Mapping[str, tuple[str, ...]] = {
    "run": ("runs ended",),
    "compare": ("comparison seen",),
    "diff": ("diff seen", "diff committed"),
    "sample": ("seen",),
    "new": ("file made",),
    "check": ("checks passed",),
    "merge": ("modification merged",),
    "predict": ("prediction made",),
    "modification": (WRITTEN, COMMITTED),
    "post": ("post drafted",),
    "retro": ("retro written", "retro committed"),
    "post lint": ("seen",),
    "paper add": ("paper read",),
    "course artifact add": ("artifact added",),
    "post export": (),
    "post publish": ("post published",),
    "post share": ("post shared",),
    "course roadmap": ("roadmap ticked",),
}
"""The conditions that a command fulfills; a step of the week names one of them, and evidence.py
checks it. For a document: first that it is written, then that it is committed."""

ACTION_FIELDS: Mapping[str, tuple[str, ...]] = {
    "run": ("variant", "baseline", "seeds", "preset", "data", "max_iters"),
    "check": ("file", "for"),
    "open": ("document", "url"),
    "command": ("command",),
}
"""The fields of each kind of action: a command's required argument, then its options; an address or
a document to open; any other command."""


def condition_names() -> list[str]:
    """All conditions that a step of a week may name."""
    return list(dict.fromkeys(name for names in CONDITIONS.values() for name in names))


def commands_for(condition: str) -> list[str]:
    """The commands that fulfill a condition."""
    return [name for name, conditions in CONDITIONS.items() if condition in conditions]


def command_named(words: Sequence[str]) -> str:
    """The command of ``CONDITIONS`` that the words of a command line begin with; empty if there is
    none. ``words`` exclude ``q1lab``."""
    heads = (" ".join(words[:count]) for count in (3, 2, 1))
    return next((head for head in heads if head in CONDITIONS), "")
