"""Runs that were trained elsewhere, of which only the final numbers are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from q1lab.ground.errors import Problem
from q1lab.judgment.metric import Metric
from q1lab.judgment.subject import Description
from q1lab.study.trainer import Trainer

if TYPE_CHECKING:
    from q1lab.study.command_line import Request
    from q1lab.study.studies import Study


@dataclass(frozen=True, kw_only=True)
class Outside(Trainer):
    """Trains nothing: it says which metric the numbers are of."""

    kind: ClassVar[str] = "outside"

    measured: Metric

    @property
    def metric(self) -> Metric:
        return self.measured

    @property
    def has_model_files(self) -> bool:
        return False

    def why_not_retrainable(self) -> str:
        return "its runs were trained elsewhere, and only their numbers are known"

    def declared_budget(self) -> list[Any]:
        return [self.measured.name, self.measured.unit, self.measured.better]

    def request(self, study: Study) -> Request:
        raise Problem(f"{study.id} was trained elsewhere, so it can't be trained here")

    def program(self) -> list[str]:
        raise Problem("runs that were trained elsewhere can't be trained here")

    def describe(self, study: Study) -> Description:
        return Description(
            within="under the same conditions",
            measured=(
                f"The metric is {self.metric.name} as it was given; {self.metric.direction}."
            ),
            pair_shares="have the same seed",
        )
