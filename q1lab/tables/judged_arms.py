"""The verdicts on several arms of one table, ranked."""

from __future__ import annotations

from collections.abc import Sequence

from q1lab.judgment.series_table import SeriesMember, SeriesResult
from q1lab.tables.found_runs import NumberTable
from q1lab.tables.judged_table import judge_table


def judge_arms(tables: Sequence[NumberTable], source: str) -> SeriesResult:
    """Judge several arms of one file against its baseline."""
    judged = [judge_table(table, source) for table in tables]
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
