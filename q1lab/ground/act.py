"""An act: something a person can do, with all that the command line, the app and the week know of
it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

WEEK, STUDIES, MODEL, AROUND = "The week", "Studies", "Your model", "Around it"
SECTIONS = (WEEK, STUDIES, MODEL, AROUND)
"""The headings of `q1lab --help`, in their order."""


class Act(NamedTuple):
    """Something a person can do with `q1lab NAME`, in the app, or by a step of the week."""

    name: str
    about: str = ""
    """Its line in `q1lab --help`, or --help-all."""
    section: str = ""
    """Its heading there."""
    code: str = ""
    """``module:attribute``, by default ``name:name``; the module is in q1lab.commands, unless it
    begins with ``q1lab.``."""
    palette: str = ""
    """Its text in the app's palette; empty for an act that is not in the palette."""
    form_labels: Mapping[str, str] = MappingProxyType({})
    """The fields that the app asks for in a form, with their labels."""
    form_button: str = "Keep"
    """The verb on the form's button."""
    action_fields: tuple[str, ...] = ()
    """The fields that an action of this kind may set in a week's text: its required argument, then
    options."""
    done_when: tuple[str, ...] = ()
    """The conditions that it fulfills; a step of the week names one of them, and week/evidence.py
    checks it. For a document: first that it is written, then that it is committed."""
    commits: bool = False
    """True if it commits files of the learner's repository: the app shows its dry run first."""
    adds_item: bool = False
    """True if it adds to a list on the app's Progress page, where `a` offers it."""
    in_course_only: bool = False
    """True for a command that `q1lab --help` shows only to a learner who follows the course, as the
    app's palette does its subcommands."""

    is_frequent: bool = False
    """True for a command on the first page of `q1lab --help`, which has twenty at most; the others
    are on that of --help-all."""
    statuses: Mapping[int, str] = MappingProxyType({})
    """All of its exit statuses, where they are not those of all commands (errors.py)."""

    def is_shown(self, *, week: bool, course: bool) -> bool:
        """True if a list of commands shows it to a learner who has the week, and the course."""
        return (week or self.section != WEEK) and ((week and course) or not self.in_course_only)

    @property
    def name_in_journal(self) -> str:
        """The name of its entries: a journal outlives the group that a command stands in."""
        return self.name.removeprefix("course ")
