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

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import NamedTuple

from q1lab.record.recorded_studies import RecordedStudy, RunEnd
from q1lab.statistics import interim_analyses
from q1lab.statistics.intervals import ALPHA, ALPHA_LATER, MIN_FOR_VERDICT
from q1lab.study.studies import ARMS


class ArmOnRecord(NamedTuple):
    """An arm of a study on record."""

    recorded: RecordedStudy
    arm: str
    place: int
    """The study's place in the ledger, the oldest first."""
    kin: tuple[int, int]
    """The kin of both arms of its study (``identity.Kin``)."""

    @property
    def begun(self) -> tuple[str, int]:
        return self.recorded.begun_at[0], self.place


@dataclass(eq=False)
class LikeArms:
    """Arms of studies on record that are alike: they train the same, and are of one kin."""

    arms: list[ArmOnRecord] = field(default_factory=list)

    @cached_property
    def seen(self) -> dict[int, list[tuple[tuple[str, int], str, ArmOnRecord]]]:
        """Drawn seed → (the time its study was begun, the time from which its result could be seen,
        arm) of each run at it, the oldest study first."""
        runs: dict[int, list[tuple[tuple[str, int], str, ArmOnRecord]]] = {}
        for arm in sorted(self.arms, key=lambda arm: arm.begun):
            for seed, since in arm.recorded.seen_at[arm.arm].items():
                runs.setdefault(seed, []).append((arm.begun, since, arm))
        return runs

    @cached_property
    def declaring(self) -> dict[frozenset[int], list[tuple[str, ArmOnRecord]]]:
        """Set of seeds → (the time from which a first result could be seen, arm) of the studies
        that declared it for a verdict, the oldest first."""
        arms: dict[frozenset[int], list[tuple[str, ArmOnRecord]]] = {}
        for arm in self.arms:
            study, since = arm.recorded.study, arm.recorded.seen_at[arm.arm].values()
            if since and len(study.seeds) >= MIN_FOR_VERDICT and study.design.has_verdict:
                arms.setdefault(frozenset(study.seeds), []).append((min(since), arm))
        return arms

    @cached_property
    def ends(self) -> dict[int, list[tuple[int, RunEnd]]]:
        """Drawn seed → (place, end) of the runs at it that ended, the oldest study first."""
        ends: dict[int, list[tuple[int, RunEnd]]] = {}
        for arm in self.arms:
            for (run_arm, seed), end in arm.recorded.ends.items():
                if run_arm == arm.arm:
                    drawn_seed = arm.recorded.drawn_seed(run_arm, seed)
                    ends.setdefault(drawn_seed, []).append((arm.place, end))
        return ends


class Relation(NamedTuple):
    """The arm of the judged study that alike arms train the same as or are kin to."""

    like_arms: LikeArms
    trains_same: str | None
    kin: str | None
    """Also where they train the same."""
    known_by_name: Mapping[int, str] | None
    """The judged study's kin → its arm, where arms are known by their names alone: then a study is
    kin in both of its arms or in none."""

    def is_kin(self, arm: ArmOnRecord) -> bool:
        if self.trains_same is not None or self.known_by_name is None:
            return True
        return {self.known_by_name.get(kin) for kin in arm.kin} == set(ARMS)


@dataclass(frozen=True)
class Relations:
    """The arms on record that an arm of the judged study trains the same as or is kin to."""

    place: int
    """The judged study's place in the ledger."""
    by_arms: Mapping[LikeArms, Relation]
    like_arms_of: Callable[[RecordedStudy, str], LikeArms]

    def known_seeds(self, until: str, relation: str) -> dict[str, set[int]]:
        """Arm of the judged study → the seeds at which results of arms like it could be known."""
        known_seeds: dict[str, set[int]] = {arm: set() for arm in ARMS}
        for related in self.by_arms.values():
            our_arm = related.trains_same if relation == "trains_same" else related.kin
            if our_arm is None:
                continue
            for seed, runs in related.like_arms.seen.items():
                if seed not in known_seeds[our_arm] and self._is_known(related, runs, until):
                    known_seeds[our_arm].add(seed)
        return known_seeds

    def _is_known(
        self, related: Relation, runs: list[tuple[tuple[str, int], str, ArmOnRecord]], until: str
    ) -> bool:
        for begun, since, arm in runs:
            if begun >= (until, self.place):
                return False
            if since <= until and arm.place != self.place and related.is_kin(arm):
                return True
        return False

    def is_like(self, arm: ArmOnRecord) -> bool:
        """True if an arm of that study trains the same, or both of its arms are kin."""
        kin = set()
        for their_arm in ARMS:
            related = self.by_arms.get(self.like_arms_of(arm.recorded, their_arm))
            if related is not None and related.trains_same is not None:
                return True
            if related is not None and related.is_kin(arm):
                kin.add(related.kin)
        return kin == set(ARMS)


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
    known_until: str = ""
    """The time at which seeds were picked: the results that could be known by then decided."""


def find_picks(
    recorded: RecordedStudy,
    relations: Relations,
    were_picked: Callable[[RecordedStudy], bool],
) -> SeedPicks:
    """Judge how a study came by its seeds.

    Each batch of seeds is judged by the results that could be known before its own first one; a
    batch that was picked decides. ``were_picked`` tells whether the seeds of an earlier study were
    picked. A study whose seeds are not known picked none.
    """
    if not recorded.study.design.has_seeds:
        return SeedPicks()
    picks = SeedPicks()
    earlier_seeds: set[int] = set()
    for batch, chosen_at in recorded.batches:
        known_pairs = relations.known_seeds(chosen_at, "trains_same")
        kin_seeds = relations.known_seeds(chosen_at, "kin")
        if not earlier_seeds and len(recorded.study.design.batches[0]) == 1 < len(batch):
            for arm in ARMS:  # the single pair with which the study began
                for seeds_by_arm in (known_pairs, kin_seeds):
                    seeds_by_arm[arm] |= recorded.seen_seeds(arm, chosen_at) & {batch[0]}
        seeds = set(batch)
        known_in_an_arm = kin_seeds["baseline"] | kin_seeds["modified"]
        known_in_both = known_pairs["baseline"] & known_pairs["modified"]
        if seeds & known_in_an_arm and known_in_an_arm - seeds - earlier_seeds:
            declared = _declared_sets(relations, chosen_at, were_picked)
            in_order = _are_next(seeds, earlier_seeds, kin_seeds["modified"])
            if seeds & known_in_both and known_in_both - seeds - earlier_seeds:
                in_order = False  # pairs could be seen, so even the first ones may be the best
            is_declared = any(choice.seeds in (seeds, seeds | earlier_seeds) for choice in declared)
            if not in_order and not is_declared:
                return SeedPicks(picked=True, known_until=chosen_at)
            if not earlier_seeds:
                picks = _with_alternatives(seeds, declared, in_order=in_order)
        earlier_seeds |= seeds
    return picks


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
    relations: Relations, until: str, were_picked: Callable[[RecordedStudy], bool]
) -> list[DeclaredSet]:
    """The sets of seeds that earlier studies declared, without picking them, and at which results
    could be seen by ``until`` (UTC), in the order in which they were declared first."""
    first_place: dict[frozenset[int], int] = {}
    last_place: dict[frozenset[int], int] = {}
    tempting: set[frozenset[int]] = set()
    for related in relations.by_arms.values():

        def declares(since: str, arm: ArmOnRecord, related: Relation = related) -> bool:
            return (
                since <= until
                and arm.begun < (until, relations.place)
                and related.is_kin(arm)
                and not were_picked(arm.recorded)
            )

        if related.kin is None:
            continue
        for seeds, arms in related.like_arms.declaring.items():
            before = arms[: bisect_left(arms, relations.place, key=lambda arm: arm[1].place)]
            is_first = seeds == set(range(len(seeds)))
            declaring = (arm for since, arm in before if declares(since, arm))
            first = next(declaring, None)
            if first is None:
                continue
            last = next(arm for since, arm in reversed(before) if declares(since, arm))
            first_place[seeds] = min(first.place, first_place.get(seeds, first.place))
            last_place[seeds] = max(last.place, last_place.get(seeds, last.place))
            if seeds not in tempting and any(
                not (is_first and arm.recorded.study.is_floor) and relations.is_like(arm)
                for arm in chain([first], declaring)
            ):
                tempting.add(seeds)
    usual = max(last_place, key=lambda seeds: last_place[seeds], default=None)
    return [
        DeclaredSet(seeds, seeds in tempting, seeds == usual)
        for seeds in sorted(first_place, key=lambda seeds: first_place[seeds])
    ]


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
        # any number of the first seeds could have been taken, with a look after each
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
