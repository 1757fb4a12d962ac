"""Studies that were declared together, before the first of them began, and that train one after
another: a sweep over several modifications, or one modification over an axis.

Each member's ``study.json`` says so itself, in ``extra["series"]``; there is no other file. Here is
that record (pure), which members there are, and whose turn is next.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from q1lab.study.studies import Study

SWEEP: Literal["sweep"] = "sweep"
OVER: Literal["over"] = "over"
KINDS = (SWEEP, OVER)
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
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"its series is damaged ({error})") from None
    right = made.kind in KINDS and 2 <= len(made.members) <= MOST and 0 < made.alpha < 1
    if not right or not 0 <= made.at < len(made.members):
        raise ValueError("its series is damaged")
    return made


def members(series_id: str) -> dict[int, Study]:
    """The studies of a series that are on disk and can be read, by their place in it."""
    from q1lab.study import studies

    found: dict[int, Study] = {}
    for study in studies.sorted_out(studies.ids())[0]:
        mine = of(study)
        if mine is not None and mine.id == series_id:
            found.setdefault(mine.at, study)
    return found


def deleted_places(series_id: str) -> set[int]:
    """The places whose study was deleted."""
    return {at for name, at in _deleted() if name == series_id}


def _deleted() -> list[tuple[str, int]]:
    from q1lab.study import deleted

    found = []
    for line in deleted.records():
        extra = (line.get("plan") or {}).get("extra")
        try:
            record = from_dict((extra or {}).get("series"))
        except (ValueError, AttributeError):
            continue
        if record is not None:
            found.append((record.id, record.at))
    return found


def newest_first(kind: str) -> list[str]:
    """The names of all series of one kind."""
    from q1lab.study import studies

    found: dict[str, None] = {}
    for study in reversed(studies.sorted_out(studies.ids())[0]):
        mine = of(study)
        if mine is not None and mine.kind == kind:
            found[mine.id] = None
    return list(found)


def new_id(stem: str) -> str:
    """The next free ``sweep-N``, past those whose members were deleted and past studies of that
    name."""
    from q1lab.study import deleted, studies

    names = [*studies.ids(), *(str(line["id"]) for line in deleted.records())]
    names += [name for name, _ in _deleted()]
    for kind in KINDS:
        names += newest_first(kind)
    taken = [
        int(match[1])
        for name in names
        if (match := re.fullmatch(re.escape(stem) + r"-([0-9]{1,9})", name))
    ]
    return f"{stem}-{max(taken, default=0) + 1}"


def lacks_runs(study: Study) -> bool:
    """Whether a study has runs that have not ended."""
    from q1lab.study.events import has_ended

    return not all(has_ended(study.files.run(run.name).events) for run in study.runs)


def start_next(study: Study) -> Study | None:
    """Start the next member of this study's series that lacks runs; None when there is none.

    Runs that the members before have finished are taken over first. Problem when it can't start.
    """
    mine = of(study)
    if mine is None:
        return None
    for at, member in sorted(members(mine.id).items()):
        if at > mine.at and lacks_runs(member) and start(member):
            return member
    return None


def start(member: Study) -> bool:
    """Take over what there is and train the rest; False when nothing was left to train."""
    from q1lab.study import launch, reuse

    mine = of(member)
    fresh = mine is not None and mine.fresh
    reuse.fill(member, {one.id for one in members(mine.id).values()} if mine and fresh else None)
    if not lacks_runs(member):
        return False
    launch.start(member)
    return True
