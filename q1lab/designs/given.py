"""The runs that a table of final numbers holds: they had all been trained before q1lab saw one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from q1lab.ground.json_rules import max_items
from q1lab.judgment.subject import PairPlan
from q1lab.study.design import Design, Name
from q1lab.study.studies import run_name


@dataclass(frozen=True)
class TableRuns:
    """The runs of the grid arm × seed that a table does not hold, and whether it says the seeds."""

    absent: Annotated[tuple[Name, ...], max_items(20_000)] = ()
    has_seeds: bool = True
    """False: a run's seed is its place in the arm's list, and says nothing."""


@dataclass(frozen=True, kw_only=True)
class Given(Design):
    """Every run of the table counts; one arm may have more of them than the other."""

    kind: ClassVar[str] = "given"

    table: TableRuns

    def includes_run(self, run: str) -> bool:
        return run not in self.table.absent

    def asks_for_run(self, arm: str, seed: int) -> bool:
        return self.includes_run(run_name(arm, seed))

    def plan(self, delta: float | None = None) -> PairPlan:
        return PairPlan(self.pairs, has_seeds=self.table.has_seeds)
