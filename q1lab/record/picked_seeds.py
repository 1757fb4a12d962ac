"""Seeds that were picked: a study that names seeds at which results could be known, and leaves out
others.

A run's result *could be known* once it ended, was evaluated, or trained enough iters
(``questions.telling_iters``). Two relations count. A study *trains the same* in an arm where
its run at a seed would be the same run (``identity.find_same_arm``). It is *kin* where an arm may
be the same idea, on any text, in any folder, with any metric or settings (``identity.kin_of``): a
pair that did well there is likely to do well here.

Example 1, picked. ``rope-1`` asks about rope at seeds 0 to 5, and all its runs have ended.
``rope-2`` asks the same question at seeds 1, 3 and 4. Both runs of all six pairs could be known,
and 0, 2 and 5 are left out: the three best pairs of six would show a difference by chance. So the
seeds are picked, and ``rope-2`` gets no verdict. The same holds where ``rope-2`` trains on another
text or at another learning rate. Three ways to come by seeds are open to everybody: the first ones
in their order 0, 1, 2, …, drawn ones, and a set that was declared before and is used whole.

Example 2, not picked, yet not free. ``rope-1`` is as before; ``swiglu-1`` asks about another
modification at seeds 0, 1 and 2. Of its runs only the baseline's could be known, from ``rope-1``.
Seeds in their order 0, 1, 2, … are not picked. But whoever has seen the baseline could as well
have taken the first 4, 5 or 6 seeds, and each of these would have been a look. ``alternatives``
holds the chance that one of those looks claims something where the look at 3 pairs does not. A
baseline that was compared with itself first, at the first seeds, costs nothing.

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

ArmByArm = Mapping[str, str]
"""An arm of another study → the arm of the judged study that it is like."""


class RelatedStudy(NamedTuple):
    """A study with an arm that trains the same as an arm of the judged study, or is kin to it."""

    recorded: RecordedStudy
    trains_same: ArmByArm
    kin: ArmByArm
    """Also the arms that train the same."""
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

    Each batch of seeds is judged by the results that could be known before its own first one; a
    batch that was picked decides. ``were_picked`` says the same of an earlier study.
    """
    picks = SeedPicks()
    earlier_seeds: set[int] = set()
    for batch, chosen_at in recorded.batches:
        earlier = [
            other
            for other in related
            if (other.recorded.begun_at[0], other.place) < (chosen_at, place)
        ]
        known_pairs = _known_seeds(earlier, chosen_at, "trains_same")
        known = _known_seeds(earlier, chosen_at, "kin")
        if not earlier_seeds and len(recorded.study.design.batches[0]) == 1 < len(batch):
            for arm in ARMS:  # the single pair with which the study began
                for seeds_by_arm in (known_pairs, known):
                    seeds_by_arm[arm] |= recorded.seen_seeds(arm, chosen_at) & {batch[0]}
        seeds = set(batch)
        known_in_an_arm = known["baseline"] | known["modified"]
        known_in_both = known_pairs["baseline"] & known_pairs["modified"]
        if seeds & known_in_an_arm and known_in_an_arm - seeds - earlier_seeds:
            begun_before = [other for other in earlier if other.place < place]
            declared = _declared_sets(begun_before, chosen_at, were_picked)
            in_order = _are_next(seeds, earlier_seeds, known["modified"])
            if seeds & known_in_both and known_in_both - seeds - earlier_seeds:
                in_order = False  # pairs could be seen, so even the first ones may be the best
            is_declared = any(choice.seeds in (seeds, seeds | earlier_seeds) for choice in declared)
            if not in_order and not is_declared:
                return SeedPicks(picked=True, known_seeds=_known_by_study(earlier, chosen_at))
            if not earlier_seeds:
                picks = _with_alternatives(seeds, declared, in_order=in_order)
        earlier_seeds |= seeds
    return picks


def _known_seeds(related: Sequence[RelatedStudy], until: str, relation: str) -> dict[str, set[int]]:
    """Arm of the judged study → the seeds at which results of arms like it could be known."""
    known: dict[str, set[int]] = {arm: set() for arm in ARMS}
    for other in related:
        for their_arm, our_arm in getattr(other, relation).items():
            known[our_arm] |= other.recorded.seen_seeds(their_arm, until)
    return known


def _known_by_study(related: Sequence[RelatedStudy], until: str) -> dict[str, frozenset[int]]:
    return {
        other.recorded.study.id: frozenset().union(
            *(other.recorded.seen_seeds(arm, until) for arm in other.kin)
        )
        for other in related
    }


class DeclaredSet(NamedTuple):
    """A set of seeds that an earlier study declared, without picking it."""

    seeds: frozenset[int]
    tempts: bool
    """True if its results could make somebody choose it: a run of it would be the same run here, or
    both arms are kin. A baseline against itself at the first seeds tempts nobody."""
    is_usual: bool
    """True if the study before this one took it."""

    @property
    def is_first(self) -> bool:
        """True if it holds the first seeds 0, 1, 2, …"""
        return self.seeds == set(range(len(self.seeds)))


def _declared_sets(
    earlier: Sequence[RelatedStudy], until: str, were_picked: Callable[[RecordedStudy], bool]
) -> list[DeclaredSet]:
    """The sets of seeds that earlier studies declared, without picking them, and at which results
    could be seen by ``until`` (UTC); the newest last."""
    declaring = [
        other
        for other in sorted(earlier, key=lambda other: other.place)
        if len(other.recorded.study.seeds) >= MIN_FOR_VERDICT
        and other.recorded.study.design.has_verdict
        and any(other.recorded.seen_seeds(arm, until) for arm in other.kin)
        and not were_picked(other.recorded)
    ]
    tempting: dict[frozenset[int], bool] = {}
    for other in declaring:
        seeds = frozenset(other.recorded.study.seeds)
        is_first_floor = other.recorded.study.is_floor and seeds == set(range(len(seeds)))
        is_like = bool(other.trains_same) or set(other.kin.values()) == set(ARMS)
        tempting[seeds] = tempting.get(seeds, False) or (is_like and not is_first_floor)
    usual = frozenset(declaring[-1].recorded.study.seeds) if declaring else frozenset()
    return [DeclaredSet(seeds, tempts, seeds == usual) for seeds, tempts in tempting.items()]


def _are_next(seeds: set[int], earlier_seeds: set[int], known_modified: set[int]) -> bool:
    """True if the seeds, with the study's earlier ones, are the first ones 0, 1, 2, …, or if they
    are the first at which the modified arm's results could not be known."""
    used = earlier_seeds | known_modified
    free = [seed for seed in range(len(seeds) + len(used)) if seed not in used]
    all_seeds = seeds | earlier_seeds
    return all_seeds == set(range(len(all_seeds))) or seeds == set(free[: len(seeds)])


def _with_alternatives(
    seeds: set[int], declared: Sequence[DeclaredSet], *, in_order: bool
) -> SeedPicks:
    """The picks of a study that chose among declared sets of seeds: it could have asked with each
    of the others instead. A set of the first seeds in their order, and the one that the study
    before took, spend α like a first look, another set like a later look."""
    alternatives: list[float] = []
    others = [choice for choice in declared if choice.tempts and choice.seeds != seeds]
    n = len(seeds)
    if in_order and seeds == set(range(n)):
        # any number of the first seeds could have been taken: a look after each
        most = max([n, *(len(choice.seeds) for choice in others if choice.is_first)])
        any_look = interim_analyses.chance_of_any_claim(
            [(pairs, ALPHA) for pairs in range(max(2, min(n, MIN_FOR_VERDICT)), most + 1)]
        )
        if most > n:
            alternatives.append(1 - (1 - any_look) / (1 - ALPHA))
        others = [choice for choice in others if not choice.is_first]
    alternatives += [
        ALPHA if choice.is_first or choice.is_usual else ALPHA_LATER for choice in others
    ]
    is_usual = any(choice.is_usual and choice.seeds == seeds for choice in declared)
    is_later_look = not in_order and not is_usual and bool(alternatives)
    return SeedPicks(alternatives=tuple(alternatives), is_later_look=is_later_look)
