"""The table of several judgments, in characters. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from q1lab.judgment.lines import Line, column_sizes, prose, row_text


def ranking_pieces(rows: Sequence[Sequence[str]], below: Sequence[str], width: int) -> list[Line]:
    """A line for each row, the first three columns to the left and the others to the right, and
    the text for ``below`` it."""
    words = 3
    if not any(row[0] for row in rows):
        rows, words = [row[1:] for row in rows], 2
    sizes = column_sizes(rows)
    lines: list[Line] = []
    for row, text in zip(rows, below, strict=True):
        lines.append([(row_text(row, sizes, range(words, len(sizes))), "")])
        lines += prose(text, width, indent="     ")
    return lines
