"""The verdict on final numbers that were trained elsewhere: without a home, a journal or a
training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from q1lab.doors.imports.number_table import NumberTable, arms_series, study_of_table
from q1lab.doors.imports.outside_runs import OutsideRun
from q1lab.index.store import Row
from q1lab.judgment import comparison_record, terminal_text, verdict_text
from q1lab.study.studies import ARMS
from q1lab.verdict.comparison import Comparison, build_comparison
from q1lab.verdict.series_table import SeriesMember, SeriesResult


@dataclass(frozen=True, repr=False)
class JudgedNumbers:
    """A comparison of two arms, for Python and notebooks: its ``repr`` is the short verdict, and a
    notebook shows the figure below it."""

    comparison: Comparison

    @property
    def verdict(self) -> str:
        """``helps``, ``hurts``, ``too small to matter``, ``cannot tell`` or ``no verdict``."""
        return self.comparison.analysis.verdict

    @property
    def difference(self) -> float | None:
        """The mean of modified − baseline, in the metric's unit; None if a run diverged."""
        return self.comparison.analysis.mean

    @property
    def interval(self) -> tuple[float, float] | None:
        """The interval that decides; None without one."""
        ends = self.comparison.analysis.ends
        return None if ends is None else (ends.low, ends.high)

    @property
    def level(self) -> float:
        """The interval's coverage: 0.95."""
        return self.comparison.analysis.level

    def to_dict(self) -> dict[str, Any]:
        """Everything that ``q1lab compare --json`` prints."""
        return comparison_record.comparison_json(self.comparison)

    def __repr__(self) -> str:
        return "\n".join(terminal_text.short_lines(self.comparison, 80))

    def _repr_html_(self) -> str:
        from html import escape

        from q1lab.verdict import comparison_picture

        figure = comparison_picture.draw_comparison(self.comparison, {}, "svg").decode()
        return f"<pre>{escape(repr(self))}</pre>\n{figure}"


def judge_table(table: NumberTable, source: str) -> JudgedNumbers:
    """Judge the numbers of a table. ``source`` says where they came from, for people.

    The arms are compared seed by seed if both have the same seeds, else as two groups (Welch).
    Where a file has several arms, their comparisons share 5%.
    """
    series = arms_series(Path(source).name, table.candidates, table.names[1])
    study = study_of_table(table, source).with_origin(series=series)
    rows: list[Row] = []
    starts: dict[int, Mapping[str, Any]] = {}
    for planned in study.runs:
        run = table.runs[ARMS.index(planned.arm)][planned.seed]
        starts[len(rows)] = run.conditions
        rows.append(_row(len(rows), planned.arm, planned.seed, run))
    return JudgedNumbers(build_comparison(study, rows, starts=starts))


def judge_arms(tables: Sequence[NumberTable], source: str) -> SeriesResult:
    """Judge several arms of one file against its baseline."""
    judged = [judge_table(table, source).comparison for table in tables]
    series = judged[0].study.origin.series
    assert series is not None, "one arm alone is no series"
    members = (
        SeriesMember(
            at,
            series.name(at),
            comparison=comparison,
            why=verdict_text.no_verdict_reason(comparison)
            if comparison.analysis.reason is not None
            else "",
        )
        for at, comparison in enumerate(judged)
    )
    return SeriesResult(series, judged[0].study.baseline, None, tuple(members))


def _row(row_id: int, arm: str, seed: int, run: OutsideRun) -> Row:
    """A run as the index would have it."""
    row = {
        "id": row_id,
        "arm": arm,
        "seed": seed,
        "state": run.state,
        "val_loss": run.final,
        "attempt": 0,
        "iter": run.last,
        "bad_lines": 0,
        "reused_from": "",
        "tokens_per_s": None,
        "seconds": None,
        "message": run.message,
    }
    return cast(Row, row)
