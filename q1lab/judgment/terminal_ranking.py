"""The table of several judgments, in characters. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from q1lab.judgment.lines import Line, cells_of, fitted, prose, right_aligned


def ranking_pieces(rows: Sequence[Sequence[str]], below: Sequence[str], width: int) -> list[Line]:
    """A line for each row, the first three columns to the left and the others to the right, and
    the text for ``below`` it."""
    columns = list(zip(*rows, strict=True))
    sizes = [max(map(cells_of, column)) for column in columns]
    lines: list[Line] = []
    for row, text in zip(rows, below, strict=True):
        words = [fitted(cell, size) for cell, size in zip(row[:3], sizes, strict=False)]
        numbers = [
            right_aligned(cell, size + 1)[1:] for cell, size in zip(row[3:], sizes[3:], strict=True)
        ]
        shown = [*words, *numbers][0 if sizes[0] else 1 :]
        lines.append([("  ".join(shown), "")])
        lines += prose(text, width, indent="     ")
    return lines
