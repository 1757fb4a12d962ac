"""Futility: the looks at which a planned range has little left to find. Pure.

Under a flat prior on the true difference and on the logarithm of the spread, the next pair differs
from the mean of the first n by √(1 + 1/n) of their sd times Student's t with n − 1 degrees of
freedom. In units of that sd only two numbers matter: the t of the difference, and the smallest
difference that matters, δ. The chance that a later look makes a claim (the interval excludes 0, or
lies within ±δ) is found by backward recursion over a grid of both.

The limits are not binding: the level of each look holds for a range that goes on to its end, too.
They are found once, when a range is declared, so that a runner without NumPy only compares.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

from q1lab.judgment.interim_analyses import t_limits

FUTILE_FROM = 5
"""The first number of pairs after which a range may stop for futility: with fewer, the spread is
hardly known."""

LEAST_CHANCE = 0.10
"""A range stops where the chance of a claim at any later look is below this."""

WITHIN = 0.9
"""Where a δ is planned, |t| has to be below this share of its limit: nearer to the limit there is
no δ at which the chance of either claim is small enough."""

DIGITS = 4
T_POINTS, T_POINTS_ALONE, DELTA_POINTS, QUANTILES = 25, 101, 25, 200

FutilityLimits = tuple[tuple[float, float, float], ...]
"""For each look but the last: the |t| below which a range stops without a δ; with a δ, the |t|,
and δ in standard errors of the mean difference. Zeros for a look that never stops it."""


@lru_cache(maxsize=256)
def futility_limits(
    first: int, most: int, alpha: float, *, one_sided: bool = False
) -> FutilityLimits:
    """The limits of a range whose looks have the level ``alpha``; empty if none can stop it. A
    ``one_sided`` range may stop at its first look, and knows no δ."""
    limits = dict(zip(range(first, most + 1), t_limits(first, most, alpha), strict=True))
    if one_sided:
        return _one_sided_limits(limits)
    next_pairs = {n: _next_pairs(n) for n in limits if n >= FUTILE_FROM}
    alone = _chances(limits, next_pairs, T_POINTS_ALONE, 1)
    beside_delta = _chances(limits, next_pairs, T_POINTS, DELTA_POINTS)
    limit_by_look = tuple(
        _limits_of_look(limits[n], alone[n], beside_delta[n]) if n in alone else (0.0, 0.0, 0.0)
        for n in range(first, most)
    )
    return limit_by_look if any(map(any, limit_by_look)) else ()


def _next_pairs(pairs: int) -> Any:
    """Equally likely distances of the next pair from the mean of the n before, in √(1 + 1/n)
    sds."""
    from scipy import special

    return special.stdtrit(pairs - 1, [(at + 0.5) / QUANTILES for at in range(QUANTILES)])


def _one_sided_limits(limits: dict[int, float]) -> FutilityLimits:
    """The t, positive where the modified arm is better, below which the chance that a later look
    says so is less than ``LEAST_CHANCE``. Before the last look that chance grows with t from about
    0, at minus the look's limit."""
    import numpy as np

    limits_of_futility: list[tuple[float, float, float]] = []
    t_shares = np.linspace(-1.0, 1.0, 2 * T_POINTS_ALONE - 1)
    later: Any = np.zeros(len(t_shares))
    for n in sorted(limits, reverse=True)[1:]:
        mean, t = (t_shares * limits[n] / math.sqrt(n))[:, None], _next_pairs(n)[None, :]
        next_error = np.sqrt((n - 1 + t**2) / n / (n + 1))
        next_share = (mean + math.sqrt(1 + 1 / n) * t / (n + 1)) / next_error / limits[n + 1]
        chance = np.where(next_share > 1, 1.0, np.interp(next_share, t_shares, later))
        later = chance.mean(axis=1)
        limit = _rounded_down(limits[n] * float(np.interp(LEAST_CHANCE, later, t_shares)))
        limits_of_futility.insert(0, (limit, limit, 0.0))
    return tuple(limits_of_futility)


def _chances(
    limits: dict[int, float], next_pairs: dict[int, Any], t_points: int, delta_points: int
) -> dict[int, Any]:
    """The chance of a claim at any later look, for each look that may stop for futility.

    A row for each |t|, from 0 to the look's limit, and a column for each δ, from 0 to that at which
    the look itself would claim that the difference lies within ±δ.
    """
    import numpy as np

    t_shares = np.linspace(0.0, 1.0, t_points)
    delta_shares = np.linspace(0.0, 1.0, delta_points) if delta_points > 1 else np.zeros(1)
    chances: dict[int, Any] = {}
    for n in sorted(next_pairs, reverse=True)[1:]:
        limit, next_limit = limits[n], limits[n + 1]
        mean = t_shares[:, None, None] * limit / math.sqrt(n)
        delta = delta_shares[None, :, None] * (limit / math.sqrt(n) + mean)
        t = next_pairs[n][None, None, :]
        next_sd = np.sqrt((n - 1 + t**2) / n)
        half_width = next_limit * next_sd / math.sqrt(n + 1)
        next_t_share = np.abs(mean + math.sqrt(1 + 1 / n) * t / (n + 1)) / half_width
        next_delta_share = delta / half_width / (1 + next_t_share)
        claimed = (next_t_share > 1) | (next_delta_share > 1)
        later = _interpolated(chances[n + 1], next_t_share, next_delta_share) if chances else 0.0
        chances[n] = np.where(claimed, 1.0, later).mean(axis=2)
    return chances


def _interpolated(chances: Any, t_share: Any, delta_share: Any) -> Any:
    """A table of chances between its points, straight from one to the next."""
    import numpy as np

    low = []
    rest = []
    for share, points in zip(np.broadcast_arrays(t_share, delta_share), chances.shape, strict=True):
        place = np.clip(share, 0.0, 1.0) * (points - 1)
        low.append(np.minimum(place.astype(int), max(points - 2, 0)))
        rest.append(place - low[-1])
    row, column = low
    next_column = np.minimum(column + 1, chances.shape[1] - 1)
    in_row = chances[row, column] * (1 - rest[1]) + chances[row, next_column] * rest[1]
    in_next_row = chances[row + 1, column] * (1 - rest[1]) + chances[row + 1, next_column] * rest[1]
    return in_row * (1 - rest[0]) + in_next_row * rest[0]


def _limits_of_look(limit: float, alone: Any, beside_delta: Any) -> tuple[float, float, float]:
    """The limits of one look: where its chances cross ``LEAST_CHANCE``."""
    import numpy as np

    if alone[0, 0] >= LEAST_CHANCE:
        return 0.0, 0.0, 0.0
    t = float(np.interp(LEAST_CHANCE, alone[:, 0], np.linspace(0.0, limit, len(alone))))
    t_shares, delta_shares = (np.linspace(0.0, 1.0, points) for points in beside_delta.shape)
    share = WITHIN * t / limit
    deltas = [
        float(np.interp(LEAST_CHANCE, chances, delta_shares)) * (1 + t_share) * limit
        for t_share, chances in (
            *((at, row) for at, row in zip(t_shares, beside_delta, strict=True) if at < share),
            (share, [np.interp(share, t_shares, column) for column in beside_delta.T]),
        )
    ]
    return _rounded_down(t), _rounded_down(WITHIN * t), _rounded_down(min(deltas))


def _rounded_down(value: float) -> float:
    """A limit in few digits, so that SciPy's last ones change no plan."""
    return float(math.floor(value * 10**DIGITS) / 10**DIGITS)
