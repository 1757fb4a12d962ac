"""One hint."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import VerticalScroll

from q1lab.app.screens.base import Dialog
from q1lab.app.screens.pick_one import PickScreen
from q1lab.app.week_app import WeekApp
from q1lab.app.widgets.page_blocks import Prose
from q1lab.ground.files import printable
from q1lab.journal import learner_tables
from q1lab.week.own_model import model_file
from q1lab.week.own_model.model_file import STAGES, Hint


class HintScreen(Dialog[None]):
    """A hint in Markdown; the last one is a diff."""

    def __init__(self, hint: Hint) -> None:
        super().__init__()
        self.heading = f"{hint.variant}, hint {hint.stage} of {len(STAGES)}: {hint.title.lower()}"
        is_diff = hint.stage == len(STAGES)
        text = printable(hint.text)
        self.text = f"~~~~ diff\n{text}\n~~~~" if is_diff else text
        self.shape = "tall code" if is_diff else "hint"

    def body(self) -> ComposeResult:
        with VerticalScroll():
            yield Prose(self.text)


def offer_hints(app: WeekApp, variant: str | None, failing: Sequence[str] = ()) -> None:
    """Offer the next hint for a modification, on which the cursor stands, those that say less, and
    those seen before; the names of ``failing`` checks decide which hint is next. The chosen one is
    recorded."""
    if variant is None:
        app.notify("Hints come with a modification: choose one first.")
        return
    week = app.week

    def offer(hints: list[Hint]) -> None:
        next_stage = str(hints[0].stage)
        rows = sorted((str(hint.stage), f"{hint.stage}  {hint.title}") for hint in hints)

        def show(stage: str) -> None:
            hint = next(hint for hint in hints if str(hint.stage) == stage)
            app.store_thread.submit(
                lambda store: learner_tables.use_hint(store, week.label, variant, hint.stage)
            )
            app.push_screen(HintScreen(hint))

        title = f"Hints for {variant}: the week records what you saw"
        app.push_screen(PickScreen(title, rows, next_stage), show)

    app.hold_keys()
    app.run_job(
        lambda store: model_file.open_hints(store, week.label, week.root, variant, [*failing]),
        offer,
    )
