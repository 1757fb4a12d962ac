"""A planned range: 3 to 12 pairs, over at the first look that can tell."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from q1lab.ground.errors import Problem
from q1lab.ground.json_records import stored_as
from q1lab.study import seed_range
from q1lab.study.design import Design, TypedSeeds


@dataclass(frozen=True, kw_only=True)
class Range(Design):
    """The rule of a range is in ``q1lab.study.seed_range``, which a runner and a notebook share."""

    kind: ClassVar[str] = "range"

    levels: seed_range.SeedRange = field(metadata=stored_as("range"))

    @property
    def pairs(self) -> tuple[int, int]:
        return self.levels.first, self.levels.most

    @property
    def level(self) -> float | None:
        return self.levels.alpha

    def limits_hold(self, tolerance: float) -> bool:
        from q1lab.judgment import interim_analyses

        limits = interim_analyses.t_limits(self.levels.first, self.levels.most, self.levels.alpha)
        pairs = zip(limits, self.levels.limits, strict=True)
        return all(math.isclose(*pair, rel_tol=tolerance) for pair in pairs)

    def interval_at(self, differences: Sequence[float]) -> tuple[float, float] | None:
        return seed_range.interval_at_look(self.levels, differences)

    def over_after(self, differences: Sequence[float | None], delta: float | None) -> int | None:
        return seed_range.over_after(self.levels, differences, delta)

    def trainable_seeds(
        self, differences: Sequence[float | None], delta: float | None, places: int
    ) -> tuple[int, ...]:
        """Up to the first look at first, then as many pairs more as there are places."""
        end = self.over_after(differences, delta)
        if end is not None and end < len(self.seeds):
            return self.seeds[:end]
        return self.seeds[: max(self.levels.first, len(differences) + places)]

    @classmethod
    def parse_seeds(cls, text: str) -> TypedSeeds | None:
        """``3..12`` is a range of 3 to 12 pairs."""
        if ".." not in text:
            return None
        match = re.fullmatch(r"\s*([0-9]{1,9})\s*\.\.\s*([0-9]{1,9})\s*", text)
        if match is None:
            raise Problem(f"--seeds {text!r}: a range is two whole numbers, for example 3..12")
        first, most = int(match[1]), int(match[2])
        if first < 3:
            raise Problem(
                f"--seeds {text}: a range begins at 3 pairs or more; fewer give no verdict"
            )
        if first >= most:
            example = f"{first}..{max(first + 5, 12)}"
            raise Problem(f"--seeds {text}: a range goes up, for example {example}")
        from q1lab.judgment import interim_analyses

        interim_analyses.prove_range(first, most)
        return TypedSeeds(cls, tuple(range(most)), first)

    @classmethod
    def declared(
        cls,
        typed: TypedSeeds,
        seeds: tuple[int, ...],
        may_spend: Callable[[], float],
    ) -> Self:
        """The level is fixed here, before the first run: a question that was looked at before pays
        for that, and a study that was declared together with others has only its share."""
        from q1lab.judgment import interim_analyses

        first, most = typed.fewest, len(typed.seeds)
        alpha = interim_analyses.level_per_look(first, most, may_spend())
        limits = interim_analyses.t_limits(first, most, alpha)
        levels = seed_range.SeedRange(first, most, alpha, limits)
        return cls(batches=(seeds,), levels=levels)

    def declared_rule(self) -> list[Any] | None:
        return [self.levels.first, self.levels.most, self.levels.alpha]

    def typed(self) -> str:
        return f"{self.levels.first}..{self.levels.most}"
