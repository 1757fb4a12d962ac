"""The cost of an arm: the columns of compare's table of both arms.

Here is the one list of them. The terminal, the app, the documents, the page, JSON and the CSV take
theirs from it.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from q1lab.ground.text_formats import duration, three_digits


class PlannedArm(Protocol):
    """An arm's costs, as far as a plan knows them; 0 is not known."""

    @property
    def n_params(self) -> int: ...
    @property
    def flops_per_token(self) -> int: ...


RunRow = Any
"""A run: its tokens_per_s, seconds and iter, None where it doesn't say them."""


@dataclass(frozen=True)
class CostColumn:
    """A cost, by its ``key`` in JSON and in the CSV, and by its ``label`` for people."""

    key: str
    label: str
    of_run: Callable[[PlannedArm, RunRow], float | None]
    """From the arm's plan and a run's row in the index; None where it is not known."""
    measured: bool = False
    """True if it varies from run to run: an arm has that of its finished runs, and a change is told
    with its interval."""
    of_arm: Callable[[Sequence[float]], float] = statistics.fmean
    """Of a measured cost: one number of those of the runs."""
    write: Callable[[float], str] = three_digits
    """In short; a document has every digit."""
    unit: str = ""
    """The words that follow the label where every digit is written."""

    def arm_cost(
        self, arm: PlannedArm, rows: Sequence[RunRow], finished: Sequence[RunRow]
    ) -> float | None:
        """The cost of an arm with these runs, of which some have finished; None where it is not
        known."""
        counted = finished if self.measured else rows
        values = [value for row in counted if (value := self.of_run(arm, row)) is not None]
        if not values:
            return None
        return self.of_arm(values) if self.measured else values[0]


COST_COLUMNS: tuple[CostColumn, ...] = (
    CostColumn("n_params", "parameters", lambda arm, _: arm.n_params or None),
    CostColumn("flops_per_token", "matmul FLOPs/token", lambda arm, _: arm.flops_per_token or None),
    CostColumn(
        "tokens_per_s",
        "tokens/s",
        lambda _, run: run["tokens_per_s"] or None,
        measured=True,
        of_arm=statistics.median,
    ),
    CostColumn(
        "wall_s",
        "wall clock per run",
        lambda _, run: run["seconds"],
        measured=True,
        write=duration,
        unit=" (s)",
    ),
)


def measured_costs() -> dict[str, str]:
    """The labels of the costs that vary from run to run, by their keys."""
    return {column.key: column.label for column in COST_COLUMNS if column.measured}
