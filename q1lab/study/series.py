"""A sweep: studies of several modifications that were declared together, before the first of them
began, and that train one after another.

Each member's ``study.json`` holds the record below; there is no other file. Pure; series_members.py
finds the members and starts the next one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import PurePath

from q1lab.judgment.subject import MOST_MEMBERS, Share

SWEEP = "sweep"
"""The stem of a sweep's name."""


def is_sweep(name: str) -> bool:
    """True if this can be a sweep's name."""
    return name.partition("-")[0] == SWEEP


@dataclass(frozen=True)
class Series:
    """A study's record of its sweep. ``alpha`` is the share of the sweep's 5% that each of its
    members may spend; ``members`` are modifications as typed, in the order of their turns."""

    id: str
    members: tuple[str, ...]
    at: int
    alpha: float
    seeds: tuple[int, ...] = ()
    """The seeds of a planned range; each member trains the first ones of them."""
    fresh: bool = False
    """True if members don't copy runs that had ended before the sweep."""

    def name(self, place: int) -> str:
        """A member's name for people: a file's by its last part."""
        name = self.members[place]
        return PurePath(name).stem if name.endswith(".py") else name

    @property
    def share(self) -> Share:
        """The part of it that a verdict tells."""
        return Share(self.id, len(self.members), self.alpha)

    def with_place(self, place: int) -> Series:
        return replace(self, at=place)

    def question_key(self) -> list[str]:
        """A key that is equal for a sweep that is declared again, in whatever order."""
        return sorted(self.members)

    def __post_init__(self) -> None:
        is_sound = 2 <= len(self.members) <= MOST_MEMBERS and 0 < self.alpha < 1
        if not is_sound or not 0 <= self.at < len(self.members):
            raise ValueError("is damaged")
