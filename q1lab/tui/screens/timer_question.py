"""The timer's question after idle or closed time: how much of it counts?"""

from __future__ import annotations

import math

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Button, Input, Label, Static

from q1lab.tui.screens.base import Dialog
from q1lab.week.study_timer import TimerQuestion

TimerAnswer = tuple[float, bool]
"""(seconds that count, True if the timer goes on at once)."""


def duration_words(seconds: float) -> str:
    """``40 s``, ``12 min``, ``1 h 12 min``, ``3 days 2 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours // 24} days {hours % 24} h"


class TimerQuestionScreen(Dialog[TimerAnswer | None]):
    """Credits nothing without an answer. No letter answers, because the dialog may open while the
    learner types. Esc leaves the question open; ``T`` asks it again."""

    AUTO_FOCUS = "#minutes"
    keys = "Esc answers later"

    def __init__(self, question: TimerQuestion, part: str) -> None:
        super().__init__()
        self.question = question
        length = ("" if question.sure else "about ") + duration_words(question.seconds)
        if question.kind == "idle":
            self.heading = "Still working?"
            self.text = f"The timer of {part} is running, but no key was pressed for {length}."
        else:
            self.heading = "The timer is paused"
            self.text = f"It was running for {part} when you left. You were away for {length}."

    def body(self) -> ComposeResult:
        yield Static(
            f"{self.text}\nHow much of it did you work? Only that is counted.",
            markup=False,
        )
        with Horizontal(classes="field"):
            yield Label("or minutes")
            yield Input(placeholder="such as 25", id="minutes", max_length=6, type="number")
        with Horizontal(classes="buttons"):
            yield Button("None of it", id="none")
            yield Button("All of it", id="all")

    @on(Button.Pressed, "#none")
    def _none(self) -> None:
        self.dismiss((0.0, False))

    @on(Button.Pressed, "#all")
    def _all(self) -> None:
        self.dismiss((math.inf, self.question.kind == "idle"))

    @on(Input.Submitted)
    def _some(self, event: Input.Submitted) -> None:
        try:
            minutes = float(event.value)
        except ValueError:
            self.notify("Give minutes as a number, such as 25.", severity="warning")
            return
        if not 0 <= minutes * 60 <= self.question.seconds + 30:
            self.notify(
                f"At most {duration_words(self.question.seconds)} went by.", severity="warning"
            )
            return
        self.dismiss((minutes * 60, self.question.kind == "idle"))
