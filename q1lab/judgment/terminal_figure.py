"""The figure and the tables of a comparison, in characters. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from q1lab.judgment.blocks import Bar, Figure, Table
from q1lab.judgment.character_axis import CharacterAxis
from q1lab.judgment.label_text import brief_names
from q1lab.judgment.lines import Line, cells_of, fitted, plain_lines, right_aligned

LABEL = 27  # columns of the labels beside the axis
NARROW = 72  # below this the label gets a line of its own
WIDEST_AXIS = 60
BAR_STYLES = {
    "interval": ("bold", "─", "●"),
    "bootstrap": ("", "─", "●"),
    "pairs": ("modified", "", "○"),
    "floor": ("baseline", "╌", ""),
    "delta": ("dim", "┄", ""),
    "prediction": ("prediction", "", "◆"),
    "study": ("bold", "─", "●"),
}
"""The style of a row of the figure: its role, what fills an interval, and how a point is marked."""


def figure_lines(figure: Figure, width: int) -> list[str]:
    """A figure by itself, as plain text."""
    return plain_lines(figure_pieces(figure, width))


def figure_pieces(block: Figure, width: int) -> list[Line]:
    """Every row as a label, a bar or points on the one axis, and its numbers."""
    narrow = width < NARROW
    numbers = [
        f"[{bar.ends[0]}, {bar.ends[1]}]" if bar.ends is not None else bar.text
        for bar in block.bars
    ]
    columns = width - 2 if narrow else width - LABEL - max(map(cells_of, numbers)) - 2
    axis = _axis(block.bars, min(columns, WIDEST_AXIS))
    result: list[Line] = [[(fitted(block.axis, LABEL) + axis.ticks(), "dim")]]
    if narrow:
        result = [[("  " + axis.ticks(), "dim")]]
    for bar, text in zip(block.bars, numbers, strict=True):
        role, fill, mark = BAR_STYLES[bar.kind]
        bold = "bold" if role == "bold" else ""
        note = bar.note
        if bar.low is None or bar.high is None:
            bar_text = axis.points(bar.points, mark)
            if not all(map(axis.shows, bar.points)):
                note = "off this axis"
        else:
            edges = "╌╌" if fill == "╌" else "├┤"
            point = bar.points[0] if bar.points else None
            bar_text = axis.bar(bar.low, bar.high, point, fill, edges, mark)
        before, zero, after = axis.around_zero(bar_text)
        barcells_of: Line = [(before, role), (zero, "dim"), (after, role)]
        if narrow:
            result.append([(fitted(" · ".join(filter(None, (bar.label, note))), width), "")])
            result += [[("  " + text, bold)]] if text else []
            result.append([("  ", ""), *barcells_of])
            continue
        result.append([(fitted(bar.label, LABEL), bold), *barcells_of, ("  " + text, "")])
        if note:
            empty = axis.draw_row(lambda cells: None)
            result.append([(fitted("  " + note, LABEL), "dim"), (empty, "dim")])
    return result


def _axis(bars: Sequence[Bar], columns: int) -> CharacterAxis:
    """An axis on which the measured values have room. A guest (the baseline against itself, δ, the
    prediction) may stretch it by half; beyond that it is an arrow at the edge."""
    solid, guests = [0.0], []
    # always in the same order: each guest that comes may make room for the next one
    for bar in sorted(bars, key=lambda bar: bar.kind, reverse=True):
        values = [value for value in (*bar.points, bar.low, bar.high) if value is not None]
        if bar.kind in ("prediction", "floor", "delta"):
            guests += values
        else:
            solid += values
    left, right = min(solid), max(solid)
    span = (right - left) or abs(left) or 1e-3
    for value in guests:
        if left - span / 2 <= value <= right + span / 2:
            left, right = min(left, value), max(right, value)
    pad = (right - left or span) * 0.04
    return CharacterAxis(left - pad, right + pad, columns)


def table_pieces(block: Table, width: int) -> list[Line]:
    """Four columns, numbers to the right; the arms' columns carry their names and colors."""
    title, *arms, last = block.heads
    names = brief_names(arms)
    label = len("wall clock per run")
    column = max(12 if width >= NARROW else 10, *(cells_of(name) + 2 for name in names))
    end = 14 if width >= NARROW else 12
    column = min(column, (width - label - end) // 2)

    def line(cells: Sequence[str], edge: str) -> Line:
        first, base, modified, change = cells
        return [
            (fitted(first, label), edge),
            (right_aligned(base, column), "baseline"),
            (right_aligned(modified, column), "modified"),
            (right_aligned(change, end), edge),
        ]

    head = line((title, *names, last), "dim")
    rows = [line((r.label, r.baseline, r.modified, r.change), "") for r in block.rows]
    return [head, *rows]
