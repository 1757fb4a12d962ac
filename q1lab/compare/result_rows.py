"""All studies with what their comparisons say, as rows for the results screen. Reads, computes
nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from q1lab.journal.store import Stamp, Store
from q1lab.journal.stored_results import list_results
from q1lab.judgment.intervals import Interval
from q1lab.judgment.metric import VAL_LOSS, Metric
from q1lab.judgment.subject import Headline

CANNOT_BE_READ = "can't be read"
"""Heading of the studies whose plan is damaged."""


@dataclass(frozen=True)
class ResultRow:
    """One study. ``verdict`` and the numbers are None while planned runs are missing or
    uncompared."""

    id: str
    variant: str
    baseline: str
    preset: str
    data: str
    data_sha256: str
    dtype: str
    created: str
    done: int
    total: int
    verdict: str | None = None
    n: int | None = None
    mean: float | None = None
    ends: Interval | None = None
    alpha: float | None = None
    delta: float | None = None
    metric: Metric = VAL_LOSS
    name: str = ""
    """The learner's name for it (q1lab.journal.study_names)."""
    program: str = ""
    """The command that trains it; empty for q1lab's own loop."""
    problem: str | None = None
    """Why its plan can't be read; nothing else is then known for sure."""
    pairs: ClassVar[Mapping[int, float]] = {}
    """Not read: a list shows none."""
    headline: ClassVar[Headline] = "paired"

    @property
    def shown_name(self) -> str:
        """Its name, if the learner gave it one, else its own."""
        return self.name or self.id

    @property
    def trained_by(self) -> str:
        """The command that trained it, or ``cpu preset, shakespeare``."""
        preset = self.preset and f"{self.preset} preset"
        own_loop = ", ".join(filter(None, (preset, self.data)))
        return self.program or own_loop

    @property
    def complete(self) -> bool:
        return self.total > 0 and self.done == self.total

    @property
    def answer(self) -> str:
        """The verdict; empty as long as there is none."""
        return self.verdict or ""

    @property
    def sample(self) -> str:
        """The number of pairs; empty without one."""
        return "" if self.n is None else str(self.n)

    @property
    def why_no_verdict(self) -> str:
        """The reason that there is no verdict: ``3 of 6 done, no verdict yet``."""
        return f"{self.progress_text}, no verdict yet"

    @property
    def progress_text(self) -> str:
        """The progress of a study without an answer."""
        if not self.complete:
            return f"{self.done} of {self.total} done"
        return "not compared yet"


def read_result_rows(store: Store) -> tuple[ResultRow, ...]:
    """Every study, newest first."""
    rows = []
    for row in list_results(store):
        numbers = {}
        if row["done"] == row["total"] and row["of_all_runs"]:
            numbers = {key: row[key] for key in ("verdict", "n", "mean", "alpha", "delta")}
            if row["low"] is not None and row["high"] is not None:
                numbers["ends"] = Interval(row["low"], row["high"])
        if row["metric"] is not None:
            numbers["metric"] = Metric(**json.loads(row["metric"]))
        elif row["reports"]:
            numbers["metric"] = Metric(row["reports"], "", row["better"] or "lower")
        plan = {
            key: row[key]
            for key in ("id", "variant", "baseline", "preset", "data_sha256", "dtype", "created")
        }
        rows.append(
            ResultRow(
                **plan,
                data=row["data_name"],
                done=row["done"],
                total=row["total"],
                name=row["name"] or "",
                program=row["program"] or "",
                **numbers,
            )
        )
    return tuple(rows)


class ResultRowReader:
    """``read`` for a desk that asks several times a second: reads again only when the database has
    changed, and spends at most a twentieth of the time on it."""

    def __init__(self) -> None:
        self._stamp: Stamp | None = None
        self._rows: tuple[ResultRow, ...] = ()
        self._rested = 0.0
        """The time from which it may read again."""

    def __call__(self, store: Store) -> tuple[ResultRow, ...]:
        stamp, began = store.stamp(), time.monotonic()
        if stamp != self._stamp and began >= self._rested:
            self._rows, self._stamp = read_result_rows(store), stamp
            ended = time.monotonic()
            self._rested = ended + 20 * (ended - began)
        return self._rows


def with_unreadable(
    lines: Sequence[ResultRow], unreadable: Mapping[str, str]
) -> tuple[ResultRow, ...]:
    """The lines, then one for each study that can't be read (why, by id)."""
    broken = tuple(
        ResultRow(study_id, "", "", "", "", "", "", "", 0, 0, problem=why)
        for study_id, why in unreadable.items()
    )
    return (*(line for line in lines if line.id not in unreadable), *broken)


def group_by_data(lines: Sequence[ResultRow]) -> list[tuple[str, list[ResultRow]]]:
    """Groups that may be compared: the same text, number format and metric. The group with the
    newest first."""
    groups: dict[tuple[str, str, str, bool], list[ResultRow]] = {}
    for line in lines:
        key = (line.data_sha256, line.dtype, line.metric.axis, line.problem is None)
        groups.setdefault(key, []).append(line)
    return [(_group_name(group[0]), group) for group in groups.values()]


def _group_name(line: ResultRow) -> str:
    if line.problem:
        return CANNOT_BE_READ
    metric = "" if line.metric == VAL_LOSS else f", {line.metric.axis}"
    return f"{line.data} ({line.data_sha256[:8]}), {line.dtype}{metric}"
