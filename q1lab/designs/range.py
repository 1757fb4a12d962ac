"""A planned range: 3 to 12 pairs, over at the first look that can tell, or that leaves little to
find."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

from q1lab.ground.errors import Problem
from q1lab.ground.json_records import stored_as
from q1lab.judgment.subject import Headline, PairPlan
from q1lab.study import seed_range
from q1lab.study.design import Count, Design, TypedSeeds


@dataclass(frozen=True, kw_only=True)
class Range(Design):
    """The rule of a range is in ``q1lab.study.seed_range``, which a runner and a notebook share."""

    kind: ClassVar[str] = "range"

    levels: seed_range.SeedRange = field(metadata=stored_as("range"))
    to_the_end: bool = False
    """True if no look stops the range for futility, whatever its limits say."""
    untrained: tuple[Count, ...] = ()
    """The seeds that were planned beyond the look at which the study was over. Without limits of
    futility they are not kept, since nothing could ask for them again."""

    @property
    def pairs(self) -> tuple[int, int]:
        return self.levels.first, self.levels.most

    @property
    def level(self) -> float | None:
        return self.levels.alpha

    @property
    def rule(self) -> seed_range.SeedRange:
        """The rule by which the study is over."""
        return replace(self.levels, futility=()) if self.to_the_end else self.levels

    def plan(self, delta: float | None = None) -> PairPlan:
        looks = self.rule.futility
        futile = (pairs for pairs, limits in enumerate(looks, self.levels.first) if any(limits))
        futility_t = tuple(limits[delta is not None] for limits in looks)
        return PairPlan(self.pairs, next(futile, None), futility_t, side=self.levels.side)

    def limits_hold(self, tolerance: float) -> bool:
        from q1lab.judgment import interim_analyses

        limits = interim_analyses.t_limits(self.levels.first, self.levels.most, self.levels.alpha)
        pairs = zip(limits, self.levels.limits, strict=True)
        return all(math.isclose(*pair, rel_tol=tolerance) for pair in pairs)

    def interval_at(self, differences: Sequence[float]) -> tuple[float, float] | None:
        return seed_range.interval_at_look(self.levels, differences)

    def over_after(self, differences: Sequence[float | None], delta: float | None) -> int | None:
        return seed_range.over_after(self.rule, differences, delta)

    def stopped_for_futility(
        self, differences: Sequence[float | None], delta: float | None
    ) -> bool:
        over = self.over_after(differences, delta)
        values = [value for value in differences[:over] if value is not None]
        return over == len(values) and seed_range.is_futile(self.rule, values, delta)

    def trainable_seeds(
        self, differences: Sequence[float | None], delta: float | None, places: int
    ) -> tuple[int, ...]:
        """Up to the first look at first, then as many pairs more as there are places."""
        end = self.over_after(differences, delta)
        if end is not None and end < len(self.seeds):
            return self.seeds[:end]
        return self.seeds[: max(self.levels.first, len(differences) + places)]

    def cut_to(self, pairs: int) -> Self:
        cut = self.seeds[pairs:] + self.untrained if self.levels.futility else ()
        return replace(self, batches=(self.seeds[:pairs],), untrained=cut)

    def going_to_the_end(self) -> Self:
        """The range with all of its seeds again, and without its stop for futility."""
        seeds = self.seeds + self.untrained
        return replace(self, batches=(seeds,), untrained=(), to_the_end=True)

    @classmethod
    def parse_seeds(cls, text: str) -> TypedSeeds | None:
        """``3..12`` is a range of 3 to 12 pairs; ``full:3..12`` one that never stops for
        futility."""
        if ".." not in text:
            return None
        match = re.fullmatch(r"\s*(full:)?\s*([0-9]{1,9})\s*\.\.\s*([0-9]{1,9})\s*", text)
        if match is None:
            raise Problem(f"--seeds {text!r}: a range is two whole numbers, for example 3..12")
        first, most = int(match[2]), int(match[3])
        if first < 3:
            raise Problem(
                f"--seeds {text}: a range begins at 3 pairs or more; fewer give no verdict"
            )
        if first >= most:
            example = f"{first}..{max(first + 5, 12)}"
            raise Problem(f"--seeds {text}: a range goes up, for example {example}")
        from q1lab.judgment import interim_analyses

        interim_analyses.prove_range(first, most)
        return TypedSeeds(cls, tuple(range(most)), first, to_the_end=match[1] is not None, side="")

    @classmethod
    def check_headline(cls, typed: TypedSeeds, headline: Headline) -> None:
        if headline != "paired":
            raise Problem(
                f"--seeds {typed.fewest}..{len(typed.seeds)}: the levels of a range hold for the "
                "paired interval",
                next="say --headline paired if the seed fixes the batches and the start of both "
                "arms, or give a number of seeds",
            )

    @classmethod
    def declared(
        cls,
        typed: TypedSeeds,
        seeds: tuple[int, ...],
        headline: Headline,
        may_spend: Callable[[], float],
    ) -> Self:
        """The level is fixed here, before the first run: a question that was looked at before pays
        for that, and a study that was declared together with others has only its share."""
        from q1lab.judgment import futility, interim_analyses

        first, most, side = typed.fewest, len(typed.seeds), typed.side or ""
        alpha = interim_analyses.level_per_look(first, most, may_spend())
        limits = interim_analyses.t_limits(first, most, alpha)
        futile = futility.futility_limits(first, most, alpha, one_sided=bool(side))
        levels = seed_range.SeedRange(first, most, alpha, limits, futile, side)
        return cls(batches=(seeds,), headline=headline, levels=levels, to_the_end=typed.to_the_end)

    def declared_rule(self) -> list[Any] | None:
        rule = [self.levels.first, self.levels.most, self.levels.alpha]
        return [*rule, self.levels.side] if self.levels.side else rule

    def typed(self) -> str:
        return f"{'full:' * self.to_the_end}{self.levels.first}..{self.levels.most}"
