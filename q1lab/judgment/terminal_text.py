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

from q1lab.ground.text_formats import MINUS
from q1lab.judgment.blocks import Block, Figure, HeadlineBlock, Ranking, Sentence, Table
from q1lab.judgment.label_text import brief_names
from q1lab.judgment.lines import Line, cells_of, plain_lines, prose
from q1lab.judgment.short_text import short_blocks

if TYPE_CHECKING:
    from rich.text import Text

    from q1lab.judgment.records import Judgment

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


def comparison_lines(c: Judgment, width: int = 80) -> list[str]:
    """The whole comparison as plain text, no line wider than ``width`` columns (60 to 120 are
    meant)."""
    return plain_lines(block_lines(_full_blocks(c), width))


def short_lines(c: Judgment, width: int = 80) -> list[str]:
    """The short form of the comparison as plain text: six lines at most at 80 columns, without the
    table below them."""
    return plain_lines(block_lines(short_blocks(c), width))


def rich_comparison_lines(c: Judgment, width: int = 80) -> list[Text]:
    """The same lines as Rich text: one color per arm, everywhere, and no meaning in color alone."""
    return rich_lines(_full_blocks(c), width)


def rich_short_lines(c: Judgment, width: int = 80) -> list[Text]:
    """The short form as Rich text, and below it the mean and sd of each arm (``means_table``)."""
    blocks: list[Block] = [*short_blocks(c)]
    if c.has_means:
        from q1lab.judgment.arm_tables import means_table

        blocks.append(means_table(c))
    return rich_lines(blocks, width)


def _full_blocks(c: Judgment) -> Sequence[Block]:
    from q1lab.judgment.report_blocks import report_blocks

    return report_blocks(c)


def rich_lines(
    blocks: Sequence[Block], width: int, styles: Mapping[str, str] = STYLES
) -> list[Text]:
    """Blocks as Rich text; ``styles`` are those of a theme, where it has colors of its own."""
    from rich.text import Text

    result = []
    for line in block_lines(blocks, width):
        text = Text(no_wrap=True, overflow="crop")
        for piece, role in line:
            text.append(piece, style=styles.get(role, ""))
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


def block_lines(blocks: Sequence[Block], width: int) -> list[Line]:
    """Blocks as lines of at most ``width`` columns; 24 at least, 40 where there is a table."""
    width = max(width, 40 if any(isinstance(block, Table) for block in blocks) else 24)
    lines: list[Line] = []
    above = ""
    for block in blocks:
        group = _group(block)
        if lines and (group != above or group in ("Table", "series")):
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
            from q1lab.judgment.terminal_figure import figure_pieces

            return figure_pieces(block, width)
        case Ranking():
            from q1lab.judgment.terminal_ranking import ranking_pieces

            return ranking_pieces(block, width)
        case Table():
            from q1lab.judgment.terminal_figure import table_pieces

            rows = table_pieces(block, width)
            return rows + prose(block.foot, width, indent="  ", role="dim")
        case Sentence(part="note"):
            return prose(block.text, width, indent="  ", first="⚠ ", role="warn")
        case Sentence():
            is_dim = block.part in ("floor", "scope", "caveat")
            return prose(block.text, width, role="dim" if is_dim else "")


def _headline(block: HeadlineBlock, width: int) -> list[Line]:
    base, modified = brief_names(block.names)
    word: Line = [(block.word, block.verdict), ("   ", "")] if block.word else []
    first: Line = [*word, (modified, "modified")]
    if block.word and not block.mean:
        return [[*first, (" against ", ""), (base, "baseline")]]
    sample = f" ({block.better}; {block.seeds})"
    parts: list[Line] = [
        first,
        [(f" {MINUS} ", ""), (base, "baseline")],
        [(f" = {block.mean}" if block.mean else "", "bold")],
        *(
            [[(sample, "")]]
            if cells_of(sample) <= width
            else [[(f" ({block.better};", "")], [(f" {block.seeds})", "")]]
        ),
    ]
    lines: list[Line] = [[]]
    for part in parts:
        if lines[-1] and sum(cells_of(piece) for piece, _ in (*lines[-1], *part)) > width:
            lines.append([(" ", "")])
        lines[-1] += part
    return lines
