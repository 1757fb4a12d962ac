"""The same comparison at an equal budget: at equal training FLOPs, or at equal wall clock.

Both arms train for the same number of iters, and a modification that makes an iter dearer gets more
compute for them. What it is worth at equal compute is read off the recorded val curves: the loss of
each run at the largest budget that both arms reached, on a straight line between two evaluations.
It is an answer in addition to the headline, made after the runs, and decides nothing. Pure, but for
``read``.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.text_formats import MINUS, duration, three_digits
from q1lab.judgment import difference_text, intervals, label_text
from q1lab.judgment.intervals import Interval
from q1lab.judgment.picture import Across, Curves
from q1lab.study.studies import ARMS, tokens_per_iter

if TYPE_CHECKING:
    from q1lab.index.store import Store
    from q1lab.study.studies import Study
    from q1lab.verdict.comparison import Comparison

BudgetKind = Literal["flops", "time"]
BUDGET_KINDS: tuple[BudgetKind, ...] = ("flops", "time")

BUDGET_NAMES: Mapping[str, str] = {"flops": "training FLOPs", "time": "wall clock"}

TRAINING_FACTOR = 3
"""FLOPs of training per FLOP of the forward pass: the backward pass costs twice as many."""

BUSY_RATIO = 1.25
"""From this ratio of the fastest to the slowest run of one arm on, its speed is rough."""

Point = tuple[float, float]
"""An iter, and a number there."""


@dataclass(frozen=True)
class EqualBudgetResult:
    """The comparison of both curves at an equal budget."""

    what: BudgetKind
    budget: float
    """FLOPs, or seconds of training without evaluation, per run."""
    costs: Mapping[str, float]
    """Arm → FLOPs or seconds per iter."""
    iters: Mapping[str, float]
    """Arm → the iter at which it has spent the budget."""
    last: Mapping[str, int]
    """Arm → the last iter that was evaluated in all of its runs."""
    values: Mapping[str, Mapping[int, float]]
    """Arm → seed → val loss at the budget, over the windows of the curve."""
    pairs: Mapping[int, float]
    mean: float
    interval: Interval | None
    alpha: float
    busy: float
    """The fastest run of an arm against its slowest, where that is the most; 1 for FLOPs."""

    def to_dict(self) -> dict[str, Any]:
        ends = self.interval
        return {
            **vars(self),
            "values": {
                arm: {str(seed): loss for seed, loss in values.items()}
                for arm, values in self.values.items()
            },
            "pairs": {str(seed): value for seed, value in self.pairs.items()},
            "interval": None if ends is None else {"low": ends.low, "high": ends.high},
            "declared": False,
        }


def compare_at_budget(
    kind: BudgetKind, c: Comparison, curves: Curves, speeds: Mapping[str, Sequence[float]]
) -> EqualBudgetResult:
    """The comparison ``c`` at an equal budget. ``curves`` are those of comparison_cache.curves;
    ``speeds`` are the tokens/s of each arm's finished runs, evaluation left out.

    Problem where there is no such answer: a run diverged or is missing, or the record has no cost
    or curve.
    """
    if c.lost or not c.analysis.complete or not c.analysis.pairs:
        why = "a run diverged" if c.lost else "not all runs have ended"
        raise _none(kind, c, why)
    tokens = tokens_per_iter(c.study.trainer.hyperparameters)
    costs: dict[str, float] = {}
    busy = 1.0
    for arm in ARMS:
        if kind == "flops":
            flops = c.arms[arm].costs.get("flops_per_token")
            if not flops:
                raise _none(kind, c, "the FLOPs per token are not on record")
            costs[arm] = TRAINING_FACTOR * flops * tokens
        else:
            known_speeds = [speed for speed in speeds.get(arm, ()) if speed > 0]
            if not known_speeds:
                raise _none(kind, c, "the speed of the runs is not on record")
            costs[arm] = tokens / statistics.median(known_speeds)
            busy = max(busy, max(known_speeds) / min(known_speeds))
    name = c.metric.key()
    runs = {
        arm: {
            seed: _finite(curves.get(arm, {}).get(seed, {}).get(name, ()))
            for seed in c.analysis.pairs
        }
        for arm in ARMS
    }
    if not all(points for each in runs.values() for points in each.values()):
        raise _none(kind, c, "a run has no val curve")
    last = {arm: int(min(points[-1][0] for points in runs[arm].values())) for arm in ARMS}
    budget = min(last[arm] * costs[arm] for arm in ARMS)
    iters = {arm: min(budget / costs[arm], float(last[arm])) for arm in ARMS}
    values: dict[str, dict[int, float]] = {}
    for arm in ARMS:
        losses = {seed: _loss_at(points, iters[arm]) for seed, points in runs[arm].items()}
        values[arm] = {seed: loss for seed, loss in losses.items() if loss is not None}
        if len(values[arm]) < len(losses):
            raise _none(kind, c, f"no evaluation is on record before iter {iters[arm]:,.0f}")
    analysis = intervals.analyze(
        values["baseline"], values["modified"], headline=c.analysis.headline, alpha=c.analysis.alpha
    )
    assert analysis.mean is not None
    return EqualBudgetResult(
        kind,
        budget,
        costs,
        iters,
        last,
        values,
        analysis.pairs,
        analysis.mean,
        analysis.ends,
        c.analysis.alpha,
        busy,
    )


def read_at_budget(
    store: Store, study: Study, kind: BudgetKind
) -> tuple[Comparison, EqualBudgetResult]:
    """A study's comparison, and the one at an equal budget. Problem if there is no such
    comparison."""
    from q1lab.verdict import comparison_cache

    c = comparison_cache.compare(store, study)
    return c, compare_at_budget(
        kind,
        c,
        comparison_cache.read_curves(store, study),
        comparison_cache.read_speeds(store, study),
    )


def across_budget(answer: EqualBudgetResult | None) -> Across:
    """The axis of a picture at an equal budget; without an answer the iter."""
    if answer is None:
        return Across()
    unit = "FLOPs" if answer.what == "flops" else "seconds, without evaluation"
    name = BUDGET_NAMES[answer.what]
    label = f"{name} ({unit}); line: equal {name}, {equal_budget_text(answer)} per run"
    return Across(name, label, answer.costs, answer.budget)


def budget_sentences(result: EqualBudgetResult, c: Comparison) -> list[str]:
    """The answer in sentences: the result, its place on the curves, and its weaknesses."""
    names = dict(zip(ARMS, label_text.arm_names(c), strict=True))
    base, modified = names["baseline"], names["modified"]
    number = difference_text.NumberWriter(result.interval, None, abs(result.mean))
    first = (
        f"At equal {BUDGET_NAMES[result.what]} ({equal_budget_text(result)} per run): "
        f"{modified} {MINUS} {base} = {number(result.mean)}{c.metric.suffix}"
    )
    if result.interval is not None:
        low, high = number.ends(result.interval)
        first += f", {difference_text.level_text(c.analysis)} interval {low} to {high}"
    first += "."
    if result.interval is None:
        first += " Without a spread between pairs there is no interval."
    elif result.interval.excludes_zero():
        base, modified = label_text.names_in_text(c)
        lower, higher = (modified, base) if result.mean < 0 else (base, modified)
        first += f" At this budget {lower} ends lower than {higher}."
    else:
        first += " At this budget the runs can't tell the two apart."
    where = " and ".join(f"iter {result.iters[arm]:,.0f} of {names[arm]}" for arm in ARMS)
    read = (
        f"Read off the recorded val curves at {where}, on a straight line between two evaluations."
    )
    sentences = [first, read]
    early = [arm for arm in ARMS if result.iters[arm] < 0.995 * result.last[arm]]
    for arm in early:
        other = names["modified" if arm == "baseline" else "baseline"]
        sentences.append(
            f"An iter of {names[arm]} costs {_more(result, arm)} more, so it is read before the "
            f"end of its schedule, while its learning rate is still higher. That counts against "
            f"{names[arm]}: if {other} is ahead here, a schedule that ends at this budget may "
            "say otherwise."
        )
    if result.what == "flops":
        sentences.append(
            "FLOPs are those of matrix products, and training takes three times the forward pass."
        )
    else:
        spent = " and ".join(
            f"{duration(result.costs[arm] * result.last[arm])} for {result.last[arm]:,} iters of "
            f"{names[arm]}"
            for arm in ARMS
        )
        sentences.append(
            f"Time is that of training without evaluation, by the median speed of each arm's runs "
            f"on their machine: {spent}. The interval does not include how much that varies."
        )
        if result.busy >= BUSY_RATIO:
            sentences.append(
                f"The machine was busy: the fastest run of one arm was {result.busy:.1f} times as "
                "fast as its slowest, so this answer is a rough one."
            )
    return [
        *sentences,
        "This was asked after the runs and not declared before them, so it decides nothing: the "
        "verdict stays.",
    ]


def equal_budget_text(result: EqualBudgetResult) -> str:
    """The budget that both arms are compared at, with its unit: ``4.1T FLOPs``, ``41 s``."""
    if result.what == "time":
        return duration(result.budget)
    return f"{three_digits(result.budget)} FLOPs"


def _more(result: EqualBudgetResult, arm: str) -> str:
    other = "modified" if arm == "baseline" else "baseline"
    return f"{100 * (result.costs[arm] / result.costs[other] - 1):.1f}%"


def _none(kind: BudgetKind, c: Comparison, why: str) -> Problem:
    return Problem(f"{c.study.id} can't be compared at equal {BUDGET_NAMES[kind]}: {why}", FAILED)


def _finite(points: Sequence[Point]) -> list[Point]:
    return sorted((i, value) for i, value in points if math.isfinite(value))


def _loss_at(points: Sequence[Point], i: float) -> float | None:
    """The loss at iter ``i``, on a straight line between the evaluations around it; None before the
    first."""
    if not points or i < points[0][0]:
        return None
    for (left, low), (right, high) in itertools.pairwise(points):
        if left <= i <= right:
            return low + (high - low) * (i - left) / (right - left)
    return points[-1][1]
