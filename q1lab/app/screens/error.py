"""An error in a dialog: what happened and what to do. The app goes on behind it."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widgets import Button, Static

from q1lab.app.screens.base import Dialog, ScrollingBox


class ErrorScreen(Dialog[None]):
    """One message; Esc, Enter or the button closes it, ``c`` copies it."""

    BINDINGS: ClassVar[list[BindingType]] = [("c", "copy", "copy")]
    kind, keys = ScrollingBox, "Esc closes · c copies"

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self.heading = title
        self.text = text

    def body(self) -> ComposeResult:
        yield Static(self.text, markup=False)
        with Horizontal(classes="buttons"):
            yield Button("Close", variant="primary")

    def on_button_pressed(self) -> None:
        self.dismiss()

    def action_copy(self) -> None:
        self.q1.copy_text(self.text, "the message")
