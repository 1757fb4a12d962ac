"""The verdict on final numbers that were trained elsewhere: without a home, a journal or a
training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from q1lab.doors.imports.number_table import NumberTable, design_of_table
from q1lab.ground.files import sha256_text, utc_now
from q1lab.index.store import Row
from q1lab.study.origin import Imported, ImportedRuns
from q1lab.study.run_states import RunState
from q1lab.study.studies import ARMS, Arm, Data, Study
from q1lab.trainers.outside import Outside
from q1lab.verdict import comparison_record, terminal_text
from q1lab.verdict.comparison import Comparison, build_comparison


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

        from q1lab.verdict import charts

        figure = charts.draw_comparison(self.comparison, {}, "svg").decode()
        return f"<pre>{escape(repr(self))}</pre>\n{figure[figure.index('<svg') :]}"


def judge_table(table: NumberTable, source: str) -> JudgedNumbers:
    """Judge the numbers of a table. ``source`` says where they came from, for people.

    The arms are compared seed by seed if both have the same seeds, else as two groups (Welch).
    """
    study = Study(
        id="",
        created=utc_now(),
        arms={
            arm: Arm(name, name, "", sha256_text(f"{arm} {name}"), name, 0, 0)
            for arm, name in zip(ARMS, table.names, strict=True)
        },
        data=Data("", "", "", 0, 0, 0, 0),
        trainer=Outside(device="", jobs=1, threads=1, versions={}, measured=table.metric),
        design=design_of_table(table),
        origin=Imported(imported=ImportedRuns(source=source, time=utc_now())),
    )
    rows = [
        _row(arm, seed, value)
        for arm, values in zip(ARMS, table.values, strict=True)
        for seed, value in values.items()
    ]
    return JudgedNumbers(build_comparison(study, rows))


def _row(arm: str, seed: int, value: float | None) -> Row:
    """A finished run as the index would have it."""
    row = {
        "id": 0,
        "arm": arm,
        "seed": seed,
        "state": RunState.DIVERGED if value is None else RunState.FINISHED,
        "val_loss": value,
        "attempt": 0,
        "iter": 0,
        "bad_lines": 0,
        "reused_from": "",
        "tokens_per_s": None,
        "seconds": None,
    }
    return cast(Row, row)
