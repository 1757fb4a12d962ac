"""Looking more than once: the level that pays for every look, and how often looking claims
something when nothing has changed. Pure.

Under the null hypothesis (normal errors, no difference) the paired t of the first n pairs depends
on u = S/√Q alone, where S is the sum of the differences and Q the sum of their squares. The next
pair x changes it to (u + r)/√(1 + r²) with r = x/√Q, and √n · r has Student's t with n degrees of
freedom, whatever came before: Q is independent of the direction that the differences point in. So
u is a Markov chain on one line, and the chance of any claim is an integral that is done here by
going backwards, step by step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from q1lab.compare.levels import LEVELS
from q1lab.errors import Problem

FIRST_LEAST, FIRST_MOST, MOST = 3, 8, 24
"""The planned ranges that the table holds."""

POINTS, STEPS = 101, 3000
"""Of the grid over u, and of the integral over the next pair."""

FARTHEST = 6.0
"""|u| beyond this is as rare as one in a billion."""


def level(first: int, most: int, later: bool = False) -> float:
    """The α of every look of the plan "``first`` to ``most`` pairs, stop when known".

    With it 5% of null studies make a claim at any of the looks; ``later``: ``ALPHA_LATER`` of them,
    for a question that was asked before. Problem for a range that the table does not hold.
    """
    found = LEVELS.get((first, most))
    if found is None:
        raise Problem(
            f"no level for {first}..{most}: plan from {FIRST_LEAST}..{FIRST_MOST} pairs up to at "
            f"most {MOST}"
        )
    return found[1 if later else 0]


def any_claim(looks: Sequence[tuple[int, float]]) -> float:
    """The chance that a null study makes a claim at one of its looks, each (pairs so far, α).

    Pairs are at least 2 and increase. Good to about 0.0003.
    """
    return _any_claim(tuple(looks))


@lru_cache(maxsize=256)
def _any_claim(looks: tuple[tuple[int, float], ...]) -> float:
    import numpy as np
    from scipy import interpolate, special

    if not looks:
        return 0.0
    if len(looks) == 1:
        return looks[0][1]
    alphas = dict(looks)
    first, last = looks[0][0], looks[-1][0]
    steps = (np.arange(STEPS) + 0.5) / STEPS
    bound = {
        n: _bound(n, alphas[n]) if n in alphas else min(math.sqrt(n), FARTHEST)
        for n in range(first, last + 1)
    }
    # the chance of no claim later on, over a grid of |u|, going backwards; after the last look: 1
    quiet: Any = np.ones_like
    for n in range(last - 1, first - 1, -1):
        here = np.linspace(0.0, bound[n], POINTS)
        r = special.stdtrit(n, steps) / math.sqrt(n)
        moved = np.abs((here[:, None] + r[None, :]) / np.sqrt(1 + r[None, :] ** 2))
        inside = np.where(moved < bound[n + 1], quiet(moved), 0.0).mean(axis=1)
        quiet = interpolate.CubicSpline(here, inside)
    t = np.abs(special.stdtrit(first - 1, steps))
    u = t * math.sqrt(first) / np.sqrt(first - 1 + t**2)
    return float(1 - np.where(u < bound[first], quiet(u), 0.0).mean())


def _bound(n: int, alpha: float) -> float:
    """The largest |u| at n pairs that makes no claim."""
    from scipy import special

    t = float(special.stdtrit(n - 1, 1 - alpha / 2))
    return t * math.sqrt(n) / math.sqrt(n - 1 + t * t)


def find_level(first: int, most: int, total: float) -> float:
    """The α at which ``total`` of null studies make a claim at any look from ``first`` to ``most``:
    what the table holds, made anew."""
    from scipy import optimize

    def over(alpha: float) -> float:
        return any_claim([(n, alpha) for n in range(first, most + 1)]) - total

    return float(optimize.brentq(over, total / (most - first + 1), total, xtol=4e-6))


def together(totals: Sequence[float]) -> float:
    """The chance that one of several studies claims something when nothing has changed; exact where
    they share no run, else a bound from above."""
    return 1 - math.prod(1 - one for one in totals)


def limits(first: int, most: int, alpha: float) -> tuple[float, ...]:
    """Student's t beyond which a look makes a claim, for each n from ``first`` to ``most``."""
    from scipy import special

    return tuple(float(special.stdtrit(n - 1, 1 - alpha / 2)) for n in range(first, most + 1))
