"""Differences, intervals and chances as text: how many decimals a comparison has, and its signs.

Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from q1lab.ground.text_formats import DASH, MINUS, decimals_of, signed, unsigned
from q1lab.judgment.intervals import ALPHA, Interval
from q1lab.judgment.subject import Headline, PairPlan


class MeasuredDifference(Protocol):
    """The facts that a comparison and its row in a list have in common."""

    @property
    def headline(self) -> Headline: ...
    @property
    def alpha(self) -> float | None: ...
    @property
    def delta(self) -> float | None: ...
    @property
    def mean(self) -> float | None: ...
    @property
    def ends(self) -> Interval | None: ...
    @property
    def pairs(self) -> Mapping[int, float]: ...


class NumberWriter:
    """Writes the differences of one comparison, all with the same number of decimals.

    There are so many that the interval's half width keeps two digits, and below 100 three decimals;
    that no end of it that is not 0 shows as 0; and that each end shows on its own side of ±δ: else
    the reader would see another verdict. Six decimals at most; an end that is closer to 0 is
    written as a power of ten.
    """

    def __init__(self, interval: Interval | None, delta: float | None = None, size: float = 0.0):
        self.decimals = _decimals(size / 2, size) if size else 4
        if interval is None:
            return
        largest = max(abs(interval.low), abs(interval.high))
        self.decimals = _decimals((interval.high - interval.low) / 2, largest)
        limits = (0.0,) if delta is None else (0.0, delta, -delta)
        while self.decimals < 6 and not all(
            _same_side(end, limit, self.decimals)
            for end in (interval.low, interval.high)
            for limit in limits
        ):
            self.decimals += 1

    def __call__(self, value: float | None) -> str:
        """A difference: ``−0.0123``."""
        return signed(value, self.decimals)

    def size(self, value: float) -> str:
        """A difference without its sign; only 0 itself shows as 0."""
        text = unsigned(value, self.decimals)
        if not value or float(text):
            return text
        small = round(abs(value), 6)  # one digit of it, where six decimals have one
        return f"{small:.{_places(small)}f}" if small else f"{abs(value):.0e}"

    def end(self, value: float) -> str:
        """An interval's end, signed; only 0 itself shows as 0."""
        text = self.size(value)
        return text if not value else (MINUS if value < 0 else "+") + text

    def ends(self, interval: Interval) -> tuple[str, str]:
        return self.end(interval.low), self.end(interval.high)

    def loss(self, value: float | None, reported: Iterable[float] = ()) -> str:
        """A loss: never with fewer than four decimals, unless it is one of those that runs
        ``reported`` and they have fewer; a large one has those of the differences."""
        if value is None:
            return DASH
        decimals = self.decimals if abs(value) >= LARGE else max(4, self.decimals)
        if each := list(reported):
            decimals = decimals_of(each, decimals)
        return (MINUS if value < 0 else "") + unsigned(value, decimals)


def number_writer(c: MeasuredDifference) -> NumberWriter:
    """The writer of this comparison's differences, the same on every screen and page."""
    size = max(map(abs, c.pairs.values()), default=0.0) if c.mean is None else abs(c.mean)
    return NumberWriter(c.ends, c.delta, size)


def mean_text(c: MeasuredDifference) -> str:
    """Modified − baseline: ``−0.0123``. Beside an interval that excludes 0 it never shows as 0."""
    number = number_writer(c)
    return number(c.mean) if c.ends is None or c.mean is None else number.end(c.mean)


def _places(size: float) -> int:
    """Decimals that show one digit of a number below 1."""
    return math.ceil(-math.log10(size))


LARGE = 100
"""From here on a number has no decimals that its interval can't tell."""


def _decimals(size: float, largest: float = 0.0) -> int:
    """Decimals that show two digits of ``size``; at least three beside numbers that are not
    large."""
    if size <= 0:
        return 4
    return min(max(1 - math.floor(math.log10(size)), 0 if largest >= LARGE else 3), 6)


def _same_side(value: float, limit: float, decimals: int) -> bool:
    """True if two numbers compare as printed in the same way as unrounded."""
    shown, edge = round(value, decimals), round(limit, decimals)
    return (value > limit) - (value < limit) == (shown > edge) - (shown < edge)


def percent_level(alpha: float) -> str:
    """The coverage of an interval at α: ``95%``, ``97.5%``, ``98.94%``."""
    return f"{round(100 * (1 - alpha), 2):g}%"


def level_text(c: MeasuredDifference) -> str:
    """The coverage of the headline interval: ``95%``."""
    return percent_level(ALPHA if c.alpha is None else c.alpha)


def interval_text(c: MeasuredDifference, space: str = " ") -> str:
    """The headline interval's ends: ``−0.031 to +0.007``; empty without one."""
    if c.ends is None:
        return ""
    low, high = number_writer(c).ends(c.ends)
    return f"{low}{space}to{space}{high}"


def size_range_text(c: MeasuredDifference) -> str:
    """The sizes between the ends of an interval that excludes 0: ``0.0064 to 0.0141``."""
    assert c.ends is not None
    number = number_writer(c)
    small, large = sorted((abs(c.ends.low), abs(c.ends.high)))
    return f"{number.size(small)} to {number.size(large)}"


def is_near_the_edge(c: MeasuredDifference) -> bool:
    """True if the interval's nearer end is closer to 0 than half of the interval's half width:
    there a claim overstates the difference noticeably."""
    if c.ends is None:
        return False
    nearer = min(abs(c.ends.low), abs(c.ends.high))
    return nearer < (c.ends.high - c.ends.low) / 4


def seed_list(numbers: Sequence[int]) -> str:
    return PairPlan().run_label(*numbers)


def percent_text(value: float) -> str:
    """A chance in percent, to half a point: ``5%``, ``6.1%``, ``26%``."""
    percent = 100 * value
    return f"{percent:.0f}%" if percent >= 9.95 else f"{round(percent, 1):g}%"


def percent_change(base: float, modified: float) -> str:
    """The relative difference of ``modified`` from ``base``: ``−1.0%``."""
    percent = 100 * (modified / base - 1)
    text = f"{abs(percent):.1f}%"
    return text if not float(text[:-1]) else (MINUS if percent < 0 else "+") + text
