"""A canvas of braille dots in plain Python: 2 × 4 dots per cell, dashes, tinted bands with edges of
an eighth of a cell, and ranks that decide which line is drawn in a shared cell.

textual-plot was tried and left out: it has no bands and no dashes, zooms by mouse only, its later
lines hide the earlier ones, and a redraw of six curves of a thousand points took 65 ms on a 2-core
machine, more than the whole budget from key to paint. This one takes about 5 ms and needs no numpy
(13 MB).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

_BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_SPACE = 0x2800
_LONE = 0x100
"""A bit above those of a cell's dots: the cell holds a single point that no line goes through."""


NO_PEN = -1
EIGHTHS = " ▁▂▃▄▅▆▇"
"""The lower part of a cell, by its height in eighths."""


@dataclass(frozen=True)
class CellRun:
    """Neighboring cells that look alike. ``pen`` is a number that the caller chooses, ``tint`` the
    set of bands (numbers of the caller's, too) that lie behind; ``block`` is the set of bands that
    the characters are drawn in where they are no line, but the edge of a band."""

    text: str
    pen: int = NO_PEN
    tint: frozenset[int] = frozenset()
    block: frozenset[int] | None = None


class Canvas:
    """``width`` × ``height`` cells, so 2·width × 4·height dots; (0, 0) is at the top left."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = max(0, width), max(0, height)
        self._layers: dict[int, dict[tuple[int, int], int]] = {}
        self._bands: dict[int, list[frozenset[int]]] = {}
        """The bands in each eighth of a cell, from the top, by the cell's number."""

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

    def band(self, column: int, top: float, bottom: float, tint: int) -> None:
        """Put a band into a cell column, from dot ``top`` to dot ``bottom``."""
        if not 0 <= column < self.width:
            return
        first, last = max(0, round(2 * top)), min(8 * self.height, round(2 * bottom + 2))
        for eighth in range(first, last):
            cell = (eighth >> 3) * self.width + column
            bands = self._bands.setdefault(cell, [frozenset()] * 8)
            bands[eighth & 7] |= {tint}

    def rows(self) -> list[list[CellRun]]:
        """Each row as runs of cells that look alike."""
        out: list[list[CellRun]] = []
        for row in range(self.height):
            runs: list[CellRun] = []
            for column in range(self.width):
                new = self._cell(row, column)
                last = runs[-1] if runs else None
                if last and (last.pen, last.tint, last.block) == (new.pen, new.tint, new.block):
                    runs[-1] = replace(last, text=last.text + new.text)
                else:
                    runs.append(new)
            out.append(runs)
        return out

    def _cell(self, row: int, column: int) -> CellRun:
        cell = row * self.width + column
        layer, bands = self._layers.get(cell), self._bands.get(cell)
        if not layer:
            return CellRun(" ") if bands is None else _edge(bands)
        top = max(rank for rank, _ in layer)
        pens = sorted(pen for rank, pen in layer if rank == top)
        pen = pens[column % len(pens)]
        bits = layer[top, pen]
        # a line leaves no room for the edge of a band: the cell is in what fills most of it
        tint = max(bands, key=bands.count) if bands is not None else frozenset()
        return CellRun("●" if bits & _LONE else chr(_SPACE + bits), pen, tint)


def _edge(bands: Sequence[frozenset[int]]) -> CellRun:
    """A cell without a line: the bands of its upper part as the tint, those of its lower part as a
    block, parted where that matches most of its eighths."""
    fits = []
    for height in range(8):
        upper, lower = bands[: 8 - height], bands[8 - height :]
        above = max(upper, key=upper.count)
        below = max(lower, key=lower.count) if lower else above
        fits.append((upper.count(above) + lower.count(below), -height, above, below))
    _, height, above, below = max(fits, key=lambda fit: fit[:2])
    if not height or above == below:
        return CellRun(" ", tint=above)
    return CellRun(EIGHTHS[-height], tint=above, block=below)
