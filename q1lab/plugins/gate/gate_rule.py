"""The gate's decision rule for a sequence of proposals: at most 5 of 100 gate budgets keep any
proposal without an effect. Pure.

A proposal first trains one run at a seed that could not be known before. It earns a look only if
that run is among the best ``screen`` of the baseline's distribution. A look trains both arms on
fresh seeds, drawn at that moment. Nothing is kept without a look, so the looks share the 5%: each
of ``looks`` spends an equal part (Bonferroni's inequality, which holds for any dependence between
proposals and any way of choosing them). The spread is pooled over all runs since a proposal was
last kept, so a look needs few runs of its own; their number depends on the spread's degrees of
freedom and is fixed before they train. A proposal that spreads wider, or pairs that differ by more
than two runs do, are judged by their own spread. With the few runs of a look that is noticed in
part, so the looks share a little less than 5%.

The constants have the lowest cost for effects of ``effect`` sd of one run: docs/gate.md.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True)
class GateRules:
    """Settings that are fixed when a gate budget is opened."""

    alpha: float = 0.04
    """The share of gate budgets that keep a proposal without an effect, where all runs spread
    alike; the rest of the 5% is for those that don't (docs/gate.md)."""
    looks: int = 30
    screen: float = 0.15
    """The share of proposals without an effect that earn a look."""
    effect: float = 3.0
    """The improvement that a look is sized to detect, in sd of one run."""
    power: float = 0.95
    baseline_runs: int = 4
    """Runs of a baseline before anything is compared with it."""
    early_pairs: int = 2
    """Pairs of a look after which it may end early for futility. That discards the proposal, so it
    costs no α."""
    futile: float = 1.0
    """A look continues only if its first pairs are better by more than this many sd."""
    fewest_pairs: int = 3
    most_pairs: int = 12
    wider_at: float = 0.2
    """The level at which a spread counts as wider than the pooled one."""
    looks_at_pairs: bool = True
    """True if the spread of a look's pairs is compared, too."""
    forgets: bool = True
    """True if the spread is pooled anew from the look that kept a proposal on."""

    @property
    def alpha_per_look(self) -> float:
        """The α that one look may spend."""
        return self.alpha / self.looks


RULES = GateRules()
NEWEST = 2
RULES_BY_NUMBER = {
    1: GateRules(alpha=0.05, wider_at=0.01, looks_at_pairs=False, forgets=False),
    NEWEST: RULES,
}
"""The rules by their number in a plan: a budget keeps those that it was begun with."""


@dataclass(frozen=True)
class LossesSoFar:
    """Losses so far (lower is better): those of the current baseline, and other groups of runs that
    differ only in their seed."""

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
        """The pooled sd of one run; 0 where no group varies."""
        squares = sum(_squares(group) for group in self.groups if len(group) > 1)
        return math.sqrt(squares / self.df) if self.df else 0.0

    def after(
        self,
        base: Sequence[float],
        modified: Sequence[float],
        *,
        kept: bool,
        rules: GateRules = RULES,
    ) -> LossesSoFar:
        """The losses after a proposal has been judged. Selection biases the mean of a kept
        proposal, so its runs count for the spread alone and the new baseline begins without runs.
        It may spread otherwise than the one before, whose runs are left out then."""
        baseline, others = (*self.baseline, *base), (*self.others, tuple(modified))
        if not kept:
            return LossesSoFar(baseline, others)
        return LossesSoFar((), (tuple(modified),) if rules.forgets else (*others, baseline))


@dataclass(frozen=True)
class Decision:
    """The result of a look. ``difference`` is proposal − baseline. ``upper_end`` is that of its
    one-sided interval at the look's level: the proposal is kept if it is below 0. ``n`` is the
    number of the proposal's runs."""

    keeps: bool
    difference: float
    upper_end: float
    n: int


@dataclass(frozen=True)
class RunsNeeded:
    """Runs to train next, at fresh seeds. ``look_pairs`` is the number of pairs in the complete
    look, 0 before a look."""

    base: int
    modified: int
    look_pairs: int = 0


@dataclass(frozen=True)
class GateJudgment:
    """The outcome of a proposal with its reason; without a decision the proposal was discarded
    before a look was complete."""

    decision: Decision | None
    why: str

    @property
    def keeps(self) -> bool:
        return self.decision is not None and self.decision.keeps


ArmLosses = tuple[Sequence[float], Sequence[float]]
"""Losses of the baseline's and of the proposal's requested runs, diverged runs left out. If a run
of the proposal diverges, the proposal is discarded; if one of the baseline diverges, its other runs
decide, which can only hurt the proposal."""

TOO_FEW = "too few of the baseline's runs ended with a number; propose it again"


def proposal_steps(
    losses: LossesSoFar, rules: GateRules = RULES, look: int = 0
) -> Generator[RunsNeeded, ArmLosses, GateJudgment]:
    """Judge one proposal: yield the runs to train next, take their losses, return the judgment.
    ``look``: the number of pairs of its look, if one is on record."""
    base, first_modified = yield RunsNeeded(max(0, rules.baseline_runs - len(losses.baseline)), 1)
    losses = LossesSoFar((*losses.baseline, *base), losses.others)
    if not losses.baseline or not losses.df:
        return GateJudgment(None, TOO_FEW)
    if not losses.sd:
        return GateJudgment(None, "runs do not vary between seeds, so there is nothing to judge by")
    if not first_modified or not earns_look(losses, first_modified[0], rules):
        return GateJudgment(None, "its first run was not good enough for a look")
    n = look or look_size(losses.df, rules)
    early = min(rules.early_pairs, n)
    base, modified = yield RunsNeeded(early, early, n)
    if len(modified) < early:
        return GateJudgment(None, "a run diverged")
    if base and not continues_look(losses, base, modified, rules):
        return GateJudgment(None, "the first pairs of its look were not good enough")
    more_base, more_modified = yield RunsNeeded(n - early, n - early, n)
    if len(more_modified) < n - early:
        return GateJudgment(None, "a run diverged")
    base = [*base, *more_base]
    if len(base) < min(2, n):
        return GateJudgment(None, TOO_FEW)
    decision = decide_look(losses, base, [*modified, *more_modified], rules)
    outcome = "its look is clear" if decision.keeps else "its look is not clear"
    diverged = n - len(base)
    if diverged:
        outcome += f"; {diverged} run{'s' * (diverged > 1)} of the baseline diverged"
    return GateJudgment(decision, outcome)


def earns_look(losses: LossesSoFar, loss: float, rules: GateRules = RULES) -> bool:
    """True if a proposal's first run is good enough for a look."""
    margin = (
        _quantile(rules.screen, losses.df) * losses.sd * math.sqrt(1 + 1 / len(losses.baseline))
    )
    return loss < statistics.fmean(losses.baseline) - margin


def look_size(df: int, rules: GateRules = RULES) -> int:
    """Runs of each arm that a look needs, with a spread estimated on ``df`` degrees of freedom."""
    return _size(min(df, 1000), rules)


@lru_cache(maxsize=4096)
def _size(df: int, rules: GateRules) -> int:
    from scipy import special

    for n in range(rules.fewest_pairs, rules.most_pairs):
        all_df = df + 2 * (n - 1)
        critical = _quantile(rules.alpha_per_look, all_df)
        if special.nctdtr(all_df, rules.effect * math.sqrt(n / 2), critical) <= 1 - rules.power:
            return n
    return rules.most_pairs


def continues_look(
    losses: LossesSoFar, base: Sequence[float], modified: Sequence[float], rules: GateRules = RULES
) -> bool:
    """True if the first pairs of a look are good enough to train the rest."""
    gain = statistics.fmean(base) - statistics.fmean(modified)
    return gain > rules.futile * losses.sd


def decide_look(
    losses: LossesSoFar, base: Sequence[float], modified: Sequence[float], rules: GateRules = RULES
) -> Decision:
    """Decide a complete look from the losses of both arms at fresh seeds, in the order of the
    seeds."""
    n, m = len(modified), len(base)
    pooled = LossesSoFar(losses.baseline, (*losses.others, tuple(base), tuple(modified)))
    error, df = pooled.sd * math.sqrt(1 / n + 1 / m), float(pooled.df)
    modified_var, base_var = (_squares(group) / (len(group) - 1) for group in (modified, base))
    if losses.sd and modified_var / losses.sd**2 > _ratio(n - 1, losses.df, rules.wider_at):
        modified_var, base_var = modified_var / n, base_var / m
        error = math.sqrt(modified_var + base_var)  # Welch's
        df = (modified_var + base_var) ** 2 / (modified_var**2 / (n - 1) + base_var**2 / (m - 1))
    difference = statistics.fmean(modified) - statistics.fmean(base)
    if rules.looks_at_pairs and n == m and error:  # a baseline's run that diverged has no pair
        pairs = [value - other for value, other in zip(modified, base, strict=True)]
        pair_error = math.sqrt(_squares(pairs) / (n - 1) / n)
        if (pair_error / error) ** 2 > _ratio(n - 1, round(df, 1), rules.wider_at):
            error, df = pair_error, n - 1.0
    upper_end = difference + _quantile(rules.alpha_per_look, round(df, 1)) * error
    return Decision(upper_end < 0 and error > 0, difference, upper_end, n)


def _squares(group: Sequence[float]) -> float:
    """The sum of squared distances from the mean (statistics.variance is exact, and slow)."""
    mean = statistics.fmean(group)
    return math.fsum((value - mean) ** 2 for value in group)


@lru_cache(maxsize=65536)
def _quantile(tail: float, df: float) -> float:
    from scipy import special

    return -float(special.stdtrit(df, tail))


@lru_cache(maxsize=65536)
def _ratio(df: int, df_pooled: float, level: float) -> float:
    """The ratio of two variances that is exceeded by chance with this probability."""
    from scipy import special

    return float(special.fdtri(df, df_pooled, 1 - level))
