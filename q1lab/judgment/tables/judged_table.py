"""The verdicts on final numbers that were trained elsewhere: without a home, a journal or a
training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from q1lab.judgment import facts
from q1lab.judgment.conditions import differing, differing_steps
from q1lab.judgment.intervals import ALPHA
from q1lab.judgment.judge import judge, judge_moments
from q1lab.judgment.judgment import Found, Judgment, Plan
from q1lab.judgment.run_states import RunState
from q1lab.judgment.series_table import SeriesMember, SeriesResult
from q1lab.judgment.subject import ARMS, Share, run_label
from q1lab.judgment.tables.found_runs import NumberTable
from q1lab.judgment.tables.outside_run import OutsideRun


def judge_table(table: NumberTable) -> Judgment:
    """Judge two arms.

    They are compared seed by seed if both have the same seeds, else as two groups (Welch). Where
    several arms were found, their comparisons share 5%.
    """
    found, share = table.found, _share(table)
    if found.summaries:
        baseline, modified = (found.summaries[name] for name in table.names)
        return judge_moments(
            baseline,
            modified,
            arm_names=table.names,
            metric=found.metric,
            level=share.alpha if share else ALPHA,
            siblings=share.many if share else 0,
        )
    ended = [{s: run.value for s, run in runs.items() if run.has_ended} for runs in table.runs]
    left = [tuple(seed for seed, run in runs.items() if not run.has_ended) for runs in table.runs]
    judged = judge(
        ended[0],
        ended[1],
        arm_names=table.names,
        metric=found.metric,
        headline="paired" if table.is_paired else "welch",
        level=share.alpha if share else ALPHA,
        complete=not any(left),
        plan=Plan(has_seeds=found.has_seeds, siblings=share.many if share else 0),
    )
    arms = {
        arm: replace(judged.arms[arm], unfinished=seeds)
        for arm, seeds in zip(ARMS, left, strict=True)
    }
    return replace(judged, arms=arms, found=_found(table))


def _share(table: NumberTable) -> Share | None:
    """The share of the 5% that the comparison may spend; None for one alone."""
    many = len(table.candidates)
    if many < 2:
        return None
    return Share(Path(table.found.name).absolute().name, many, ALPHA / many)


def judge_arms(tables: Sequence[NumberTable]) -> SeriesResult:
    """Judge several arms against one baseline, ranked."""
    share = _share(tables[0])
    assert share is not None, "one arm alone is no series"
    members = []
    for at, table in enumerate(tables):
        judged = judge_table(table)
        why = "" if judged.has_verdict else facts.answer(judged)
        members.append(SeriesMember(at, table.names[1], comparison=judged, why=why))
    return SeriesResult(share, tables[0].names[0], None, tuple(members))


def _found(table: NumberTable) -> Found:
    titled = list(_titled(table))
    differ = differing([(name, run.conditions) for name, run in titled])
    differ |= differing_steps(
        [(name, run.last) for name, run in titled if run.state is RunState.FINISHED]
    )
    left = (f"{name}{run.why_open}" for name, run in titled if not run.has_ended)
    return Found(differ=differ, unfinished=tuple(left), items=_few_items(table))


FEW_ITEMS = 10_000
"""Items from which on another sample of them would change a share of right answers little."""


def _few_items(table: NumberTable) -> tuple[int, int] | None:
    """The fewest items that a run's share is counted on, and 1, or 100 for percent; None where they
    are many or unknown, or the metric is no share."""
    runs = [run for arm in table.runs for run in arm.values() if run.value is not None]
    values = [run.value for run in runs if run.value is not None]
    many, whole = (
        min((run.items or FEW_ITEMS for run in runs), default=FEW_ITEMS),
        table.found.whole,
    )
    if whole == 1 and max(values, default=0) > 1 and "acc" in table.found.metric.name.lower():
        whole = 100
    if whole is None or not all(0 <= value <= whole for value in values):
        return None
    return (many, whole) if 1 < many < FEW_ITEMS else None


def _titled(table: NumberTable) -> Iterator[tuple[str, OutsideRun]]:
    """Each run with a name for people, seed by seed."""
    for seed in sorted({*table.runs[0], *table.runs[1]}):
        for name, runs in zip(table.names, table.runs, strict=True):
            if seed in runs:
                yield f"{name}, {run_label(seed, has_seeds=table.found.has_seeds)}", runs[seed]
