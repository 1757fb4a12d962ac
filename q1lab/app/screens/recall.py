"""A recall step is a flashcard: its questions, then on a key their answers, then the learner's
grade, one for each question.

`step.title` and `step.detail` are the questions, `step.answer.markdown` the answers, and
`progress.grade_recall` records the grade.
"""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

from q1lab.app.screens.base import Dialog
from q1lab.app.week_app import WeekApp
from q1lab.app.widgets.page_blocks import Prose
from q1lab.ground.files import printable
from q1lab.week import progress as domain
from q1lab.week.syllabus import Step


def open_recall(app: WeekApp, step: Step) -> None:
    app.push_screen(RecallScreen(step))


class RecallScreen(Dialog[None]):
    """Enter shows the answers; then y or x grades them, one question after the other. What was
    missed comes back at the start of the next session."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "reveal", "answer"),
        Binding("y", "mark(True)", "yes"),
        Binding("x", "mark(False)", "no"),
    ]

    shape, keys = "hint", "Answer aloud or on paper, then Enter turns it · Esc closes"

    def __init__(self, step: Step) -> None:
        super().__init__()
        self.step = step
        self.heading = printable(step.title)
        self.open = False
        self.letters = domain.letters_of(step)
        self.grades = ""
        """y or x for each question that has its grade."""

    def body(self) -> ComposeResult:
        with VerticalScroll():
            yield Prose(printable(self.step.detail or self.step.title))
            answer = self.step.answer.markdown if self.step.answer else ""
            hidden = Prose(printable(answer), id="answer")
            hidden.display = False
            yield hidden

    def action_reveal(self) -> None:
        self.open = True
        self.query_one("#answer").display = True
        self._ask()

    def _ask(self) -> None:
        """Say which question is to be graded."""
        letter = self.letters[len(self.grades) :][:1]
        which = f"({letter})  " if letter else ""
        self.box.border_subtitle = f"{which}y  I had it · x  I didn't · Esc closes"

    def action_mark(self, right: bool) -> None:
        """Take a question's grade, and record them with the last one; ignored before the answers
        are shown."""
        if not self.open:
            return
        self.grades += "y" if right else "x"
        if len(self.grades) < len(self.letters):
            self._ask()
            return
        missed = "".join(
            letter for letter, grade in zip(self.letters, self.grades, strict=False) if grade == "x"
        )
        app, all_right = self.q1, "x" not in self.grades
        app.store_thread.submit(
            lambda store: domain.grade_recall(
                store, app.week.label, self.step.id, all_right, missed
            )
        )
        self.dismiss()
