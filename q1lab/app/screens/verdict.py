"""The whole comparison in words and bars, as `q1lab compare` prints it; until the study is
complete, the pairs so far."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from q1lab.app.screens.base import FullScreen
from q1lab.app.snapshot import Snapshot
from q1lab.app.widgets.blocks_view import BlocksView
from q1lab.app.widgets.study_text import final_comparison
from q1lab.compare import progress_figure, series_reader
from q1lab.compare.comparison import Comparison
from q1lab.journal.store import Store
from q1lab.judgment import report_blocks, series_table
from q1lab.judgment.blocks import Block
from q1lab.study import studies
from q1lab.week import evidence


class VerdictScreen(FullScreen[None]):
    """``c`` copies the text, ``o`` writes it into a file."""

    CSS_PATH = "../lab.tcss"
    screen_name = "verdict"
    AUTO_FOCUS = "#verdict"

    def __init__(self, study_id: str, record: Comparison | None) -> None:
        super().__init__()
        self.study_id, self.comparison = study_id, record
        self.sweep: Sequence[Block] = ()
        """The table of the sweep that the study belongs to."""

    def body(self) -> ComposeResult:
        yield Static(f" {self.study_id}", id="verdict-head", markup=False)
        with VerticalScroll(id="verdict"):
            yield BlocksView(id="verdict-text")

    def on_mount(self) -> None:
        self.q1.show_end(self.study_id)
        self.watch(self.q1, "snapshot", self._arrived, init=False)
        self.q1.run_job(self._read_series, self._tell_series)
        self._compare(self.comparison)
        self._arrived(self.q1.snapshot)

    def _read_series(self, store: Store) -> Sequence[Block]:
        of = studies.load(self.study_id).origin.series
        series = series_reader.read_series(store, of.id) if of is not None else None
        return series_table.series_blocks(series) if series is not None else ()

    def _tell_series(self, blocks: Sequence[Block]) -> None:
        self.sweep = blocks
        self._draw()

    def _compare(self, record: Comparison | None, so_far: Sequence[Block] = ()) -> None:
        """Show the comparison, and record that the learner has seen it: it may complete a step.
        Without one, show the pairs so far."""
        self.comparison, self.told = record, so_far
        if record is not None:
            self.told = report_blocks.report_blocks(record, means_first=True)
            label = self.q1.week.label
            note = partial(evidence.note_comparison_read, week=label, comparison=record)
            self.q1.store_thread.submit(note)
        self._draw()
        self.refresh_bindings()

    def _arrived(self, snapshot: Snapshot) -> None:
        view = snapshot.focus
        if self.comparison is None and view is not None and view.row.id == self.study_id:
            so_far = progress_figure.progress_blocks(view.study, view.runs)
            self._compare(final_comparison(view), so_far)

    def _draw(self) -> None:
        for text in self.query(BlocksView):  # none once the screen is closed
            text.show((*self.told, *self.sweep))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return self.comparison is not None if action in ("export", "more") else True

    def action_more(self) -> None:
        """Open the form of a study with as many seeds as the verdict names."""
        from q1lab.app.screens.run_form import open_form_with_more_seeds

        c = self.comparison
        needed = c.analysis.seeds_needed if c is not None else None
        n = needed.mid if needed is not None else None
        with self.q1.errors_as_dialogs():
            study = studies.load(self.study_id)
            self.dismiss()
            open_form_with_more_seeds(self.q1, study, n)

    def action_copy(self) -> None:
        text = self.query_one(BlocksView).plain_text(min(100, self.size.width - 6))
        self.q1.copy_text(text, "the comparison as text")

    def action_export(self) -> None:
        from q1lab.app.screens.forms import open_export_form

        open_export_form(self.q1, self.study_id)
