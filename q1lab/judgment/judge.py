"""The judge: two arms of numbers in, a judgment out. It knows no study, no index and no disk."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from q1lab.judgment import intervals
from q1lab.judgment.intervals import ALPHA, Analysis, Interval, Reason
from q1lab.judgment.metric import VAL_LOSS, Metric
from q1lab.judgment.notes import Note, notes_on_numbers
from q1lab.judgment.records import ArmResult, Floor, Judgment, QuestionCost
from q1lab.judgment.subject import ARMS, Headline, Subject

Values = Mapping[int, float | None]
"""The final value of each run, by seed; None for one that diverged."""


def judge(
    baseline: Values,
    modified: Values,
    *,
    metric: Metric = VAL_LOSS,
    headline: Headline = "paired",
    level: float = ALPHA,
    delta: float | None = None,
    complete: bool = True,
    undecided: Reason | None = None,
    subject: Subject | None = None,
    arms: Mapping[str, ArmResult] | None = None,
    notes: Sequence[Note] = (),
    asking: QuestionCost | None = None,
    floor: Floor | None = None,
    timed: Mapping[str, Interval] | None = None,
) -> Judgment:
    """Judge two arms by the interval ``headline``, at the false-positive rate ``level`` (α).

    ``delta`` is the smallest difference that matters, in the metric's unit, chosen before the runs.
    ``complete`` is false while planned runs are missing; ``undecided`` is a reason from outside to
    give no verdict. ``arms`` hold what is known of each arm beside its values: its costs. Raises
    Problem for an invalid headline, level or delta.
    """
    subject = subject or Subject(ARMS, seeds=tuple(sorted({*baseline, *modified})))
    values = {arm: _known(each) for arm, each in zip(ARMS, (baseline, modified), strict=True)}
    analysis = analyze_metric(
        metric,
        values,
        headline=headline,
        alpha=level,
        delta=delta,
        complete=complete,
    )
    base, mod = values.values()
    results_by_arm = arms or {}
    results = {arm: _result(results_by_arm.get(arm, ArmResult()), values[arm]) for arm in ARMS}
    alone: set[int] = set()
    if subject.plan.has_seeds:  # another note names the runs that have no number
        alone = (set(base) ^ set(mod)).difference(*(each.unfinished for each in results.values()))
    else:
        analysis = replace(analysis, pairs={}, paired=None)
    number_notes = notes_on_numbers(analysis, base, mod, metric.sign, sorted(alone))
    if undecided is not None:
        analysis = replace(analysis, verdict="no verdict", reason=undecided)
    if subject.plan.is_sequential and analysis.detectable is not None:
        analysis = replace(analysis, detectable=_detectable_by_range(subject, analysis))
    if floor is None and not subject.is_floor:
        floor = _floor_of(base)
    return Judgment(
        subject=subject,
        metric=metric,
        analysis=analysis,
        arms=results,
        notes=(*number_notes, *notes),
        asking=asking or QuestionCost(),
        floor=floor,
        timed=timed,
    )


def analyze_metric(metric: Metric, values: Mapping[str, Values], **how: Any) -> Analysis:
    """The analysis of both arms' values; where higher is better, of the values turned around."""
    base, modified = (values[arm] for arm in ARMS)
    if metric.better == "higher":
        return _turned_back(intervals.analyze(_turned(base), _turned(modified), **how))
    return intervals.analyze(base, modified, **how)


def _known(values: Values) -> dict[int, float | None]:
    """The values by seed, in order; one that is not finite is that of a run that diverged."""
    finite = intervals.finite_values(values)
    return {seed: finite.get(seed) for seed in sorted(values)}


def _result(result: ArmResult, values: Values) -> ArmResult:
    finished = [value for value in values.values() if value is not None]
    whole = len(finished) == len(values)
    return replace(
        result,
        values=values,
        mean=statistics.fmean(finished) if finished and whole else None,
        std=statistics.stdev(finished) if len(finished) > 1 and whole else None,
    )


def _detectable_by_range(subject: Subject, analysis: Analysis) -> float:
    """The true difference that a planned range finds with a chance of 80%."""
    from q1lab.judgment import interim_analyses

    plan, sd = subject.plan, statistics.stdev(analysis.pairs.values())
    return interim_analyses.measured_detectable(*plan.pairs, analysis.alpha) * sd


def _floor_of(values: Values) -> Floor | None:
    """The noise floor, A/A: the widest difference between baseline runs that differ in nothing but
    their seed, in both directions. None below two such runs, or when one diverged."""
    losses = [value for value in values.values() if value is not None]
    if len(losses) < 2 or len(losses) < len(values):
        return None
    widest = max(losses) - min(losses)
    return Floor(-widest, widest)


def _turned(values: Values) -> dict[int, float | None]:
    """Of a metric that is better when it is higher, what is better when it is lower."""
    return {seed: None if value is None else -value for seed, value in values.items()}


def _turned_back(analysis: Analysis) -> Analysis:
    """An analysis of turned values, in the metric's own sign; its verdict stays."""
    boot = analysis.bootstrap
    return replace(
        analysis,
        pairs={seed: -value for seed, value in analysis.pairs.items()},
        mean=None if analysis.mean is None else -analysis.mean,
        welch=None if analysis.welch is None else analysis.welch.times(-1),
        paired=None if analysis.paired is None else analysis.paired.times(-1),
        bootstrap=None if boot is None else replace(boot, low=-boot.high, high=-boot.low),
    )
