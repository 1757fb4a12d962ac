"""A canvas in plain Python for solid lines of box characters, light and heavy, and behind them thin
lines of braille dots, 2 × 4 in a cell.

textual-plot was tried and left out: its later lines hide the earlier ones,
and a redraw of six curves of a thousand points took 65 ms on a 2-core machine, more than the whole
budget from key to paint. This one needs no numpy (13 MB).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

Dots = Sequence[tuple[int, int]]
"""Points by dot column and dot row, from left to right."""

_DOT_BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_NO_DOTS = 0x2800

LIGHT, HEAVY = 1, 2
"""The weights of a solid line."""
_UP, _RIGHT, _DOWN, _LEFT = 27, 9, 3, 1
_BOXES = " ╴╸╷┐┑╻┒┓╶─╾┌┬┭┎┰┱╺╼━┍┮┯┏┲┳╵┘┙│┤┥╽┧┪└┴┵├┼┽┟╁╅┕┶┷┝┾┿┢╆╈╹┚┛╿┦┩┃┨┫┖┸┹┞╀╃┠╂╉┗┺┻┡╄╇┣╊╋"
"""The box character of a cell: the weight of its line up, × 27, to the right, × 9, down, × 3, and
to the left, added up."""
LONE = "●"
"""A curve of one point: a single dot would be overlooked."""
NO_PEN = -1


@dataclass(frozen=True)
class CellRun:
    """Neighboring cells in one color. ``pen`` is a number that the caller chooses."""

    text: str
    pen: int = NO_PEN
    is_solid: bool = False


class Canvas:
    """``width`` × ``height`` cells, so 2·width × 4·height dots; (0, 0) is at the top left. A cell
    has one color: lines that run along the same cells take turns by column, and where they only
    meet, the highest pen gives it. A solid line hides dots."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = max(0, width), max(0, height)
        self._dots: dict[int, dict[int, int]] = {}
        self._solid: dict[int, dict[int, dict[int, int]]] = {}
        self._lone: dict[int, int] = {}

    def thin(self, dots: Dots, pen: int) -> None:
        """Straight lines of dots."""
        for (x0, y0), (x1, y1) in pairwise(dots):
            before = y0
            for x in range(x0, x1 + 1):
                y = round(y0 + (y1 - y0) * (x - x0) / ((x1 - x0) or 1))
                top, bottom = min(y, before + 1), max(y, before - 1)
                seen = 0 <= x < 2 * self.width
                for dot in range(max(0, top), min(4 * self.height, bottom + 1)) if seen else ():
                    cell = self._dots.setdefault((dot >> 2) * self.width + (x >> 1), {})
                    cell[pen] = cell.get(pen, 0) | _DOT_BITS[dot & 3][x & 1]
                before = y

    def solid(self, dots: Dots, pen: int, weight: int) -> None:
        """A line without a gap, one cell wide; a single point is lone."""
        if len(dots) == 1:
            self._lone[(dots[0][1] >> 2) * self.width + (dots[0][0] >> 1)] = pen
            return
        before = None
        for column, dot in self._rows_of(dots):
            row = dot >> 2
            if before is not None and abs(2 * dot - 8 * before - 3) <= 5:
                row = before  # one dot beyond its cell, it would flicker
            start = row if before is None else before
            self._add(column, start, pen, _LEFT, weight)
            self._add(column, row, pen, _RIGHT, weight)
            for upper in range(max(-1, min(start, row)), min(self.height, max(start, row))):
                self._add(column, upper, pen, _DOWN, weight)
                self._add(column, upper + 1, pen, _UP, weight)
            before = row

    def _rows_of(self, dots: Dots) -> Iterator[tuple[int, int]]:
        """Each cell column that a curve goes through, and its dot row in the middle of it."""
        if not dots:
            return
        pieces = pairwise(dots)
        (x0, y0), (x1, y1) = next(pieces)
        for column in range(max(0, x0 >> 1), min(self.width - 1, dots[-1][0] >> 1) + 1):
            middle = min(max(2 * column + 0.5, dots[0][0]), dots[-1][0])
            while x1 < middle:
                (x0, y0), (x1, y1) = next(pieces)
            yield column, round(y0 + (y1 - y0) * (middle - x0) / ((x1 - x0) or 1))

    def _add(self, column: int, row: int, pen: int, way: int, weight: int) -> None:
        if 0 <= column < self.width and 0 <= row < self.height:
            cell = self._solid.setdefault(row * self.width + column, {})
            cell.setdefault(pen, {})[way] = weight

    def rows(self) -> list[list[CellRun]]:
        """Each row as runs of cells of one color."""
        out: list[list[CellRun]] = []
        for row in range(self.height):
            runs: list[CellRun] = []
            for column in range(self.width):
                new = self._cell(row * self.width + column, column)
                last = runs[-1] if runs else None
                if last and (last.pen, last.is_solid) == (new.pen, new.is_solid):
                    runs[-1] = replace(last, text=last.text + new.text)
                else:
                    runs.append(new)
            out.append(runs)
        return out

    def _cell(self, cell: int, column: int) -> CellRun:
        if cell in self._lone:
            return CellRun(LONE, self._lone[cell], is_solid=True)
        if lines := self._solid.get(cell):
            pen, shown = max(lines), list(lines.values())
            if all(ways.keys() <= {_LEFT, _RIGHT} for ways in shown):
                pen = sorted(lines)[column % len(lines)]
                shown = [lines[pen]]
            weights = {way: max(ways.get(way, 0) for ways in shown) for way in (1, 3, 9, 27)}
            box = _BOXES[sum(way * weight for way, weight in weights.items())]
            return CellRun(box, pen, is_solid=True)
        if dots := self._dots.get(cell):
            pen = sorted(dots)[column % len(dots)]
            return CellRun(chr(_NO_DOTS + dots[pen]), pen)
        return CellRun(" ")
