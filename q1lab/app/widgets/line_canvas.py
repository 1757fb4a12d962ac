"""A canvas in plain Python for lines of braille dots, 2 × 4 in a cell.

textual-plot was tried and left out: its later lines hide the earlier ones,
and a redraw of six curves of a thousand points took 65 ms on a 2-core machine, more than the whole
budget from key to paint. This one needs no numpy (13 MB).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from rich.cells import cell_len

Dots = Sequence[tuple[int, int]]
"""Points by dot column and dot row, from left to right."""

_DOT_BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_NO_DOTS = 0x2800

LONE = "●"
"""A curve of one point: a single dot would be overlooked."""
GUIDE = "┈"
"""A guide at a label of the axis, under the lines."""
NO_PEN = -1


@dataclass(frozen=True)
class CellRun:
    """Neighboring cells in one color. ``pen`` is a number that the caller chooses."""

    text: str
    pen: int = NO_PEN
    is_main: bool = False


class Canvas:
    """``width`` × ``height`` cells, so 2·width × 4·height dots; (0, 0) is at the top left.

    A cell shows the dots of one pen alone: where lines share cells, they take turns by column. A
    main line hides the others, and these hide the guides."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = max(0, width), max(0, height)
        self._thin: dict[int, dict[int, int]] = {}
        self._main: dict[int, dict[int, int]] = {}
        self._written: dict[int, tuple[str, int]] = {}
        self._guides: set[int] = set()

    def guide(self, row: int) -> None:
        """A dotted line across the canvas."""
        self._guides.add(row)

    def thin(self, dots: Dots, pen: int) -> None:
        """Straight lines of dots."""
        self._draw(self._thin, dots, pen, 1)

    def main(self, dots: Dots, pen: int, thickness: int) -> None:
        """Straight lines, ``thickness`` dots thick; a single point is lone."""
        if len(dots) == 1:
            self._written[(dots[0][1] >> 2) * self.width + (dots[0][0] >> 1)] = LONE, pen
        self._draw(self._main, dots, pen, thickness)

    def _draw(self, layer: dict[int, dict[int, int]], dots: Dots, pen: int, thickness: int) -> None:
        for (x0, y0), (x1, y1) in pairwise(dots):
            before = y0
            for x in range(max(0, x0), min(2 * self.width, x1 + 1)):
                y = round(y0 + (y1 - y0) * (x - x0) / ((x1 - x0) or 1))
                if x == max(0, x0):
                    before = y if x1 > x0 else y0
                top, bottom = min(y, before + 1), max(y, before - 1) + thickness - 1
                for dot in range(max(0, top), min(4 * self.height, bottom + 1)):
                    cell = layer.setdefault((dot >> 2) * self.width + (x >> 1), {})
                    cell[pen] = cell.get(pen, 0) | _DOT_BITS[dot & 3][x & 1]
                before = y

    def write(self, column: int, row: int, text: str, pen: int) -> bool:
        """Write a text that hides no main line; False, and nothing, where it would."""
        cells = range(row * self.width + column, row * self.width + column + cell_len(text))
        fits = 0 <= row < self.height and 0 <= column <= self.width - len(cells)
        if not fits or any(cell in self._main or cell in self._written for cell in cells):
            return False
        self._written.update(
            (cell, (letter, pen)) for cell, letter in zip(cells, text, strict=True)
        )
        return True

    def rows(self) -> list[list[CellRun]]:
        """Each row as runs of cells of one color."""
        out: list[list[CellRun]] = []
        for row in range(self.height):
            runs: list[CellRun] = []
            for column in range(self.width):
                new = self._cell(row, column)
                last = runs[-1] if runs else None
                if last and (last.pen, last.is_main) == (new.pen, new.is_main):
                    runs[-1] = replace(last, text=last.text + new.text)
                else:
                    runs.append(new)
            out.append(runs)
        return out

    def _cell(self, row: int, column: int) -> CellRun:
        cell = row * self.width + column
        if cell in self._written:
            return CellRun(*self._written[cell], is_main=True)
        for layer in (self._main, self._thin):
            if dots := layer.get(cell):
                pen = sorted(dots)[column % len(dots)]
                return CellRun(chr(_NO_DOTS + dots[pen]), pen, is_main=layer is self._main)
        return CellRun(GUIDE if row in self._guides else " ")
