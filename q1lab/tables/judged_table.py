"""The verdict on final numbers that were trained elsewhere: without a home, a journal or a
training."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from q1lab.judgment import notes
from q1lab.judgment.conditions import differing, differing_steps
from q1lab.judgment.intervals import ALPHA
from q1lab.judgment.judge import Values, judge
from q1lab.judgment.notes import Note
from q1lab.judgment.records import ArmResult, Judgment
from q1lab.judgment.subject import ARMS, PairPlan, Share, outside_subject
from q1lab.study.run_states import RunState
from q1lab.tables.found_runs import NumberTable, Runs
from q1lab.tables.outside_run import OutsideRun


def judge_table(table: NumberTable, source: str) -> Judgment:
    """Judge the numbers of a table. ``source`` says where they came from, for people.

    The arms are compared seed by seed if both have the same seeds, else as two groups (Welch).
    Where a file has several arms, their comparisons share 5%.
    """
    many = len(table.candidates)
    share = Share(Path(source).absolute().name, many, ALPHA / many) if many > 1 else None
    subject = outside_subject(
        table.names,
        table.metric,
        tuple(sorted({*table.runs[0], *table.runs[1]})),
        has_seeds=table.has_seeds,
        share=share,
    )
    runs = dict(zip(ARMS, table.runs, strict=True))
    unfinished = {
        arm: ArmResult(unfinished=tuple(seed for seed, run in each.items() if not has_ended(run)))
        for arm, each in runs.items()
    }
    return judge(
        _values(table.runs[0]),
        _values(table.runs[1]),
        metric=table.metric,
        headline="paired" if table.is_paired else "welch",
        level=share.alpha if share else ALPHA,
        complete=not any(arm.unfinished for arm in unfinished.values()),
        subject=subject,
        arms=unfinished,
        notes=tuple(_notes(table)),
    )


def _values(runs: Runs) -> Values:
    return {seed: value_of(run) for seed, run in runs.items() if has_ended(run)}


def value_of(run: OutsideRun) -> float | None:
    """The final number of a run that has ended; None if it diverged."""
    return run.final if run.state is RunState.FINISHED else None


def has_ended(run: OutsideRun) -> bool:
    """True if a run diverged, or finished with a number."""
    return run.state is RunState.DIVERGED or (
        run.state is RunState.FINISHED and run.final is not None
    )


def _notes(table: NumberTable) -> Iterator[Note]:
    """The notes in the order in which a study's are told."""
    titled = list(_titled(table))
    differ = differing([(name, run.conditions) for name, run in titled])
    differ |= differing_steps(
        [(name, run.last) for name, run in titled if run.state is RunState.FINISHED]
    )
    left = [f"{name}{why_open(run)}" for name, run in titled if not has_ended(run)]
    if len(table.candidates) > 1:
        from q1lab.judgment.run_notes import OfSeries

        yield OfSeries()
    yield notes.OtherRuns()
    if differ:
        from q1lab.judgment.run_notes import Conditions

        yield Conditions(differ)
    if left:
        from q1lab.judgment.run_notes import UnfinishedRuns

        yield UnfinishedRuns(tuple(left), len(titled))


def _titled(table: NumberTable) -> Iterator[tuple[str, OutsideRun]]:
    """Each run with a name for people, seed by seed."""
    plan = PairPlan(has_seeds=table.has_seeds)
    for seed in sorted({*table.runs[0], *table.runs[1]}):
        for name, runs in zip(table.names, table.runs, strict=True):
            if seed in runs:
                yield f"{name}, {plan.run_label(seed)}", runs[seed]


def why_open(run: OutsideRun) -> str:
    """The reason that a run has no result, in brackets; empty where its state says it."""
    if run.state is RunState.FINISHED:
        return " (it doesn't say its final val loss)"
    return f" ({run.message})" if run.message else ""
