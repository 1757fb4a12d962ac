"""A recall step is a flashcard: its questions, then on a key their answers, then the learner's
grade, one for each question.

`step.title` and `step.detail` are the questions, `step.answer.markdown` the answers, and
`progress.grade_recall` records the grade.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

from q1lab.ground.files import printable
from q1lab.tui.screens.base import Dialog
from q1lab.tui.widgets.page_blocks import Prose
from q1lab.week import progress as domain
from q1lab.week.syllabus import Step

if TYPE_CHECKING:
    from q1lab.tui.app import Q1Lab


def open_recall(app: Q1Lab, step: Step) -> None:
    app.push_screen(RecallScreen(step))


class RecallScreen(Dialog[None]):
    """Enter shows the answers; then y or x grades all of them, or letters mark those that were
    missed and Enter keeps that. What was missed comes back at the start of the next session."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "reveal", "answer"),
        Binding("y", "mark(True)", "yes"),
        Binding("x", "mark(False)", "no"),
        *(Binding(letter, f"miss('{letter}')", "missed", show=False) for letter in "abcdefgh"),
    ]

    shape, keys = "hint", "A flashcard: answer, then Enter turns it · Esc closes"

    def __init__(self, step: Step) -> None:
        super().__init__()
        self.step = step
        self.heading = printable(step.title)
        self.open = False
        self.letters = domain.letters_of(step)
        self.missed: set[str] = set()

    def body(self) -> ComposeResult:
        with VerticalScroll():
            yield Prose(printable(self.step.detail or self.step.title))
            answer = self.step.answer.markdown if self.step.answer else ""
            hidden = Prose(printable(answer), id="answer")
            hidden.display = False
            yield hidden

    def action_reveal(self) -> None:
        """Show the answers; with letters marked, keep the grade."""
        if self.missed:
            self.action_mark(False)
            return
        self.open = True
        self.query_one("#answer").display = True
        self._say_keys()

    def _say_keys(self) -> None:
        if self.missed:
            keys = f"missed: {' '.join(sorted(self.missed))} · Enter keeps that"
        elif self.letters:
            marks = f"{self.letters[0]} to {self.letters[-1]}"
            keys = f"y  all right · {marks}  what I missed · x  none"
        else:
            keys = "y  I had it · x  I didn't"
        self.box.border_subtitle = f"{keys} · Esc closes"

    def action_miss(self, letter: str) -> None:
        """Mark one question as missed, or take the mark away."""
        if self.open and letter in self.letters:
            self.missed ^= {letter}
            self._say_keys()

    def action_mark(self, right: bool) -> None:
        """Record the grade; ignored before the answers are shown."""
        if self.open:
            app, missed = self.q1, "" if right else "".join(sorted(self.missed))
            app.store_thread.submit(
                lambda store: domain.grade_recall(
                    store, app.week.label, self.step.id, right, missed
                )
            )
            self.dismiss()
