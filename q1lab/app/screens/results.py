"""Past studies: the modification, the result and its uncertainty."""

from __future__ import annotations

from functools import partial

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import DataTable, Input, Static

from q1lab.app.screens.base import card
from q1lab.app.screens.command_output import run_in_pane
from q1lab.app.screens.study_actions import StudyActions
from q1lab.app.screens.verdict import VerdictScreen
from q1lab.app.snapshot import Snapshot
from q1lab.app.widgets.chart_data import ChartData, study_curves
from q1lab.app.widgets.lines_view import Lay, LinesView, no_lines
from q1lab.app.widgets.loss_chart import LossChart
from q1lab.app.widgets.results_table import ResultsTable
from q1lab.compare import progress_figure, result_rows
from q1lab.compare.comparison_cache import cached_comparison
from q1lab.compare.result_rows import ResultRow

EMPTY = """\
A study shows up here as soon as it is planned, its verdict when every planned run has ended.

Press [bold $footer-key-foreground]2[/] for the lab, which runs one."""


class ResultsScreen(StudyActions):
    """The store thread reads the rows while this screen is open. Below the table is the study under
    the cursor."""

    screen_name = "results"
    CSS_PATH = "../results.tcss"
    AUTO_FOCUS = "#results"

    _charted: str | None = None

    def body(self) -> ComposeResult:
        yield Input(
            placeholder="filter: words of the study, verdict, data …",
            id="results-filter",
            compact=True,
        )
        with Vertical(id="results-main"):
            yield Static("No study matches.", id="results-none", markup=False)
            yield ResultsTable(id="results")
            with Horizontal(id="results-low"):
                yield LossChart(id="results-chart")
                with VerticalScroll(id="side", can_focus=False):
                    yield LinesView()
        yield card("No results yet", EMPTY, id="results-empty")

    def on_screen_resume(self) -> None:
        self.q1.store_thread.set_page_job("results", result_rows.ResultRowReader())
        super().on_screen_resume()

    def on_screen_suspend(self) -> None:
        self.q1.store_thread.set_page_job("results", None)

    def show(self, snapshot: Snapshot) -> None:
        rows: tuple[ResultRow, ...] | None = snapshot.pages.get("results")
        if rows is None:
            return
        broken = {row.id: row.problem for row in snapshot.studies if row.problem}
        rows = result_rows.with_unreadable(rows, broken)
        table = self.query_one(ResultsTable)
        table.show(rows, self.query_one("#results-filter", Input).value)
        self.set_class(not rows, "-empty")
        self.set_class(not table.studies, "-none")
        self._side()

    def _side(self) -> None:
        row = self.query_one(ResultsTable).current
        lay: Lay = no_lines
        if row is not None:
            lay = partial(progress_figure.row_lines, row)
            self._chart(None if row.problem else row.id)
        self.query_one(LinesView).show(lay)
        self.set_class(row is None or row.mean is None, "-plain")
        self.refresh_bindings()

    def _chart(self, study_id: str | None) -> None:
        """Draw the curves of the study under the cursor; none for one that can't be read."""
        if study_id == self._charted:
            return
        self._charted = study_id

        def show(data: ChartData) -> None:
            if self._charted == study_id and self.is_mounted:
                self.query_one(LossChart).data = data

        if study_id is None:
            show(ChartData())
        else:
            self.q1.run_job(lambda store: study_curves(store, study_id), show)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        tables = [*self.query(ResultsTable)]
        row = tables[0].current if tables else None
        if action == "all":
            return any(box.display for box in self.query("#results-filter"))
        if action == "verdict":
            return row is not None and row.verdict is not None
        if action in ("open_in_lab", "export", "delete"):
            return row is not None
        return True

    @on(DataTable.RowHighlighted)
    def _moved(self) -> None:
        self._side()

    @on(DataTable.RowSelected)
    def _picked(self, event: DataTable.RowSelected) -> None:
        event.stop()
        self.action_open_in_lab()

    def _readable_current(self) -> ResultRow | None:
        """The study under the cursor; None if it can't be read, and then a message says why."""
        row = self.query_one(ResultsTable).current
        if row is not None and row.problem:
            self.notify(row.problem, severity="error", markup=False)
            return None
        return row

    def action_open_in_lab(self) -> None:
        row = self._readable_current()
        if row is not None:
            self.q1.open_study(row.id)

    def action_verdict(self) -> None:
        """Show the comparison of the row's study."""
        row = self._readable_current()
        if row is None:
            return
        name = row.id
        self.q1.run_job(
            lambda store: cached_comparison(store, name),
            lambda record: self.q1.push_screen(VerdictScreen(name, record)),
        )

    def action_export(self) -> None:
        from q1lab.app.screens.forms import open_export_form

        row = self._readable_current()
        if row is not None:
            open_export_form(self.q1, row.id)

    def action_delete(self) -> None:
        row = self.query_one(ResultsTable).current
        if row is not None:
            delete = ["q1lab", "delete", row.id, "--yes"]
            run_in_pane(self.q1, delete, [*delete, "--dry-run"])

    def action_filter(self) -> None:
        box = self.query_one("#results-filter")
        box.display = True
        box.focus()
        self.refresh_bindings()

    @on(Input.Changed)
    def _typed(self) -> None:
        self.show(self.q1.snapshot)

    @on(Input.Submitted)
    def _done(self) -> None:
        self.query_one(ResultsTable).focus()

    def action_all(self) -> None:
        box = self.query_one("#results-filter", Input)
        box.value, box.display = "", False
        self.query_one(ResultsTable).focus()
        self.refresh_bindings()
