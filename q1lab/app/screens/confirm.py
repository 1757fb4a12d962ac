"""Asks before something that can't be undone. Esc, and Enter at first, change nothing."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Button, Static

from q1lab.app.screens.base import Dialog


class ConfirmScreen(Dialog[bool]):
    """The result is True for the button ``do``. No letter answers: it may have been typed for a
    text."""

    AUTO_FOCUS: ClassVar[str | None] = "#keep"

    def __init__(self, heading: str, question: str, keep: str, do: str) -> None:
        super().__init__()
        self.heading, self.question = heading, question
        self.answers = keep, do
        self.keys = f"Esc: {keep[:1].lower()}{keep[1:]}"

    def body(self) -> ComposeResult:
        yield Static(self.question, markup=False)
        keep, do = self.answers
        with Horizontal(classes="buttons"):
            yield Button(keep, id="keep", variant="primary")
            yield Button(do, id="do")

    @on(Button.Pressed)
    def _answered(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "do")
