"""The history of a study that a stranger can read from its journal's lines: the studies that asked
the same question before, their looks, the α that is left, and whether the seeds were picked.

Each line that begins a study declares it, and lists the runs whose results could be seen since the
line before. Lines of an older q1lab don't list them: then every run of an earlier study counts as
seen. Nothing else of a bundle is read here. Pure.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from q1lab.ground.files import sha256_json
from q1lab.record import declarations
from q1lab.record.declarations import Declaration, are_together, declared_seeds
from q1lab.statistics import interim_analyses
from q1lab.statistics.intervals import ALPHA, ALPHA_LATER, MIN_FOR_VERDICT
from q1lab.study import identity
from q1lab.study.studies import ARMS, Study, run_name

LEVEL_TOLERANCE = 1e-4
"""Relative: levels of a planned range are found numerically, and versions of SciPy may differ."""


@dataclass(frozen=True)
class DeclaredHistory:
    """A study's history as its journal shows it."""

    earlier_looks: Mapping[str, int] = field(default_factory=dict)
    """The earlier studies of the question, by their declared names, with the looks that each came
    to; 0 where no result could be seen."""
    declared_together: frozenset[str] = frozenset()
    """Those of them that were declared together with the study: its looks are not later ones."""
    is_later: bool = False
    """True if the newest look is a later one, with its smaller α."""
    picked: bool = False
    """True if the seeds were picked among seeds whose results could be seen."""
    share: float = 1.0
    """The share of the 5% that the study has in its series."""
    lists_seen_runs: bool = False
    """True if the study's line lists the runs that could be seen."""
    unread: int = 0
    """The lines that can't be read in the journals that came with studies of the question: each may
    have been one more asking."""

    @property
    def paid_looks(self) -> dict[str, int]:
        """The looks that make this study's look a later one, by the earlier studies' declared
        names; 0 where both were declared together."""
        return {
            name: 0 if name in self.declared_together else looks
            for name, looks in self.earlier_looks.items()
        }

    def alpha(self, study: Study) -> float:
        """The α of the study's newest look."""
        return study.design.level or self.look_alpha(later=self.is_later)

    def look_alpha(self, *, later: bool) -> float:
        return self.share * (ALPHA_LATER if later else ALPHA)


SeenRuns = Mapping[str, set[str]]
"""The runs that could be seen, by the declared name of their study."""


def read_history(study: Study, lines: Sequence[Declaration]) -> DeclaredHistory:
    """Read a study's history from the declarations up to its own last one; an empty history if
    there are none. Lines that make no sense raise one of bundle.DAMAGE_ERRORS."""
    if not lines:
        return DeclaredHistory()
    lines = declarations.with_first_chains(lines)
    own_line = lines[-1]
    last_line = {line["study"]: line for line in lines}
    seen = _seen_runs(lines)
    looks_by_study = {
        name: _looks(last_line[name], seen)
        for name in declarations.earlier_studies(own_line, lines[:-1])
    }
    declared_together = frozenset(
        name for name in looks_by_study if are_together(last_line[name], own_line)
    )
    chains = declarations.first_chains(lines)
    asking = (own_line["study"], *looks_by_study)
    unread = sum(chains[name].unread for name in asking if name in chains)
    was_looked_at = any(
        looks for name, looks in looks_by_study.items() if name not in declared_together
    )
    own_chain, series = chains.get(own_line["study"]), own_line["series"]
    return DeclaredHistory(
        looks_by_study,
        declared_together,
        was_looked_at or unread > 0 or len(_own_sizes(lines)) > 1,
        were_picked(study, lines) or (own_chain is not None and own_chain.picked),
        float(series[1]) / ALPHA if series else 1.0,
        "seen" in own_line,
        unread,
    )


def level_faults(study: Study, lines: Sequence[Declaration], history: DeclaredHistory) -> list[str]:
    """Levels that a study declares but may not have, in words: a share of its series that is larger
    than its part, and a planned range that spends more than is left."""
    faults = []
    own_line = lines[-1]
    declared_share = own_line["series"]
    series = study.origin.series
    if series is not None and (
        declared_share is None
        or declared_share[:2] != [sha256_json(series.id), series.alpha]
        or declared_share[2:] not in ([], [len(series.members)])
    ):
        faults.append("its series is not the one that the journal declares")
    if declared_share:
        members = {line["study"] for line in lines if are_together(line, own_line)}
        most = max([2, len(members), *declared_share[2:]])
        too_many = bool(declared_share[2:]) and len(members) > declared_share[2]
        if too_many or declared_share[1] > (1 + LEVEL_TOLERANCE) * ALPHA / most:
            faults.append(f"a series of {most} studies has {ALPHA / most:.2%} for each")
    if study.design.level is not None:
        first, most = study.design.pairs
        spend = history.look_alpha(later=any(history.paid_looks.values()) or history.unread > 0)
        allowed = interim_analyses.level_per_look(first, most, spend)
        if study.design.level > (1 + LEVEL_TOLERANCE) * allowed:
            faults.append(f"looks after {first} to {most} pairs have {allowed:.3%} for each")
        elif not study.design.limits_hold(LEVEL_TOLERANCE):
            faults.append("its looks are not at the level that it declares")
    return faults


# ── looks


def _seen_runs(lines: Sequence[Declaration]) -> SeenRuns | None:
    """The runs that could be seen when the last of these studies was begun; None where its line
    does not list them."""
    if "seen" not in lines[-1]:
        return None
    seen: dict[str, set[str]] = {}
    for line in lines:
        for name, runs in line.get("seen", {}).items():
            seen.setdefault(name, set()).update(runs)
    return seen


def _seen_seeds(line: Declaration, arm: str, seen: SeenRuns | None) -> set[int]:
    seeds = declared_seeds(line)
    if seen is None:
        return seeds
    runs = seen.get(line["study"], set())
    return {seed for seed in seeds if run_name(arm, seed) in runs}


def _looks(line: Declaration, seen: SeenRuns | None) -> int:
    """The looks that a study came to: one for each batch of which a modified run could be seen."""
    seen_seeds = _seen_seeds(line, "modified", seen)
    begun = list(itertools.takewhile(seen_seeds.intersection, line["seeds"]))
    if line["judged"]["range"]:
        return int(bool(begun))
    sizes = list(itertools.accumulate(map(len, begun)))
    large = sum(size >= MIN_FOR_VERDICT for size in sizes)
    return large or int(any(size > 1 for size in sizes))


def _own_sizes(lines: Sequence[Declaration]) -> set[int]:
    """The numbers of pairs at which the last study may have been looked at: after each batch, and
    before seeds were added to a batch that could be seen. Too few for a verdict are left out."""
    own_line = lines[-1]
    sizes = set(itertools.accumulate(map(len, own_line["seeds"])))
    if own_line["judged"]["range"]:
        return {sum(map(len, own_line["seeds"]))}
    own_places = [at for at, line in enumerate(lines) if line["study"] == own_line["study"]]
    for place, next_place in itertools.pairwise(own_places):
        seen = _seen_runs(lines[: next_place + 1])
        if _seen_seeds(lines[place], "modified", seen):
            sizes.add(sum(map(len, lines[place]["seeds"])))
    return {size for size in sizes if size >= MIN_FOR_VERDICT}


# ── seeds that were picked


def were_picked(study: Study, lines: Sequence[Declaration]) -> bool:
    """True if a batch of seeds holds seeds whose results could be seen, and leaves out others. Not
    so for the first seeds, and for a whole set that was declared before. (Of drawn seeds no run had
    used any.)"""
    if study.is_floor:
        return False
    own_name = lines[-1]["study"]
    code = {
        arm: {sha256_json(identity.arm_code_hash(study, arm)), sha256_json(study.arms[arm].sha256)}
        for arm in ARMS
    }
    earlier_seeds: set[int] = set()
    for place, line in enumerate(lines):
        if line["study"] != own_name:
            continue
        seeds = declared_seeds(line) - earlier_seeds
        if seeds and _is_pick(seeds, earlier_seeds, lines[: place + 1], code):
            return True
        earlier_seeds |= seeds
    return False


def _is_pick(
    seeds: set[int],
    earlier_seeds: set[int],
    lines: Sequence[Declaration],
    code: Mapping[str, set[str]],
) -> bool:
    seen = _seen_runs(lines)
    known_seeds: dict[str, set[int]] = {arm: set() for arm in ARMS}
    known_pairs: dict[str, set[int]] = {arm: set() for arm in ARMS}
    declared_sets = []
    for line in lines[:-1]:
        if line["study"] == lines[-1]["study"]:
            continue
        declared_sets.append(declared_seeds(line))
        same_text = set(line["marks"]["text"]) & set(lines[-1]["marks"]["text"])
        trains_same = bool(same_text) and line["budget"] == lines[-1]["budget"]
        for other_arm in ARMS if line["source"][ARMS[0]] != line["source"][ARMS[1]] else ARMS[:1]:
            for arm in ARMS:
                if code[arm] & set(line["marks"][other_arm]):
                    known_seeds[arm] |= _seen_seeds(line, other_arm, seen)
                    if trains_same:
                        known_pairs[arm] |= _seen_seeds(line, other_arm, seen)
    known_in_an_arm = known_seeds["baseline"] | known_seeds["modified"]
    known_in_both = known_pairs["baseline"] & known_pairs["modified"]
    if not (seeds & known_in_an_arm and known_in_an_arm - seeds - earlier_seeds):
        return False
    all_seeds = seeds | earlier_seeds
    whole_sets = [declared for declared in declared_sets if len(declared) >= MIN_FOR_VERDICT]
    if seeds in whole_sets or all_seeds in whole_sets:
        return False
    if seeds & known_in_both and known_in_both - all_seeds:
        return True
    unused = (
        seed for seed in itertools.count() if seed not in earlier_seeds | known_seeds["modified"]
    )
    first_unused = set(itertools.islice(unused, len(seeds)))
    return all_seeds != set(range(len(all_seeds))) and seeds != first_unused
