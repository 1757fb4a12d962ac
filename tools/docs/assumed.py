"""The table of docs/statistics.md: how often a claim that calls itself 5% is made where runs do not
scatter as the intervals assume."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING

from q1lab.judgment import interim_analyses
from q1lab.judgment.intervals import ALPHA, SEED

if TYPE_CHECKING:
    import numpy as np

STUDIES = 200_000
PLANS = ((3, 3), (5, 5), (8, 8), (12, 12), (3, 8), (3, 12))
"""Fewest and most pairs; a fixed number is one look."""

SKEWED, STUCK = 3.0, 8.0
"""An arm's spread where it is skewed, as a multiple of the other's; how many sds a stuck run ends
above those of its arm that are not."""
SHARED = 0.1
"""The share of an arm's variance that all of its seeds have in common."""

Draw = Callable[["np.random.Generator", tuple[int, int]], "np.ndarray"]
"""Differences of pairs, 0 on average, of so many (studies, pairs)."""


def lognormal(rng: np.random.Generator, shape: tuple[int, int], sigma: float) -> np.ndarray:
    import numpy as np

    return np.exp(sigma * rng.standard_normal(shape)) - math.exp(sigma**2 / 2)


def skewed_arm(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    mean, sd = math.exp(0.5), math.sqrt((math.e - 1) * math.e)
    return SKEWED * (rng.lognormal(size=shape) - mean) / sd - rng.standard_normal(shape)


def stuck_runs(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    is_stuck = rng.random(shape) < 0.2
    return math.sqrt(2) * rng.standard_normal(shape) + STUCK * (is_stuck - 0.2)


def shared_luck(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    own, shared = rng.standard_normal(shape), rng.standard_normal((shape[0], 1))
    return math.sqrt(2 * (1 - SHARED)) * own + math.sqrt(2 * SHARED) * shared


DRAWS: dict[str, Draw] = {
    "differences are lognormal, σ 0.5": partial(lognormal, sigma=0.5),
    "differences are lognormal, σ 1": partial(lognormal, sigma=1.0),
    "one arm is lognormal, and three times as wide": skewed_arm,
    "one run of five of an arm gets stuck, eight sds higher": stuck_runs,
    "a tenth of each arm's variance is shared by its seeds": shared_luck,
}


@cache
def claim_rate(what: str, first: int, most: int) -> float:
    """The share of studies without an effect that claim something at one of the looks after
    ``first`` to ``most`` pairs."""
    import numpy as np

    differences = DRAWS[what](np.random.default_rng(SEED), (STUDIES, most))
    pairs = np.arange(first, most + 1)
    means = differences.cumsum(axis=1)[:, first - 1 :] / pairs
    squares = (differences**2).cumsum(axis=1)[:, first - 1 :]
    errors = np.sqrt((squares - pairs * means**2) / (pairs - 1) / pairs)
    alpha = ALPHA if first == most else interim_analyses.level_per_look(first, most)
    limits = np.array(interim_analyses.t_limits(first, most, alpha))
    return float((np.abs(means) > limits * errors).any(axis=1).mean())


def text() -> str:
    plans = [f"{n} pairs" if n == most else f"`{n}..{most}`" for n, most in PLANS]
    lines = [["if", *plans], ["---"] * (len(plans) + 1)]
    for what in DRAWS:
        rates = [claim_rate(what, *plan) for plan in PLANS]
        lines.append([what, *(f"{100 * rate:.1f}" for rate in rates)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
