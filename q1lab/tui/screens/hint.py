"""One hint; or, once the checks pass, the reference with a diff."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import VerticalScroll

from q1lab.ground.files import printable
from q1lab.index import learner_tables
from q1lab.tui.screens.base import Dialog
from q1lab.tui.screens.pick_one import PickScreen
from q1lab.tui.widgets.diff_view import DiffView
from q1lab.tui.widgets.page_blocks import Prose
from q1lab.week.own_model import model_file
from q1lab.week.own_model.model_file import STAGES, Hint

if TYPE_CHECKING:
    from q1lab.tui.app import Q1Lab
    from q1lab.week.own_model.run_checks import CheckResult


class HintScreen(Dialog[None]):
    """Markdown, and a diff below it if there is one."""

    def __init__(self, title: str, text: str = "", diff: str = "") -> None:
        super().__init__()
        self.heading, self.text, self.diff = title, text, diff
        self.shape = "tall code" if diff else "hint"

    @classmethod
    def of(cls, hint: Hint, failing: CheckResult | None = None) -> HintScreen:
        """The dialog for a hint; the last stage is a diff."""
        last = hint.stage == len(STAGES)
        title = f"{hint.variant}, hint {hint.stage} of {len(STAGES)}: {hint.title.lower()}"
        if last:
            return cls(title, _first(failing), diff=hint.text)
        return cls(title, f"{_first(failing)}{hint.text}")

    def body(self) -> ComposeResult:
        with VerticalScroll():
            if self.text:
                yield Prose(printable(self.text))
            if self.diff:
                yield DiffView(printable(self.diff))


def _first(failing: CheckResult | None) -> str:
    if failing is None:
        return ""
    lines = [f"**First, what fails: {failing.name}.** {failing.why}"]
    lines += [f"Expected: {failing.expected}"] if failing.expected else []
    lines += [f"Seen: {failing.seen}"] if failing.seen else []
    return "\n\n".join(lines) + "\n\n---\n\n"


def offer_hints(app: Q1Lab, variant: str | None, failing: Sequence[CheckResult] = ()) -> None:
    """Offer the next hint for a modification, on which the cursor stands, those that say less, and
    those seen before. The chosen hint is recorded.
    It begins with a failing check, if there is one: its observation is the best hint."""
    if variant is None:
        app.notify("Hints come with a modification: choose one first.")
        return
    week = app.week

    def offer(hints: list[Hint]) -> None:
        next_stage = str(hints[0].stage)
        rows = sorted((str(hint.stage), f"{hint.stage}  {hint.title}") for hint in hints)

        def show(stage: str) -> None:
            hint = next(hint for hint in hints if str(hint.stage) == stage)
            helped = (check for check in failing if check.name in hint.checks)
            app.store_thread.submit(
                lambda store: learner_tables.use_hint(store, week.label, variant, hint.stage)
            )
            app.push_screen(HintScreen.of(hint, next(iter((*helped, *failing)), None)))

        title = f"Hints for {variant}: the week records what you saw"
        app.push_screen(PickScreen(title, rows, next_stage), show)

    names = [check.name for check in failing]
    app.run_job(
        lambda store: model_file.open_hints(store, week.label, week.root, variant, names), offer
    )
