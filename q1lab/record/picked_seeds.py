"""Seeds that were picked: a study that names seeds whose results could be known, and leaves out
others.

A run's result *could be known* once it ended, was evaluated, or trained a tenth of its iters
(``questions.shows_result``). Related studies train in an arm what this study trains in an arm.

Example 1, picked. ``rope-1`` asks about rope at seeds 0 to 5, and all its runs have ended.
``rope-2`` asks the same question at seeds 1, 3 and 4. Both runs of all six pairs could be known,
and 0, 2 and 5 are left out: the three best pairs of six would show a difference by chance. So the
seeds are picked, and ``rope-2`` gets no verdict.

Example 2, not picked, yet not free. ``rope-1`` is as before; ``swiglu-1`` asks about another
modification at seeds 0, 1 and 2. Of its runs only the baseline's could be known, from ``rope-1``.
Seeds in their order 0, 1, 2, … are not picked. But whoever has seen the baseline could as well
have taken the first 4, 5 or 6 seeds, and each of these would have been a look. ``alternatives``
holds the chance that one of those looks claims something where the look at 3 pairs does not.

Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from q1lab.record.recorded_studies import RecordedStudy
from q1lab.statistics import interim_analyses
from q1lab.statistics.intervals import ALPHA, ALPHA_LATER, MIN_FOR_VERDICT
from q1lab.study.studies import ARMS


class RelatedStudy(NamedTuple):
    """A study that trains, in one arm or both, what an arm of the judged study trains."""

    recorded: RecordedStudy
    arms: Mapping[str, str]
    """Its arm → the arm of the judged study that trains the same."""
    place: int
    """Its place in the ledger, the oldest study first."""


@dataclass(frozen=True)
class SeedPicks:
    """The way in which a study came by its seeds."""

    picked: bool = False
    """True if the seeds were picked: the study gets no verdict."""
    alternatives: tuple[float, ...] = ()
    """One number for each set of seeds that could have been taken instead: the chance that it
    claims a difference when nothing has changed."""
    is_later_look: bool = False
    """True if the study is judged as a later look because of its alternatives."""
    known_seeds: Mapping[str, frozenset[int]] = field(default_factory=dict)
    """Study → its seeds whose results could be known when the seeds were picked."""


def find_picks(
    recorded: RecordedStudy,
    place: int,
    related: Sequence[RelatedStudy],
    were_picked: Callable[[RecordedStudy], bool],
) -> SeedPicks:
    """Judge how a study, at ``place`` in the ledger, came by its seeds.

    Each batch of seeds is judged by the results that could be known when it was begun; a batch that
    was picked decides. ``were_picked`` says the same of an earlier study.
    """
    picks = SeedPicks()
    earlier_seeds: set[int] = set()
    for batch, begun_at in recorded.batches:
        known_by_arm: dict[str, set[int]] = {arm: set() for arm in ARMS}
        known_by_study: dict[str, frozenset[int]] = {}
        for other in related:
            if (other.recorded.begun_at[0], other.place) > (begun_at, place):
                continue
            study_id = other.recorded.study.id
            for their_arm, our_arm in other.arms.items():
                seen = other.recorded.seen_seeds(their_arm, begun_at)
                known_by_arm[our_arm] |= seen
                known_by_study[study_id] = known_by_study.get(study_id, frozenset()) | seen
        if not earlier_seeds and len(recorded.study.design.batches[0]) == 1 < len(batch):
            for arm in ARMS:  # the single pair with which the study began
                known_by_arm[arm] |= recorded.seen_seeds(arm, begun_at) & {batch[0]}
        seeds = set(batch)
        known_in_an_arm = known_by_arm["baseline"] | known_by_arm["modified"]
        known_in_both = known_by_arm["baseline"] & known_by_arm["modified"]
        if seeds & known_in_an_arm and known_in_an_arm - seeds - earlier_seeds:
            declared = _declared_sets(place, related, begun_at, were_picked)
            in_order = _are_next(seeds, earlier_seeds, known_by_arm["modified"])
            if seeds & known_in_both and known_in_both - seeds - earlier_seeds:
                in_order = False  # pairs could be seen, so even the first ones may be the best
            is_declared = {frozenset(seeds), frozenset(seeds | earlier_seeds)} & declared
            if not in_order and not is_declared:
                return SeedPicks(picked=True, known_seeds=known_by_study)
            if not earlier_seeds:
                picks = _with_alternatives(seeds, declared, in_order=in_order)
        earlier_seeds |= seeds
    return picks


def _declared_sets(
    place: int,
    related: Sequence[RelatedStudy],
    until: str,
    were_picked: Callable[[RecordedStudy], bool],
) -> set[frozenset[int]]:
    """The sets of seeds that earlier studies declared, without picking them, and at which results
    could be seen by ``until`` (UTC)."""
    return {
        frozenset(other.recorded.study.seeds)
        for other in related
        if other.place < place
        and len(other.recorded.study.seeds) >= MIN_FOR_VERDICT
        and any(other.recorded.seen_seeds(arm, until) for arm in other.arms)
        and not were_picked(other.recorded)
    }


def _are_next(seeds: set[int], earlier_seeds: set[int], known_modified: set[int]) -> bool:
    """True if the seeds, with the study's earlier ones, are the first ones 0, 1, 2, …, or if they
    are the first at which the modified arm's results could not be known."""
    used = earlier_seeds | known_modified
    free = [seed for seed in range(len(seeds) + len(used)) if seed not in used]
    all_seeds = seeds | earlier_seeds
    return all_seeds == set(range(len(all_seeds))) or seeds == set(free[: len(seeds)])


def _with_alternatives(
    seeds: set[int], declared: set[frozenset[int]], *, in_order: bool
) -> SeedPicks:
    """The picks of a study that chose among declared sets of seeds: it could have asked with each
    of the others instead. A set of the first seeds in their order spends α like a first look,
    another set like a later look."""
    alternatives: list[float] = []
    first_sets = {seed_set for seed_set in declared if seed_set == set(range(len(seed_set)))}
    n = len(seeds)
    if in_order and seeds == set(range(n)):
        # any number of the first seeds could have been taken: a look after each
        most = max([n, *map(len, first_sets)])
        any_look = interim_analyses.chance_of_any_claim(
            [(pairs, ALPHA) for pairs in range(max(2, min(n, MIN_FOR_VERDICT)), most + 1)]
        )
        if most > n:
            alternatives.append(1 - (1 - any_look) / (1 - ALPHA))
    else:
        alternatives += [ALPHA for first_set in first_sets if first_set != seeds]
    alternatives += [ALPHA_LATER for other_set in declared - first_sets if other_set != seeds]
    is_later_look = not in_order and bool(alternatives)
    return SeedPicks(alternatives=tuple(alternatives), is_later_look=is_later_look)
