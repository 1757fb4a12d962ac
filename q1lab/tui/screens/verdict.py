"""The whole comparison in words and bars, as `q1lab compare` prints it; until the study is
complete, the pairs so far."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Static

from q1lab.ground.errors import Problem
from q1lab.index.store import Store
from q1lab.judgment import report_blocks, series_table
from q1lab.judgment.blocks import Block, Sentence
from q1lab.study import studies
from q1lab.tui.desktop import copy_text
from q1lab.tui.screens import launch_opener
from q1lab.tui.screens.base import FullScreen
from q1lab.tui.snapshot import Snapshot
from q1lab.tui.widgets.blocks_view import BlocksView
from q1lab.tui.widgets.chart_data import ChartData, study_curves
from q1lab.tui.widgets.loss_chart import LossChart
from q1lab.tui.widgets.study_text import final_comparison
from q1lab.verdict import equal_budget, progress_figure, series_reader
from q1lab.verdict.comparison import Comparison
from q1lab.week import evidence

BESIDE = 150
"""From this width in cells, the curves are beside the words."""


class VerdictScreen(FullScreen[None]):
    """Esc goes back; ``c`` copies the text, ``o`` writes it into a file, ``b`` answers at an equal
    budget."""

    CSS_PATH = "../lab.tcss"
    screen_name = "verdict"

    def __init__(
        self, study_id: str, record: Comparison | None, so_far: Sequence[Block] = ()
    ) -> None:
        super().__init__()
        self.study_id = study_id
        self.comparison = record
        self.so_far = so_far
        self.series: Sequence[Block] = ()
        """The table of the sweep or axis that the study belongs to."""
        self.budget_answer: list[str] = []
        """The answer at an equal budget, if the learner has requested it."""
        self._shown_budgets = 0
        """The number of budgets whose answer was shown; the next key press shows the next one."""

    def body(self) -> ComposeResult:
        yield Static(f" {self.study_id}", id="verdict-head", markup=False)
        with Horizontal(id="verdict-body"):
            with VerticalScroll(id="verdict"):
                yield BlocksView(id="verdict-text")
            yield LossChart(id="verdict-chart")

    def on_mount(self) -> None:
        self.query_one("#verdict").focus()
        self.watch(self.q1, "snapshot", self._arrived, init=False)
        self.q1.run_job(lambda store: study_curves(store, self.study_id), self._chart)
        self.q1.run_job(self._read_series, self._with_series)
        self._note()
        self._draw()

    def _read_series(self, store: Store) -> Sequence[Block]:
        of = studies.load(self.study_id).origin.series
        series = series_reader.read_series(store, of.id) if of is not None else None
        return series_table.series_blocks(series) if series is not None else ()

    def _with_series(self, series: Sequence[Block]) -> None:
        self.series = series
        if self.is_mounted:
            self._draw()

    def _note(self) -> None:
        """Record that the learner has viewed the comparison: it may complete a step."""
        label, comparison = self.q1.week.label, self.comparison
        if comparison is not None:
            self.q1.store_thread.submit(
                lambda store: evidence.note_comparison_read(store, label, comparison)
            )

    def on_resize(self) -> None:
        self.set_class(self.size.width >= BESIDE, "-beside")

    def _chart(self, data: ChartData) -> None:
        for chart in self.query(LossChart):
            chart.data = data

    def _arrived(self, snapshot: Snapshot) -> None:
        """Replace the pairs so far by the comparison once the study is complete."""
        view = snapshot.focus
        if self.comparison is None and view is not None and view.row.id == self.study_id:
            self.comparison = final_comparison(view)
            self._note()
            self.so_far = progress_figure.progress_blocks(view.study, view.runs)
            self._draw()
            self.refresh_bindings()

    def _draw(self) -> None:
        c, answer = self.comparison, (Sentence("budget", text) for text in self.budget_answer)
        told = self.so_far if c is None else report_blocks.report_blocks(c, means_first=True)
        self.query_one(BlocksView).show((*told, *answer, *self.series))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return self.comparison is not None if action in ("export", "more", "next_budget") else True

    def action_next_budget(self) -> None:
        """Show the next answer: at equal FLOPs, then at equal wall clock, then neither."""
        if self._shown_budgets == len(equal_budget.BUDGET_KINDS):
            self._shown_budgets = 0
            self._show_budget_answer([])
            return
        kind = equal_budget.BUDGET_KINDS[self._shown_budgets]
        self._shown_budgets += 1
        self.q1.run_job(lambda store: self._answer(store, kind), self._show_budget_answer)

    def _answer(self, store: Store, kind: equal_budget.BudgetKind) -> list[str]:
        try:
            comparison, answer = equal_budget.read_at_budget(
                store, studies.load(self.study_id), kind
            )
        except Problem as problem:
            return [str(problem)]
        return equal_budget.budget_sentences(answer, comparison)

    def _show_budget_answer(self, sentences: list[str]) -> None:
        self.budget_answer = sentences
        if self.is_mounted:
            self._draw()
            self.query_one("#verdict", VerticalScroll).scroll_end(animate=False)

    def action_more(self) -> None:
        """Open the launch form with as many seeds as the verdict names, or for the rest of a range
        that stopped since it was futile."""
        c = self.comparison
        needed = c.analysis.seeds_needed if c is not None else None
        was_futile = c is not None and c.stopped_for_futility
        with self.q1.errors_as_dialogs():
            study = studies.load(self.study_id)
            self.dismiss()
            launch_opener.open_form_with_more_seeds(
                self.q1, study, needed.mid if needed is not None else None, was_futile=was_futile
            )

    def action_copy(self) -> None:
        text = self.query_one(BlocksView).plain_text(min(100, self.size.width - 6))
        copy_text(self.app, text, "the comparison as text")

    def action_export(self) -> None:
        from q1lab.tui.screens.forms import open_export_form

        open_export_form(self.q1, [self.study_id])
