"""Write a step's answer in place."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Button, Static, TextArea

from q1lab.app import editing
from q1lab.app.screens.base import Dialog
from q1lab.app.screens.glossary import open_glossary
from q1lab.app.week_app import WeekApp
from q1lab.app.widgets.page_blocks import Prose
from q1lab.app.widgets.text_box import TextBox
from q1lab.ground.files import printable
from q1lab.ground.text_formats import plural
from q1lab.week import progress as domain
from q1lab.week.syllabus import Step

AROUND = 14
"""Cells of the terminal's width that the title in the dialog's border can't use."""
AROUND_KEYS = 8
"""Those that the keys in its lower border can't use."""


SCORES = "small"
"""The region of the answer that q1lab drafts: the learner's predictions with their outcomes."""


def open_answer_form(app: WeekApp, step: Step) -> None:
    answer = app.snapshot.progress.of(step.id).answer or ""
    if answer or step.into != SCORES:
        app.push_screen(AnswerScreen(step, answer))
        return
    from q1lab.documents.drafted_scores import drafted_scores

    app.hold_keys()
    app.run_job(
        lambda store: drafted_scores(store, app.week),
        lambda draft: app.push_screen(AnswerScreen(step, "", draft)),
    )


class AnswerScreen(Dialog[None]):
    """Esc or Ctrl+S saves the text and closes; only Discard drops it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "back", "keep"),
        Binding("ctrl+e", "editor", "in $EDITOR", priority=True),
        Binding("ctrl+g", "glossary", "words", priority=True),
    ]

    shape = "tall"

    def __init__(self, step: Step, answer: str, draft: str = "") -> None:
        super().__init__()
        self.step, self.draft = step, draft
        self.opened = self.saved_text = answer

    def body(self) -> ComposeResult:
        fits = cell_len(self.step.title) <= self.app.size.width - AROUND
        self.box.border_title = self.step.title if fits else "Your answer"
        if not fits:
            yield Static(self.step.title, classes="heading", markup=False)
        if self.step.detail:
            yield Prose(printable(self.step.detail))
        yield TextBox(self.opened or self.draft)
        with Horizontal(classes="buttons"):
            yield Button("Keep", variant="primary", id="keep")
            yield Button("Discard", id="discard")

    def on_mount(self) -> None:
        area = self.query_one(TextArea)
        area.move_cursor(area.document.end)
        self.set_interval(3.0, self._keep)
        self._count()

    def on_text_area_changed(self) -> None:
        self._count()

    def on_resize(self) -> None:
        self._count()

    def _count(self) -> None:
        """Count the words, where the keys leave room for that."""
        count = plural(len(self.query_one(TextArea).text.split()), "word")
        keys = "Esc keeps it · ^e editor · ^g words"
        both = f"{count} · {keys}"
        fits = cell_len(both) <= self.app.size.width - AROUND_KEYS
        self.box.border_subtitle = both if fits else keys

    def action_glossary(self) -> None:
        """Explain the words of the question."""
        open_glossary(self.q1, f"{self.step.title}\n{self.step.detail}")

    def _keep(self) -> None:
        """Save the text; also called every few seconds, so that a crash loses a sentence at
        most."""
        text = self.query_one(TextArea).text
        if text != self.saved_text:
            self.saved_text = text
            app = self.q1
            app.store_thread.submit(
                lambda store: domain.save_answer(store, app.week.label, self.step.id, text)
            )

    @on(Button.Pressed, "#keep")
    def action_back(self) -> None:
        self._keep()
        if self.saved_text != self.opened:
            self.notify("Kept as your answer. e opens it again.")
        self.dismiss()

    @on(Button.Pressed, "#discard")
    def _discard(self) -> None:
        """Restore the answer as it was when the dialog opened, and close."""
        self.query_one(TextArea).text = self.opened
        self._keep()
        self.dismiss()

    def action_editor(self) -> None:
        area = self.query_one(TextArea)
        after = editing.edit_text(self.q1, area.text, self.step.id)
        if after is not None:
            area.text = after
            area.move_cursor(area.document.end)
            self._keep()
