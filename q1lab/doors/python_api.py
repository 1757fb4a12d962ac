"""The Python interface: ``q1lab.judge`` and ``q1lab.read_study``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from q1lab.doors.imports.judgment import JudgedNumbers, judge_table
from q1lab.doors.imports.number_table import (
    BadCell,
    NumberTable,
    number_of_cell,
    runs_of_values,
    seed_of_cell,
)
from q1lab.ground.errors import Problem
from q1lab.judgment.metric import Metric

__all__ = ["JudgedNumbers", "judge", "read_study"]

Numbers = Mapping[int, float | None] | Sequence[float | None]


def judge(
    baseline: Numbers,
    modified: Numbers,
    *,
    metric: str = "loss",
    unit: str = "",
    better: Literal["lower", "higher"] = "lower",
    names: tuple[str, str] = ("baseline", "modified"),
) -> JudgedNumbers:
    """Judge the final numbers of two arms, each by seed or as a list; None for a run that diverged.

    Arms with exactly the same seeds are compared seed by seed (paired t), others as two groups
    (Welch). Nothing is kept, and nothing is known of runs that were left out. Raises Problem for
    numbers that can't be compared.
    """
    arms = [
        runs_of_values(name, _by_seed(name, arm))
        for name, arm in zip(names, (baseline, modified), strict=True)
    ]
    seeded = isinstance(baseline, Mapping) and isinstance(modified, Mapping)
    if better not in ("lower", "higher"):
        raise Problem(f"better is {better!r}", next="give lower or higher")
    table = NumberTable(names, (arms[0], arms[1]), seeded, Metric(metric, unit, better))
    return judge_table(table, "Python")


def _by_seed(name: str, arm: Numbers) -> dict[int, float | None]:
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


def read_study(name: str) -> JudgedNumbers:
    """The comparison of a study in q1lab's home, by the study's name. Raises Problem if there is
    none."""
    from q1lab.index.store import Store
    from q1lab.study import studies
    from q1lab.verdict import comparison_cache

    planned = studies.load(name)
    with Store() as store:
        return JudgedNumbers(comparison_cache.compare(store, planned))
