"""A canvas of braille dots in plain Python: 2 × 4 dots per cell, dashes, tinted bands, and ranks
that decide which line is drawn in a shared cell.

textual-plot was tried and left out: it has no bands and no dashes, zooms by mouse only, its later
lines hide the earlier ones, and a redraw of six curves of a thousand points took 65 ms on a 2-core
machine, more than the whole budget from key to paint. This one takes about 5 ms and needs no numpy
(13 MB).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

_BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_SPACE = 0x2800
_LONE = 0x100
"""A bit above those of a cell's dots: the cell holds a single point that no line goes through."""


@dataclass(frozen=True)
class CellRun:
    """Neighboring cells with the same ``pen`` and ``tint``, which are numbers that the caller
    chooses; −1: no pen, no tint."""

    text: str
    pen: int
    tint: int


class Canvas:
    """``width`` × ``height`` cells, so 2·width × 4·height dots; (0, 0) is at the top left."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = max(0, width), max(0, height)
        self._layers: dict[int, dict[tuple[int, int], int]] = {}
        self._tints: dict[int, list[int]] = {}

    def dot(self, x: int, y: int, pen: int, rank: int = 0) -> None:
        """Set one dot. In a cell only the highest rank is drawn; equal ranks take turns by
        column."""
        self._set(x, y, pen, rank, _BITS[y & 3][x & 1])

    def lone(self, x: int, y: int, pen: int, rank: int = 0) -> None:
        """Fill the dot's cell with ●: a single braille dot would be overlooked."""
        self._set(x, y, pen, rank, _LONE)

    def _set(self, x: int, y: int, pen: int, rank: int, bits: int) -> None:
        if 0 <= x < 2 * self.width and 0 <= y < 4 * self.height:
            layer = self._layers.setdefault((y >> 2) * self.width + (x >> 1), {})
            layer[rank, pen] = layer.get((rank, pen), 0) | bits

    def line(
        self,
        x0: int,
        y0: int,
        x1: int,
        y1: int,
        pen: int,
        rank: int = 0,
        *,
        dash: tuple[int, int] | None = None,
    ) -> None:
        """A straight line (Bresenham). ``dash`` is (dots on, dots off), counted along x."""
        dx, dy = abs(x1 - x0), -abs(y1 - y0)
        step_x, step_y = (1 if x0 < x1 else -1), (1 if y0 < y1 else -1)
        error = dx + dy
        period = sum(dash) if dash else 0
        while True:
            if not dash or x0 % period < dash[0]:
                self.dot(x0, y0, pen, rank)
            if x0 == x1 and y0 == y1:
                return
            doubled = 2 * error
            if doubled >= dy:
                error += dy
                x0 += step_x
            if doubled <= dx:
                error += dx
                y0 += step_y

    def path(
        self,
        dots: Sequence[tuple[int, int]],
        pen: int,
        rank: int = 0,
        *,
        dash: tuple[int, int] | None = None,
    ) -> None:
        """Straight lines through ``dots``; a single one is lone."""
        if len(dots) == 1:
            self.lone(*dots[0], pen, rank)
        for (x0, y0), (x1, y1) in pairwise(dots):
            self.line(x0, y0, x1, y1, pen, rank, dash=dash)

    def band(self, column: int, top: int, bottom: int, tint: int) -> None:
        """Tint the cells of a cell column that dots ``top`` to ``bottom`` cover by half or more."""
        if not 0 <= column < self.width:
            return
        for row in range(max(0, (top + 2) >> 2), min(self.height, (bottom + 3) >> 2)):
            tints = self._tints.setdefault(row * self.width + column, [])
            if tint not in tints:
                tints.append(tint)

    def rows(self) -> list[list[CellRun]]:
        """Each row as runs of like cells; where two bands overlap, their tints take turns by
        column, as pens of equal rank do."""
        out: list[list[CellRun]] = []
        for row in range(self.height):
            pieces: list[CellRun] = []
            text, pen, tint = "", -1, -1
            for column in range(self.width):
                cell = row * self.width + column
                char, new_pen = " ", -1
                layer = self._layers.get(cell)
                if layer:
                    top = max(rank for rank, _ in layer)
                    pens = sorted(p for rank, p in layer if rank == top)
                    new_pen = pens[column % len(pens)]
                    bits = layer[top, new_pen]
                    char = "●" if bits & _LONE else chr(_SPACE + bits)
                tints = self._tints.get(cell)
                new_tint = sorted(tints)[column % len(tints)] if tints else -1
                if text and (new_pen, new_tint) != (pen, tint):
                    pieces.append(CellRun(text, pen, tint))
                    text = ""
                pen, tint = new_pen, new_tint
                text += char
            if text:
                pieces.append(CellRun(text, pen, tint))
            out.append(pieces)
        return out
