"""The looks at a question, and the level of each.

A *question* is both arms, the text and the settings that train (``identity.question_hash``). A
*look* at it is a study of three or more pairs whose planned runs have all ended with a number. A
study that got more pairs is a look at each of its numbers of pairs, and a planned range is one
look, whatever it stops at. What was refused or interrupted, and what never trained, is none.

Pure.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from q1lab.judgment.intervals import ALPHA, MIN_FOR_VERDICT
from q1lab.judgment.run_states import RunState
from q1lab.study.run_ends import RunEnds, counted_losses
from q1lab.study.studies import ARMS, Study


@dataclass(frozen=True)
class Look:
    """A look at a question: one study at one number of pairs."""

    study: Study
    pairs: int
    time: str
    """When its last run ended."""
    level: float
    """The chance of a false claim that it may have; all planned looks of a range share it."""


def level_after(looks: int, study: Study) -> float:
    """The chance of a false claim that a study may have after this many looks at its question: 5%,
    or its share of a sweep's 5%, halved for each look. All looks at a question together stay below
    twice that for ever."""
    series = study.origin.series
    return (ALPHA if series is None else series.alpha) / 2.0**looks


def looks_at(studies: Iterable[tuple[Study, RunEnds | None]]) -> list[Look]:
    """The looks of all studies of one question, in the order in which they ended. The ends of a
    study whose folder was removed by hand are None: it counts as a look. The level of a range was
    fixed when it was planned, by the looks that had ended then."""
    found = sorted(
        ((time, study.created, study.id, pairs, study) for study, ends in studies
         for pairs, time in _looks_of(study, ends)),
        key=lambda look: look[:4],
    )  # fmt: skip
    looks = []
    for place, (time, created, study_id, pairs, study) in enumerate(found):
        before = place
        if study.design.is_sequential:
            before = sum(other[0] <= created and other[2] != study_id for other in found)
        looks.append(Look(study, pairs, time, level_after(before, study)))
    return looks


def _looks_of(study: Study, ends: RunEnds | None) -> Iterator[tuple[int, str]]:
    """The numbers of pairs at which a study gave a verdict, and when its last run ended."""
    if not study.counts_as_asking:
        return
    if ends is None:
        yield len(study.seeds), study.created
        return
    if study.design.is_sequential:
        counted = counted_losses(study, ends)
        sizes = [] if counted is None else [len(counted[0])]
    else:
        sizes = list(itertools.accumulate(map(len, study.design.batches)))
    for size in sizes:
        runs = [ends.get((arm, seed)) for seed in study.seeds[:size] for arm in ARMS]
        ended = [run.time for run in runs if run is not None and run.state == RunState.FINISHED]
        if size >= MIN_FOR_VERDICT and len(ended) == len(runs):
            yield size, max(study.created, *ended)
