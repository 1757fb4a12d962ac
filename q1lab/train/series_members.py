"""The studies of a series (see series.py) and their turns: each member starts here and nowhere
else."""

from __future__ import annotations

from collections.abc import Iterable

from q1lab.study import studies
from q1lab.study.events import has_ended
from q1lab.study.studies import Study
from q1lab.train import finished_runs, launch


def load_members(series_id: str) -> dict[int, Study]:
    """The studies of a series that are on disk and can be read, by their place in it."""
    member_by_place: dict[int, Study] = {}
    for study in studies.load_each(studies.ids())[0]:
        series = study.origin.series
        if series is not None and series.id == series_id:
            member_by_place.setdefault(series.at, study)
    return member_by_place


def new_series_id(stem: str, taken_names: Iterable[str]) -> str:
    """The next free ``sweep-N``, past ``taken_names`` and past studies of that name."""
    on_disk = studies.load_each(studies.ids())[0]
    series_ids = (study.origin.series.id for study in on_disk if study.origin.series)
    return f"{stem}-{studies.next_number(stem, [*studies.ids(), *series_ids, *taken_names])}"


def has_runs_left(study: Study) -> bool:
    """True if a study has runs that have not ended."""
    return not all(has_ended(study.files.run(run.name).events) for run in study.runs)


def start_next(study: Study) -> Study | None:
    """Start the next member of this study's series that still has runs to train; None when there is
    none.

    Runs that the members before have finished are taken over first. Problem when it can't start.
    """
    series = study.origin.series
    if series is None:
        return None
    for place, member in sorted(load_members(series.id).items()):
        if place > series.at and has_runs_left(member) and start_study(member):
            return member
    return None


def start_study(study: Study) -> bool:
    """Train a study's missing runs. A member of a sweep first takes over those that are finished
    elsewhere; False if nothing was left to train then."""
    series = study.origin.series
    if series is not None:
        others: Iterable[Study] = studies.StudiesOnDisk()
        if series.fresh:  # newest first, as those on disk
            others = reversed(load_members(series.id).values())
        finished_runs.copy_runs(study, finished_runs.find_copies(study, others))
        if not has_runs_left(study):
            return False
    launch.start_runner(study)
    return True
