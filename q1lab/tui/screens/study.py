"""The study screen: where am I in the week, what do I do now."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Static

from q1lab.tui.keys import bindings
from q1lab.tui.screens.base import Page


class StudyScreen(Page):
    """Tree, text, checklist."""

    page = "study"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("study")]

    def body(self) -> ComposeResult:
        yield Static(self.q1.week.title, markup=False)
