"""A document of the learner's repository, to read; ``e`` opens it in $EDITOR."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

from q1lab.ground.files import open_regular, os_reason, printable
from q1lab.tui import editing
from q1lab.tui.screens.base import Dialog
from q1lab.tui.widgets.page_blocks import Prose

MOST = 400_000
"""Bytes shown at most."""


class DocumentScreen(Dialog[None]):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "edit", "edit"),
    ]

    shape, keys = "tall", "e opens it in $EDITOR · Esc closes"

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = file
        self.heading = file.name

    def body(self) -> ComposeResult:
        with VerticalScroll():
            yield Prose(self._text())

    def _text(self) -> str:
        try:
            with open_regular(self.file) as stream:
                return printable(stream.read(MOST).decode(errors="replace"))
        except FileNotFoundError:
            return f"There is no `{self.file}` yet."
        except OSError as error:
            return f"Cannot read `{self.file}`: {os_reason(error)}"

    def action_edit(self) -> None:
        editing.edit_file(self.q1, self.file)
        self.query_one(Prose).show(self._text())
