"""The figure and the tables of a comparison, in characters. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from q1lab.judgment.blocks import Bar, Figure, Table
from q1lab.judgment.character_axis import CharacterAxis, can_be_drawn
from q1lab.judgment.lines import Line, fitted, prose, right_aligned
from q1lab.judgment.names import told_apart

LABEL = 27  # columns of the labels beside the axis
SHORT_LABEL, LEAST_AXIS = 17, 16  # in a narrow place: labels beside the axis; less has no numbers
NARROW = 72  # below this long labels, bars and numbers stand one below the other
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


def figure_pieces(block: Figure, width: int) -> list[Line]:
    """Every row as a label, a bar or points on the one axis, and its numbers: side by side, or one
    below the other where it is narrow; no line without a row."""
    if not block.bars:
        return []
    numbers = [
        f"[{bar.ends[0]}, {bar.ends[1]}]" if bar.ends is not None else bar.text
        for bar in block.bars
    ]
    label_cells = LABEL
    if width < NARROW:
        label_cells = 1 + max(cell_len(bar.label) for bar in block.bars)
        if label_cells > SHORT_LABEL or any(bar.note for bar in block.bars):
            return _stacked_figure(block, numbers, width)
        if width - label_cells - max(map(cell_len, numbers)) < LEAST_AXIS:
            numbers = [""] * len(numbers)
    columns = width - label_cells - max(map(cell_len, numbers)) - 2
    axis = _axis(block.bars, columns)
    has_room = cell_len(block.axis) < label_cells
    result = [] if has_room else prose(block.axis, width, role="dim")
    title = block.axis if has_room else ""
    result.append([(fitted(title, label_cells) + axis.ticks(), "dim")])
    empty = axis.draw_row(lambda cells: None)
    for bar, number in zip(block.bars, numbers, strict=True):
        line, note = _drawn(bar, axis)
        label = bar.label
        if cell_len(label) >= label_cells:
            result.append([(fitted(label, width), _weight(bar))])
            label = ""
        result.append([(fitted(label, label_cells), _weight(bar)), *line, ("  " + number, "")])
        if cell_len(note) + 2 > label_cells:
            result += prose(note, width, indent="  ", role="dim")
        elif note:
            result.append([(fitted("  " + note, label_cells), "dim"), (empty, "dim")])
    return result


def _stacked_figure(block: Figure, numbers: Sequence[str], width: int) -> list[Line]:
    axis = _axis(block.bars, width - 2)
    result = [*prose(block.axis, width, role="dim"), [("  " + axis.ticks(), "dim")]]
    for bar, number in zip(block.bars, numbers, strict=True):
        line, note = _drawn(bar, axis)
        room = width - cell_len(number)
        if number and cell_len(bar.label) + 2 <= room:
            result.append([(fitted(bar.label, room), _weight(bar)), (number, "")])
        else:
            result += prose(bar.label, width, role=_weight(bar))
            note = " · ".join(filter(None, (number, note)))
        result.append([("  ", ""), *line])
        result += prose(note, width, indent="  ", role="dim")
    return result


def _weight(bar: Bar) -> str:
    return "bold" if BAR_STYLES[bar.kind][0] == "bold" else ""


def _drawn(bar: Bar, axis: CharacterAxis) -> tuple[Line, str]:
    """A row on its axis, and its note."""
    role, fill, mark = BAR_STYLES[bar.kind]
    note = bar.note
    if bar.low is None or bar.high is None:
        row = axis.points(bar.points, mark)
        if not all(map(axis.shows, bar.points)):
            note = "off this axis"
    else:
        edges = "╌╌" if fill == "╌" else "├┤"
        row = axis.bar(bar.low, bar.high, bar.points[0] if bar.points else None, fill, edges, mark)
    before, zero, after = axis.around_zero(row)
    return [(before, role), (zero, "dim"), (after, role)], note


def _axis(bars: Sequence[Bar], columns: int) -> CharacterAxis:
    """An axis on which the measured values have room. A guest (the baseline against itself, δ, the
    prediction) may stretch it by half; beyond that it is an arrow at the edge."""
    solid: list[float] = [0.0]
    guests: list[float] = []
    # always in the same order: each guest that comes may make room for the next one
    for bar in sorted(bars, key=lambda bar: bar.kind, reverse=True):
        is_guest = bar.kind in ("prediction", "floor", "delta")
        (guests if is_guest else solid).extend(filter(can_be_drawn, bar.values))
    left, right = min(solid), max(solid)
    span = (right - left) or abs(left) or 1e-3
    for value in guests:
        if left - span / 2 <= value <= right + span / 2:
            left, right = min(left, value), max(right, value)
    return CharacterAxis.around((left, right), columns)


def table_pieces(block: Table, width: int) -> list[Line]:
    """Four columns, numbers to the right; the arms' columns carry their names and colors."""
    title, *arms, last = block.heads
    names = told_apart(arms[0], arms[1])
    label = len("wall clock per run")
    column = max(12 if width >= NARROW else 10, *(cell_len(name) + 2 for name in names))
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
