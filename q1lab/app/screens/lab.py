"""The lab: a study's grid arm × seed, its curves, the difference so far, and its verdict once all
runs have ended."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import DataTable, Static

from q1lab.app.screens.base import MainScreen, card
from q1lab.app.screens.pick_one import PickScreen
from q1lab.app.screens.run_log import RunLogScreen
from q1lab.app.screens.study_actions import StudyActions
from q1lab.app.snapshot import Snapshot
from q1lab.app.study_in_focus import StudyInFocus
from q1lab.app.widgets.chart_data import chart_data
from q1lab.app.widgets.fitted_text import FittedText
from q1lab.app.widgets.lines_view import LinesView
from q1lab.app.widgets.loss_chart import LossChart
from q1lab.app.widgets.run_grid import RunGrid
from q1lab.app.widgets.study_text import final_comparison, search_text, study_heading, study_line
from q1lab.app.widgets.theme_colors import palette
from q1lab.app.widgets.top_line import TopLine
from q1lab.compare import progress_figure
from q1lab.compare.result_rows import ResultRow, read_result_rows
from q1lab.journal.study_view import RunView, fault_lines
from q1lab.judgment import layout
from q1lab.judgment.lines import plain_lines
from q1lab.judgment.run_states import ENDED, MISSING
from q1lab.study import child_processes

NEED_A_STUDY = (
    "log",
    "stop",
    "go_on",
    "again",
    "verdict",
    "export",
    "wandb",
    "next",
    "metric",
    "filter",
)

EMPTY = """\
A study trains the baseline and your change with the same seeds, and judges the difference.

1  Choose a variant, and see what it changes.
2  Read the plan: so many runs, so many minutes.
3  Watch the runs here. They go on when you leave or close q1lab.
4  Get the verdict, once every planned run has ended.

Press [bold $footer-key-foreground]r[/] to run one."""


class LabScreen(StudyActions, MainScreen):
    """Shows the study in focus; slow acts run in threads."""

    screen_name = "lab"
    CSS_PATH = "../lab.tcss"
    AUTO_FOCUS = "#grid"

    metric = ""
    """The name of the charted metric; if empty or not in the study, its own metric is charted."""
    _comparing: tuple[str, int] | None = None
    _curves: tuple[object, ...] | None = None

    def body(self) -> ComposeResult:
        with Horizontal(id="lab"):
            with Vertical(id="lab-main"):
                yield FittedText(self._draw_head, id="lab-head")
                yield RunGrid(id="grid")
                with Horizontal(id="lab-low"):
                    yield LossChart(id="chart")
                    with VerticalScroll(id="difference", can_focus=False):
                        yield LinesView()
            yield card("", EMPTY, id="lab-empty")

    # ── showing

    def show(self, snapshot: Snapshot) -> None:
        before, self.view = self.view, snapshot.focus
        view = self.view
        if view is not None and view.alive:
            self.query_one(TopLine).training = None  # the heading below says the same
        self.query_one("#lab").set_class(view is None, "-empty")
        damaged = next((row.problem for row in snapshot.studies if row.problem), None)
        empty = self.query_one("#lab-empty", Static)
        empty.update(Content(damaged) if damaged else EMPTY)
        empty.border_title = "" if damaged else "No study yet"
        self.query_one(RunGrid).show(view)
        if view is not None:
            self.q1.show_end(view.row.id)
            self._draw_head()
            self._show_curves(view)
            self._show_difference(view)
            self._compare_when_done(view)
        if _keys_by(before) != _keys_by(view):
            self.call_after_refresh(self.refresh_bindings)

    def _draw_head(self) -> None:
        """The study in a line, what went wrong in it, and its verdict in short."""
        view, head, colors = self.view, self.query_one("#lab-head", FittedText), palette(self.app)
        if view is None or not head.room:
            return
        ids = self._ids
        shown = len(ids) > 1 and view.row.id in ids
        place = f" · study {ids.index(view.row.id) + 1} of {len(ids)}" if shown else ""
        lines = [study_heading(view, head.room, colors, place)]
        for line in fault_lines(view, most=2):
            fault = Text(f" ! {line}", style=colors.warning)
            fault.truncate(head.room, overflow="ellipsis")
            lines.append(fault)
        record = final_comparison(view)
        if record is not None:  # the figure and the verdict's screen say the others
            told = plain_lines(layout.leading_lines(record, head.room - 2, 1))
            lines += [Text(f" {words}", style=colors.muted) for words in told]
        head.update(Text("\n").join(lines))

    def _show_curves(self, view: StudyInFocus) -> None:
        name = self.metric if self.metric in view.metrics else ""
        points = ((run.name, run.state, run.curves) for run in view.runs)
        curves = (view.row.id, name, *points)
        if curves != self._curves:
            self._curves = curves
            self.query_one(LossChart).data = chart_data(view.runs, view.study.metric, name)

    def _show_difference(self, view: StudyInFocus) -> None:
        record = final_comparison(view)
        self.query_one(LinesView).show(
            partial(progress_figure.figure_lines, record)
            if record is not None
            else partial(progress_figure.progress_lines, view.study, view.runs)
        )

    def _compare_when_done(self, view: StudyInFocus) -> None:
        """Compute the comparison once the last run has ended, once per study and number of runs:
        whichever window is open then does it."""
        request = (view.row.id, len(view.runs))
        ended = bool(view.runs) and all(run.state in ENDED for run in view.runs)
        if ended and final_comparison(view) is None and self._comparing != request:
            self._comparing = request
            name = view.row.id
            self.run_once(
                f"compare {name}", lambda: child_processes.run_q1lab(["compare", name, "--json"])
            )

    # ── acts

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        view = self.view
        if view is None:
            return action not in NEED_A_STUDY
        if action == "stop":
            return view.alive
        if action == "go_on":
            return not view.alive and any(run.state in MISSING for run in view.runs)
        if action == "filter":
            return len(self.q1.snapshot.studies) > 1
        if action == "verdict":
            beside = self.query_one("#difference")
            shown = beside.display and not beside.max_scroll_y
            return not shown or final_comparison(view) is not None
        return True

    @on(DataTable.RowSelected)
    def _row(self, event: DataTable.RowSelected) -> None:
        event.stop()
        self.action_log()

    def action_log(self) -> None:
        run = self.chosen_run
        if self.view is not None and run is not None:
            self.app.push_screen(RunLogScreen(self.view.study, run))

    @property
    def chosen_run(self) -> RunView | None:
        return self.query_one(RunGrid).selected

    def action_run(self) -> None:
        from q1lab.app.screens.run_form import open_run_form

        open_run_form(self.q1)

    # ── which study, which part of it

    @property
    def _ids(self) -> list[str]:
        """The ids of all studies that can be read, newest first."""
        return [row.id for row in self.q1.snapshot.studies if row.problem is None]

    def action_filter(self) -> None:
        current = self.view.row.id if self.view else ""
        room = min(62, self.size.width - 16)

        def show(results: Sequence[ResultRow]) -> None:
            result_by_id = {row.id: row for row in results}
            studies = self.q1.snapshot.studies
            rows = [(row.id, study_line(row, result_by_id.get(row.id), room)) for row in studies]
            words = {row.id: search_text(row) for row in studies}
            self.app.push_screen(PickScreen("Which study?", rows, current, find=words), self._watch)

        self.q1.hold_keys()
        self.q1.run_job(read_result_rows, show)

    def _watch(self, study_id: str) -> None:
        """Put another study in focus; if it can't be read, say why."""
        row = next((row for row in self.q1.snapshot.studies if row.id == study_id), None)
        if row is not None and row.problem is not None:
            self.notify(row.problem, severity="error", markup=False)
        else:
            self.q1.store_thread.watch_study(study_id)

    def action_next(self, by: int) -> None:
        if self.view is not None and self.view.row.id in self._ids:
            index = max(0, self._ids.index(self.view.row.id) + by)
            self.q1.store_thread.watch_study(self._ids[min(len(self._ids) - 1, index)])

    def action_metric(self) -> None:
        if self.view is not None:
            names = self.view.metrics
            at = names.index(self.metric) if self.metric in names else 0
            self.metric = names[(at + 1) % len(names)]
            self.q1.store_thread.chart_metric(self.metric)
            self._show_curves(self.view)


def _keys_by(view: StudyInFocus | None) -> object:
    """What decides which keys a study has."""
    return view and (view.row, final_comparison(view) is None)
