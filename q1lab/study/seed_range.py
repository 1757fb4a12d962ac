"""A planned range: "3 to 12 pairs, stop when known", declared before the first run. Pure.

After each pair from the first look on there is one interval, all at one level that was fixed when
the range was declared (judgment/interim_analyses.py finds it). The study is over at the first
look whose interval excludes 0 or lies within ±δ, and at the latest after the last pair. The
runner, which stops the study, and the comparison both ask this module.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
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
        # a plan's JSON has a list, and what a look says is kept by the range
        object.__setattr__(self, "limits", tuple(self.limits))
        looks = self.most - self.first + 1
        if not 3 <= self.first < self.most or len(self.limits) != looks:
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
        values = [value for value in pairs[:n] if value is not None]
        if _is_known(planned, values, delta):
            return n
    return None


def interval_at_look(planned: SeedRange, values: Sequence[float]) -> tuple[float, float] | None:
    """The interval (nats) at the look after these pairs; None before the first look, and without a
    spread."""
    return _interval_at_look(planned, tuple(values))


@lru_cache(maxsize=256)  # each look at a study asks for those of all pairs before it
def _interval_at_look(planned: SeedRange, values: tuple[float, ...]) -> tuple[float, float] | None:
    n = len(values)
    if n < planned.first or n > planned.most:
        return None
    mean = statistics.fmean(values)
    half = planned.limits[n - planned.first] * statistics.stdev(values) / math.sqrt(n)
    # equal differences of losses that are 10,000 times as large vary by rounding, in the 12th digit
    if half <= 1e-9 * max(map(abs, values)):
        return None
    return mean - half, mean + half


def _is_known(planned: SeedRange, values: Sequence[float], delta: float | None) -> bool:
    ends = interval_at_look(planned, values)
    if ends is None:
        return False
    low, high = ends
    return low > 0 or high < 0 or (delta is not None and -delta < low and high < delta)


def limits_hold(planned: SeedRange, tolerance: float) -> bool:
    """True if the limits that a plan holds are those of its level."""
    from q1lab.judgment import interim_analyses

    limits = interim_analyses.t_limits(planned.first, planned.most, planned.alpha)
    pairs = zip(limits, planned.limits, strict=True)
    return all(math.isclose(*pair, rel_tol=tolerance) for pair in pairs)


def declare(first: int, most: int, may_spend: float) -> SeedRange:
    """Declare a range that may spend this chance of a false claim. Its level is fixed here, before
    the first run: a question that was looked at before pays for that, and a study that was declared
    together with others has only its share."""
    from q1lab.judgment import interim_analyses

    alpha = interim_analyses.level_per_look(first, most, may_spend)
    return SeedRange(first, most, alpha, interim_analyses.t_limits(first, most, alpha))
