"""A document of the learner's repository, to read; ``e`` opens it in $EDITOR."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

from q1lab.app import editing
from q1lab.app.screens.base import Dialog
from q1lab.app.widgets.page_blocks import Prose
from q1lab.ground.errors import Problem


class DocumentScreen(Dialog[None]):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "edit", "edit"),
    ]

    keys = "e opens it in $EDITOR · Esc closes"
    shape = "tall"

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file, self.heading = file, file.name

    def body(self) -> ComposeResult:
        with VerticalScroll():
            yield Prose(self._text())

    def _text(self) -> str:
        try:
            return editing.shown_text(self.file)
        except Problem as problem:
            return str(problem)

    def action_edit(self) -> None:
        editing.edit_file(self.q1, self.file)
        self.query_one(Prose).show(self._text())
