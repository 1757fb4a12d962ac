"""``q1lab.judge``: numbers that stand in Python, judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from q1lab.ground.errors import Problem
from q1lab.judgment.face import Face
from q1lab.judgment.judge import judge as judge_values
from q1lab.judgment.judgment import Plan
from q1lab.judgment.metric import Metric
from q1lab.judgment.tables.cells import (
    MOST_RUNS,
    BadCell,
    number_of_cell,
    seed_of_cell,
    too_many_runs,
)

Numbers = Mapping[int, float | None] | Sequence[float | None]


def judge(
    baseline: Numbers,
    modified: Numbers,
    *,
    metric: str = "loss",
    unit: str = "",
    better: Literal["lower", "higher"] = "lower",
    names: tuple[str, str] = ("baseline", "modified"),
) -> Face:
    """Judge the final numbers of two arms, each by seed or as a list; None for a run that diverged.

    Arms with exactly the same seeds are compared seed by seed (paired t), others as two groups
    (Welch). Nothing is kept, and nothing is known of runs that were left out. Raises Problem for
    numbers that can't be compared.
    """
    if better not in ("lower", "higher"):
        raise Problem(f"better is {better!r}", next="give lower or higher")
    if len(names) != 2:
        raise Problem(f"names is {names!r}", next="give two names, the baseline's first")
    values = [_by_seed(name, arm) for name, arm in zip(names, (baseline, modified), strict=True)]
    has_seeds = isinstance(baseline, Mapping) and isinstance(modified, Mapping)
    judged = judge_values(
        values[0],
        values[1],
        arm_names=names,
        metric=Metric(metric, unit, better),
        headline="paired" if has_seeds and set(values[0]) == set(values[1]) else "welch",
        plan=Plan(has_seeds=has_seeds),
    )
    return Face(judged)


def _by_seed(name: str, arm: Any) -> dict[int, float | None]:
    """The values of an arm by seed, in a list by their place; a number that is not finite is that
    of a run that diverged."""
    if isinstance(arm, str) or not hasattr(arm, "__len__"):
        raise Problem(f"{name} is {arm!r:.40}", next="give {seed: number}, or a list of numbers")
    if len(arm) > MOST_RUNS:
        raise Problem(too_many_runs(name))
    items = arm.items() if isinstance(arm, Mapping) else enumerate(arm)
    try:
        values = {
            seed_of_cell(seed): None if value is None else number_of_cell(value)
            for seed, value in items
        }
    except BadCell as error:
        raise Problem(f"{name}: {error}") from None
    if not values:
        raise Problem("an arm has no numbers")
    return values
