"""Studies that were declared together, before the first of them began, and that train one after
another: a sweep over several modifications, one modification over an axis, or the values that are
tried before a study to tune it.

Each member's ``study.json`` holds the record below; there is no other file. Pure; series_members.py
finds the members and starts the next one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Literal

from q1lab.judgment.subject import MOST_MEMBERS, Share

SWEEP: Literal["sweep"] = "sweep"
OVER: Literal["over"] = "over"
TUNE: Literal["tune"] = "tune"
SERIES_KINDS = (SWEEP, OVER, TUNE)


@dataclass(frozen=True)
class Series:
    """A study's record of its series. ``alpha`` is the share of the series' 5% that each of its
    members may spend; ``members`` are in the order of their turns: modifications as typed, or the
    values of ``axis``."""

    id: str
    kind: str
    members: tuple[str, ...]
    at: int
    alpha: float
    axis: str = ""
    seeds: tuple[int, ...] = ()
    """The seeds of a planned range; each member trains the first ones of them."""
    fresh: bool = False
    """True if members don't copy runs that had ended before the series."""
    then: str = "3"
    """The --seeds of the study that follows a tuning, as typed."""

    def name(self, place: int) -> str:
        """A member's name for people: a file's by its last part."""
        name = self.members[place]
        return PurePath(name).stem if self.kind == SWEEP and name.endswith(".py") else name

    @property
    def share(self) -> Share:
        """The part of it that a verdict tells."""
        return Share(self.id, len(self.members), self.alpha, self.kind, self.axis)

    def with_place(self, place: int) -> Series:
        return replace(self, at=place)

    def question_key(self) -> tuple[str, str, list[str]]:
        """A key that is equal for a series that is declared again, in whatever order."""
        return self.kind, self.axis, sorted(self.members)

    def __post_init__(self) -> None:
        is_sound = (
            self.kind in SERIES_KINDS
            and 2 <= len(self.members) <= MOST_MEMBERS
            and 0 < self.alpha < 1
        )
        if not is_sound or not 0 <= self.at < len(self.members):
            raise ValueError("is damaged")
