"""Looking more than once: the level that pays for every look, and how often looking claims
something when nothing has changed. Pure.

Under the null hypothesis (normal errors, no difference) the paired t of the first n pairs depends
on u = S/√Q alone, where S is the sum of the differences and Q the sum of their squares. The next
pair x changes it to (u + r)/√(1 + r²) with r = x/√Q, and √n · r has Student's t with n degrees of
freedom, whatever came before: Q is independent of the direction that the differences point in. So
u is a Markov chain on one line, and the chance of any claim is an integral that is done here by
going backwards, step by step. With r = tan θ the step is u cos θ + sin θ, a circle's, where θ has
the density cos^(n−1) θ, so that the angles at which a claim begins are known in closed form.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from q1lab.ground.errors import Problem
from q1lab.statistics.intervals import ALPHA, POWER, SEED

FIRST_LEAST, FIRST_MOST, MOST_PAIRS = 3, 8, 24
"""The planned ranges that there are: where the first look may lie, and the last one at most."""

POINTS, NODES = 60, 40
"""Of each part of the grid over u, and of each integral (Gauss and Legendre's)."""

FARTHEST = 6.0
"""|u| beyond this is as rare as one in a billion."""


def level_per_look(first: int, most: int, total: float = ALPHA) -> float:
    """The α of every look of the plan "``first`` to ``most`` pairs, stop when known": with it
    ``total`` of null studies make a claim at any of the looks."""
    prove_range(first, most)
    return _level(first, most, total)


def prove_range(first: int, most: int) -> None:
    """Problem for a range that can't be planned."""
    if not (FIRST_LEAST <= first <= FIRST_MOST and first < most <= MOST_PAIRS):
        raise Problem(
            f"no level for {first}..{most}: ",
            next=f"plan from {FIRST_LEAST}..{FIRST_MOST} pairs up to at most {MOST_PAIRS}",
        )


@lru_cache(maxsize=256)
def _level(first: int, most: int, total: float) -> float:
    from scipy import optimize

    def over(log: float) -> float:
        return chance_of_any_claim([(n, math.exp(log)) for n in range(first, most + 1)]) / total - 1

    guess = math.log(total / (most - first + 1) ** 0.65)
    return math.exp(optimize.newton(over, guess, x1=guess + 0.1, tol=1e-5))


def chance_of_any_claim(looks: Sequence[tuple[int, float]]) -> float:
    """The chance that a null study makes a claim at one of its looks, each (pairs so far, α).

    Pairs are at least 2 and increase. Good to 0.00002.
    """
    return _any_claim(tuple(looks))


@lru_cache(maxsize=1024)
def _any_claim(looks: tuple[tuple[int, float], ...]) -> float:
    import numpy as np
    from scipy import special

    if not looks:
        return 0.0
    if len(looks) == 1:
        return looks[0][1]
    alphas = dict(looks)
    first, last = looks[0][0], looks[-1][0]
    bound = {
        n: _bound(n, alphas[n]) if n in alphas else min(math.sqrt(n), FARTHEST)
        for n in range(first, last + 1)
    }
    nodes, weights = special.roots_legendre(NODES)
    x, w = (nodes + 1) / 2, weights / 2  # on 0 to 1
    even = np.linspace(0.0, 1.0, POINTS)
    quiet: Any = np.ones_like  # the chance of no claim later on, from |u|: after the last look, 1
    kink = 0.0  # where that chance begins to fall with a root's slope
    for n in range(last - 1, first - 1, -1):
        ahead = bound[n + 1]
        # from here on up one pair more can make a claim
        corner = min(math.sqrt(max(ahead**2 - 1, 0.0)), bound[n])
        here = np.concatenate([corner * even, corner + (bound[n] - corner) * even**2])
        radius, turn = np.sqrt(1 + here**2), np.arctan2(1.0, here)
        to_claim, to_kink = (np.arccos(np.minimum(at / radius, 1.0)) for at in (ahead, kink))
        edges = [to_claim, to_kink, math.pi - to_kink, math.pi - to_claim]
        farthest = min(math.pi / 2, 8 / math.sqrt(n))
        inside = np.zeros_like(here)
        for side in (-1, 1):
            for one, other in itertools.pairwise(edges):
                start = np.clip(turn + side * one, -farthest, farthest)
                width = np.clip(turn + side * other, -farthest, farthest) - start
                angle = start[:, None] + width[:, None] * x
                moved = np.abs(radius[:, None] * np.cos(angle - turn[:, None]))
                chance = np.maximum(np.cos(angle), 0.0) ** (n - 1)
                inside += np.abs(width) * ((chance * quiet(np.minimum(moved, ahead))) @ w)
        inside /= special.beta(0.5, n / 2)
        quiet, kink = _spline(even, inside, corner, bound[n]), corner
    total = 0.0
    for start, width in ((0.0, kink), (kink, bound[first] - kink)):
        u = start + width * x**2
        chance = np.maximum(1 - u**2 / first, 0.0) ** ((first - 3) / 2)
        total += float((2 * width * x * chance * quiet(u)) @ w)
    return float(1 - 2 * total / (math.sqrt(first) * special.beta(0.5, (first - 1) / 2)))


def _spline(even: Any, values: Any, corner: float, end: float) -> Any:
    """A function of |u| through ``values`` at both parts of the grid."""
    import numpy as np
    from scipy import interpolate

    low = interpolate.CubicSpline(even, values[: len(even)])
    high = interpolate.CubicSpline(even, values[len(even) :])

    def at(u: Any) -> Any:
        below = np.clip(u / corner, 0.0, 1.0) if corner else np.zeros_like(u)
        above = np.sqrt(np.clip((u - corner) / (end - corner), 0.0, 1.0)) if end > corner else below
        return np.where(u < corner, low(below), high(above))

    return at


def _bound(n: int, alpha: float) -> float:
    """The largest |u| at n pairs that makes no claim."""
    from scipy import special

    t = float(special.stdtrit(n - 1, 1 - alpha / 2))
    return t * math.sqrt(n) / math.sqrt(n - 1 + t * t)


@dataclass(frozen=True)
class RangeSensitivity:
    """What a plan can see, in sds of a pair's difference: the true difference that it claims in 80%
    of studies; the sd that such studies measure when they stop, as a multiple of the true one; and
    how many times claims overstate a true difference of one sd, and of half of one."""

    detectable: float
    measured_sd: float
    overstated: tuple[float, float]


PATHS = 20_000
"""Studies that are drawn for ``seen``; their seed is fixed."""


@lru_cache(maxsize=64)
def range_sensitivity(first: int, most: int, alpha: float) -> RangeSensitivity:
    """What the plan sees that looks after each pair from ``first`` to ``most`` at this α; with
    ``first`` = ``most`` a fixed number of pairs. By simulation, good to about 2%: a level that is
    passed early has no closed form."""
    import numpy as np
    from scipy import optimize

    rng = np.random.default_rng(SEED)
    x = rng.standard_normal((PATHS, most))
    n = np.arange(first, most + 1)
    mean = (x.cumsum(axis=1) / np.arange(1, most + 1))[:, first - 1 :]
    square = (x**2).cumsum(axis=1)[:, first - 1 :]
    sd = np.sqrt((square - n * mean**2) / (n - 1))
    bound = np.array(t_limits(first, most, alpha)) * sd / np.sqrt(n)

    def claims(effect: float) -> Any:
        return np.abs(mean + effect) > bound

    def short(effect: float) -> float:
        return float(claims(effect).any(axis=1).mean()) - POWER

    top = 1.0
    while short(top) < 0:
        top *= 2
    detectable = float(optimize.brentq(short, 0.0, top, xtol=1e-3))

    def stops(effect: float) -> tuple[Any, Any]:
        """Where each study stops, and whether by a claim."""
        found = claims(effect)
        return np.where(found.any(axis=1), found.argmax(axis=1), len(n) - 1), found.any(axis=1)

    rows = np.arange(PATHS)
    measured = float(sd[rows, stops(detectable)[0]].mean())
    overstated = []
    for effect in (1.0, 0.5):
        at, claimed = stops(effect)
        size = np.abs(mean[rows, at] + effect)[claimed]
        overstated.append(float(size.mean() / effect))
    return RangeSensitivity(detectable, measured, (overstated[0], overstated[1]))


def chance_over_studies(totals: Sequence[float]) -> float:
    """The chance that one of several studies claims something when nothing has changed; exact where
    they share no run, else a bound from above."""
    return 1 - math.prod(1 - one for one in totals)


def t_limits(first: int, most: int, alpha: float) -> tuple[float, ...]:
    """Student's t beyond which a look makes a claim, for each n from ``first`` to ``most``."""
    from scipy import special

    return tuple(float(special.stdtrit(n - 1, 1 - alpha / 2)) for n in range(first, most + 1))
