"""A document of the learner's repository, to read; ``e`` opens it in $EDITOR."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual.binding import Binding, BindingType

from q1lab.ground.errors import Problem
from q1lab.tui import editing
from q1lab.tui.screens.hint import HintScreen
from q1lab.tui.widgets.page_blocks import Prose


class DocumentScreen(HintScreen):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "edit", "edit"),
    ]

    keys = "e opens it in $EDITOR · Esc closes"

    def __init__(self, file: Path) -> None:
        self.file = file
        super().__init__(file.name, self._text())
        self.shape = "tall"

    def _text(self) -> str:
        try:
            return editing.shown_text(self.file)
        except Problem as problem:
            return str(problem)

    def action_edit(self) -> None:
        editing.edit_file(self.q1, self.file)
        self.query_one(Prose).show(self._text())
