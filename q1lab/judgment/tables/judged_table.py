"""The verdicts on final numbers that were trained elsewhere: without a home, a journal or a
training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from q1lab.judgment import notes
from q1lab.judgment.conditions import differing, differing_steps
from q1lab.judgment.intervals import ALPHA
from q1lab.judgment.judge import judge
from q1lab.judgment.notes import Note
from q1lab.judgment.records import ArmResult, Judgment
from q1lab.judgment.run_states import RunState
from q1lab.judgment.subject import ARMS, Share, outside_subject
from q1lab.judgment.tables.found_runs import NumberTable
from q1lab.judgment.tables.outside_run import OutsideRun

if TYPE_CHECKING:
    from q1lab.judgment.series_table import SeriesResult


def judge_table(table: NumberTable) -> Judgment:
    """Judge two arms.

    They are compared seed by seed if both have the same seeds, else as two groups (Welch). Where
    several arms were found, their comparisons share 5%.
    """
    found, many = table.found, len(table.candidates)
    share = Share(Path(found.name).absolute().name, many, ALPHA / many) if many > 1 else None
    subject = outside_subject(
        table.names,
        found.metric,
        tuple(sorted({*table.runs[0], *table.runs[1]})),
        has_seeds=found.has_seeds,
        share=share,
    )
    ended = [{s: run.value for s, run in runs.items() if run.has_ended} for runs in table.runs]
    unfinished = {
        arm: ArmResult(unfinished=tuple(seed for seed, run in runs.items() if not run.has_ended))
        for arm, runs in zip(ARMS, table.runs, strict=True)
    }
    return judge(
        ended[0],
        ended[1],
        metric=found.metric,
        headline="paired" if table.is_paired else "welch",
        level=share.alpha if share else ALPHA,
        complete=not any(arm.unfinished for arm in unfinished.values()),
        subject=subject,
        arms=unfinished,
        notes=tuple(_notes(table)),
    )


def judge_arms(tables: Sequence[NumberTable]) -> SeriesResult:
    """Judge several arms against one baseline, ranked."""
    from q1lab.judgment.series_table import SeriesMember, SeriesResult

    judged = [judge_table(table) for table in tables]
    share = judged[0].subject.share
    assert share is not None, "one arm alone is no series"
    members = (
        SeriesMember(
            at,
            table.names[1],
            comparison=judgment,
            why="" if judgment.instead is None else judgment.instead.sentence(),
        )
        for at, (table, judgment) in enumerate(zip(tables, judged, strict=True))
    )
    return SeriesResult(share, tables[0].names[0], None, tuple(members))


def _notes(table: NumberTable) -> Iterator[Note]:
    """The notes in the order in which a study's are told."""
    titled = list(_titled(table))
    differ = differing([(name, run.conditions) for name, run in titled])
    differ |= differing_steps(
        [(name, run.last) for name, run in titled if run.state is RunState.FINISHED]
    )
    left = [f"{name}{run.why_open}" for name, run in titled if not run.has_ended]
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
    plan = table.found.plan
    for seed in sorted({*table.runs[0], *table.runs[1]}):
        for name, runs in zip(table.names, table.runs, strict=True):
            if seed in runs:
                yield f"{name}, {plan.run_label(seed)}", runs[seed]
