"""The verdict on one arm's runs against a number."""

from __future__ import annotations

from q1lab.ground.errors import Problem, nearest
from q1lab.judgment.one_sample import SampleJudgment, judge_sample
from q1lab.study.run_states import RunState
from q1lab.tables.found_runs import Found


def judge_found(found: Found, typed: str | None, threshold: float) -> SampleJudgment:
    """Judge the one arm that was found, or the one that was ``typed``."""
    names = list(found.arms)
    if typed is not None and typed not in names:
        raise Problem(f"{found.name} has no arm {typed}", next=nearest(typed, names))
    if not names:
        raise Problem(f"{found.name}: there is one arm, without numbers")
    if len(names) > 1 and typed is None:
        raise Problem(
            f"--against judges one arm, and {found.name} has {', '.join(names)[:200]}",
            next="say which with --modified NAME",
        )
    arm = typed or names[0]
    runs = dict(sorted(found.arms[arm].items()))
    lasts = {run.last for run in runs.values() if run.state is RunState.FINISHED}
    return judge_sample(
        {seed: run.value for seed, run in runs.items() if run.has_ended},
        threshold,
        metric=found.metric,
        name=arm,
        unfinished=tuple(
            f"{arm}, {found.plan.run_label(seed)}{run.why_open}"
            for seed, run in runs.items()
            if not run.has_ended
        ),
        steps=tuple(sorted(lasts)) if len(lasts) > 1 else (),
        plan=found.plan,
    )
