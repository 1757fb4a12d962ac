"""The table of docs/statistics.md: how often a claim that calls itself 5% is made where the
differences of pairs are skewed."""

from __future__ import annotations

import math
from functools import cache

from q1lab.statistics import interim_analyses
from q1lab.statistics.intervals import ALPHA, SEED

STUDIES = 200_000
SIGMA = 0.5
"""Of the lognormal differences."""

FIXED, MOST_OF_RANGES = (3, 5, 8, 12), (8, 12)


@cache
def claim_rate(first: int, most: int) -> float:
    """The share of studies with lognormal differences around 0 that claim something at one of the
    looks after ``first`` to ``most`` pairs."""
    import numpy as np

    normal = np.random.default_rng(SEED).standard_normal((STUDIES, most))
    differences = np.exp(SIGMA * normal) - math.exp(SIGMA**2 / 2)
    pairs = np.arange(first, most + 1)
    means = differences.cumsum(axis=1)[:, first - 1 :] / pairs
    squares = (differences**2).cumsum(axis=1)[:, first - 1 :]
    errors = np.sqrt((squares - pairs * means**2) / (pairs - 1) / pairs)
    alpha = ALPHA if first == most else interim_analyses.level_per_look(first, most)
    limits = np.array(interim_analyses.t_limits(first, most, alpha))
    return float((np.abs(means) > limits * errors).any(axis=1).mean())


def text() -> str:
    plans = [(f"{n} pairs", claim_rate(n, n)) for n in FIXED]
    plans += [(f"`3..{most}`", claim_rate(3, most)) for most in MOST_OF_RANGES]
    rows = [
        ["differences", *(plan for plan, _ in plans)],
        ["---"] * (len(plans) + 1),
        ["lognormal", *(f"{100 * rate:.1f}" for _, rate in plans)],
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
