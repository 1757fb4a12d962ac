"""A run's loss as a row of bars: fixed width, one scale for the whole study, filled as far as the
run has come."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence

from q1lab.ground.text_formats import BARS

GAP = "·"
"""Shown for a stretch whose loss was not finite."""

Point = tuple[int, float | None]
ValueRange = tuple[float, float]


def sparkline(points: Sequence[Point], width: int, last: int, low: float, high: float) -> str:
    """Bars for ``points`` (iter, value), by iter; always ``width`` characters.

    A run at 60% of ``last`` iters fills 60% of the width, so that the bars are the progress bar
    too. ``low`` and ``high`` are the study's scale (``common_range``). A stretch without a point
    repeats the one before it; a value that is not finite is shown as a dot.
    """
    if width <= 0:
        return ""
    if not points or last <= 0:
        return " " * width
    iters = [iter_ for iter_, _ in points]
    values = [value for _, value in points]
    filled = min(width, max(1, math.ceil(iters[-1] * width / last)))
    shown: list[str] = []
    bar, begin = "", 0
    for bucket in range(filled):
        end = len(points)
        if bucket < width - 1:
            end = bisect_left(iters, -((bucket + 1) * (last + 1) // -width), begin)
        mean, begin = _mean(values[begin:end]), end
        if mean is not None:
            bar = GAP if math.isnan(mean) else _bar(mean, low, high)
        shown.append(bar)
    first = next((b for b in shown if b), GAP)
    return "".join(b or first for b in shown).ljust(width)


def _mean(values: Sequence[float | None]) -> float | None:
    """The mean of the finite values; NaN if none is finite, None if there are no values."""
    real = [value for value in values if value is not None and math.isfinite(value)]
    if real:
        return sum(real) / len(real)
    return math.nan if values else None


def _bar(value: float, low: float, high: float) -> str:
    if not high > low:
        return BARS[0]
    share = (value / 2 - low / 2) / (high / 2 - low / 2)  # halves: the span may exceed a float
    if not math.isfinite(share):
        return BARS[-1]
    return BARS[min(len(BARS) - 1, max(0, int(share * len(BARS))))]


def value_range(curve: Sequence[Point]) -> ValueRange | None:
    """(lowest, highest) finite value of a curve; None if it has no finite value."""
    real = [value for _, value in curve if value is not None and math.isfinite(value)]
    return (min(real), max(real)) if real else None


def common_range(value_ranges: Iterable[ValueRange | None]) -> ValueRange:
    """The range that covers all of these; (0, 0) if there are none."""
    ranges = [pair for pair in value_ranges if pair is not None]
    if not ranges:
        return 0.0, 0.0
    return min(low for low, _ in ranges), max(high for _, high in ranges)
