"""The studies of a series (see series.py), and whose turn it is: the one way that one of them
begins."""

from __future__ import annotations

import re

from q1lab.errors import Problem
from q1lab.study import deleted, launch, reuse, series, studies
from q1lab.study.events import has_ended
from q1lab.study.studies import Study


def members(series_id: str) -> dict[int, Study]:
    """The studies of a series that are on disk and can be read, by their place in it."""
    found: dict[int, Study] = {}
    for study in studies.sorted_out(studies.ids())[0]:
        mine = study.series
        if mine is not None and mine.id == series_id:
            found.setdefault(mine.at, study)
    return found


def deleted_places(series_id: str) -> set[int]:
    """The places whose study was deleted."""
    return {at for name, at in _deleted() if name == series_id}


def _deleted() -> list[tuple[str, int]]:
    found = []
    for line in deleted.records():
        try:
            record = studies.from_dict(line.get("plan")).series
        except (ValueError, Problem):
            continue
        if record is not None:
            found.append((record.id, record.at))
    return found


def newest_first(kind: str) -> list[str]:
    """The names of all series of one kind."""
    found: dict[str, None] = {}
    for study in reversed(studies.sorted_out(studies.ids())[0]):
        mine = study.series
        if mine is not None and mine.kind == kind:
            found[mine.id] = None
    return list(found)


def new_id(stem: str) -> str:
    """The next free ``sweep-N``, past those whose members were deleted and past studies of that
    name."""
    names = [*studies.ids(), *(str(line["id"]) for line in deleted.records())]
    names += [name for name, _ in _deleted()]
    for kind in series.KINDS:
        names += newest_first(kind)
    taken = [
        int(match[1])
        for name in names
        if (match := re.fullmatch(re.escape(stem) + r"-([0-9]{1,9})", name))
    ]
    return f"{stem}-{max(taken, default=0) + 1}"


def lacks_runs(study: Study) -> bool:
    """Whether a study has runs that have not ended."""
    return not all(has_ended(study.files.run(run.name).events) for run in study.runs)


def start_next(study: Study) -> Study | None:
    """Start the next member of this study's series that lacks runs; None when there is none.

    Runs that the members before have finished are taken over first. Problem when it can't start.
    """
    mine = study.series
    if mine is None:
        return None
    for at, member in sorted(members(mine.id).items()):
        if at > mine.at and lacks_runs(member) and start(member):
            return member
    return None


def start(member: Study) -> bool:
    """Take over what there is and train the rest; False when nothing was left to train."""
    mine = member.series
    fresh = mine is not None and mine.fresh
    reuse.fill(member, {one.id for one in members(mine.id).values()} if mine and fresh else None)
    if not lacks_runs(member):
        return False
    launch.start(member)
    return True
