"""The verdict on one arm's runs against a number."""

from __future__ import annotations

from q1lab.ground.errors import Problem, nearest
from q1lab.judgment.one_sample import SampleJudgment, judge_sample
from q1lab.judgment.subject import PairPlan
from q1lab.study.run_states import RunState
from q1lab.tables.found_runs import Found, TableOptions, named_metric
from q1lab.tables.judged_table import has_ended, value_of, why_open
from q1lab.tables.number_table import runs_of_list


def typed_sample(options: TableOptions) -> Found:
    """One list of numbers, as typed after --modified or --baseline."""
    typed = options.modified or options.baseline
    if typed is None:
        raise Problem("nothing to judge", next="give a SOURCE, or --modified 3.276,3.279,3.277")
    option = "--modified" if options.modified else "--baseline"
    result = Found(
        "the command line", named_metric(options.metric or "loss", options.better), False
    )
    result.arms["the runs"] = runs_of_list(option, typed)
    return result


def judge_found(source: Found, options: TableOptions, threshold: float) -> SampleJudgment:
    """Judge the one arm that was found, or that of --modified or --baseline."""
    typed = options.modified or options.baseline
    names = list(source.arms)
    if source.name != "the command line" and typed is not None and typed not in names:
        raise Problem(f"{source.name} has no arm {typed}", next=nearest(typed, names))
    arm = typed if typed in names else names[0]
    if len(names) > 1 and arm != typed:
        raise Problem(
            f"--against judges one arm, and {source.name} has {', '.join(names)[:200]}",
            next="say which with --modified NAME",
        )
    runs = source.arms[arm]
    lasts = {run.last for run in runs.values() if run.state is RunState.FINISHED}
    plan = PairPlan(has_seeds=source.has_seeds)
    return judge_sample(
        {seed: value_of(run) for seed, run in sorted(runs.items()) if has_ended(run)},
        threshold,
        metric=source.metric,
        name=arm,
        unfinished=tuple(
            f"{arm}, {plan.run_label(seed)}{why_open(run)}"
            for seed, run in sorted(runs.items())
            if not has_ended(run)
        ),
        steps=tuple(sorted(lasts)) if len(lasts) > 1 else (),
        has_seeds=source.has_seeds,
    )
