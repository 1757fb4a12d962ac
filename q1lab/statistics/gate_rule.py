"""How a gate decides over proposals that come one after another, so that in at most 5 of 100
budgets anything is kept that did nothing. Pure.

A proposal first trains one run at a seed that nobody could know. Only where that is among the best
``screen`` of what the baseline's own spread would give does it come to a look: fresh seeds, drawn
then, for both arms. Nothing can be kept without a look, so the 5% are spent on looks: each of
``looks`` may spend an equal part (Bonferroni's inequality, which holds whatever the proposals have
in common and whoever chooses them). The spread is pooled over all runs of the budget, so a look
needs few of its own; how many is fixed by how well the spread is known, before they train.

The constants are those that cost least for effects of ``effect`` sd of one run: docs/gate.md.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True)
class GateRules:
    """What is fixed when a budget is opened."""

    alpha: float = 0.05
    looks: int = 30
    screen: float = 0.15
    """Share of proposals that do nothing and yet come to a look."""
    effect: float = 3.0
    """The improvement that a look is sized for, in sd of one run."""
    power: float = 0.95
    baseline_runs: int = 4
    """Runs of a baseline before anything is compared with it."""
    early_pairs: int = 2
    """Pairs of a look after which it ends where it goes badly: that keeps nothing, so it costs no
    α."""
    futile: float = 1.0
    """A look goes on only if its first pairs are better by more than so many sd."""
    fewest_pairs: int = 3
    most_pairs: int = 12

    @property
    def alpha_per_look(self) -> float:
        """What one look may spend."""
        return self.alpha / self.looks


RULES = GateRules()
SPREADS_APART = 0.01
"""A proposal whose own spread is larger than the budget's at this level is judged by its own."""


@dataclass(frozen=True)
class LossesSoFar:
    """Losses so far, lower is better: those of the present baseline, and other groups of runs that
    differ in nothing but their seed."""

    baseline: tuple[float, ...] = ()
    others: tuple[tuple[float, ...], ...] = ()

    @property
    def groups(self) -> tuple[tuple[float, ...], ...]:
        return (*self.others, self.baseline)

    @property
    def df(self) -> int:
        return sum(max(0, len(group) - 1) for group in self.groups)

    @property
    def sd(self) -> float:
        """The pooled spread of one run; 0 where nothing varies."""
        squares = sum(_squares(group) for group in self.groups if len(group) > 1)
        return math.sqrt(squares / self.df) if self.df else 0.0

    def after(self, base: Sequence[float], modified: Sequence[float], *, kept: bool) -> LossesSoFar:
        """What is known after a proposal. What a look showed of a proposal that it kept tells of
        its luck, too: it counts for the spread alone, and the new baseline begins without runs."""
        baseline, others = (*self.baseline, *base), (*self.others, tuple(modified))
        return LossesSoFar((), (*others, baseline)) if kept else LossesSoFar(baseline, others)


@dataclass(frozen=True)
class Decision:
    """How a look came out. ``difference`` is proposal − baseline; ``at_most`` is the upper end of
    its one-sided interval at the look's level: below 0, it is kept. ``n`` is how many runs of the
    proposal it rests on."""

    keeps: bool
    difference: float
    upper_end: float
    n: int


@dataclass(frozen=True)
class RunsNeeded:
    """Runs that are to train next, at fresh seeds. ``look`` is how many pairs the whole look has,
    of which these are some; 0 before a look."""

    base: int
    modified: int
    look_pairs: int = 0


@dataclass(frozen=True)
class Judgment:
    """A proposal's end, and why; without a decision it is discarded before a look was whole."""

    decision: Decision | None
    why: str

    @property
    def keeps(self) -> bool:
        return self.decision is not None and self.decision.keeps


ArmLosses = tuple[Sequence[float], Sequence[float]]
"""Of the baseline's and of the proposal's runs that were asked for; diverged runs are left out. A
proposal's that diverges discards it; the baseline's others decide, which can only be to a
proposal's harm."""

TOO_FEW = "too few of the baseline's runs ended with a number; propose it again"


def proposal_steps(
    known: LossesSoFar, rules: GateRules = RULES, look: int = 0
) -> Generator[RunsNeeded, ArmLosses, Judgment]:
    """The way of one proposal: what is to train next, and what comes of it. ``look``: how many
    pairs its look has, where one is on record."""
    base, first = yield RunsNeeded(max(0, rules.baseline_runs - len(known.baseline)), 1)
    known = LossesSoFar((*known.baseline, *base), known.others)
    if not known.baseline or not known.df:
        return Judgment(None, TOO_FEW)
    if not known.sd:
        return Judgment(None, "runs do not vary between seeds, so there is nothing to judge by")
    if not first or not earns_look(known, first[0], rules):
        return Judgment(None, "its first run was not good enough for a look")
    n = look or look_size(known.df, rules)
    early = min(rules.early_pairs, n)
    base, modified = yield RunsNeeded(early, early, n)
    if len(modified) < early:
        return Judgment(None, "a run diverged")
    if base and not continues_look(known, base, modified, rules):
        return Judgment(None, "the first pairs of its look were not good enough")
    more_base, more = yield RunsNeeded(n - early, n - early, n)
    if len(more) < n - early:
        return Judgment(None, "a run diverged")
    base = [*base, *more_base]
    if len(base) < min(2, n):
        return Judgment(None, TOO_FEW)
    found = decide_look(known, base, [*modified, *more], rules)
    clear = "its look is clear" if found.keeps else "its look is not clear"
    lost = n - len(base)
    return Judgment(found, clear + (f"; {lost} runs of the baseline diverged" if lost else ""))


def earns_look(known: LossesSoFar, loss: float, rules: GateRules = RULES) -> bool:
    """Whether a proposal's first run is good enough for a look."""
    margin = _quantile(rules.screen, known.df) * known.sd * math.sqrt(1 + 1 / len(known.baseline))
    return loss < statistics.fmean(known.baseline) - margin


def look_size(df: int, rules: GateRules = RULES) -> int:
    """Runs of each arm that a look needs, with a spread known by ``df`` degrees of freedom."""
    return _size(min(df, 1000), rules)


@lru_cache(maxsize=4096)
def _size(df: int, rules: GateRules) -> int:
    from scipy.stats import nct

    for n in range(rules.fewest_pairs, rules.most_pairs):
        all_df = df + 2 * (n - 1)
        critical = _quantile(rules.alpha_per_look, all_df)
        if nct.sf(critical, all_df, rules.effect * math.sqrt(n / 2)) >= rules.power:
            return n
    return rules.most_pairs


def continues_look(
    known: LossesSoFar, base: Sequence[float], modified: Sequence[float], rules: GateRules = RULES
) -> bool:
    """Whether a look is trained to its end after its first pairs."""
    gain = statistics.fmean(base) - statistics.fmean(modified)
    return gain > rules.futile * known.sd


def decide_look(
    known: LossesSoFar, base: Sequence[float], modified: Sequence[float], rules: GateRules = RULES
) -> Decision:
    """The look's outcome, over fresh seeds of both arms."""
    n, m = len(modified), len(base)
    pooled = LossesSoFar(known.baseline, (*known.others, tuple(base), tuple(modified)))
    error, df = pooled.sd * math.sqrt(1 / n + 1 / m), float(pooled.df)
    own, theirs = (_squares(group) / (len(group) - 1) for group in (modified, base))
    if known.sd and own / known.sd**2 > _ratio(n - 1, known.df):
        own, theirs = own / n, theirs / m
        error = math.sqrt(own + theirs)  # Welch's
        df = (own + theirs) ** 2 / (own**2 / (n - 1) + theirs**2 / (m - 1))
    difference = statistics.fmean(modified) - statistics.fmean(base)
    at_most = difference + _quantile(rules.alpha_per_look, round(df, 1)) * error
    return Decision(at_most < 0 and error > 0, difference, at_most, n)


def _squares(group: Sequence[float]) -> float:
    """The sum of squared distances from the mean (statistics.variance is exact, and slow)."""
    mean = statistics.fmean(group)
    return math.fsum((value - mean) ** 2 for value in group)


@lru_cache(maxsize=65536)
def _quantile(tail: float, df: float) -> float:
    from scipy.stats import t

    return float(t.isf(tail, df))


@lru_cache(maxsize=4096)
def _ratio(own: int, df: int) -> float:
    from scipy.stats import f

    return float(f.isf(SPREADS_APART, own, df))
