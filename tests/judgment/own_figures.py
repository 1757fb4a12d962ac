"""The figures of docs/verdict.md, worked out from their definitions with NumPy and SciPy alone.

Nothing here imports q1lab: test_from_scratch.py compares the two. Where q1lab has a short cut (a
table, a noncentral distribution, an interpolation) this has the plain way: an integral over what is
random, every path of a simulation. A difference is modified −
baseline, in the metric's own sign.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from scipy import special, stats

Arm = Mapping[int, float | None]
Ends = tuple[float, float]

FEWEST = 3  # seeds of a verdict
FACTS = {"unpaired", "equal_pairs", "other_interval"}

# ── two arms


@dataclass
class Figures:
    """What a comparison of two arms has to say; None where it has to say nothing."""

    headline: str
    level: float
    n: int
    verdict: str
    reason: str | None
    pairs: dict[int, float]
    mean: float | None = None
    welch: Ends | None = None
    paired: Ends | None = None
    floor: Ends | None = None
    facts: set[str] = field(default_factory=set)
    """Of the keys in ``FACTS`` those that hold."""
    sd: float | None = None
    """The spread by which power is measured, and its degrees of freedom."""
    df: int = 0

    @property
    def ends(self) -> Ends | None:
        return self.paired if self.headline == "paired" else self.welch


def compare_arms(
    baseline: Arm,
    modified: Arm,
    *,
    has_seeds: bool = True,
    headline: str | None = None,
    higher_is_better: bool = False,
    level: float = 0.05,
    delta: float | None = None,
    complete: bool = True,
) -> Figures:
    """The comparison of two arms, None for a run that diverged. Without a ``headline``, arms of the
    same seeds are paired and others are two groups."""
    if headline is None:
        same = has_seeds and set(baseline) == set(modified)
        headline = "paired" if same else "welch"
    base, mod = _ended(baseline), _ended(modified)
    common = sorted(base.keys() & mod.keys())
    pairs = {seed: mod[seed] - base[seed] for seed in common}
    n = len(pairs) if headline == "paired" else min(len(base), len(mod))
    found = Figures(headline, level, n, "no verdict", None, pairs if has_seeds else {})
    if has_seeds and complete and set(baseline) != set(modified):  # else another fact names them
        found.facts.add("unpaired")
    lost = len(base) < len(baseline) or len(mod) < len(modified)
    alone = len(pairs) < max(len(base), len(mod))
    equal = len(pairs) > 1 and not any(pairs.values()) and not alone
    if lost:
        found.reason = "diverged"
    elif n:
        _fill(found, base, mod, equal)
        found.paired = found.paired if has_seeds else None
    if not lost:
        if not complete:
            found.reason = "incomplete"
        elif equal:
            found.reason = "equal"
        elif n < FEWEST:
            found.reason = "too few"
        elif found.ends is None:
            found.reason = "no spread"
        else:
            sign = -1 if higher_is_better else 1
            found.verdict = decide(found.ends, delta, sign)
            other = found.welch if headline == "paired" else found.paired
            claimed = other is not None and decide(other, delta, sign) in ("helps", "hurts")
            if found.verdict == "cannot tell" and claimed:
                found.facts.add("other_interval")
    zeros = sum(value == 0 for value in pairs.values())
    if has_seeds and 2 * zeros > len(pairs) and found.reason != "equal":
        found.facts.add("equal_pairs")
    return found


def decide(ends: Ends, delta: float | None, sign: float = 1) -> str:
    """The verdict of an interval; ``sign`` −1 where higher is better."""
    low, high = ends
    if low > 0 or high < 0:
        return "helps" if (low + high) * sign < 0 else "hurts"
    if delta is not None and -delta < low and high < delta:
        return "too small to matter"
    return "cannot tell"


def t_interval(values: Sequence[float], level: float) -> Ends:
    """Student's interval of a mean."""
    n = len(values)
    mean = math.fsum(values) / n
    sd = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1))
    half = float(stats.t.ppf(1 - level / 2, n - 1)) * sd / math.sqrt(n)
    return mean - half, mean + half


def welch_interval(a: Sequence[float], b: Sequence[float], level: float) -> Ends:
    """Welch's interval of mean(b) − mean(a), with the degrees of freedom of Satterthwaite."""
    means = [math.fsum(arm) / len(arm) for arm in (a, b)]
    errors = [
        math.fsum((value - mean) ** 2 for value in arm) / (len(arm) - 1) / len(arm)
        for arm, mean in zip((a, b), means, strict=True)
    ]
    df = sum(errors) ** 2 / sum(
        error**2 / (len(arm) - 1) for arm, error in zip((a, b), errors, strict=True)
    )
    half = float(stats.t.ppf(1 - level / 2, df)) * math.sqrt(sum(errors))
    return means[1] - means[0] - half, means[1] - means[0] + half


def varies(values: Sequence[float], scale: float) -> bool:
    """True if values differ by more than the rounding of numbers of this size."""
    return max(values) - min(values) > 1e-11 * scale


def _ended(arm: Arm) -> dict[int, float]:
    return {
        seed: value
        for seed, value in sorted(arm.items())
        if value is not None and math.isfinite(value)
    }


def _fill(found: Figures, base: dict[int, float], mod: dict[int, float], equal: bool) -> None:
    a, b, d = list(base.values()), list(mod.values()), [mod[s] - base[s] for s in base if s in mod]
    if found.headline == "paired":
        found.mean = math.fsum(d) / len(d)
    else:
        found.mean = math.fsum(b) / len(b) - math.fsum(a) / len(a)
    if found.n < 2 or equal:
        return
    scale = max(map(abs, a + b))
    if min(len(a), len(b)) > 1 and (varies(a, scale) or varies(b, scale)):
        found.welch = welch_interval(a, b, found.level)
    if len(d) > 1 and varies(d, scale):
        found.paired = t_interval(d, found.level)
    if found.ends is None:
        return
    if found.headline == "paired":
        found.sd, found.df = float(np.std(d, ddof=1)), len(d) - 1
    else:
        squares = np.var(a) * len(a) + np.var(b) * len(b)
        found.df = len(a) + len(b) - 2
        found.sd = math.sqrt(squares / found.df)


# ── power


def _middles(many: int) -> Any:
    return (np.arange(many) + 0.5) / many


def _sds(df: int, many: int) -> Any:
    """Equally likely estimates of an sd of 1."""
    return np.sqrt(stats.chi2.ppf(_middles(many), df) / df)


def estimated_sds(df: int, rng: np.random.Generator, many: int = 40_000) -> Any:
    """Estimates of an sd of 1, in any order."""
    return rng.permutation(_sds(df, many))


@cache
def paired_power(effect: float, n: int, level: float, df: int | None) -> float:
    """The chance that the interval of n pairs excludes 0 at a true difference of ``effect`` sds, as
    an earlier study with ``df`` degrees of freedom estimated the sd (None: it is known)."""
    sds = _sds(n - 1, 300)[None, :]
    true = (effect * (_sds(df, 200) if df else np.ones(1)) * math.sqrt(n))[:, None]
    limit = float(stats.t.ppf(1 - level / 2, n - 1)) * sds
    return float((special.ndtr(true - limit) + special.ndtr(-true - limit)).mean())


@cache
def welch_power(effect: float, n0: int, n1: int, level: float, df: int | None) -> float:
    """The same for Welch's interval of arms of n0 and n1 runs that spread alike."""
    many = 24
    var0, var1 = (_sds(n - 1, many) ** 2 / n for n in (n0, n1))
    var0, var1 = var0[:, None], var1[None, :]
    error = np.sqrt(var0 + var1)
    welch_df = (var0 + var1) ** 2 / (var0**2 / (n0 - 1) + var1**2 / (n1 - 1))
    limit = (special.stdtrit(welch_df, 1 - level / 2) * error)[None, :, :]
    spread = math.sqrt(1 / n0 + 1 / n1)
    true = (effect * (_sds(df, 50) if df else np.ones(1)))[:, None, None]
    chances = special.ndtr((true - limit) / spread) + special.ndtr((-true - limit) / spread)
    return float(chances.mean())


def power(figures: Figures, effect: float, sizes: Ends, level: float, known: bool = False) -> float:
    """The power at ``effect``, in the unit of the metric."""
    assert figures.sd
    in_sd = effect / figures.sd
    df = None if known else figures.df
    n0, n1 = (int(size) for size in sizes)
    if figures.headline == "paired":
        return paired_power(in_sd, n0, level, df)
    return welch_power(in_sd, n0, n1, level, df)


def sd_ends(sd: float, df: int) -> Ends:
    """The 95% interval of a true sd of which ``sd`` is an estimate."""
    low, high = (float(stats.chi2.ppf(p, df)) for p in (0.975, 0.025))
    return sd * math.sqrt(df / low), sd * math.sqrt(df / high)


@cache
# ── planned ranges


@dataclass(frozen=True)
class Plan:
    """A range of ``first`` to ``most`` pairs whose looks have this level."""

    first: int
    most: int
    level: float

    def t(self, n: int) -> float:
        """|t| beyond which n pairs claim something."""
        return float(stats.t.ppf(1 - self.level / 2, n - 1))


@cache
def false_claims(plan: Plan) -> float:
    """The chance that a null study claims something at any look of a range.

    All that matters of n pairs is c, the cosine of the angle between them and the diagonal: t is
    c √(n−1) / √(1−c²), and the next pair, in units of the length of those before, is Student's t
    with n degrees of freedom over √n, whatever came before.
    """
    points, middles = 500, _middles(2000)

    def edge(n: int) -> float:
        t = plan.t(n)
        return t / math.sqrt(n - 1 + t * t)

    silent: Any = None
    for n in range(plan.most - 1, plan.first - 1, -1):
        c = np.linspace(0, edge(n), points)[:, None]
        step = (stats.t.ppf(middles, n) / math.sqrt(n))[None, :]
        after = np.abs(c * math.sqrt(n) + step) / np.sqrt((1 + step**2) * (n + 1))
        inside = after <= edge(n + 1)
        grid = np.linspace(0, edge(n + 1), points)
        later = 1.0 if silent is None else np.interp(after, grid, silent)
        silent = (inside * later).mean(axis=1)
    t = np.abs(stats.t.ppf(_middles(20_000), plan.first - 1))
    start = t / np.sqrt(plan.first - 1 + t**2)
    none = (start <= edge(plan.first)) * np.interp(
        start, np.linspace(0, edge(plan.first), points), silent
    )
    return float(1 - none.mean())


@dataclass(frozen=True)
class Stop:
    """A look at which a range is over, and why."""

    n: int
    why: str


def range_stop(plan: Plan, pairs: Sequence[float | None], delta: float | None) -> Stop | None:
    """Where a range is over: at the first look that claims something, or its last; None while the
    range has to go on."""
    values: list[float] = []
    for n, value in enumerate(pairs, 1):
        if value is None:
            return Stop(n, "diverged")
        values.append(value)
        if n >= plan.first and varies(values, max(map(abs, values))):
            verdict = decide(t_interval(values, plan.level), delta)
            if verdict != "cannot tell":
                return Stop(n, verdict)
        if n == plan.most:
            return Stop(n, "last")
    return None


@dataclass(frozen=True)
class Chances:
    """What a range comes to in simulated studies."""

    claim: float
    too_small: float
    mean_pairs: float
    measured_sd: Any
    size: Any
    """The size of the mean difference of the studies that claim something."""


def simulate(
    plan: Plan,
    effect: Any,
    delta: Any = None,
    *,
    studies: int = 40_000,
    seed: int = 1,
) -> Chances:
    """Studies of a range (or of a fixed number) whose pairs differ by ``effect`` ± 1, played out pair
    by pair. ``effect`` and ``delta`` may be one for each study."""
    rng = np.random.default_rng(seed)
    total, squares = np.zeros(studies), np.zeros(studies)
    over = np.zeros(studies, dtype=bool)
    claims, small = over.copy(), over.copy()
    pairs, sds, sizes = np.full(studies, plan.most), np.zeros(studies), np.zeros(studies)
    for n in range(1, plan.most + 1):
        x = effect + rng.standard_normal(studies)
        total, squares = total + x, squares + x**2
        if n < plan.first:
            continue
        size = np.abs(total) / n
        sd = np.sqrt((squares - n * size**2) / (n - 1))
        error = sd / math.sqrt(n)
        claim = size > plan.t(n) * error
        tiny = ~claim & (size + plan.t(n) * error < delta) if delta is not None else ~claim & claim
        ends = claim | tiny | (n == plan.most)
        now = ends & ~over
        claims |= now & claim
        small |= now & tiny
        pairs[now], sds[now], sizes[now] = n, sd[now], size[now]
        over |= now
    return Chances(
        float(claims.mean()), float(small.mean()), float(pairs.mean()), sds, sizes[claims]
    )


def measured_power(plan: Plan, known: float) -> float:
    """The power of a range, where the true difference is so many of the sds that other studies of
    the same true difference measured when they stopped."""
    low, high = 0.0, 10.0
    while high - low > 1e-3:
        middle = (low + high) / 2
        found = simulate(plan, middle).claim
        low, high = (low, middle) if found >= 0.8 else (middle, high)
    measured = simulate(plan, high, seed=2).measured_sd
    return simulate(plan, known * measured, seed=3).claim


# ── predictions


def calibration(settled: Sequence[tuple[float, bool]]) -> tuple[float, ...]:
    """Hits, mean confidence and Brier score, and the chances of at most and at least so many hits:
    all 2ⁿ ways in which the predictions could have come out."""
    hits = sum(hit for _, hit in settled)
    few = many = 0.0
    for ways in itertools.product((True, False), repeat=len(settled)):
        chance = math.prod(
            sure if hit else 1 - sure for (sure, _), hit in zip(settled, ways, strict=True)
        )
        few += chance * (sum(ways) <= hits)
        many += chance * (sum(ways) >= hits)
    n = len(settled)
    brier = sum((sure - hit) ** 2 for sure, hit in settled) / n
    return hits, sum(sure for sure, _ in settled) / n, brier, few, many


# ── numbers in sentences


def printed_numbers(text: str) -> list[tuple[float, float]]:
    """Each number of a text, and half of its last digit."""
    found = []
    for sign, number in re.findall(r"([−+]?)(\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?)", text):
        mantissa, _, power_of_ten = number.replace(",", "").partition("e")
        half = 0.5 * 10.0 ** (int(power_of_ten or 0) - len(mantissa.partition(".")[2]))
        value = float(number.replace(",", ""))
        found.append((-value if sign == "−" else value, half))
    return found
