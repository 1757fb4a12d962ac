"""How often a question was asked, and what that does to the next answer.

A question is (modification, baseline, data). It stays the same question with other seeds, another
preset or ``--set``, another headline, swapped arms, an edited model file, and for imported and
adopted runs. Every study of it that came to a look is in its ledger; a deleted study leaves its
line there. A study of a file against itself claims nothing about a modification, so it is in no
ledger but its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from q1lab.compare import looks
from q1lab.compare.stats import ALPHA, ALPHA_LATER, MIN_FOR_VERDICT
from q1lab.errors import Problem
from q1lab.index import asked
from q1lab.index.store import Row, Store
from q1lab.study import deleted, ranges, sameness, series, studies
from q1lab.study.sameness import FIRST_LOSSES, Training, same_question, same_run, same_text
from q1lab.study.states import ENDED, State
from q1lab.study.studies import ARMS, Run, Study


@dataclass(frozen=True)
class End:
    """How a run ended: ``finished`` or ``diverged``, and its final val loss (nats)."""

    state: str
    val_loss: float | None


Ends = Mapping[tuple[str, int], End]
"""(arm, seed) → its end, for the runs that finished or diverged."""


@dataclass(frozen=True)
class Asking:
    """One study of a question: (pairs, α) of each look it came to, and the chance that it claims
    something when nothing has changed."""

    study: str
    looks: tuple[tuple[int, float], ...]
    planned: ranges.Range | None = None
    deleted: bool = False

    @property
    def total(self) -> float:
        """Of a planned range all of its looks count, however early it stopped: with other luck it
        would have gone on."""
        if self.planned is None:
            return looks.any_claim(self.looks)
        every = range(self.planned.first, self.planned.most + 1)
        return looks.any_claim([(n, self.planned.alpha) for n in every])


@dataclass(frozen=True)
class Asked:
    """A question as one of its studies stands in it."""

    askings: tuple[Asking, ...]
    """Every study that came to a look, oldest first."""
    alpha: float
    """What this study's newest look may spend."""
    later: bool
    """Whether that look is a later one, with its smaller α."""
    left_out: tuple[tuple[str, tuple[int, ...]], ...]
    """(study, seeds): runs that train the same as this study's and that it leaves out; where its
    seeds were picked those that could be known then, else pairs that have ended by now."""
    chosen: bool
    """Whether this study's seeds were picked among those at which results could be known."""

    @property
    def studies(self) -> int:
        return len(self.askings)

    @property
    def looks(self) -> int:
        return sum(len(one.looks) for one in self.askings)

    @property
    def total(self) -> float:
        """The chance of at least one claim when nothing has changed: exact where the studies share
        no run, else a bound from above."""
        return looks.together([one.total for one in self.askings])


@dataclass(frozen=True)
class _Entry:
    """A study on the text in question, and what is known of its runs."""

    study: Study
    ends: Ends
    seen: Mapping[tuple[str, int], str] = field(default_factory=dict)
    """(arm, seed) → since when a result of it could be seen (UTC); empty: not known, so always."""
    losses: Mapping[str, Mapping[int, Mapping[int, float]]] = field(default_factory=dict)
    """Arm → seed → iter → training loss, of the first iters."""
    deleted: bool = False

    @cached_property
    def trainings(self) -> Mapping[str, Training]:
        def drawn(arm: str) -> dict[int, Mapping[int, float]]:
            return {
                self.study.drawn_with(Run(arm, "", seed)): found
                for seed, found in self.losses.get(arm, {}).items()
            }

        return {arm: sameness.training_of(self.study, arm, drawn(arm)) for arm in ARMS}


def asked_of(store: Store, study: Study) -> Asked:
    """The question of a study, as the index knows it now."""
    everyone = _on_this_text(store, study)
    entries = _asking(everyone, study)
    at = next((k for k, one in enumerate(entries) if one.study.id == study.id), len(entries))
    askings: list[Asking] = []
    mine: tuple[tuple[int, float], ...] = ()
    seen = before_mine = 0
    looked: dict[str, int] = {}
    for k, entry in enumerate(entries):
        # studies that were declared together share their 5%: none is a later look of another
        together = _series_id(entry.study)
        before = seen - looked.get(together, 0)
        found = _looks(entry, before)
        if k == at:
            mine, before_mine = found, before
        seen += len(found)
        if together:
            looked[together] = looked.get(together, 0) + len(found)
        if found:
            askings.append(Asking(entry.study.id, found, entry.study.range, entry.deleted))
    planned = study.range
    later = before_mine + max(0, len(mine) - 1) > 0
    if planned is not None:
        alpha = planned.alpha
        if _shared(study) is None:
            later = alpha < looks.level(planned.first, planned.most)
        else:
            later = before_mine > 0 and _spends(study, True) < _spends(study, False)
    else:
        alpha = _spends(study, later)
        later = later and alpha < _spends(study, False)
    mine_ = next((one for one in everyone if one.study.id == study.id), _Entry(study, {}))
    known = _known_before(mine_, everyone)
    picked = not study.is_floor and _picked(mine_, everyone, known)
    left = () if study.is_floor else _left_out(mine_, everyone, known, picked)
    return Asked(tuple(askings), alpha, later, left, picked)


def is_later(store: Store, draft: Study) -> bool:
    """Whether the question of a study that is being planned has been looked at before, by a study
    that was not declared together with it."""
    together = _series_id(draft)
    return any(
        _looks(entry, 0)
        for entry in _entries(store, draft)
        if entry.study.id != draft.id and not (together and _series_id(entry.study) == together)
    )


def seen_before(store: Store, study: Study, when: str) -> str | None:
    """A study in which results of this question's modification could be seen before ``when`` (UTC);
    None where nothing was known of it."""
    entries = _entries(store, study)
    arms = same_question(study, [entry.study for entry in entries])
    return next(
        (
            entry.study.id
            for entry in entries
            if entry.study.id != study.id
            for (arm, _), since in entry.seen.items()
            if arm == arms[entry.study.id] and since < when
        ),
        None,
    )


def ended_seeds(store: Store, draft: Study) -> set[int]:
    """Seeds whose run has ended in an arm of a study that trains what ``draft`` would in both."""
    mine = _Entry(draft, {})
    return {
        seed
        for entry in _on_this_text(store, draft)
        if entry.study.id != draft.id and _twins(entry, mine)
        for _, seed in entry.ends
    }


def floors(store: Store, study: Study) -> list[Study]:
    """The studies that compare this study's baseline with itself, on the same data and under the
    same conditions, oldest first."""
    wanted = _trained_with(study)
    base = study.arms["baseline"].sha256
    found = [
        one
        for row in asked.plans(store)
        if (one := _plan(row["plan"])) is not None
        and one.is_floor
        and one.arms["baseline"].sha256 == base
        and _trained_with(one) == wanted
    ]
    return sorted(found, key=lambda one: one.created)


# ── one question's studies


def _entries(store: Store, study: Study) -> list[_Entry]:
    """The studies that ask what ``study`` asks, oldest first, itself among them if it is there."""
    return _asking(_on_this_text(store, study), study)


def _asking(entries: Sequence[_Entry], study: Study) -> list[_Entry]:
    # a study of a file against itself claims nothing: it asks no question but its own
    may = [
        entry.study
        for entry in entries
        if (entry.study.id == study.id if study.is_floor else not entry.study.is_floor)
    ]
    same = same_question(study, may)
    return [entry for entry in entries if entry.study.id in same]


def _on_this_text(store: Store, study: Study) -> list[_Entry]:
    """Every study on this text, those that were deleted among them, oldest first; but for those
    that try a value before a study, on seeds of their own."""

    def counts(one: Study) -> bool:
        return same_text(one.data, study.data) and (one.id == study.id or not _tries(one))

    there = {
        one.id: one
        for row in asked.plans(store)
        if (one := _plan(row["plan"])) is not None and counts(one)
    }
    rows: dict[str, list[Row]] = {}
    for row in asked.runs(store, there):
        rows.setdefault(row["study_id"], []).append(row)
    losses: dict[str, Any] = {}
    for row in asked.first_losses(store, there, FIRST_LOSSES):
        by_seed = losses.setdefault(row["study_id"], {}).setdefault(row["arm"], {})
        by_seed.setdefault(row["seed"], {})[row["iter"]] = row["value"]
    found = [_entry(one, rows.get(name, []), losses.get(name, {})) for name, one in there.items()]
    found += [
        _entry_of_line(one, line.get("runs") or {})
        for line in deleted.records()
        if (one := _plan(json.dumps(line.get("plan")))) is not None and counts(one)
    ]
    return sorted(found, key=lambda entry: entry.study.created)


def _entry(study: Study, rows: Iterable[Row], losses: Mapping[str, Any]) -> _Entry:
    ends: dict[tuple[str, int], End] = {}
    seen: dict[tuple[str, int], str] = {}
    for row in rows:
        at = row["arm"], row["seed"]
        if row["state"] in ENDED:
            ends[at] = End(row["state"], row["val_loss"])
        if row["state"] in ENDED or row["eval_loss"] is not None:
            seen[at] = row["started"] or row["ended"] or ""
    return _Entry(study, ends, seen, losses)


def _entry_of_line(study: Study, runs: Mapping[str, Mapping[str, Any]]) -> _Entry:
    """What the line of a deleted study says. When its runs were seen is not on record: before
    anything that is planned later, to be on the safe side."""
    ends: dict[tuple[str, int], End] = {}
    for run in study.runs:
        said = runs.get(run.name) if isinstance(runs, Mapping) else None
        if isinstance(said, Mapping) and said.get("state") in ENDED:
            loss = said.get("val_loss")
            known = isinstance(loss, int | float)
            ends[run.arm, run.seed] = End(str(said["state"]), loss if known else None)
    return _Entry(study, ends, dict.fromkeys(ends, ""), deleted=True)


@lru_cache(maxsize=4096)
def _plan(text: str) -> Study | None:
    try:
        return studies.from_dict(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError, Problem):
        return None


# ── looks, and what is left out


def _looks(entry: _Entry, before: int) -> tuple[tuple[int, float], ...]:
    """The looks that a study has come to, when its question had ``before`` looks before it."""
    study, ends = entry.study, entry.ends
    planned = study.range
    if planned is not None:
        pairs = pairs_of(study, ends)
        last = ranges.over_at(planned, pairs, ranges.smallest_that_matters(study)) or len(pairs)
        return tuple((n, planned.alpha) for n in range(planned.first, last + 1))
    found: list[tuple[int, float]] = []
    n = 0
    for batch in study.looks:
        if not all((arm, seed) in ends for seed in batch for arm in ARMS):
            break
        n += len(batch)
        if n >= MIN_FOR_VERDICT:
            found.append((n, _spends(study, later=before + len(found) > 0)))
    return tuple(found)


def _tries(study: Study) -> bool:
    mine = study.series
    return mine is not None and mine.kind == series.TUNE


def _series_id(study: Study) -> str:
    mine = study.series
    return "" if mine is None else mine.id


def _shared(study: Study) -> float | None:
    """The share of its series' 5% that a study may spend; None for a study by itself."""
    mine = study.series
    return None if mine is None else mine.alpha


def _spends(study: Study, later: bool) -> float:
    """α of a look outside a planned range."""
    share = _shared(study) or ALPHA
    return min(share, ALPHA_LATER) if later else share


def pairs_of(study: Study, ends: Ends) -> list[float | None]:
    """The differences (nats) of the first pairs that have ended, in the order of the plan; None for
    one of which a run diverged."""
    found: list[float | None] = []
    for seed in study.seeds:
        both = [ends.get((arm, seed)) for arm in ARMS]
        if both[0] is None or both[1] is None:
            break
        base, modified = (
            one.val_loss if one.state == State.FINISHED else None for one in both if one is not None
        )
        found.append(None if base is None or modified is None else modified - base)
    return found


def _trained_with(study: Study) -> tuple[str, str, str, str]:
    return (
        json.dumps(study.config, sort_keys=True),
        study.data.sha256,
        study.device,
        study.dtype,
    )


# ── seeds that were picked


def _twins(one: _Entry, other: _Entry) -> bool:
    """Whether two studies train the same but for their seeds; their arms may be swapped."""
    found = [same_run(one.trainings[arm], other.trainings) for arm in ARMS]
    if one.study.is_floor and other.study.is_floor:
        return None not in found
    return set(found) == set(ARMS)


@dataclass(frozen=True)
class _Known:
    """What could be seen before a study was planned of runs that train what its arms do."""

    seeds: Mapping[str, frozenset[int]]
    """Arm of the study → seeds."""
    by_study: Mapping[str, frozenset[int]]

    @property
    def both(self) -> frozenset[int]:
        return self.seeds[ARMS[0]] & self.seeds[ARMS[1]]

    @property
    def either(self) -> frozenset[int]:
        return self.seeds[ARMS[0]] | self.seeds[ARMS[1]]


def _known_before(entry: _Entry, others: Sequence[_Entry]) -> _Known:
    mine = entry.study
    seeds: dict[str, set[int]] = {arm: set() for arm in ARMS}
    by_study: dict[str, frozenset[int]] = {}
    for other in others:
        if other.study.id == mine.id:
            continue
        found: set[int] = set()
        for theirs in ARMS:
            arm = same_run(other.trainings[theirs], entry.trainings)
            if arm is not None:
                before = {
                    other.study.drawn_with(Run(theirs, "", seed))
                    for (one, seed), when in other.seen.items()
                    if one == theirs and when <= mine.created
                }
                seeds[arm] |= before
                found |= before
        if found:
            by_study[other.study.id] = frozenset(found)
    return _Known({arm: frozenset(found) for arm, found in seeds.items()}, by_study)


def _picked(entry: _Entry, others: Sequence[_Entry], known: _Known) -> bool:
    """Whether a study's seeds were picked: results at some of them could be known when it was
    planned, and results at others that it leaves out.

    Nobody picks the first seeds in their order, nor a set that a study declared without picking and
    that is used whole; but where pairs of both arms were known, only the latter.
    """
    mine = entry.study
    if not known.either & set(mine.seeds) or not known.either - set(mine.seeds):
        return False
    pairs_known = known.both & set(mine.seeds) and known.both - set(mine.seeds)
    if not pairs_known and _are_next(mine.seeds, known.seeds["modified"]):
        return False
    return not any(
        set(other.study.seeds) == set(mine.seeds)
        and other.study.created < mine.created
        and not _picked(other, others, _known_before(other, others))
        for other in others
        if other.study.id != mine.id and other.study.id in known.by_study
    )


def _are_next(seeds: Sequence[int], known: frozenset[int]) -> bool:
    """Whether seeds are the first ones, 0, 1, 2, …, or the first of which the modified arm's runs
    are not known."""
    first = set(range(len(seeds)))
    unknown = [seed for seed in range(len(seeds) + len(known)) if seed not in known]
    return set(seeds) in (first, set(unknown[: len(seeds)]))


def _left_out(
    entry: _Entry, others: Sequence[_Entry], known: _Known, picked: bool
) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """What a study leaves out, by study: of picked seeds all at which results could be known, else
    the pairs of its twins that have ended by now."""
    named = set(entry.study.seeds)
    left = []
    for other in others:
        if other.study.id == entry.study.id:
            continue
        if picked:
            there = sorted(known.by_study.get(other.study.id, ()))
        elif _twins(other, entry):
            there = [s for s in other.study.seeds if all((arm, s) in other.ends for arm in ARMS)]
        else:
            continue
        out = tuple(seed for seed in there if seed not in named)
        named |= set(out)
        if out:
            left.append((other.study.id, out))
    return tuple(left)
