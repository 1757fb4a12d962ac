"""Write a step's answer in place."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static, TextArea

from q1lab.files import plain
from q1lab.tui import editing
from q1lab.tui.screens.base import Dialog
from q1lab.week import progress as domain
from q1lab.week.model import Step

AROUND = 14
"""Cells that the terminal has more than a title in the dialog's border may take."""


class AnswerScreen(Dialog[None]):
    """Esc or Ctrl+S keeps the text and goes back: what was typed is never thrown away."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+s", "save", "keep", priority=True),
        Binding("ctrl+e", "editor", "in $EDITOR", priority=True),
    ]

    shape = "tall"

    def __init__(self, step: Step, answer: str) -> None:
        super().__init__()
        self.step = step
        self.before = answer

    def body(self) -> ComposeResult:
        fits = cell_len(self.step.title) <= self.app.size.width - AROUND
        self.box.border_title = self.step.title if fits else "Your answer"
        if not fits:
            yield Static(self.step.title, classes="heading", markup=False)
        paragraphs = plain(self.step.detail).replace("`", "").split("\n\n")
        detail = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
        yield Static(detail, classes="muted", markup=False)
        yield TextArea(
            self.before, soft_wrap=True, tab_behavior="focus", highlight_cursor_line=False
        )

    def on_mount(self) -> None:
        area = self.query_one(TextArea)
        area.move_cursor(area.document.end)
        self.set_interval(3.0, self._keep)
        self._count()

    def on_text_area_changed(self) -> None:
        self._count()

    def _count(self) -> None:
        words = len(self.query_one(TextArea).text.split())
        said = f"{words} word{'s' if words != 1 else ''}"
        self.box.border_subtitle = f"{said} · Esc keeps it · ^e in $EDITOR"

    def _keep(self) -> None:
        """Save what is there; also every few seconds, so that a crash takes a sentence at most."""
        text = self.query_one(TextArea).text
        if text != self.before:
            self.before = text
            app = self.q1
            app.desk.ask(lambda store: domain.answer(store, app.week.label, self.step.id, text))

    def action_save(self) -> None:
        self._keep()
        self.dismiss()

    def action_editor(self) -> None:
        area = self.query_one(TextArea)
        after = editing.edit_text(self.q1, area.text, self.step.id)
        if after is not None:
            area.text = after
            area.move_cursor(area.document.end)
            self._keep()
