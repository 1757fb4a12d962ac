"""Comparisons for tests: the real statistics over given losses, dressed as a study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from q1lab.compare.comparison import Comparison, arm_names, comparison_of, plan_of
from q1lab.judgment import intervals
from q1lab.judgment.facts import facts_of
from q1lab.judgment.judge import judge
from q1lab.judgment.judgment import Found, Judgment
from q1lab.study import kinds
from q1lab.study.studies import ARMS, Arm, Data, Study, run_name
from tests.kit.plans import of_keys

SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
CONFIG = {
    "max_iters": 2000,
    "batch_size": 12,
    "block_size": 64,
    "learning_rate": 1e-3,
    "dropout": 0.0,
}
COSTS = {
    "baseline": (804_096, 1_720_576, 22_100.0, 69.4),
    "modified": (795_904, 1_723_648, 20_900.0, 73.4),
}
OWN_LOOP = {"kind": "own", "config": CONFIG, "preset": "cpu", "dtype": "bf16"}

KEYS = ("n_params", "flops_per_token", "tokens_per_s", "wall_s")


def make(
    base: Mapping[int, float | None],
    modified: Mapping[int, float | None],
    headline: intervals.Headline = "paired",
    *,
    alpha: float = intervals.ALPHA,
    delta: float | None = None,
    complete: bool = True,
    variant: str = "rope",
    baseline: str = "baseline",
    costs: Mapping[str, tuple[int, int, float, float]] = COSTS,
    **more: Any,
) -> Comparison:
    """The comparison of two arms of final val losses, each a mapping seed → loss (None:
    diverged)."""
    parts = {key: more.pop(key) for key in ("floor", "timed", "asked", "found") if key in more}
    seeds = tuple(sorted({*base, *modified})) or (0,)
    study = planned(variant, baseline, seeds, **more)
    judged = judge(
        base,
        modified,
        arm_names=arm_names(study),
        metric=study.metric,
        headline=headline,
        level=alpha,
        delta=delta,
        complete=complete,
        plan=plan_of(study),
    )
    left = {
        arm: () if complete else tuple(seed for seed in seeds if seed not in values)
        for arm, values in zip(ARMS, (base, modified), strict=True)
    }
    arms = {
        arm: replace(
            judged.arms[arm],
            costs=dict(zip(KEYS, costs[arm], strict=True)),
            unfinished=left[arm],
        )
        for arm in ARMS
    }
    unfinished = tuple(run_name(arm, seed) for arm in ARMS for seed in left[arm])
    found = Found(unfinished=unfinished, cautions=kinds.describe(study).cautions)
    return comparison_of(study, replace(judged, arms=arms, **{"found": found, **parts}))


def planned(variant: str, baseline: str, seeds: tuple[int, ...], **keys: Any) -> Study:
    """The plan of a study that was compared, with these keys of ``study.json``."""
    arms = {
        arm: Arm(name, "", f"source/{arm}/model.py", sha, name, 0, 0)
        for arm, name, sha in zip(ARMS, (baseline, variant), ("a" * 64, "b" * 64), strict=True)
    }
    return of_keys(
        **{
            "id": "rope-1",
            "created": "2026-03-07T08:30:00+00:00",
            "arms": arms,
            "looks": (seeds,),
            "data": Data("shakespeare", SHA256, "", 0, 0, 0, 0),
            **({"kind": "command"} if "loop" in keys else OWN_LOOP),
            "device": "cpu",
            "jobs": 1,
            "threads": 1,
            "versions": {},
            **keys,
        }
    )


def told(j: Judgment) -> dict[str, str]:
    """What is said of a judgment, by the fact's name."""
    return {fact.key: fact.text for fact in facts_of(j)}
