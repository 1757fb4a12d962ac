"""Loss against iters: both arms' mean as a line, each seed a quieter one under it."""

from __future__ import annotations

import math
from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual.reactive import reactive
from textual.widget import Widget

from q1lab.app.widgets.chart_data import ArmCurves, ChartData, Curve, multiples, short_count, ticks
from q1lab.app.widgets.line_canvas import NO_PEN, Canvas
from q1lab.app.widgets.study_text import ARM_CELLS
from q1lab.app.widgets.theme_colors import Palette, palette
from q1lab.ground.terminal_cells import cut_cells
from q1lab.ground.text_formats import plural

GUTTER = 7
"""Columns of the loss labels."""
END = 7
"""Columns at the right of the curves for their newest values."""
THICKNESS = {"baseline": 1, "modified": 2}
SIGNS = {"baseline": "⠒⠒⠒", "modified": "⠶⠶⠶"}
"""The arms' lines in the title."""


class LossChart(Widget):
    """Draws ``data`` into its size. One color per arm; the modified mean is the thicker line, and
    each ends in its newest value.

    Once all runs have ended it shows the second half of the iters, where the arms are compared. The
    loss axis fits the shown curves, which separates the arms.
    """

    ALLOW_SELECT: ClassVar[bool] = False

    data: reactive[ChartData] = reactive(ChartData(), layout=False)

    @property
    def _columns(self) -> int:
        return max(0, self.size.width - GUTTER)

    def render(self) -> Text:
        return Text("\n").join(self._draw(palette(self.app)))

    def _draw(self, colors: Palette) -> list[Text]:
        width, height = self.size
        if height < 4 or width < GUTTER + 8:
            return []
        lines = [self._title(colors, width)]
        if self.data.other_metric:
            note = f" {self.data.other_metric} follows after two evaluations"
            lines.append(Text(note[:width], colors.muted))
        rows = height - 1 - len(lines)
        x_low, x_high = self._iters()
        values = [
            v for arm in self.data.arms for c in arm.seeds for i, v in c if x_low <= i <= x_high
        ]
        if not values:
            words = (
                f"no {self.data.name} yet" if self.data.empty else "no evaluation in this stretch"
            )
            blank = [Text()] * ((rows - 1) // 2)
            return [*lines, *blank, Text(words.center(width)[:width], colors.muted)]
        y_low, y_high = min(values), max(values)
        unit = _unit(max(abs(y_low), abs(y_high)))
        lines[0] = self._title(colors, width, unit)
        room = max(0, GUTTER - 3 - len(f"{y_high / unit:.0f}"))  # decimals that a label has
        # the axis spans at least what its labels can resolve; smaller differences look equal
        least = max(MOST_LABELS, rows // 3) * unit * 10.0**-room
        pad = max(0.0, (least - (y_high - y_low)) / 2)
        y_low, y_high, tick_values = _even_labels(y_low - pad, y_high + pad, rows)
        end = END if self._columns >= 4 * END else 0
        x_axis = _Axis(x_low, x_high, 2 * (self._columns - end) - 1)
        y_axis = _Axis(y_high, y_low, 4 * rows - 1)
        canvas = Canvas(self._columns, rows)
        digits = min(room, _digits([value / unit for value in tick_values]))
        labels = {y_axis.at(value) >> 2: f"{value / unit:.{digits}f}" for value in tick_values}
        for row in labels:
            canvas.guide(row)
        means = [_dots(arm.mean, x_axis, y_axis) for arm in self.data.arms]
        for pen, arm in enumerate(self.data.arms):
            for curve in _beside_the_mean(arm, y_axis):
                canvas.thin(_dots(curve, x_axis, y_axis), pen)
            canvas.main(means[pen], pen, THICKNESS[arm.arm])
        for pen, arm in enumerate(self.data.arms):
            if means[pen] and end:
                newest = f"{arm.mean[-1][1] / unit:.{min(room, digits + 1)}f}"
                _write_end(canvas, means[pen][-1], newest, pen)
        main = [Style(color=colors.arm(a.arm), bold=True) for a in self.data.arms]
        thin = [Style(color=colors.faint(colors.arm(a.arm))) for a in self.data.arms]
        muted, guides = Style(color=colors.muted), Style(color=colors.faint(colors.muted, 0.35))
        for row, pieces in enumerate(canvas.rows()):
            label = labels.get(row, "")
            line = Text.assemble((f"{label:>{GUTTER - 2}} {'┤' if label else '│'}", muted))
            for piece in pieces:
                pens = main if piece.is_main else thin
                line.append(piece.text, guides if piece.pen == NO_PEN else pens[piece.pen])
            lines.append(line)
        return [*lines, self._iter_labels(x_axis, x_low, x_high, muted)]

    def _iters(self) -> tuple[float, float]:
        """The shown part of the iter axis, which begins at the first iter with a point."""
        first = min((c[0][0] for arm in self.data.arms for c in arm.seeds), default=0)
        last = max(first + 1, self.data.last)
        return (first + last) / 2 if self.data.ended else first, last

    def _title(self, colors: Palette, width: int, unit: float = 1.0) -> Text:
        line = Text.assemble((f" {self.data.name}", f"bold {colors.foreground}"))
        line.append("" if unit == 1 else f" (×1e{math.log10(unit):.0f})", colors.muted)
        for arm in self.data.arms:
            line.append(f"  {SIGNS[arm.arm]} ", f"bold {colors.arm(arm.arm)}")
            seeds = f" ({plural(arm.n, 'seed')})" if arm.n and width >= 70 else ""
            line.append(cut_cells(arm.variant, ARM_CELLS) + seeds, colors.muted)
        right = "second half" if self.data.ended else ""
        if right and line.cell_len + len(right) + 3 <= width:
            line.append(f"{right:>{width - line.cell_len - 1}} ", colors.muted)
        line.truncate(width, overflow="ellipsis")
        return line

    def _iter_labels(self, axis: _Axis, low: float, high: float, muted: Style) -> Text:
        cells = [" "] * self._columns
        most = max(2, self._columns // 14)
        values = ticks(low, high, most)
        for value in reversed(values):
            text = short_count(value)
            start = max(0, (axis.at(value) >> 1) - len(text) // 2)
            text += " iters" if value == values[-1] else ""
            start = max(0, min(start, self._columns - len(text)))
            if all(cell == " " for cell in cells[max(0, start - 1) : start + len(text) + 1]):
                cells[start : start + len(text)] = list(text)
        return Text(" " * (GUTTER - 1) + "└" + "".join(cells), muted)


def _write_end(canvas: Canvas, end: tuple[int, int], newest: str, pen: int) -> None:
    """Write a curve's newest value beside its end, or as near as no line is."""
    column, row = (end[0] >> 1) + 2, end[1] >> 2
    any(canvas.write(column, row + aside, newest, pen) for aside in (0, -1, 1, -2, 2))


class _Axis:
    """Values to dots: ``at(first)`` is 0, ``at(last)`` is ``dots``."""

    def __init__(self, first: float, last: float, dots: int) -> None:
        self.first, self.last, self.dots = first, last, dots

    def at(self, value: float) -> int:
        share = (value - self.first) / ((self.last - self.first) or 1.0)
        return round(share * self.dots + 1e-6)  # halves all to one side: labels keep their distance


SINGLE = 24
"""At most this many seeds are drawn one by one: more can't be told apart."""


def drawn_seeds(arm: ArmCurves) -> tuple[Curve, ...]:
    """The curves to draw: all, or an even selection of many."""
    step = -(-len(arm.seeds) // SINGLE) or 1
    return arm.seeds[::step]


def _beside_the_mean(arm: ArmCurves, y_axis: _Axis) -> tuple[Curve, ...]:
    """The seeds' curves, or only what goes on after the mean where they never leave its cells:
    their dots would stand beside it by rounding alone."""
    curves, shared = drawn_seeds(arm), {at for at, _ in arm.mean}
    dots_by_iter: dict[int, list[int]] = {}
    for curve in curves:
        for at, value in curve:
            dots_by_iter.setdefault(at, []).append(y_axis.at(value))
    spread = max((max(ys) - min(ys) for at, ys in dots_by_iter.items() if at in shared), default=0)
    last = arm.mean[-1][0] if arm.mean and spread < 4 else 0
    return tuple(tuple(point for point in curve if point[0] >= last) for curve in curves)


MOST_LABELS = 8
"""Labels of the value's axis that its digits must tell apart."""
STEPS = (5, 2, 1, 4, 3, 6, 8)
"""Distances of labels, times a power of ten; of those that waste equally little, the first one."""
ENOUGH = 1.12
"""An axis so many times as long as its curves need wastes nothing."""
FEW = 0.2
"""So much of the axis may be wasted for a third label."""


def _even_labels(low: float, high: float, rows: int) -> tuple[float, float, list[float]]:
    """The ends of an axis that holds ``low`` and ``high`` and wastes as little of its rows as it
    can while its labels are equally many rows apart; and the labels."""
    span, cells = high - low, rows - 0.25
    power = 10.0 ** math.floor(math.log10(span))
    best, least = (low, high, [low]), math.inf
    for step in (step * unit for step in STEPS for unit in (power, power / 10)):
        apart = int(cells * step / span)
        if not max(1, rows // 5) <= apart <= rows // 2:
            continue
        length = cells * step / apart
        for share in (0.5, 0, 1):
            start = low - (length - span) * share
            labels = multiples(step, start, start + length)
            waste = max(length, ENOUGH * span) + span * FEW * (len(labels) < 3)
            if waste < least and len(labels) > 1:
                best, least = (start, start + length, labels), waste
    return best


def _dots(
    curve: tuple[tuple[int, float], ...], x_axis: _Axis, y_axis: _Axis
) -> list[tuple[int, int]]:
    """A curve as dots: one per dot column (the mean of its values), and at most one beyond each
    edge."""
    out: list[tuple[int, int]] = []
    column, total, count = None, 0.0, 0
    for iter_, value in curve:
        x = x_axis.at(iter_)
        if x != column and column is not None:
            out.append((column, y_axis.at(total / count)))
            total, count = 0.0, 0
        column, total, count = x, total + value, count + 1
    if column is not None:
        out.append((column, y_axis.at(total / count)))
    inside = [k for k, (x, _) in enumerate(out) if 0 <= x <= x_axis.dots]
    return out[max(0, inside[0] - 1) : inside[-1] + 2] if inside else out


def _unit(largest: float) -> float:
    """The unit of the labels: 1, or a power of ten if the numbers don't fit into a label."""
    power = math.floor(math.log10(largest)) if largest > 0 else 0
    return 1.0 if -3 < power < 4 else 10.0**power


def _digits(tick_values: list[float]) -> int:
    if len(tick_values) < 2:
        return 2
    return min(4, max(1, math.ceil(-math.log10(abs(tick_values[1] - tick_values[0])) - 1e-9)))
