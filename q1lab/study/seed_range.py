"""A planned range: "3 to 12 pairs, stop when known", declared before the first run. Pure.

After each pair from the first look on there is one interval, all at one level that was fixed when
the range was declared (statistics/interim_analyses.py finds it). The study is over at the first
look whose interval excludes 0 or lies within ±δ, at the latest after the last pair. The
runner, which stops the study, and the comparison both ask this module.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class SeedRange:
    """``first`` to ``most`` pairs; ``alpha`` of each look; ``limits``: Student's t that a look must
    pass, for each number of pairs from ``first`` on."""

    first: int
    most: int
    alpha: float
    limits: tuple[float, ...]

    def __post_init__(self) -> None:
        if not 3 <= self.first < self.most or len(self.limits) != self.most - self.first + 1:
            raise ValueError("is damaged")


def smallest_that_matters(prediction: Mapping[str, Any] | None) -> float | None:
    """δ in the metric's unit, from the study's prediction; None without one, and if it was made
    after results could be seen."""
    predicted = prediction or {}
    delta = None if predicted.get("after") else predicted.get("matters")
    if isinstance(delta, int | float) and math.isfinite(delta) and delta > 0:
        return float(delta)
    return None


def over_after(
    planned: SeedRange, pairs: Sequence[float | None], delta: float | None = None
) -> int | None:
    """The number of pairs after which the study is over; None while it has to go on.

    ``pairs`` are the differences (nats) of the first pairs that have ended, in the order of the
    plan, None for a pair with a diverged run, which ends the study without a verdict.
    """
    for n, value in enumerate(pairs, 1):
        if value is None or n == planned.most:
            return n
        if n >= planned.first and _is_known(planned, pairs[:n], delta):
            return n
    return None


def interval_at_look(planned: SeedRange, values: Sequence[float]) -> tuple[float, float] | None:
    """The interval (nats) at the look after these pairs; None before the first look, and without a
    spread."""
    n = len(values)
    if n < planned.first or n > planned.most:
        return None
    mean = statistics.fmean(values)
    half = planned.limits[n - planned.first] * statistics.stdev(values) / math.sqrt(n)
    if half <= 1e-12 * max(map(abs, values)):
        return None
    return mean - half, mean + half


def _is_known(planned: SeedRange, pairs: Sequence[float | None], delta: float | None) -> bool:
    ends = interval_at_look(planned, [value for value in pairs if value is not None])
    if ends is None:
        return False
    low, high = ends
    return low > 0 or high < 0 or (delta is not None and -delta < low and high < delta)
