"""Differences on a row of characters: one axis for the verdict's block and the app's plot. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from q1lab.ground.text_formats import signed


class CharacterAxis:
    """``columns`` characters for the numbers from ``low`` to ``high``, with 0 on a whole column."""

    def __init__(self, low: float, high: float, columns: int) -> None:
        self.low, self.high, self.columns = low, high, columns

    def column_of(self, value: float) -> int:
        """The column of a value; beyond an end, the column just outside (−1 or ``columns``)."""
        place, zero = self._column(value), self._column(0.0)
        if place == zero and value:
            # What is not 0 must not be drawn on the line of 0, however near it is.
            place += 1 if value > 0 else -1
        return min(max(place, -1), self.columns)

    def _column(self, value: float) -> int:
        return round((value - self.low) / (self.high - self.low) * (self.columns - 1))

    def draw_row(self, draw: Callable[[list[str]], None]) -> str:
        """One row: the 0 line, then whatever ``draw`` puts over it."""
        cells = [" "] * self.columns
        cells[self.column_of(0.0)] = "│"
        draw(cells)
        return "".join(cells)

    def bar(
        self, low: float, high: float, point: float | None, fill: str, ends: str, mark: str
    ) -> str:
        """An interval with its point; arrows where it leaves the axis."""

        def draw(cells: list[str]) -> None:
            zero = self.column_of(0.0)
            first, last = (
                min(max(self.column_of(end), 0), self.columns - 1) for end in (low, high)
            )
            for column in range(first, last + 1):
                cells[column] = "┼" if column == zero else fill
            if first != zero:
                cells[first] = "◂" if self.column_of(low) < 0 else ends[0]
            if last != zero:
                cells[last] = "▸" if self.column_of(high) >= self.columns else ends[1]
            if point is not None:
                cells[min(max(self.column_of(point), 0), self.columns - 1)] = mark

        return self.draw_row(draw)

    def points(self, values: Sequence[float], mark: str, *, stem: bool = False) -> str:
        """A mark for each value; with ``stem`` dots from 0 to it."""

        def draw(cells: list[str]) -> None:
            for value in values:
                column = self.column_of(value)
                if stem:
                    first, last = sorted(
                        (self.column_of(0.0), min(max(column, 0), self.columns - 1))
                    )
                    for between in range(first + 1, last):
                        cells[between] = "·"
                if column < 0:
                    cells[0] = "◂"
                elif column >= self.columns:
                    cells[-1] = "▸"
                else:
                    cells[column] = mark

        return self.draw_row(draw)

    def ticks(self) -> str:
        """Round numbers over their columns; 0 always, the others where there is room."""
        step = round_step((self.high - self.low) / max(self.columns / 9, 1.5))
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        decimals = max(0, -math.floor(math.log10(step) + 1e-9))
        cells = [" "] * self.columns
        for index in sorted(range(first, last + 1), key=abs):
            text = "0" if index == 0 else signed(index * step, decimals)
            start = self.column_of(index * step) - len(text) // 2
            start = min(max(start, 0), self.columns - len(text))
            around = cells[max(start - 1, 0) : start + len(text) + 1]
            if index == 0 or all(cell == " " for cell in around):
                cells[start : start + len(text)] = list(text)
        return "".join(cells)


def round_step(rough: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
