"""The judge: two arms of numbers in, a judgment out. It knows no study, no index and no disk.

A study adds to the judgment what its plan and its record know (``dataclasses.replace``).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import replace

from q1lab.judgment import intervals, names
from q1lab.judgment.intervals import ALPHA, MIN_FOR_INTERVAL, Analysis, Interval, Moments, Reason
from q1lab.judgment.judgment import ArmResult, Judgment, Outlier, Plan
from q1lab.judgment.metric import VAL_LOSS, Metric
from q1lab.judgment.subject import ARMS, Headline

Values = Mapping[int, float | None]
"""The final value of each run, by seed; None for one that diverged."""


def judge(
    baseline: Values,
    modified: Values,
    *,
    arm_names: tuple[str, str] = ARMS,
    metric: Metric = VAL_LOSS,
    headline: Headline = "paired",
    level: float = ALPHA,
    next_level: float | None = None,
    delta: float | None = None,
    complete: bool = True,
    changed: bool = False,
    plan: Plan | None = None,
) -> Judgment:
    """Judge two arms by the interval ``headline``, at the false-positive rate ``level`` (α).

    ``next_level`` is the level of another look at the question (None: half of this one); ``delta``
    is the smallest difference that matters, in the metric's unit. ``complete`` is false while
    planned runs are missing, ``changed`` true if the plan is not the declared one. Raises Problem
    for an invalid headline, level or delta.
    """
    base, mod = _known(baseline), _known(modified)
    plan = plan or Plan((len(base), len(base)))
    analysis = _analyze(
        base,
        mod,
        metric,
        headline=headline,
        alpha=level,
        next_alpha=next_level,
        delta=delta,
        complete=complete,
    )
    outlier = _outlier(analysis, base, mod, metric)
    if not plan.has_seeds:
        analysis = replace(analysis, pairs={}, paired=None)
    other = _other_verdict(analysis, metric)
    if changed:
        analysis = replace(analysis, verdict="no verdict", reason=Reason.CHANGED)
    if plan.is_range and analysis.detectable is not None:
        analysis = replace(analysis, detectable=_detectable_by_range(plan, analysis))
    return Judgment(
        names=names.told_apart(*arm_names),
        metric=metric,
        analysis=analysis,
        arms={"baseline": _result(base), "modified": _result(mod)},
        plan=plan,
        outlier=outlier,
        other_verdict=other,
        false_claims=_false_claims(analysis, plan, base, mod),
    )


def judge_moments(
    baseline: Moments,
    modified: Moments,
    *,
    arm_names: tuple[str, str],
    metric: Metric,
    level: float = ALPHA,
    siblings: int = 0,
) -> Judgment:
    """Judge two arms of which only mean, variance and number of runs are known."""
    turned = [arm._replace(mean=metric.sign * arm.mean) for arm in (baseline, modified)]
    analysis = _turned_back(intervals.analyze_moments(*turned, alpha=level), metric)
    return Judgment(
        names=names.told_apart(*arm_names),
        metric=metric,
        analysis=analysis,
        arms={
            name: ArmResult(mean=arm.mean, std=math.sqrt(arm.variance), n=arm.n)
            for name, arm in zip(ARMS, (baseline, modified), strict=True)
        },
        plan=Plan(has_seeds=False, siblings=siblings),
        false_claims=_false_claims_of_groups(baseline.n, modified.n, level),
    )


def _known(values: Values) -> dict[int, float | None]:
    """The values by seed, in order; one that is not finite is that of a run that diverged."""
    finite = intervals.finite_values(values)
    return {seed: finite.get(seed) for seed in sorted(values)}


def _result(values: Values) -> ArmResult:
    finished = [value for value in values.values() if value is not None]
    if len(finished) < len(values) or not finished:
        return ArmResult(values)
    std = statistics.stdev(finished) if len(finished) > 1 else None
    return ArmResult(values, statistics.fmean(finished), std)


def _analyze(
    base: Values,
    mod: Values,
    metric: Metric,
    *,
    headline: Headline,
    alpha: float,
    next_alpha: float | None,
    delta: float | None,
    complete: bool,
) -> Analysis:
    """The analysis in the metric's own sign; where higher is better, of the values turned
    around."""
    found = intervals.analyze(
        _turned(base, metric.sign),
        _turned(mod, metric.sign),
        headline=headline,
        alpha=alpha,
        next_alpha=next_alpha,
        delta=delta,
        complete=complete,
    )
    return _turned_back(found, metric)


def _turned_back(found: Analysis, metric: Metric) -> Analysis:
    """The analysis of values that were turned around where higher is better, in their own sign."""
    if metric.sign > 0:
        return found
    boot = found.bootstrap
    return replace(
        found,
        pairs={seed: -value for seed, value in found.pairs.items()},
        mean=None if found.mean is None else -found.mean,
        welch=None if found.welch is None else found.welch.times(-1),
        paired=None if found.paired is None else found.paired.times(-1),
        bootstrap=None if boot is None else replace(boot, low=-boot.high, high=-boot.low),
    )


def _turned(values: Values, sign: float) -> dict[int, float | None]:
    return {seed: None if value is None else sign * value for seed, value in values.items()}


def _detectable_by_range(plan: Plan, analysis: Analysis) -> float:
    """The true difference that a planned range finds with a chance of 80%."""
    from q1lab.judgment import interim_analyses

    in_sd = interim_analyses.measured_detectable(*plan.pairs, analysis.alpha)
    return in_sd * statistics.stdev(analysis.pairs.values())


def _decided(ends: Interval | None, analysis: Analysis, metric: Metric) -> intervals.Verdict:
    if ends is None:
        return "no verdict"
    return intervals.decide(ends.times(metric.sign), analysis.delta)


def _other_verdict(analysis: Analysis, metric: Metric) -> str:
    """The claim of the interval that does not decide, where the one that does can't tell."""
    other = analysis.welch if analysis.headline == "paired" else analysis.paired
    claim = _decided(other, analysis, metric)
    is_other = analysis.verdict == "cannot tell" and claim in ("helps", "hurts")
    return claim if is_other else ""


def _outlier(analysis: Analysis, base: Values, mod: Values, metric: Metric) -> Outlier | None:
    """The pair, or the run, that lies far from all others, with the verdict of the others."""
    if analysis.reason is not None:
        return None
    arms = {"baseline": intervals.finite_values(base), "modified": intervals.finite_values(mod)}
    scale = max(abs(value) for values in arms.values() for value in values.values())
    samples = {"": analysis.pairs} if analysis.headline == "paired" else arms
    for arm, values in samples.items():
        if (seed := intervals.find_outlier(values, scale)) is None:
            continue
        rest, others = (
            {at: value for at, value in arms[each].items() if at != seed or arm not in ("", each)}
            for each in ARMS
        )
        ends = intervals.headline_interval(rest, others, analysis.headline, analysis.alpha)
        return Outlier(arm, seed, values[seed], _decided(ends, analysis, metric))
    return None


def _false_claims(analysis: Analysis, plan: Plan, base: Values, mod: Values) -> float:
    """The share of such studies that claim a difference where there is none: more than the level
    of one look in a range, and where few runs are compared with many (Welch), as those tell little
    of their own spread."""
    if plan.is_range:
        from q1lab.judgment import interim_analyses

        return interim_analyses.spent_by_looks(*plan.pairs, analysis.alpha)
    a, b = (len(intervals.finite_values(each)) for each in (base, mod))
    if analysis.headline != "welch":
        return analysis.alpha
    return _false_claims_of_groups(a, b, analysis.alpha)


def _false_claims_of_groups(a: int, b: int, level: float) -> float:
    """The share of false claims of two groups with so many runs."""
    if min(a, b) < MIN_FOR_INTERVAL:
        return level
    return max(level, intervals.power_of(0.0, a, b, "welch", level))
