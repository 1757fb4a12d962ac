"""Studies that were declared together, before the first of them began, and that train one after
another: a sweep over several modifications, one modification over an axis, or the values that are
tried before a study to tune it.

Each member's ``study.json`` says so itself, in ``extra["series"]``; there is no other file. Here is
that record. Pure; turns.py finds the members and says whose turn it is.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from q1lab.study.studies import Study

SWEEP: Literal["sweep"] = "sweep"
OVER: Literal["over"] = "over"
TUNE: Literal["tune"] = "tune"
KINDS = (SWEEP, OVER, TUNE)
MOST = 24
"""Members of one series."""


@dataclass(frozen=True)
class Series:
    """What one study knows of its series. ``alpha`` is the share of the series' 5% that each of its
    members may spend; ``members`` are in the order of their turns: modifications as they were
    given, or the values of ``axis``."""

    id: str
    kind: str
    members: tuple[str, ...]
    at: int
    alpha: float
    axis: str = ""
    seeds: tuple[int, ...] = ()
    """The seeds of a planned range, of which each member trains the first ones."""
    fresh: bool = False
    """Whether runs that had ended before the series were left alone."""
    then: str = ""
    """Of a tuning: the seeds, as typed, of the study that follows."""

    def name(self, at: int) -> str:
        """A member's name for people: a file's by its last part."""
        name = self.members[at]
        return PurePath(name).stem if self.kind == SWEEP and name.endswith(".py") else name

    def place(self, at: int) -> Series:
        return replace(self, at=at)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def of(study: Study) -> Series | None:
    """The series that a study was declared in, if any. ValueError for a damaged record."""
    return from_dict(study.extra.get("series"))


def from_dict(found: Any) -> Series | None:
    """What ``to_dict`` wrote, if anything. ValueError for a damaged record."""
    if found is None:
        return None
    try:
        made = Series(
            str(found["id"]),
            str(found["kind"]),
            tuple(str(name) for name in found["members"]),
            int(found["at"]),
            float(found["alpha"]),
            str(found.get("axis", "")),
            tuple(int(seed) for seed in found.get("seeds", ())),
            bool(found.get("fresh", False)),
            str(found.get("then", "3")),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"its series is damaged ({error})") from None
    right = made.kind in KINDS and 2 <= len(made.members) <= MOST and 0 < made.alpha < 1
    if not right or not 0 <= made.at < len(made.members):
        raise ValueError("its series is damaged")
    return made
