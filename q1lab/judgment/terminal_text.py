"""The verdict of a comparison as text: what a person reads when a study is done. Pure: a comparison
in, lines out.

Only the layout is here: report_blocks.py decides the words and their order.

Every line is first a list of (text, role) pieces, so that plain text and Rich text cannot drift
apart. Roles name what a piece is ("baseline", "modified", a verdict, "dim", "warn", …); color
repeats what a word or a mark already says. All of the text counts as text: nothing in a comparison
is read as markup.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from q1lab.ground.text_formats import MINUS, cut_cells
from q1lab.judgment.character_axis import CharacterAxis
from q1lab.judgment.figure import Bar, Figure
from q1lab.judgment.label_text import brief_names
from q1lab.judgment.report_blocks import (
    Block,
    HeadlineBlock,
    Sentence,
    Table,
    means_table,
    report_blocks,
    short_blocks,
)

if TYPE_CHECKING:
    from rich.text import Text

    from q1lab.judgment.records import Judgment

Piece = tuple[str, str]
Line = list[Piece]

ARM_COLORS = {"baseline": "#2b87c8", "modified": "#d55e00"}  # apart for color-blind eyes too
STYLES = {
    **ARM_COLORS,
    "helps": "bold green",
    "hurts": "bold red",
    "too small to matter": "bold cyan",
    "cannot tell": "bold yellow",
    "no verdict": "bold",
    "dim": "dim",
    "bold": "bold",
    "warn": "yellow",
    "prediction": "magenta",
}
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


def comparison_lines(c: Judgment, width: int = 80) -> list[str]:
    """The whole comparison as plain text, no line wider than ``width`` columns (60 to 120 are
    meant)."""
    return _plain(_laid_out(report_blocks(c), width))


def short_lines(c: Judgment, width: int = 80) -> list[str]:
    """The short form of the comparison as plain text: six lines at most at 80 columns, without the
    table below them."""
    return _plain(_laid_out(short_blocks(c), width))


def figure_lines(figure: Figure, width: int) -> list[str]:
    """A figure by itself, as plain text."""
    return _plain(_figure(figure, width))


def _plain(lines: Sequence[Line]) -> list[str]:
    return ["".join(piece for piece, _ in line).rstrip() for line in lines]


def rich_comparison_lines(
    c: Judgment,
    width: int = 80,
    styles: Mapping[str, str] | None = None,
    *,
    means_first: bool = False,
) -> list[Text]:
    """The same lines as Rich text: one color per arm, everywhere, and no meaning in color alone.

    ``styles`` replaces STYLES, where a theme has colors of its own; for ``means_first`` see
    ``report_blocks``.
    """
    return _rich(_laid_out(report_blocks(c, means_first=means_first), width), styles)


def rich_short_lines(
    c: Judgment, width: int = 80, styles: Mapping[str, str] | None = None
) -> list[Text]:
    """The short form as Rich text, and below it the mean and sd of each arm (``means_table``)."""
    return _rich(_laid_out((*short_blocks(c), *means_table(c)), width), styles)


def _rich(lines: Sequence[Line], styles: Mapping[str, str] | None) -> list[Text]:
    from rich.text import Text

    result = []
    for line in lines:
        text = Text(no_wrap=True, overflow="crop")
        for piece, role in line:
            text.append(piece, style=(styles or STYLES).get(role, ""))
        text.rstrip()
        result.append(text)
    return result


# ── the blocks

BELOW = {
    "verdict": "headline",
    "short": "headline",
    "level": "headline",
    "floor": "power",
    "record": "prediction",
    "scope": "prediction",
}
"""Sentences that go on right below another block; before all others a line is blank."""


def _laid_out(blocks: Sequence[Block], width: int) -> list[Line]:
    width = max(width, 40)
    lines: list[Line] = []
    above = ""
    for block in blocks:
        group = _group(block)
        if lines and (group != above or isinstance(block, Table)):
            lines.append([])
        lines += _lines_of(block, width)
        above = group
    return lines


def _group(block: Block) -> str:
    """Blocks of the same group stand together, without a blank line between them."""
    if isinstance(block, Sentence):
        return BELOW.get(block.part, block.part)
    return "headline" if isinstance(block, HeadlineBlock) else type(block).__name__


def _lines_of(block: Block, width: int) -> list[Line]:
    match block:
        case HeadlineBlock():
            return _headline(block, width)
        case Figure():
            return _figure(block, width)
        case Table():
            return _table(block, width) + _prose(block.foot, width, indent="  ", role="dim")
        case Sentence(part="note"):
            return _prose(block.text, width, indent="  ", first="⚠ ", role="warn")
        case Sentence():
            return _prose(block.text, width, role="dim" if block.part in ("floor", "scope") else "")


def _headline(block: HeadlineBlock, width: int) -> list[Line]:
    base, modified = brief_names(block.names)
    first: Line = [(block.word, block.verdict), ("   ", ""), (modified, "modified")]
    if not block.mean:
        return [[*first, (" against ", ""), (base, "baseline")]]
    parts: list[Line] = [
        first,
        [(f" {MINUS} ", ""), (base, "baseline")],
        [(f" = {block.mean}", "bold")],
        [(f" ({block.better}; {block.seeds})", "")],
    ]
    lines: list[Line] = [[]]
    for part in parts:
        if lines[-1] and sum(_cells(piece) for piece, _ in (*lines[-1], *part)) > width:
            lines.append([(" ", "")])
        lines[-1] += part
    return lines


def _figure(block: Figure, width: int) -> list[Line]:
    """Every row as a label, a bar or points on the one axis, and its numbers."""
    narrow = width < NARROW
    numbers = [
        f"[{bar.ends[0]}, {bar.ends[1]}]" if bar.ends is not None else bar.text
        for bar in block.bars
    ]
    columns = width - 2 if narrow else width - LABEL - max(map(_cells, numbers)) - 2
    axis = _axis(block.bars, min(columns, WIDEST_AXIS))
    result: list[Line] = [[(_fit(block.axis, LABEL) + axis.ticks(), "dim")]]
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
        bar_cells: Line = [(before, role), (zero, "dim"), (after, role)]
        if narrow:
            result.append([(_fit(" · ".join(filter(None, (bar.label, note))), width), "")])
            result += [[("  " + text, bold)]] if text else []
            result.append([("  ", ""), *bar_cells])
            continue
        result.append([(_fit(bar.label, LABEL), bold), *bar_cells, ("  " + text, "")])
        if note:
            empty = axis.draw_row(lambda cells: None)
            result.append([(_fit("  " + note, LABEL), "dim"), (empty, "dim")])
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


# ── small pieces


def _table(block: Table, width: int) -> list[Line]:
    """Four columns, numbers to the right; the arms' columns carry their names and colors."""
    title, *arms, last = block.heads
    names = brief_names(arms)
    label = len("wall clock per run")
    column = max(12 if width >= NARROW else 10, *(_cells(name) + 2 for name in names))
    end = 14 if width >= NARROW else 12
    column = min(column, (width - label - end) // 2)

    def line(cells: Sequence[str], edge: str) -> Line:
        first, base, modified, change = cells
        return [
            (_fit(first, label), edge),
            (_right(base, column), "baseline"),
            (_right(modified, column), "modified"),
            (_right(change, end), edge),
        ]

    head = line((title, *names, last), "dim")
    rows = [line((r.label, r.baseline, r.modified, r.change), "") for r in block.rows]
    return [head, *rows]


def _prose(
    text: str, width: int, *, indent: str = "", first: str = "", role: str = ""
) -> list[Line]:
    result: list[Line] = []
    line = first or indent
    room = min(width, 100)
    for word in text.split():
        blank = "" if line in (first, indent) else " "
        if blank and _cells(line) + 1 + _cells(word) > room:
            result.append([(line, role)])
            line, blank = indent, ""
        line += blank + cut_cells(word, room - _cells(line) - len(blank))
    return [*result, [(line, role)]] if text else []


def _cells(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)


def _fit(text: str, cells: int) -> str:
    text = cut_cells(text, cells)
    return text + " " * (cells - _cells(text))


def _right(text: str, cells: int) -> str:
    text = cut_cells(text, cells - 1)
    return " " * (cells - _cells(text)) + text
