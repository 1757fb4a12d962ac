"""How often a question was asked, and what that does to the next answer.

A question is (modification, baseline, data). It stays the same question with other seeds, another
preset or ``--set``, another headline, swapped arms, an edited model file, and for imported and
adopted runs. Every study of it that came to a look is in its ledger; a deleted study leaves its
line there. A study of a file against itself claims nothing about a modification, so it is in no
ledger but its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePath
from typing import Any

from q1lab.compare import looks
from q1lab.compare.stats import ALPHA, ALPHA_LATER, MIN_FOR_VERDICT
from q1lab.errors import Problem
from q1lab.index import asked
from q1lab.index.store import Store
from q1lab.study import deleted, ranges, series, studies
from q1lab.study.states import State
from q1lab.study.studies import ARMS, Arm, Study


@dataclass(frozen=True)
class End:
    """How a run ended: ``finished`` or ``diverged``, when, and its final val loss (nats)."""

    state: str
    when: str
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
    """(study, seeds): pairs of the same two files under the same conditions that have ended and
    that this study leaves out."""
    chosen: bool
    """Whether this study's seeds were picked among pairs that had ended when it was planned."""

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
    study: Study
    ends: Ends
    deleted: bool = False


def asked_of(store: Store, study: Study) -> Asked:
    """The question of a study, as the index knows it now."""
    entries = _entries(store, study)
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
    left, chosen = _left_out(entries, study)
    return Asked(tuple(askings), alpha, later, left, chosen)


def is_later(store: Store, draft: Study) -> bool:
    """Whether the question of a study that is being planned has been looked at before, by a study
    that was not declared together with it."""
    together = _series_id(draft)
    return any(
        _looks(entry, 0)
        for entry in _entries(store, draft)
        if entry.study.id != draft.id and not (together and _series_id(entry.study) == together)
    )


def ended_seeds(store: Store, draft: Study) -> set[int]:
    """Seeds whose run has ended in an arm of a study that trains just what ``draft`` would."""
    found: set[int] = set()
    for entry in _entries(store, draft):
        if entry.study.id != draft.id and _twins(entry.study, draft):
            found |= {seed for _, seed in entry.ends}
    return found


def floors(store: Store, study: Study) -> list[Study]:
    """The studies that compare this study's baseline with itself, on the same data and under the
    same conditions, oldest first."""
    wanted = _trained_with(study)
    base = study.arms["baseline"].sha256
    found = [
        one
        for row in asked.plans(store, study.data.sha256)
        if (one := _plan(row["plan"])) is not None
        and one.is_floor
        and one.arms["baseline"].sha256 == base
        and _trained_with(one) == wanted
    ]
    return sorted(found, key=lambda one: one.created)


# ── one question's studies


def _entries(store: Store, study: Study) -> list[_Entry]:
    """The studies that ask what ``study`` asks, oldest first, itself among them if it is there."""
    plans = [
        (one, None)
        for row in asked.plans(store, study.data.sha256)
        if (one := _plan(row["plan"])) is not None
    ]
    lines = [
        (one, line.get("runs") or {})
        for line in deleted.records()
        if (one := _plan(json.dumps(line.get("plan")))) is not None
        and one.data.sha256 == study.data.sha256
    ]
    # a study of a file against itself claims nothing: it asks no question but its own; nor does one
    # that tries a value before the study
    everyone = [
        (one, runs)
        for one, runs in [*lines, *plans]
        if (one.id == study.id if study.is_floor else not one.is_floor)
        if one.id == study.id or not _tries(one)
    ]
    roots = _Roots()
    for one, _ in [*everyone, (study, None)]:
        for arm in ARMS:
            roots.join(_marks(one.arms[arm], one))
    wanted = _question(roots, study)
    same = [(one, runs) for one, runs in everyone if _question(roots, one) == wanted]
    ends: dict[str, dict[tuple[str, int], End]] = {}
    for row in asked.ends(store, [one.id for one, runs in same if runs is None]):
        mine = ends.setdefault(row["study_id"], {})
        mine[row["arm"], row["seed"]] = End(row["state"], row["ended"] or "", row["val_loss"])
    found = []
    for one, runs in same:
        if runs is None:
            found.append(_Entry(one, ends.get(one.id, {})))
        else:
            found.append(_Entry(one, _ends_of_line(one, runs), deleted=True))
    return sorted(found, key=lambda entry: entry.study.created)


def _ends_of_line(study: Study, runs: Mapping[str, Mapping[str, Any]]) -> Ends:
    """How a deleted study's runs ended. When is not on record: before anything that is planned
    later, to be on the safe side."""
    found: dict[tuple[str, int], End] = {}
    for run in study.runs:
        said = runs.get(run.name) if isinstance(runs, Mapping) else None
        if isinstance(said, Mapping) and said.get("state") in (State.FINISHED, State.DIVERGED):
            loss = said.get("val_loss")
            known = isinstance(loss, int | float)
            found[run.arm, run.seed] = End(str(said["state"]), "", loss if known else None)
    return found


@lru_cache(maxsize=4096)
def _plan(text: str) -> Study | None:
    try:
        return studies.from_dict(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError, Problem):
        return None


class _Roots:
    """Names of model files that mean the same modification, joined as they turn up together."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}

    def root(self, mark: str) -> str:
        while (above := self._above.get(mark, mark)) != mark:
            mark = above
        return mark

    def join(self, marks: list[str]) -> None:
        first = self.root(marks[0])
        for mark in marks[1:]:
            self._above[self.root(mark)] = first


def _marks(arm: Arm, study: Study) -> list[str]:
    """What tells that two arms are the same modification: the name of a model that ships, the
    content of a file, and the place of a file (that is edited, or copied to ``…_v2.py``)."""
    if study.imported or not arm.origin:
        marks = [f"name {arm.variant.removesuffix('*')}"]
    elif "/" in arm.origin or "\\" in arm.origin or arm.origin.endswith(".py"):
        path = PurePath(arm.origin)
        stem = re.sub(r"([_-]?v?[0-9]+|[_-](copy|new|old|final|fixed))+\Z", "", path.stem.lower())
        marks = [f"file {path.parent / (stem or path.stem)}"]
    else:
        marks = [f"name {arm.origin}"]
    return [*marks, f"sha256 {arm.sha256}"] if arm.sha256 else marks


def _question(roots: _Roots, study: Study) -> frozenset[str]:
    return frozenset(roots.root(_marks(study.arms[arm], study)[0]) for arm in ARMS)


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


def _conditions(study: Study) -> tuple[Any, ...]:
    return (frozenset(study.arms[arm].sha256 for arm in ARMS), *_trained_with(study))


def _trained_with(study: Study) -> tuple[str, str, str]:
    return json.dumps(study.config, sort_keys=True), study.device, study.dtype


def _twins(one: Study, other: Study) -> bool:
    """Whether two studies train the same but for their seeds; their arms may be swapped."""
    if not all(study.arms[arm].sha256 for study in (one, other) for arm in ARMS):
        return False
    return _conditions(one) == _conditions(other)


def _left_out(
    entries: list[_Entry], study: Study
) -> tuple[tuple[tuple[str, tuple[int, ...]], ...], bool]:
    """What a study leaves out of the pairs that there are, and whether its own were picked among
    them."""
    left: list[tuple[str, tuple[int, ...]]] = []
    known_here: set[int] = set()
    known_left: set[int] = set()
    named: set[int] = set()
    for entry in entries:
        if entry.study.id == study.id or not _twins(entry.study, study):
            continue
        pairs = [
            seed for seed in entry.study.seeds if all((arm, seed) in entry.ends for arm in ARMS)
        ]
        before = {
            seed
            for seed in pairs
            if all(entry.ends[arm, seed].when <= study.created for arm in ARMS)
        }
        known_here |= before & set(study.seeds)
        known_left |= before - set(study.seeds)
        out = tuple(seed for seed in pairs if seed not in study.seeds and seed not in named)
        named |= set(out)
        if out:
            left.append((entry.study.id, out))
    return tuple(left), bool(known_here and known_left)
