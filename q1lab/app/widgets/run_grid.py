"""The grid arm × seed: one row per run, updated in place, so rows and cursor never jump."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widgets import DataTable
from textual.widgets.data_table import RowKey

from q1lab.app.widgets.choice_list import WALK, SingleClick
from q1lab.app.widgets.lab_numbers import loss_words, state_words, waits_for
from q1lab.app.widgets.sparkline import ValueRange, common_range, sparkline, value_range
from q1lab.app.widgets.theme_colors import Palette, palette
from q1lab.ground.terminal_cells import cut_cells
from q1lab.ground.text_formats import duration, token_rate
from q1lab.journal.study_view import Points, RunView, StudyView
from q1lab.judgment.metric import VAL_LOSS
from q1lab.judgment.run_states import RunState
from q1lab.study.events import standard_names

Column = tuple[str, str, int, bool, int]
"""(key, title, width in cells, True if right-aligned, least width of the table to show it)."""

COLUMNS: tuple[Column, ...] = (
    # key, title, width, to the right, and the widget width from which it is shown
    ("arm", "arm", 0, False, 0),
    ("seed", "seed", 4, True, 0),
    ("state", "state", 10, False, 0),
    ("loss", "loss", 0, False, 0),
    ("iter", "iter", 6, True, 52),
    ("val", "val loss", 8, True, 0),
    ("speed", "tok/s", 6, True, 90),
    ("left", "left", 10, True, 74),
)
SPARK_LEAST, SPARK_ROOM = 8, 28
"""Least cells of a sparkline, and those that are left to it before names grow."""
ARM_LEAST, ARM_MOST, ARM_WIDE = 8, 13, 26
"""Width of an arm's name in cells: as long as the longest, between least and most; up to
``ARM_WIDE`` while the sparklines have their room."""


class Cell(Text):
    """A cell of a column with fixed width, so that a table of a thousand runs doesn't measure each
    one."""

    __rich_measure__ = None  # type: ignore[assignment]


class CurveCell(NamedTuple):
    """A run's sparkline, drawn only when it comes into view: of a thousand runs a screen shows some
    thirty."""

    points: Points
    width: int
    last: int
    scale: ValueRange
    style: str
    waits: str
    """What the run waits for, while it has no point."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        drawn = sparkline(self.points, self.width, self.last, *self.scale)
        yield Text(drawn if self.points else cut_cells(self.waits, self.width), self.style)


Cells = tuple[Cell | CurveCell, ...]


class RowTable(SingleClick, DataTable[Any], inherit_bindings=False):
    """A table with a row cursor. The screen handles Enter."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *WALK,
        Binding("up", "cursor_up", show=False),
        Binding("down", "cursor_down", show=False),
        Binding("pageup", "page_up", show=False),
        Binding("pagedown", "page_down", show=False),
        Binding("home", "scroll_top", show=False),
        Binding("end", "scroll_bottom", show=False),
    ]

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 — Textual's own name
        super().__init__(
            id=id, cursor_type="row", zebra_stripes=True, cursor_foreground_priority="renderable"
        )
        self._width = 0

    def draw(self) -> None:
        """Fill the table anew, for another width or theme; the cursor stays on its row."""
        raise NotImplementedError

    def on_mount(self) -> None:
        self.app.theme_changed_signal.subscribe(self, lambda _: self.draw())

    def on_resize(self) -> None:
        if self._width != self.size.width:
            self._width = self.size.width
            self.draw()

    def head(self, columns: Sequence[Column]) -> None:
        """Clear the table and add these columns."""
        self.clear(columns=True)
        for key, title, width, right, _ in columns:
            self.add_column(Text(title, justify="right" if right else "left"), width=width, key=key)

    def rest(self, columns: Sequence[Column]) -> int:
        """The table's width minus these columns, in cells."""
        return self.size.width - sum(column[2] + 2 * self.cell_padding for column in columns) - 1


class RunGrid(RowTable):
    """Shows a ``StudyView``; ``selected`` is the run under the cursor."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 — Textual's own name
        super().__init__(id=id)
        self.view: StudyView | None = None
        self._shown: dict[str, Cells] = {}

    @property
    def selected(self) -> RunView | None:
        if self.view is None or not 0 <= self.cursor_row < len(self.view.runs):
            return None
        return self.view.runs[self.cursor_row]

    def show(self, view: StudyView | None) -> None:
        """Update the table; only changed cells are redrawn."""
        before = self.view
        self.view = view
        if view is None:
            self._shown = {}
            self.clear()
            return
        if not self._width:  # not laid out yet; on_resize fills it
            return
        same = before is not None and before.row.id == view.row.id
        names = [run.name for run in view.runs]
        trained = before is not None and before.alive
        alike = same and trained == view.alive
        if not alike or list(self._shown) != names:
            self.draw(keep=same)
            return
        for name, cells in self._cells(palette(self.app)).items():
            for column, new, old in zip(self.columns, cells, self._shown[name], strict=True):
                if new != old:
                    self.update_cell(RowKey(name), column, new)
            self._shown[name] = cells

    def _visible(self) -> list[Column]:
        """The columns for the table's width, wide enough for each number; the sparklines get the
        cells that the others leave."""
        runs = self.view.runs if self.view is not None else ()
        numbers = {
            "seed": max((len(self._number(run)) for run in runs), default=0),
            "iter": max((len(str(run.max_iters or run.iter)) for run in runs), default=0),
        }
        shown = [
            (key, title, max(width, numbers.get(key, 0)), right, least)
            for key, title, width, right, least in COLUMNS
            if self._width >= least and (key != "left" or (self.view and self.view.alive))
        ]
        room = self.rest(shown)  # for the names and the sparklines
        longest = max([ARM_LEAST, *(cell_len(run.variant) for run in runs)])
        arm = min(longest, max(ARM_MOST, min(ARM_WIDE, room - SPARK_ROOM)))
        widths = {"arm": arm, "loss": max(SPARK_LEAST, room - arm)}
        metric = (VAL_LOSS if self.view is None else self.view.study.metric).name
        titles = {"val": cut_cells(metric, 8)}
        return [
            (key, titles.get(key, title), cells or widths[key], right, least)
            for key, title, cells, right, least in shown
        ]

    def _number(self, run: RunView) -> str:
        """The seed that a run is drawn with."""
        assert self.view is not None
        return str(self.view.study.trainer.drawn_seed(run.arm, run.seed))

    def draw(self, keep: bool = True) -> None:
        row = self.cursor_row if keep else 0
        self.head(self._visible())
        if self.view is None:
            return
        self._shown = self._cells(palette(self.app))
        for name, values in self._shown.items():
            self.add_row(*values, key=name)
        self.move_cursor(row=min(row, len(self._shown) - 1), scroll=keep)

    def _cells(self, colors: Palette) -> dict[str, Cells]:
        assert self.view is not None
        runs = self.view.runs
        # a command may report its metric alone, or its training loss once in a while
        metric_name = max(
            standard_names(self.view.study.metric)[:2],
            key=lambda name: sum(len(run.curve(name)) for run in runs),
        )
        curves = {run.name: run.curve(metric_name) for run in runs}
        scale = common_range(map(value_range, curves.values()))
        columns = {column[0]: column[2] for column in self._visible()}
        cells_by_run = {}
        for run in runs:
            last, arm = run.max_iters or run.iter, colors.arm(run.arm)
            values: dict[str, Cell | CurveCell] = {
                "arm": Cell(cut_cells(run.variant, columns["arm"]), style=arm),
                "seed": _right(self._number(run)),
                "state": Cell(state_words(run), style=colors.state(run.state)),
                "loss": CurveCell(
                    *(curves[run.name], columns["loss"], last, scale),
                    *(arm if curves[run.name] else colors.muted, waits_for(run, self.view)),
                ),
                "iter": _right(str(run.iter) if run.attempt else ""),
                "val": _right(
                    loss_words(run, self.view.study.metric),
                    "" if run.state is RunState.FINISHED else colors.muted,
                ),
                "speed": _right(token_rate(run.tokens_per_s), colors.muted),
                "left": _right(duration(run.seconds_left), colors.muted),
            }
            cells_by_run[run.name] = tuple(values[key] for key in columns)
        return cells_by_run


def _right(text: str, style: Any = "") -> Cell:
    return Cell(text, style=style, justify="right")
