"""A recall step is a flashcard: the question, then on a key its answer, then the learner's grade.

`step.title` and `step.detail` are the question, `step.answer.markdown` is the answer, and
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
    """Enter shows the answer; then y or x grades it. A wrong answer comes back at the start of the
    next session."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "reveal", "answer"),
        Binding("y", "mark(True)", "yes"),
        Binding("x", "mark(False)", "no"),
    ]

    shape, keys = "hint", "A flashcard: answer, then Enter turns it · Esc closes"

    def __init__(self, step: Step) -> None:
        super().__init__()
        self.step = step
        self.heading = printable(step.title)
        self.open = False

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
        self.box.border_subtitle = "y  I had it · x  I didn't · Esc closes"

    def action_mark(self, right: bool) -> None:
        """Record the grade; ignored before the answer is shown."""
        if self.open:
            app = self.q1
            app.store_thread.submit(
                lambda store: domain.grade_recall(store, app.week.label, self.step.id, right)
            )
            self.dismiss()
