"""Lines of (text, role) pieces, and texts that fill so many columns. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rich.cells import cell_len

from q1lab.ground.terminal_cells import cut_cells

Piece = tuple[str, str]
Line = list[Piece]


def plain_lines(lines: Sequence[Line]) -> list[str]:
    return ["".join(piece for piece, _ in line).rstrip() for line in lines]


def fitted(text: str, cells: int) -> str:
    text = cut_cells(text, cells)
    return text + " " * (cells - cell_len(text))


def right_aligned(text: str, cells: int) -> str:
    text = cut_cells(text, cells - 1)
    return " " * (cells - cell_len(text)) + text


def column_sizes(rows: Sequence[Sequence[str]]) -> list[int]:
    """The columns that the widest cell of each column of a table takes."""
    return [max(map(cell_len, column)) for column in zip(*rows, strict=True)]


def row_text(cells: Sequence[str], sizes: Sequence[int], right: Collection[int] = ()) -> str:
    """A row of a table, its cells as wide as ``sizes`` say; those at the places in ``right`` end
    at their right."""
    shown = (
        " " * (size - cell_len(cell)) + cell if at in right else fitted(cell, size)
        for at, (cell, size) in enumerate(zip(cells, sizes, strict=True))
    )
    return "  ".join(shown).rstrip()


def packed(parts: Sequence[Line], width: int) -> list[Line]:
    """Parts that are not broken, in as few lines of at most ``width`` columns as they need."""
    lines: list[Line] = [[]]
    for part in parts:
        if lines[-1] and sum(cell_len(piece) for piece, _ in (*lines[-1], *part)) > width:
            lines.append([(" ", "")])
        lines[-1] += part
    return lines


def prose(
    text: str, width: int, *, indent: str = "", first: str = "", role: str = ""
) -> list[Line]:
    """A text in lines of at most ``width`` columns, and never of more than 100; ``first`` stands
    before it."""
    result: list[Line] = []
    line = first or indent
    room = min(width, 100)
    for word in text.split():
        blank = "" if line in (first, indent) else " "
        if blank and cell_len(line) + 1 + cell_len(word) > room:
            result.append([(line, role)])
            line, blank = indent, ""
        line += blank + cut_cells(word, room - cell_len(line) - len(blank))
    return [*result, [(line, role)]] if text else []
