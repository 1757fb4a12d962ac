"""What a design decides: which seeds a study trains, which runs count, and when it is over."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar, Self

from q1lab.ground.json_records import one_of, stored_as, text, whole
from q1lab.study.part_registry import Part

MOST_SEEDS = 10_000
"""Seeds that a study may plan."""

Count = Annotated[int, whole()]
Name = Annotated[str, text(200)]


def _batches(value: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], ...]:
    """Batches of seeds: at least one seed, none twice."""
    seeds = [seed for batch in value for seed in batch]
    if len(seeds) > MOST_SEEDS:
        raise ValueError(f"holds more than {MOST_SEEDS:,} seeds")
    if not seeds or len(set(seeds)) != len(seeds):
        raise ValueError("holds no seed, or one of them twice")
    return value


@dataclass(frozen=True)
class TypedSeeds:
    """What was typed after --seeds, read: a design, with its seeds as far as they can be known
    before the other studies are looked at."""

    kind: type[Design]
    seeds: tuple[int, ...]
    """As many as the design may train; the first ones where others will be taken."""
    fewest: int
    """After how many pairs the study can be over."""
    fresh: int = 0
    """How many seeds are to be drawn that no run had."""

    @property
    def is_sequential(self) -> bool:
        return self.fewest < len(self.seeds)


@dataclass(frozen=True, kw_only=True)
class Design(Part, ABC):
    """The seeds of a study, and the rule by which it is judged. Pure."""

    part: ClassVar[str] = "design"

    batches: Annotated[tuple[tuple[Count, ...], ...], _batches] = field(metadata=stored_as("looks"))
    """The seeds in the order in which they were declared: one batch means that n was fixed before
    the first run."""
    headline: Annotated[str, one_of("paired", "welch")]
    """Which interval decides."""
    fresh_seeds: Annotated[int, whole(0, 1001)] = 0
    """How many seeds were drawn that no run had used; 0: they were named or counted."""

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(seed for batch in self.batches for seed in batch)

    def includes_run(self, run: str) -> bool:
        """Whether a run of the grid arm × seed, by its name, is one of this study."""
        return True

    @property
    def is_blind(self) -> bool:
        """Whether the losses are shown to nobody yet."""
        return False

    @property
    def counts_as_asking(self) -> bool:
        """Whether a study of this design counts as an asking of its question."""
        return True

    @property
    def has_verdict(self) -> bool:
        """Whether a comparison of the runs gives a verdict; a gate decides by a rule of its own."""
        return True

    # ── how many pairs, and when it is over

    @property
    def pairs(self) -> tuple[int, int]:
        """The fewest and the most pairs after which the study can be over."""
        return len(self.seeds), len(self.seeds)

    @property
    def is_sequential(self) -> bool:
        """Whether the study can be over before its last pair."""
        return False

    @property
    def level(self) -> float | None:
        """α of each interval, where the design declares one of its own."""
        return None

    def looks_until(self, pairs: int) -> tuple[tuple[int, float], ...]:
        """(pairs, α) of the intervals that are looked at by the time so many pairs have ended, of a
        design that declares its levels; empty for the others."""
        return ()

    def interval_at(self, differences: Sequence[float]) -> tuple[float, float] | None:
        """The interval that may be seen after these pairs while the study goes on; None where the
        design declares no look then."""
        return None

    def over_after(self, differences: Sequence[float | None], delta: float | None) -> int | None:
        """After how many pairs the study is over; None while it goes on.

        ``differences`` (in the metric's unit) are those of the first pairs that have ended, None
        for one of which a run diverged; ``delta`` is the smallest difference that matters.
        """
        return len(self.seeds) if len(differences) == len(self.seeds) else None

    def counted_seeds(
        self, differences: Sequence[float | None], delta: float | None
    ) -> tuple[int, ...]:
        """The seeds whose runs count by now: all of them, unless a study may be over earlier."""
        return self.seeds

    def trainable_seeds(
        self, differences: Sequence[float | None], delta: float | None, places: int
    ) -> tuple[int, ...]:
        """The seeds that may train before the next look, where ``places`` pairs train at once."""
        return self.seeds

    # ── going on

    def cut_to(self, pairs: int) -> Self:
        """The design as it is once the study was over after so many pairs."""
        return replace(self, batches=(self.seeds[:pairs],))

    def with_more_seeds(self, more: tuple[int, ...], *, begun: bool) -> Self:
        """The design with more seeds: a batch of its own where results may have been seen."""
        if begun:
            return replace(self, batches=(*self.batches, more))
        return replace(self, batches=(tuple(dict.fromkeys((*self.seeds, *more))),))

    def whole(self) -> Design:
        """The design under which every run of the grid trains, each by itself."""
        return self

    # ── typed, and in words

    @classmethod
    def parse_seeds(cls, text: str) -> TypedSeeds | None:
        """What was typed after --seeds, where it asks for this design; None where it doesn't.
        Problem for what asks for it and can't be planned."""
        return None

    @classmethod
    def declared(
        cls,
        typed: TypedSeeds,
        seeds: tuple[int, ...],
        headline: str,
        may_spend: Callable[[], float],
    ) -> Self:
        """The design as it is declared, over these seeds. ``may_spend``: the chance of a false
        claim that the study may have."""
        return cls(batches=(seeds,), headline=headline, fresh_seeds=typed.fresh)

    @classmethod
    def check_headline(cls, typed: TypedSeeds, headline: str) -> None:
        """Problem where the design can't be judged by this interval."""

    def declared_rule(self) -> list[float] | None:
        """What a declaration says of the rule; None where the seeds say it all."""
        return None

    @abstractmethod
    def typed(self) -> str:
        """What to type after --seeds to plan this design."""

    def resume_instead(self, variant: str) -> str:
        """What to do to go on, where that is not `q1lab run`; empty otherwise."""
        return ""


def seeds_text(seeds: tuple[int, ...]) -> str:
    """Seeds as they are typed, in the shortest form: ``3``, ``0,1,2,7`` or ``7,``."""
    if seeds == tuple(range(len(seeds))):
        return str(len(seeds))
    return ",".join(map(str, seeds)) + ("," if len(seeds) == 1 else "")
