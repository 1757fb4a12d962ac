"""``q1lab.judge``: numbers that stand in Python, judged."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from q1lab.ground.errors import Problem
from q1lab.judgment import notes
from q1lab.judgment.judge import judge as judge_values
from q1lab.judgment.metric import Metric
from q1lab.judgment.records import Judgment
from q1lab.judgment.subject import outside_subject

MOST_RUNS = 10_000
"""Runs of one arm."""

Numbers = Mapping[int, float | None] | Sequence[float | None]


def judge(
    baseline: Numbers,
    modified: Numbers,
    *,
    metric: str = "loss",
    unit: str = "",
    better: Literal["lower", "higher"] = "lower",
    names: tuple[str, str] = ("baseline", "modified"),
) -> Judgment:
    """Judge the final numbers of two arms, each by seed or as a list; None for a run that diverged.

    Arms with exactly the same seeds are compared seed by seed (paired t), others as two groups
    (Welch). Nothing is kept, and nothing is known of runs that were left out. Raises Problem for
    numbers that can't be compared.
    """
    if better not in ("lower", "higher"):
        raise Problem(f"better is {better!r}", next="give lower or higher")
    values = [_by_seed(name, arm) for name, arm in zip(names, (baseline, modified), strict=True)]
    has_seeds = isinstance(baseline, Mapping) and isinstance(modified, Mapping)
    measured = Metric(metric, unit, better)
    seeds = tuple(sorted({*values[0], *values[1]}))
    return judge_values(
        values[0],
        values[1],
        metric=measured,
        headline="paired" if has_seeds and set(values[0]) == set(values[1]) else "welch",
        subject=outside_subject(names, measured, seeds, has_seeds=has_seeds),
        notes=(notes.OtherRuns(),),
    )


def _by_seed(name: str, arm: Numbers) -> dict[int, float | None]:
    """The values of an arm by seed, in a list by their place; NaN is that of a run that
    diverged."""
    items = list(arm.items() if isinstance(arm, Mapping) else enumerate(arm))
    if not items:
        raise Problem("an arm has no numbers")
    if len(items) > MOST_RUNS:
        raise Problem(f"{name} has more than {MOST_RUNS:,} runs, and more are not compared")
    values: dict[int, float | None] = {}
    for seed, value in items:
        try:
            number = None if value is None else float(value)
            values[int(seed)] = number if number is not None and math.isfinite(number) else None
        except (TypeError, ValueError):
            raise Problem(
                f"{name}: {seed!r}: {value!r} is not a seed and its number",
                next="give {seed: number}, or a list of numbers; None for a run that diverged",
            ) from None
    return values
