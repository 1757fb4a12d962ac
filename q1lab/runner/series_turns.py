"""The studies of a series (see series.py), and whose turn it is: the one way that one of them
begins."""

from __future__ import annotations

from collections.abc import Iterable

from q1lab.runner import finished_runs, launch
from q1lab.study import studies
from q1lab.study.events import has_ended
from q1lab.study.studies import Study


def series_members(series_id: str) -> dict[int, Study]:
    """The studies of a series that are on disk and can be read, by their place in it."""
    found: dict[int, Study] = {}
    for study in studies.load_each(studies.ids())[0]:
        mine = study.origin.series
        if mine is not None and mine.id == series_id:
            found.setdefault(mine.at, study)
    return found


def new_series_id(stem: str, taken: Iterable[str]) -> str:
    """The next free ``sweep-N``, past the names that are ``taken`` and past studies of that
    name."""
    there = studies.load_each(studies.ids())[0]
    known = (study.origin.series.id for study in there if study.origin.series is not None)
    return f"{stem}-{studies.next_number(stem, [*studies.ids(), *known, *taken])}"


def lacks_runs(study: Study) -> bool:
    """Whether a study has runs that have not ended."""
    return not all(has_ended(study.files.run(run.name).events) for run in study.runs)


def start_next(study: Study) -> Study | None:
    """Start the next member of this study's series that lacks runs; None when there is none.

    Runs that the members before have finished are taken over first. Problem when it can't start.
    """
    mine = study.origin.series
    if mine is None:
        return None
    for at, member in sorted(series_members(mine.id).items()):
        if at > mine.at and lacks_runs(member) and start_member(member):
            return member
    return None


def start_member(member: Study) -> bool:
    """Take over what there is and train the rest; False when nothing was left to train."""
    mine = member.origin.series
    fresh = mine is not None and mine.fresh
    # newest first, as those on disk
    others = (
        reversed(series_members(mine.id).values()) if mine and fresh else studies.StudiesOnDisk()
    )
    finished_runs.copy_runs(member, finished_runs.find_copies(member, others))
    if not lacks_runs(member):
        return False
    launch.start_runner(member)
    return True
