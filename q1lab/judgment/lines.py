"""Lines of (text, role) pieces, and texts that fill so many columns. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from q1lab.ground.text_formats import cut_cells

Piece = tuple[str, str]
Line = list[Piece]


def plain_lines(lines: Sequence[Line]) -> list[str]:
    return ["".join(piece for piece, _ in line).rstrip() for line in lines]


def cells_of(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)


def fitted(text: str, cells: int) -> str:
    text = cut_cells(text, cells)
    return text + " " * (cells - cells_of(text))


def right_aligned(text: str, cells: int) -> str:
    text = cut_cells(text, cells - 1)
    return " " * (cells - cells_of(text)) + text


def column_sizes(rows: Sequence[Sequence[str]]) -> list[int]:
    """The columns that the widest cell of each column of a table takes."""
    return [max(map(cells_of, column)) for column in zip(*rows, strict=True)]


def row_text(cells: Sequence[str], sizes: Sequence[int], right: Collection[int] = ()) -> str:
    """A row of a table, its cells as wide as ``sizes`` say; those at the places in ``right`` end
    at their right."""
    shown = (
        " " * (size - cells_of(cell)) + cell if at in right else fitted(cell, size)
        for at, (cell, size) in enumerate(zip(cells, sizes, strict=True))
    )
    return "  ".join(shown).rstrip()


def packed(parts: Sequence[Line], width: int) -> list[Line]:
    """Parts that are not broken, in as few lines of at most ``width`` columns as they need."""
    lines: list[Line] = [[]]
    for part in parts:
        if lines[-1] and sum(cells_of(piece) for piece, _ in (*lines[-1], *part)) > width:
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
        if blank and cells_of(line) + 1 + cells_of(word) > room:
            result.append([(line, role)])
            line, blank = indent, ""
        line += blank + cut_cells(word, room - cells_of(line) - len(blank))
    return [*result, [(line, role)]] if text else []
