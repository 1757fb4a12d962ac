"""Designs: which seeds a study trains, which runs count, and when it is over."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar, Self

from q1lab.ground.json_records import max_chars, stored_as, whole_number
from q1lab.judgment.subject import PairPlan
from q1lab.study.study_part import StudyPart

MOST_SEEDS = 10_000
"""Seeds that a study may plan."""

Count = Annotated[int, whole_number()]
Name = Annotated[str, max_chars(200)]


@dataclass(frozen=True)
class TypedSeeds:
    """The value of --seeds, parsed: a design, with its seeds as far as they can be known before the
    other studies are read."""

    kind: type[Design]
    seeds: tuple[int, ...]
    """All seeds that the design may train; placeholders 0, 1, 2 … where unused seeds will be
    drawn."""
    fewest: int
    """The smallest number of pairs after which the study can be over."""
    fresh: int = 0
    """The number of seeds to draw that no run has used."""
    are_drawn: bool = False
    """True if ``seeds`` are those that were drawn: of a kept study that trains again."""

    @property
    def is_sequential(self) -> bool:
        return self.fewest < len(self.seeds)


@dataclass(frozen=True, kw_only=True)
class Design(StudyPart):
    """The seeds of a study, and the rule by which it is judged. Pure."""

    not_declared: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Keys of the plan → the keys inside of them that change while the study goes on: a declaration
    leaves these out."""

    batches: tuple[tuple[Count, ...], ...] = field(metadata=stored_as("looks"))
    """The seeds in the order in which they were declared: one batch means that n was fixed before
    the first run."""
    fresh_seeds: Annotated[int, whole_number(0, 1001)] = 0
    """The number of seeds that were drawn unused; 0: they are the first ones."""

    def __post_init__(self) -> None:
        if len(self.seeds) > MOST_SEEDS:
            raise ValueError(f"looks holds more than {MOST_SEEDS:,} seeds")
        if not self.seeds or len(set(self.seeds)) != len(self.seeds):
            raise ValueError("looks holds no seed, or one of them twice")

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(seed for batch in self.batches for seed in batch)

    def plan(self) -> PairPlan:
        """The part of the design that a verdict tells."""
        return PairPlan(self.pairs)

    # ── how many pairs, and when it is over

    @property
    def pairs(self) -> tuple[int, int]:
        """The fewest and the most pairs after which the study can be over."""
        return len(self.seeds), len(self.seeds)

    @property
    def is_sequential(self) -> bool:
        """True if the study can be over before its last pair."""
        return self.plan().is_sequential

    @property
    def level(self) -> float | None:
        """α of each interval; None where the design declares no level of its own."""
        return None

    def limits_hold(self, tolerance: float) -> bool:
        """True if the limits that the plan holds are those of its level."""
        return True

    def interval_at(self, differences: Sequence[float]) -> tuple[float, float] | None:
        """The interval that may be shown after these pairs while the study goes on; None if the
        design declares no look there."""
        return None

    def over_after(self, differences: Sequence[float | None], delta: float | None) -> int | None:
        """The number of pairs after which the study is over; None while it goes on.

        ``differences`` (in the metric's unit) are those of the first pairs that have ended, None
        for a pair with a diverged run; ``delta`` is the smallest difference that matters.
        """
        return len(self.seeds) if len(differences) == len(self.seeds) else None

    def counted_seeds(
        self, differences: Sequence[float | None], delta: float | None
    ) -> tuple[int, ...]:
        """The seeds whose runs count by now: all of them, or where the study may be over earlier,
        those of the pairs that have ended, up to the deciding look."""
        if not self.is_sequential:
            return self.seeds
        return self.seeds[: self.over_after(differences, delta) or len(differences)]

    def trainable_seeds(
        self, differences: Sequence[float | None], delta: float | None, places: int
    ) -> tuple[int, ...]:
        """The seeds that may train before the next look, where ``places`` pairs train at once."""
        return self.seeds

    # ── going on

    def cut_to(self, pairs: int) -> Self:
        """The design of a study that was over after this number of pairs."""
        return replace(self, batches=(self.seeds[:pairs],))

    # ── typed, and in words

    @classmethod
    def parse_seeds(cls, text: str) -> TypedSeeds | None:
        """Parse the value of --seeds if it means this design; None if it doesn't. Problem if it
        does and can't be planned."""
        return None

    @classmethod
    def declared(
        cls,
        typed: TypedSeeds,
        seeds: tuple[int, ...],
        may_spend: Callable[[], float],
    ) -> Self:
        """Declare the design over these seeds. ``may_spend`` returns the chance of a false claim
        that the study may have."""
        return cls(batches=(seeds,), fresh_seeds=typed.fresh)

    def declared_rule(self) -> list[Any] | None:
        """The rule in a declaration, in JSON's types; None where the seeds tell everything."""
        return None

    def typed(self) -> str:
        """The value of --seeds that plans this design."""
        return f"fresh:{self.fresh_seeds}" if self.fresh_seeds else str(len(self.seeds))
