"""Several looks at one study: the level per look, and the chance of a false claim over all looks.
Pure.

Under the null hypothesis (normal errors, no difference) the paired t of the first n pairs depends
on u = S/√Q alone, where S is the sum of the differences and Q the sum of their squares. The next
pair x changes it to (u + r)/√(1 + r²) with r = x/√Q, and √n · r has Student's t with n degrees of
freedom, whatever came before: Q is independent of the direction of the differences. So u is a
one-dimensional Markov chain, and the chance of any claim is an integral, computed here by backward
recursion. With r = tan θ a step is u cos θ + sin θ, a rotation, where θ has the density cos^(n−1)
θ; the angles at which a claim begins are therefore known in closed form.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from q1lab.ground.errors import Problem
from q1lab.judgment.intervals import ALPHA, POWER, SEED, estimated_sds

FIRST_LEAST, FIRST_MOST, MOST_PAIRS = 3, 8, 24
"""Limits of planned ranges: the fewest and most pairs of the first look, the most of the last."""

POINTS, NODES = 60, 40
"""Grid points per part of the grid over u; Gauss–Legendre nodes per integral."""

FARTHEST = 6.0
"""|u| exceeds this about once in a billion."""


def level_per_look(first: int, most: int, total: float = ALPHA) -> float:
    """The α of each look of a plan of ``first`` to ``most`` pairs, such that a share ``total`` of
    null studies makes a claim at any look."""
    prove_range(first, most)
    return _level(first, most, total)


def prove_range(first: int, most: int) -> None:
    """Raise Problem for a range that can't be planned."""
    if not (FIRST_LEAST <= first <= FIRST_MOST and first < most <= MOST_PAIRS):
        raise Problem(
            f"no level for {first}..{most}: ",
            next=f"plan from {FIRST_LEAST}..{FIRST_MOST} pairs up to at most {MOST_PAIRS}",
        )


@lru_cache(maxsize=256)
def _level(first: int, most: int, total: float) -> float:
    from scipy import optimize

    def relative_excess(log: float) -> float:
        return chance_of_any_claim([(n, math.exp(log)) for n in range(first, most + 1)]) / total - 1

    guess = math.log(total / (most - first + 1) ** 0.65)
    return math.exp(optimize.newton(relative_excess, guess, x1=guess + 0.1, tol=1e-5))


def chance_of_any_claim(looks: Sequence[tuple[int, float]]) -> float:
    """The chance that a null study makes a claim at one of its looks, each (pairs so far, α).

    Pairs are at least 2 and increase. Good to 0.00002.
    """
    return _any_claim(tuple(looks))


def spent_by_looks(first: int, most: int, alpha: float) -> float:
    """The chance that a look of a planned range claims a difference where there is none."""
    return chance_of_any_claim([(n, alpha) for n in range(first, most + 1)])


@lru_cache(maxsize=1024)
def _any_claim(looks: tuple[tuple[int, float], ...]) -> float:
    import numpy as np

    from q1lab.judgment.scipy_special import special

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
    unit_grid = np.linspace(0.0, 1.0, POINTS)
    no_claim_later: Any = (
        np.ones_like
    )  # the chance of no claim later on, from |u|: after the last look, 1
    kink = 0.0  # where that chance begins to fall with a root's slope
    for n in range(last - 1, first - 1, -1):
        next_bound = bound[n + 1]
        # from here on up one pair more can make a claim
        corner = min(math.sqrt(max(next_bound**2 - 1, 0.0)), bound[n])
        grid = np.concatenate([corner * unit_grid, corner + (bound[n] - corner) * unit_grid**2])
        radius, turn = np.sqrt(1 + grid**2), np.arctan2(1.0, grid)
        to_claim, to_kink = (np.arccos(np.minimum(at / radius, 1.0)) for at in (next_bound, kink))
        edges = [to_claim, to_kink, math.pi - to_kink, math.pi - to_claim]
        farthest = min(math.pi / 2, 8 / math.sqrt(n))
        inside = np.zeros_like(grid)
        for side in (-1, 1):
            for inner, outer in itertools.pairwise(edges):
                start = np.clip(turn + side * inner, -farthest, farthest)
                width = np.clip(turn + side * outer, -farthest, farthest) - start
                rows = np.flatnonzero(width)  # half of them add nothing
                start, width = start[rows], width[rows]
                angle = start[:, None] + width[:, None] * x
                moved = np.abs(radius[rows, None] * np.cos(angle - turn[rows, None]))
                chance = np.maximum(np.cos(angle), 0.0) ** (n - 1)
                inside[rows] += np.abs(width) * (
                    (chance * no_claim_later(np.minimum(moved, next_bound))) @ w
                )
        inside /= special.beta(0.5, n / 2)
        no_claim_later, kink = _spline(unit_grid, inside, corner, bound[n]), corner
    total = 0.0
    if first == 2:  # over φ with u = √2 sin φ, since the density of u has a pole at √2
        turns = [math.asin(min(u / math.sqrt(2), 1.0)) for u in (0.0, kink, bound[2])]
        for start, end in itertools.pairwise(turns):
            phi = start + (end - start) * x**2
            no_claim = no_claim_later(math.sqrt(2) * np.sin(phi))
            total += float((2 * (end - start) * x * no_claim) @ w)
        return 1 - 2 * total / math.pi
    for start, width in ((0.0, kink), (kink, bound[first] - kink)):
        u = start + width * x**2
        chance = np.maximum(1 - u**2 / first, 0.0) ** ((first - 3) / 2)
        total += float((2 * width * x * chance * no_claim_later(u)) @ w)
    return float(1 - 2 * total / (math.sqrt(first) * special.beta(0.5, (first - 1) / 2)))


def _spline(unit_grid: Any, values: Any, corner: float, end: float) -> Any:
    """A function of |u| through ``values`` at both parts of the grid."""
    import numpy as np
    from scipy import interpolate

    low = interpolate.CubicSpline(unit_grid, values[: len(unit_grid)])
    high = interpolate.CubicSpline(unit_grid, values[len(unit_grid) :])

    def evaluate(u: Any) -> Any:
        is_low = u < corner
        below, above = u[is_low], u[~is_low]
        values_at = np.empty_like(u)
        values_at[is_low] = low(np.clip(below / corner, 0.0, 1.0))
        beyond = (above - corner) / (end - corner) if end > corner else np.ones_like(above)
        values_at[~is_low] = high(np.sqrt(np.clip(beyond, 0.0, 1.0)))
        return values_at

    return evaluate


def _bound(n: int, alpha: float) -> float:
    """The largest |u| at n pairs without a claim."""
    from q1lab.judgment.scipy_special import special

    t = float(special.stdtrit(n - 1, 1 - alpha / 2))
    return t * math.sqrt(n) / math.sqrt(n - 1 + t * t)


PATHS = 20_000
"""Simulated studies; their seed is fixed."""


def _simulated_looks(first: int, most: int, alpha: float) -> tuple[Any, Any, Any]:
    """The mean, the sd and the half width of the interval at each look of simulated studies whose
    pairs differ by 0 ± 1. Where the first look comes later than a planned range may end, the pairs
    up to it are drawn as one: their mean, and χ² for the squares around it."""
    import numpy as np

    rng = np.random.default_rng(SEED)
    n = np.arange(first, most + 1)
    as_one = first if first > MOST_PAIRS else 1
    x = rng.standard_normal((PATHS, most - as_one + 1))
    squares = x**2
    if as_one > 1:
        squares[:, 0] += rng.chisquare(as_one - 1, PATHS)
        x[:, 0] *= math.sqrt(as_one)
    mean, square = (each.cumsum(axis=1)[:, first - as_one :] for each in (x, squares))
    mean /= n
    sd = np.sqrt((square - n * mean**2) / (n - 1))
    return mean, sd, np.array(t_limits(first, most, alpha)) * sd / np.sqrt(n)


def _estimates(df: int | None) -> Any:
    """An estimate of the sd for each simulated study, in true sds; see ``estimated_sds``."""
    import numpy as np

    sds = np.array(estimated_sds(df, PATHS))
    return np.random.default_rng(SEED + 1).permutation(sds)[:, None]


@dataclass(frozen=True)
class VerdictChances:
    """The chance of each verdict: of a claim (HELPS or HURTS), of TOO SMALL TO MATTER, and of
    CANNOT TELL; and the mean number of pairs after which there is one."""

    claim: float
    too_small: float
    cannot_tell: float
    mean_pairs: float


@lru_cache(maxsize=64)
def verdict_chances(
    first: int,
    most: int,
    alpha: float,
    effect: float,
    delta: float,
    df: int | None = None,
) -> VerdictChances:
    """The chance of each verdict of a plan that stops when the answer is known, at a true
    difference of ``effect`` and with δ = ``delta``, both in sds of a pair's difference, which is an
    estimate of ``df`` degrees of freedom (None: it is known); ``first`` = ``most`` means a fixed
    number of pairs. Simulated, good to about half a percent."""
    import numpy as np

    mean, _, bound = _simulated_looks(first, most, alpha)
    matters = delta * _estimates(df)
    distance = np.abs(mean + effect * _estimates(df))
    claims = distance > bound
    too_small = distance + bound < matters
    over = claims | too_small
    over[:, -1] = True
    stop = over.argmax(axis=1)
    rows = np.arange(PATHS)
    claim = float(claims[rows, stop].mean())
    small = float((too_small & ~claims)[rows, stop].mean())
    unknown = float((~too_small & ~claims)[rows, stop].mean())
    return VerdictChances(claim, small, unknown, float(first + stop.mean()))


def _found_in_four_of_five(mean: Any, bound: Any, sds: Any) -> float:
    """The true difference that 80% of simulated studies claim at one of their looks, as a multiple
    of the sd that each has. There is no closed form for studies that stop early."""
    from scipy import optimize

    def power_gap(effect: float) -> float:
        return float((abs(mean + effect * sds) > bound).any(axis=1).mean()) - POWER

    top = 1.0
    while power_gap(top) < 0:
        top *= 2
    return float(optimize.brentq(power_gap, 0.0, top, xtol=1e-3))


@lru_cache(maxsize=64)
def planned_detectable(first: int, most: int, alpha: float, df: int | None = None) -> float:
    """The true difference that 80% of such plans claim, in sds of a pair's difference, which is an
    estimate of ``df`` degrees of freedom (None: it is known). Good to about 2%."""
    mean, _, bound = _simulated_looks(first, most, alpha)
    return _found_in_four_of_five(mean, bound, _estimates(df))


@lru_cache(maxsize=64)
def measured_detectable(first: int, most: int, alpha: float) -> float:
    """The true difference that 80% of such plans claim on average, in the sds that other studies of
    the plan measure when they stop, where there is such a difference: those that stop early
    measure too small a spread. Good to about 2%."""
    import numpy as np

    mean, sd, bound = _simulated_looks(first, most, alpha)
    over = abs(mean + _found_in_four_of_five(mean, bound, 1.0)) > bound
    over[:, -1] = True
    measured = sd[range(PATHS), over.argmax(axis=1)]
    return _found_in_four_of_five(mean, bound, np.roll(measured, 1)[:, None])


def t_limits(first: int, most: int, alpha: float) -> tuple[float, ...]:
    """Student's t beyond which a look makes a claim, for each n from ``first`` to ``most``."""
    from q1lab.judgment.scipy_special import special

    return tuple(float(special.stdtrit(n - 1, 1 - alpha / 2)) for n in range(first, most + 1))
