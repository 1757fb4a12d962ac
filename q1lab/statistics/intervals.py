"""Intervals and verdicts for a change in val loss, measured with n seeds per arm. Pure functions.

``analyze`` compares two arms, ``seeds_needed`` sizes a study for an effect, ``correlation``
measures how strongly the pairs correlate. The difference is always modified − baseline, in nats,
and lower is better.

How it is computed, and why
---------------------------
Everything comes from ``scipy.special``: ``scipy.stats`` gives the same numbers, and importing it
would be half of what ``q1lab compare`` costs. The tests compare the two.

- The t intervals: Welch's, which keeps its coverage when the arms' spreads differ, as a change of
  architecture easily causes, and the paired one.
- The permutation test enumerates every relabelling while there are at most 9,999, so that p is
  exact, and takes ties by a tolerance of the losses' own rounding.
- The bootstrap enumerates every resample while it can. The ends of its interval are resampled
  differences themselves, by ``inverted_cdf``: to interpolate between them covers less at n = 3 than
  the plain definition, and BCa moves with the generator there.
- Power: the square of a noncentral t is a noncentral F with 1 degree of freedom above; the F
  function stays finite where the noncentral t gives NaN (df 2, noncentrality 79).
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from q1lab.ground.errors import Problem

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Headline = Literal["paired", "welch"]
Verdict = Literal["helps", "hurts", "too small to matter", "cannot tell", "no verdict"]

ALPHA = 0.05
ALPHA_LATER = 0.0106
"""The α of a question's later looks: of each later look outside a plan, and of a later plan in
total. A first look at 3 pairs and later ones at 5 and 10 then give 6.1% false verdicts
(interim_analyses.py)."""
LOGNORMAL_FIXED, LOGNORMAL_RANGE = 0.08, 0.10
"""The chance of a false claim at α = .05 where the differences of pairs are skewed like lognormal
numbers (σ = .5), for a fixed number of pairs and for a planned range (tools/docs/skewed.py)."""
LOGNORMAL_PAIRS = 12
"""The most pairs for which those chances hold; with more they come closer to α."""
POWER = 0.8
MIN_FOR_INTERVAL = 2
MIN_FOR_VERDICT = 3
SPREAD_PAIRS = 8  # with fewer, a spread is too rough to plan by where there is another
MAX_SEEDS = 1000  # where the search for "seeds needed" stops; nobody trains more
ENUMERATE_UP_TO = 100_000  # resamples; 4 seeds per arm give 256 × 256, 6 pairs give 46,656
RESAMPLES = 9_999
PERMUTATIONS = 9_999
SEED = 20_260  # of the resampling generator, so that the same runs give the same interval
DIVERGED_LOSS = 1e100  # a larger loss counts as diverged: its square would overflow

# True coverage, in %, of a percentile bootstrap interval that calls itself 95%, for a difference of
# two means with normal errors. Measured as docs/statistics.md says; good to about 0.3.
COVERAGE: dict[Headline, dict[int, float]] = {
    "welch": {
        2: 66.8,
        3: 80.9,
        4: 85.8,
        5: 87.7,
        6: 89.4,
        8: 91.1,
        10: 92.0,
        15: 93.1,
        20: 93.4,
        30: 94.1,
    },
    "paired": {
        2: 49.9,
        3: 75.2,
        4: 79.9,
        5: 83.9,
        6: 85.9,
        8: 88.6,
        10: 90.3,
        15: 91.8,
        20: 92.7,
        30: 93.7,
    },
}


class Reason(StrEnum):
    """The first reason that applies for having no verdict."""

    GATED = "gated"
    CHANGED = "changed plan"
    DIVERGED = "diverged"
    CHOSEN = "chosen"
    INCOMPLETE = "incomplete"
    EQUAL = "equal"
    """The two losses of every pair are identical to the last bit."""
    TOO_FEW = "too few"
    NO_SPREAD = "no spread"


class NoteKind(StrEnum):
    """The subject of a note beside the verdict; note_text.py has the texts."""

    UNPAIRED = "unpaired"
    EQUAL = "equal pairs"
    SERIES = "series"
    ASKED = "asked"
    LEFT_OUT = "left out"
    CHANGED_PLAN = "changed plan"
    OTHER_RUNS = "other runs"
    CONDITIONS = "conditions"
    ALLOWED = "allowed"
    TRAINER = "trainer"
    DIVERGED_OR_STUCK = "strays"
    SHORT = "short budget"
    RISING = "val loss rises"
    OUTLIER = "outlier"
    DISAGREE = "bootstrap disagrees"
    TEMPTING = "other interval"
    BELOW_DELTA = "below delta"
    UNFINISHED = "unfinished"
    DAMAGED = "damaged lines"
    UNCHECKED = "unchecked"
    OVERRULED = "overruled"
    LEFT_OPEN = "left open by the checks"
    SIZE = "size"
    COMMAND = "command"


@dataclass(frozen=True)
class Note:
    """A fact that the reader of a verdict must know: its kind and its values, in JSON's types."""

    kind: NoteKind
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Interval:
    """A confidence interval of the difference, in nats."""

    low: float
    high: float

    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0

    def inside(self, delta: float) -> bool:
        return -delta < self.low and self.high < delta


@dataclass(frozen=True)
class Bootstrap:
    """A percentile bootstrap interval that calls itself 95%, with its true coverage in
    %."""

    low: float
    high: float
    resamples: int
    method: str
    true_coverage: float

    def interval(self) -> Interval:
        return Interval(self.low, self.high)


@dataclass(frozen=True)
class SeedsNeeded:
    """Seeds per arm that detect ``effect`` (nats) with power .8 at ``alpha``.

    ``mid`` takes the sd as it was measured; ``low`` and ``high`` take the ends of the sd's own 95%
    interval. ``capped``: the search stopped at ``MAX_SEEDS``, so ``high`` (and perhaps the others)
    means "or more".
    """

    low: int
    mid: int
    high: int
    effect: float
    alpha: float
    capped: bool


@dataclass(frozen=True)
class Analysis:
    """All numbers of one comparison. Losses and differences are in nats; absent numbers are None,
    never NaN.
    """

    headline: Headline
    alpha: float
    delta: float | None
    # sample size of the headline: pairs, or seeds in the smaller arm; diverged runs do not count
    n: int
    pairs: dict[int, float]  # seed: modified − baseline, for seeds that both arms finished
    mean: float | None
    welch: Interval | None
    paired: Interval | None
    bootstrap: Bootstrap | None
    permutation_p: float | None
    verdict: Verdict
    detectable: float | None
    seeds_needed: SeedsNeeded | None
    diverged: dict[str, list[int]]
    reason: Reason | None
    """The reason for having no verdict; None with a verdict."""
    notes: tuple[Note, ...]
    complete: bool
    """True if all planned runs have ended."""
    overstated: tuple[float, float] | None = None
    """The factors by which claims of such studies overstate a true difference of one sd of a pair's
    difference and of half an sd; None if unknown."""

    @property
    def ends(self) -> Interval | None:
        """The interval the verdict rests on, declared before the runs."""
        return self.paired if self.headline == "paired" else self.welch

    @property
    def level(self) -> float:
        """The nominal coverage of the headline interval, a share: 0.95 for one look."""
        return 1 - self.alpha


def analyze(
    baseline: Mapping[int, float | None],
    modified: Mapping[int, float | None],
    *,
    headline: Headline,
    alpha: float = ALPHA,
    delta: float | None = None,
    complete: bool = True,
    picked: bool = False,
) -> Analysis:
    """Compare two arms of final val losses (nats), each a mapping seed → loss, None for a run that
    diverged.

    ``headline`` is the interval declared before the first run; ``alpha`` is the level of this look
    (the interval covers 1 − α; interim_analyses.py computes it); ``delta`` is the
    smallest difference that matters, in nats, chosen before the runs. ``complete`` is false while
    planned runs are missing: there are numbers but no verdict, because stopping at the first good
    look lets noise win. ``picked``: the seeds were selected when their results could be known
    and others were left out, so there is no verdict.

    Raises Problem for an invalid headline, alpha or delta.
    """
    _check(headline, alpha, delta)
    base, mod = _finite(baseline), _finite(modified)
    diverged = {
        "baseline": sorted(set(baseline) - set(base)),
        "modified": sorted(set(modified) - set(mod)),
    }
    pairs = {seed: mod[seed] - base[seed] for seed in sorted(base.keys() & mod.keys())}
    a, b, d = list(base.values()), list(mod.values()), list(pairs.values())
    n = len(d) if headline == "paired" else min(len(a), len(b))
    unpaired_seeds = sorted(set(baseline) ^ set(modified))
    notes = [Note(NoteKind.UNPAIRED, {"seeds": unpaired_seeds})] if unpaired_seeds else []
    equal_pairs = d.count(0.0)
    all_equal = equal_pairs == len(d) >= MIN_FOR_INTERVAL

    # Leaving a diverged run out would be choosing the data, so with one there is no mean, no
    # interval, no verdict.
    none_diverged = not diverged["baseline"] and not diverged["modified"]
    mean: float | None = None
    welch = paired = boot = needed = None
    p = detectable = None
    verdict: Verdict = "no verdict"
    if none_diverged and n >= 1:
        mean = (
            statistics.fmean(d)
            if headline == "paired"
            else statistics.fmean(b) - statistics.fmean(a)
        )
    if none_diverged and mean is not None and n >= MIN_FOR_INTERVAL and not all_equal:
        welch, paired = _t_intervals(a, b, d, alpha)
        if (paired if headline == "paired" else welch) is not None:
            sd, df = _spread(a, b, d, headline)
            sizes = (n, n) if headline == "paired" else (len(a), len(b))
            boot = _bootstrap(a, b, d, headline)
            p = _permutation_p(a, b, d, headline)
            if n >= MIN_FOR_VERDICT:  # fewer never get a verdict, however large the difference
                detectable = detectable_in_sd(*sizes, headline, alpha) * sd
            if delta is not None:
                # not for the observed mean: that range holds the true need in only 55 to 79%
                needed = _seeds_for(delta, sd, df, headline, POWER, ALPHA_LATER)
            if n >= MIN_FOR_VERDICT and complete and not picked:
                headline_interval, other_interval = (
                    (paired, welch) if headline == "paired" else (welch, paired)
                )
                assert headline_interval is not None
                verdict = _decide(headline_interval, delta)
                notes += _notes_on_verdict(verdict, headline_interval, other_interval, boot, delta)
                notes += _outlier_notes(base, mod, headline, alpha, delta)

    reason = _reason(verdict, none_diverged, picked, complete, n, all_equal)
    if 2 * equal_pairs > len(d) and reason is not Reason.EQUAL:
        notes.append(Note(NoteKind.EQUAL, {"equal": equal_pairs, "pairs": len(d)}))
    return Analysis(
        headline=headline,
        alpha=alpha,
        delta=delta,
        n=n,
        pairs=pairs,
        mean=mean,
        welch=welch,
        paired=paired,
        bootstrap=boot,
        permutation_p=p,
        verdict=verdict,
        detectable=detectable,
        seeds_needed=needed,
        diverged=diverged,
        reason=reason,
        notes=tuple(notes),
        complete=complete,
    )


def claims_difference(
    baseline: Mapping[int, float | None],
    modified: Mapping[int, float | None],
    *,
    headline: Headline,
    alpha: float,
) -> bool:
    """True if ``analyze`` would say HELPS or HURTS of two arms whose runs have all ended."""
    base, mod = _finite(baseline), _finite(modified)
    if len(base) < len(baseline) or len(mod) < len(modified):
        return False
    ends = _headline_interval(base, mod, headline, alpha)
    return ends is not None and ends.excludes_zero()


def seeds_needed(
    effect: float,
    sd: float,
    *,
    headline: Headline,
    power: float = POWER,
    alpha: float = ALPHA,
    df: int | None = None,
) -> SeedsNeeded:
    """The seeds per arm that detect a true difference of ``effect`` nats with probability ``power``
    at two-sided ``alpha``.

    ``sd`` is one run's for "welch" and that of the pairwise differences for "paired", in nats.
    ``df`` is the degrees of freedom of that estimate (2 for three pairs, 4 for two arms of three):
    with it the result is a range over the sd's 95% interval; without it the sd counts as exact and
    low = mid = high. Never fewer than 3, because fewer give no verdict; never more than
    ``MAX_SEEDS`` (then ``capped`` is true).
    """
    _check(headline, ALPHA, None)
    if not (math.isfinite(effect) and effect != 0):
        raise Problem(
            f"effect {effect}: ", next="give the difference you want to see, in nats, other than 0"
        )
    if not (math.isfinite(sd) and sd >= 0):
        raise Problem(f"sd {sd}: ", next="give the spread between seeds in nats, 0 or more")
    if not (0 < alpha < 1 and alpha < power < 1):
        raise Problem(
            f"power {power} and alpha {alpha}: both lie between 0 and 1, and power above alpha"
        )
    if df is not None and df < 1:
        raise Problem(f"df {df}: an sd needs at least one degree of freedom, which is two values")
    return _seeds_for(abs(effect), sd, df, headline, power, alpha)


def ratio_interval(baseline: Sequence[float], modified: Sequence[float]) -> Interval | None:
    """The 95% interval (Welch, of logarithms) of modified / baseline − 1 for what is measured in
    each run: speed, time. None with fewer than three runs an arm, or where neither arm varies."""
    arms = [[math.log(value) for value in arm if value > 0] for arm in (baseline, modified)]
    if min(map(len, arms)) < MIN_FOR_VERDICT or not any(_has_spread(arm, 1.0) for arm in arms):
        return None
    log_interval = _welch(arms[0], arms[1], ALPHA)
    return Interval(math.expm1(log_interval.low), math.expm1(log_interval.high))


def pair_correlation(pairs: Sequence[tuple[float, float]]) -> tuple[float, float, float] | None:
    """The correlation of the arms' losses over the seeds: Pearson's r and its 95% interval
    (Fisher's z). None below four pairs, and if an arm has no spread."""
    base, modified = (list(arm) for arm in zip(*pairs, strict=True)) if pairs else ([], [])
    scale = max(map(abs, base + modified), default=0.0)
    if len(pairs) < 4 or not (_has_spread(base, scale) and _has_spread(modified, scale)):
        return None
    import numpy as np
    from scipy import special

    correlation = float(np.corrcoef(base, modified)[0, 1])
    if abs(correlation) == 1:
        return correlation, correlation, correlation
    z, margin = math.atanh(correlation), special.ndtri(0.975) / math.sqrt(len(pairs) - 3)
    return correlation, math.tanh(z - margin), math.tanh(z + margin)


def true_coverage(n: int, headline: Headline) -> float:
    """The true coverage of a 95% percentile bootstrap interval at ``n`` seeds per arm, in % (from
    ``COVERAGE``).

    Between two rows of the table the smaller n counts, so that the label never promises too much.
    """
    table = COVERAGE[headline]
    return table[max(size for size in table if size <= max(n, MIN_FOR_INTERVAL))]


def power_of(
    effect_in_sd: float, n_baseline: int, n_modified: int, headline: Headline, alpha: float
) -> float:
    """The chance that the headline interval excludes 0 when the true difference is ``effect_in_sd``
    sds.

    At 0 it is the chance of a false HELPS or HURTS. Normal errors; for "welch" both arms spread
    equally, and then it is exact: the pooled t statistic is independent of the share B of the sum
    of squares that comes from one arm, B is Beta(df₀/2, df₁/2), and Welch's statistic and degrees
    of freedom depend on the data only through the two. So it is an average over B, here at 48
    equally likely values. "paired" needs n_baseline = n_modified = pairs.
    """
    import numpy as np
    from scipy import special

    effect_in_sd = max(-1e9, min(1e9, effect_in_sd))  # its square is a float, and the power is 1
    if headline == "paired":
        df, nc = n_baseline - 1, effect_in_sd**2 * n_baseline
        limit = special.stdtrit(df, 1 - alpha / 2)
        return float(1 - special.ncfdtr(1, df, nc, limit**2))
    df0, df1 = n_baseline - 1, n_modified - 1
    shares = special.betaincinv(df0 / 2, df1 / 2, (np.arange(48) + 0.5) / 48)
    var0, var1 = (
        shares / (df0 * n_baseline),
        (1 - shares) / (df1 * n_modified),
    )  # of the means, in units of the sum
    welch_df = (var0 + var1) ** 2 / (var0**2 / df0 + var1**2 / df1)
    inverse_n = 1 / n_baseline + 1 / n_modified
    pooled = inverse_n / (df0 + df1)
    limit2 = special.stdtrit(welch_df, 1 - alpha / 2) ** 2 * (var0 + var1) / pooled
    return float(np.mean(1 - special.ncfdtr(1, df0 + df1, effect_in_sd**2 / inverse_n, limit2)))


def block_rows(rows: int, n: int) -> Iterator[int]:
    """Sizes of blocks that together have ``rows`` rows of n numbers: 10,000 runs would otherwise
    take gigabytes."""
    most = max(1, (1 << 16) // n)
    for start in range(0, rows, most):
        yield min(most, rows - start)


def resample_indices(n: int) -> NDArray[np.intp]:
    """All nⁿ ways to draw n of n with replacement: shape (nⁿ, n). Meant for n ≤ 6."""
    import numpy as np

    return np.array(list(itertools.product(range(n), repeat=n)), dtype=np.intp)


# ── parts of analyze and seeds_needed


def _check(headline: str, alpha: float, delta: float | None) -> None:
    if headline not in ("paired", "welch"):
        raise Problem(f"headline {headline!r}: the interval is either 'paired' or 'welch'")
    if not 0 < alpha < 1:
        raise Problem(f"alpha {alpha}: the chance of a false verdict lies between 0 and 1")
    if delta is not None and not (math.isfinite(delta) and delta > 0):
        raise Problem(
            f"delta {delta}: the smallest difference that matters is a number of nats above 0"
        )


def _finite(arm: Mapping[int, float | None]) -> dict[int, float]:
    """The runs that did not diverge, in order of their seeds."""
    loss_by_seed = {}
    for seed in sorted(arm):
        value = arm[seed]
        if value is not None and math.isfinite(value) and abs(value) < DIVERGED_LOSS:
            loss_by_seed[seed] = float(value)
    return loss_by_seed


def _has_spread(values: Sequence[float], scale: float) -> bool:
    """True if values differ by more than the rounding error of losses of size ``scale``."""
    return max(values) - min(values) > 1e-12 * scale


def _spread(
    a: Sequence[float], b: Sequence[float], d: Sequence[float], headline: Headline
) -> tuple[float, int]:
    """The sd that power is measured in (of the pairs, or one run's, pooled), and its degrees of
    freedom."""
    if headline == "paired":
        return statistics.stdev(d), len(d) - 1
    df = len(a) + len(b) - 2
    squares = (len(a) - 1) * statistics.variance(a) + (len(b) - 1) * statistics.variance(b)
    return math.sqrt(squares / df), df


def _headline_interval(
    base: Mapping[int, float], mod: Mapping[int, float], headline: Headline, alpha: float
) -> Interval | None:
    """The interval that decides; None where there is no verdict."""
    a, b, d = list(base.values()), list(mod.values()), [mod[s] - base[s] for s in base if s in mod]
    n = len(d) if headline == "paired" else min(len(a), len(b))
    if n < MIN_FOR_VERDICT or (d and not any(d)):
        return None
    welch, paired = _t_intervals(a, b, d, alpha)
    return paired if headline == "paired" else welch


def _t_intervals(
    a: Sequence[float], b: Sequence[float], d: Sequence[float], alpha: float
) -> tuple[Interval | None, Interval | None]:
    """The Welch and the paired interval; None where there are too few values, or no spread."""
    scale = max(map(abs, [*a, *b]))
    welch = paired = None
    if min(len(a), len(b)) >= MIN_FOR_INTERVAL and (_has_spread(a, scale) or _has_spread(b, scale)):
        welch = _welch(a, b, alpha)
    if len(d) >= MIN_FOR_INTERVAL and _has_spread(d, scale):
        paired = _paired(d, alpha)
    return welch, paired


def _welch(a: Sequence[float], b: Sequence[float], alpha: float) -> Interval:
    import numpy as np

    var_a, var_b = np.var(a, ddof=1) / len(a), np.var(b, ddof=1) / len(b)  # of the means
    variance = var_a + var_b
    share = var_a / variance if variance else 0.5  # the variance of tiny losses can underflow to 0
    df = 1 / (share**2 / (len(a) - 1) + (1 - share) ** 2 / (len(b) - 1))
    return _t_interval(np.mean(b) - np.mean(a), np.sqrt(variance), df, alpha)


def _paired(d: Sequence[float], alpha: float) -> Interval:
    import numpy as np

    return _t_interval(np.mean(d), np.sqrt(np.var(d, ddof=1) / len(d)), len(d) - 1, alpha)


def _t_interval(difference: Any, error: Any, df: Any, alpha: float) -> Interval:
    from scipy import special

    low, high = difference + special.stdtrit(df, [alpha / 2, 1 - alpha / 2]) * error
    return Interval(float(low), float(high))


def _bootstrap(
    a: Sequence[float], b: Sequence[float], d: Sequence[float], headline: Headline
) -> Bootstrap:
    """The percentile interval of the difference: pairs are resampled as pairs, unpaired
    arms independently."""
    import numpy as np

    groups = [np.array(d)] if headline == "paired" else [np.array(a), np.array(b)]
    ways = math.prod(len(group) ** len(group) for group in groups)
    resampled_unit = "pairs" if headline == "paired" else "each arm by itself"
    every, rng = ways <= ENUMERATE_UP_TO, np.random.default_rng(SEED)
    means = []
    for group in groups:
        n = len(group)
        blocks = (
            [resample_indices(n)]
            if every
            else (rng.integers(0, n, (rows, n)) for rows in block_rows(RESAMPLES, n))
        )
        means.append(np.concatenate([group[indices].mean(axis=1) for indices in blocks]))
    if headline == "paired":
        resampled = means[0]
    elif every:
        resampled = (means[1][:, None] - means[0][None, :]).ravel()
    else:
        resampled = means[1] - means[0]
    kind = "every resample" if every else "random resamples (fixed seed)"
    method = f"percentile, {resampled_unit}, {kind}"
    # a resampled value itself: numpy's default would interpolate inwards between two of them
    tails = [(1 - 0.95) / 2, (1 + 0.95) / 2]
    low, high = np.quantile(resampled, tails, method="inverted_cdf")
    smallest = min(len(group) for group in groups)
    return Bootstrap(
        float(low), float(high), len(resampled), method, true_coverage(smallest, headline)
    )


def _permutation_p(
    a: Sequence[float], b: Sequence[float], d: Sequence[float], headline: Headline
) -> float:
    """Two-sided p: labels shuffled between the arms, or signs of pairs flipped. Exact up to 9,999
    of them.

    Relabellings count as extreme by |difference|, with a tolerance of the losses' own rounding:
    with one relative to an observed difference near 0, rounding would decide, and swapping the arms
    would change p.
    """
    import numpy as np

    if headline == "paired":
        values = np.array(d)
        observed = values.mean()
        blocks = [(signs * values).mean(axis=1) for signs in _signs(len(values))]
    else:
        values = np.array([*b, *a])
        observed = values[len(b) :].mean() - values[: len(b)].mean()
        relabelled = (values[order] for order in _relabellings(len(b), len(a)))
        blocks = [
            rows[:, len(b) :].mean(axis=1) - rows[:, : len(b)].mean(axis=1) for rows in relabelled
        ]
    null = np.concatenate(blocks)
    scale = float(np.abs(values).max())
    extreme = int(np.sum(np.abs(null) >= abs(observed) - 1e-12 * scale))
    if len(null) < PERMUTATIONS:
        return extreme / len(null)  # all relabellings, with the observed one
    return (extreme + 1) / (len(null) + 1)


def _signs(n: int) -> Iterator[NDArray[np.intp]]:
    """All 2ⁿ signs of n pairs, a row each, or PERMUTATIONS random rows where there are more; in
    blocks of rows."""
    import numpy as np

    if 2**n <= PERMUTATIONS:
        yield np.array(list(itertools.product((1, -1), repeat=n)))
        return
    # drawn as scipy.stats.permutation_test draws them: a study's p stays what it was
    rng = np.random.default_rng(SEED)
    for rows in block_rows(PERMUTATIONS, n):
        yield rng.permuted(np.tile([1, -1], (rows, n, 1)), axis=-1)[:, :, 0]


def _relabellings(n_first: int, n_last: int) -> Iterator[NDArray[np.intp]]:
    """All ways to divide both arms' runs, a row of indices each, the first arm's before the last's;
    or PERMUTATIONS random rows where there are more; in blocks of rows."""
    import numpy as np

    n = n_first + n_last
    if math.comb(n, n_first) <= PERMUTATIONS:
        divisions = itertools.combinations(range(n), n_first)
        yield np.array([[*first, *(set(range(n)) - {*first})] for first in divisions])
        return
    rng = np.random.default_rng(SEED)
    for rows in block_rows(PERMUTATIONS, n):
        yield np.array([rng.permutation(n) for _ in range(rows)])


@lru_cache(maxsize=1024)
def detectable_in_sd(n_baseline: int, n_modified: int, headline: Headline, alpha: float) -> float:
    """The true difference, in sds, that the headline interval detects with power .8."""

    def is_detected(effect: float) -> bool:
        return power_of(effect, n_baseline, n_modified, headline, alpha) >= POWER

    low, high = 0.0, 1.0
    while not is_detected(high):
        low, high = high, 2 * high
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if is_detected(middle) else (middle, high)
    return high


def _seeds_for(
    effect: float, sd: float, df: int | None, headline: Headline, power: float, alpha: float
) -> SeedsNeeded:
    from scipy import special

    low_sd = high_sd = sd
    if df is not None:
        # (df · s²/σ²) is χ²: at df 2 the sd is known only to within × 0.52 to 6.3
        low_sd = sd * math.sqrt(df / special.chdtri(df, 0.025))
        high_sd = sd * math.sqrt(df / special.chdtri(df, 0.975))
    low, mid, high = (
        _smallest_n(effect, spread, headline, power, alpha) for spread in (low_sd, sd, high_sd)
    )
    return SeedsNeeded(
        min(low, MAX_SEEDS),
        min(mid, MAX_SEEDS),
        min(high, MAX_SEEDS),
        effect=effect,
        alpha=alpha,
        capped=high > MAX_SEEDS,
    )


def _smallest_n(effect: float, sd: float, headline: Headline, power: float, alpha: float) -> int:
    """The smallest n ≥ 3 per arm with that power, or MAX_SEEDS + 1 if it is beyond the search."""
    from scipy import special

    if sd <= 0:
        return MIN_FOR_VERDICT
    ratio = effect / sd
    if ratio <= 0:
        return MAX_SEEDS + 1
    # The normal approximation lands a seed or two below the answer; walk from there.
    arms = 1 if headline == "paired" else 2
    guess: float = arms * ((special.ndtri(1 - alpha / 2) + special.ndtri(power)) / ratio) ** 2
    if guess > MAX_SEEDS:
        return MAX_SEEDS + 1
    n = max(MIN_FOR_VERDICT, math.ceil(float(guess)))
    while n <= MAX_SEEDS and power_of(ratio, n, n, headline, alpha) < power:
        n += 1
    while n > MIN_FOR_VERDICT and power_of(ratio, n - 1, n - 1, headline, alpha) >= power:
        n -= 1
    return n


def _decide(interval: Interval, delta: float | None) -> Verdict:
    if interval.high < 0:
        return "helps"
    if interval.low > 0:
        return "hurts"
    if delta is not None and interval.inside(delta):
        return "too small to matter"
    return "cannot tell"


# ── the reason and the notes


def _reason(
    verdict: Verdict, none_diverged: bool, picked: bool, complete: bool, n: int, all_equal: bool
) -> Reason | None:
    if verdict != "no verdict":
        return None
    if not none_diverged:
        return Reason.DIVERGED
    if picked:
        return Reason.CHOSEN
    if not complete:
        return Reason.INCOMPLETE
    if all_equal:
        return Reason.EQUAL
    return Reason.TOO_FEW if n < MIN_FOR_VERDICT else Reason.NO_SPREAD


OUTLIER_ALPHA = 0.01
"""The share of normal samples in which a value is called an outlier."""


def find_outlier(value_by_seed: Mapping[int, float], scale: float) -> int | None:
    """The seed whose value lies so far from all others that it is an outlier by Grubbs's test; None
    where there is none, and where the others are equal (as rounded values often are).

    The test compares the value's distance from the mean of the others with their spread: Student's
    t with n − 2 degrees of freedom, at a level divided by the n values that it could have been.
    ``scale`` is the size of the losses that the values come from.
    """
    from scipy import special

    n = len(value_by_seed)
    if n < MIN_FOR_VERDICT:
        return None
    middle = statistics.median(value_by_seed.values())
    seed = max(value_by_seed, key=lambda seed: abs(value_by_seed[seed] - middle))
    others = [value for other, value in value_by_seed.items() if other != seed]
    if not _has_spread(others, scale):
        return None
    distance = abs(value_by_seed[seed] - statistics.fmean(others))
    error = statistics.stdev(others) * math.sqrt(1 + 1 / len(others))
    limit = float(special.stdtrit(n - 2, 1 - OUTLIER_ALPHA / (2 * n)))
    return seed if distance > limit * error else None


def _outlier_notes(
    base: Mapping[int, float],
    mod: Mapping[int, float],
    headline: Headline,
    alpha: float,
    delta: float | None,
) -> list[Note]:
    """The pair whose difference, or the run whose loss, lies far from all others, and the verdict
    that the others alone would have."""
    scale = max(map(abs, [*base.values(), *mod.values()]))
    if headline == "paired":
        samples = {"": {seed: mod[seed] - base[seed] for seed in base if seed in mod}}
    else:
        samples = {"baseline": dict(base), "modified": dict(mod)}
    notes = []
    for arm, values in samples.items():
        if (seed := find_outlier(values, scale)) is not None:
            other_base, other_mod = (
                {other: losses[other] for other in losses if other != seed or arm == untouched}
                for losses, untouched in ((base, "modified"), (mod, "baseline"))
            )
            ends = _headline_interval(other_base, other_mod, headline, alpha)
            without = "no verdict" if ends is None else _decide(ends, delta)
            facts = {"arm": arm, "seed": seed, "value": values[seed], "without": without}
            notes.append(Note(NoteKind.OUTLIER, facts))
    return notes


def _notes_on_verdict(
    verdict: Verdict,
    headline_interval: Interval,
    other_interval: Interval | None,
    boot: Bootstrap,
    delta: float | None,
) -> list[Note]:
    notes = []
    if boot.interval().excludes_zero() != headline_interval.excludes_zero():
        notes.append(Note(NoteKind.DISAGREE, {"bootstrap": boot.interval().excludes_zero()}))
    other_verdict = _decide(other_interval, delta) if other_interval is not None else verdict
    if verdict == "cannot tell" and other_verdict in ("helps", "hurts"):
        notes.append(Note(NoteKind.TEMPTING, {"verdict": other_verdict}))
    if verdict in ("helps", "hurts") and delta is not None and headline_interval.inside(delta):
        notes.append(Note(NoteKind.BELOW_DELTA))
    return notes
