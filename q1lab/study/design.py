"""The design of a study: which seeds it trains, which runs count, and when it is over. Pure.

A fixed number of pairs is over after the last one; a range (seed_range.py) is over at the first
look that can tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from q1lab.ground.json_records import stored_as, whole_number
from q1lab.study import seed_range
from q1lab.study.seed_range import SeedRange

MOST_SEEDS = 10_000
"""Seeds that a study may plan."""

Count = Annotated[int, whole_number()]


@dataclass(frozen=True, kw_only=True)
class Design:
    """The seeds of a study, and the rule by which it is judged."""

    batches: tuple[tuple[Count, ...], ...] = field(metadata=stored_as("looks"))
    """The seeds in the order in which they were declared: one batch means that n was fixed before
    the first run."""
    fresh_seeds: Annotated[int, whole_number(0, 1001)] = 0
    """The number of seeds that were drawn unused; 0: they are the first ones."""
    levels: SeedRange | None = field(default=None, metadata=stored_as("range"))
    """The rule of a range; None for a fixed number of pairs."""

    def __post_init__(self) -> None:
        if len(self.seeds) > MOST_SEEDS:
            raise ValueError(f"looks holds more than {MOST_SEEDS:,} seeds")
        if not self.seeds or len(set(self.seeds)) != len(self.seeds):
            raise ValueError("looks holds no seed, or one of them twice")

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(seed for batch in self.batches for seed in batch)

    @property
    def pairs(self) -> tuple[int, int]:
        """The fewest and the most pairs after which the study can be over."""
        many = len(self.seeds)
        return (self.levels.first, self.levels.most) if self.levels else (many, many)

    @property
    def is_sequential(self) -> bool:
        """True if the study can be over before its last pair."""
        return self.levels is not None

    @property
    def level(self) -> float | None:
        """α of each interval; None where the design declares no level of its own."""
        return self.levels.alpha if self.levels else None

    def interval_at(self, differences: Sequence[float]) -> tuple[float, float] | None:
        """The interval that may be shown after these pairs while the study goes on; None if the
        design declares no look there."""
        return seed_range.interval_at_look(self.levels, differences) if self.levels else None

    def over_after(self, differences: Sequence[float | None], delta: float | None) -> int | None:
        """The number of pairs after which the study is over; None while it goes on.

        ``differences`` (in the metric's unit) are those of the first pairs that have ended, None
        for a pair with a diverged run; ``delta`` is the smallest difference that matters.
        """
        if self.levels:
            return seed_range.over_after(self.levels, differences, delta)
        return len(self.seeds) if len(differences) == len(self.seeds) else None

    def counted_seeds(
        self, differences: Sequence[float | None], delta: float | None
    ) -> tuple[int, ...]:
        """The seeds whose runs count by now: all of them, or where the study may be over earlier,
        those of the pairs that have ended, up to the deciding look."""
        if not self.is_sequential:
            return self.seeds
        return self.seeds[: self.over_after(differences, delta) or len(differences)]

    def cut_to(self, pairs: int) -> Design:
        """The design of a study that was over after this number of pairs."""
        return replace(self, batches=(self.seeds[:pairs],))

    def declared_rule(self) -> list[Any] | None:
        """The rule in a declaration, in JSON's types; None where the seeds tell everything."""
        return [*self.pairs, self.level] if self.levels else None

    def typed(self) -> str:
        """The value of --seeds that plans this design."""
        if self.levels:
            return f"{self.levels.first}..{self.levels.most}"
        return f"fresh:{self.fresh_seeds}" if self.fresh_seeds else str(len(self.seeds))
