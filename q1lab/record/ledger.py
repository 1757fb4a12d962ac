"""How often a question was asked, and what that does to the next answer.

A question is (modification, baseline, data). It stays the same question with other seeds, another
preset or ``--set``, another headline, swapped arms, an edited or renamed model file, and for
imported and adopted runs. Every study of it that was begun is in its ledger, and stays there when
it is stopped, deleted, or removed by hand. A study of a file against itself claims nothing about a
modification, so it is in no ledger but its own; one pair is an experiment, and no question yet.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any
from weakref import WeakKeyDictionary

from q1lab.index.store import Row, Store
from q1lab.record import questions
from q1lab.statistics import interim_analyses
from q1lab.statistics.intervals import ALPHA, ALPHA_LATER, MIN_FOR_VERDICT
from q1lab.study import identity
from q1lab.study.design import Design
from q1lab.study.identity import FIRST_LOSSES, ArmTraining, Question, find_same_arm, questions_of
from q1lab.study.liveness import is_alive
from q1lab.study.run_states import ENDED, RunState
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
    design: Design | None = None
    others: tuple[float, ...] = ()
    """What could have been asked in its place, by what was known: the chance of each to claim."""

    @property
    def total(self) -> float:
        """Of a planned range all of its looks count, however early it stopped: with other luck it
        would have gone on."""
        every = _all_looks(self.design) or self.looks
        return interim_analyses.together([interim_analyses.any_claim(every), *self.others])


@dataclass(frozen=True)
class Family:
    """What else was asked, as far as it is on record: how many questions of the
    same data, of all data, over how many data sets, with how many others this study shares
    baseline runs, and the chance of at least one claim in all of it when nothing helps."""

    here: int
    questions: int
    texts: int
    shared: int
    total: float


@dataclass(frozen=True)
class Asked:
    """A question as one of its studies stands in it."""

    askings: tuple[Asking, ...]
    """Every study that was begun, oldest first."""
    alpha: float
    """What this study's newest look may spend."""
    later: bool
    """Whether that look is a later one, with its smaller α."""
    left_out: tuple[tuple[str, tuple[int, ...]], ...]
    """(study, seeds): runs that train the same as this study's and that it leaves out; where its
    seeds were picked those that could be known then, else pairs that have ended by now."""
    chosen: bool
    """Whether this study's seeds were picked among those at which results could be known."""
    could_be: int = 0
    """Sets of seeds that could have been taken in place of this study's, by what was known."""
    unreadable: int = 0
    """Lines of the record that can't be read: each may have been one more asking."""
    strays: tuple[tuple[str, int, int, int], ...] = ()
    """(arm, runs on record, of these diverged, of these stuck), where there are any."""
    family: Family | None = None

    @property
    def studies(self) -> int:
        return len(self.askings) + self.unreadable

    @property
    def looks(self) -> int:
        return sum(len(one.looks) for one in self.askings) + self.unreadable

    @property
    def total(self) -> float:
        """The chance of at least one claim when nothing has changed: exact where the studies share
        no run, else a bound from above."""
        return interim_analyses.together(
            [*(one.total for one in self.askings), *[ALPHA] * self.unreadable]
        )


def asked_of(store: Store, study: Study) -> Asked:
    """The question of a study, as the index knows it now."""
    home = _home(store).with_(study)
    entry = home.entry(study)
    askings = home.askings(entry)
    mine, picks = askings.get(entry), home.picks(entry)
    alpha = mine.looks[-1][1] if mine is not None else home.next_alpha(entry)
    first, spent = spends(study), alpha
    if every := _all_looks(study.design):
        spent = interim_analyses.any_claim(every)
    return Asked(
        tuple(askings.values()),
        alpha,
        spent < 0.9 * first,
        () if study.is_floor else home.left_out(entry, picks),
        picks.picked,
        len(picks.others),
        home.unreadable,
        home.strays(entry),
        None if study.is_floor else home.family(entry),
    )


def may_spend(store: Store, draft: Study) -> float:
    """The chance of a false claim that a study may have that is being planned."""
    home = _home(store).with_(draft)
    return home.next_alpha(home.entry(draft))


def is_later(store: Store, draft: Study) -> bool:
    """Whether the question of a study that is being planned has been asked before, by a study that
    was not declared together with it."""
    return may_spend(store, draft) < spends(draft)


def seen_before(store: Store, study: Study, when: str) -> str | None:
    """A study in which results of this question's modification could be seen before ``when`` (UTC);
    None where nothing was known of it."""
    home = _home(store).with_(study)
    mine = home.question(home.entry(study))
    for entry in home.entries:
        question = home.question(entry)
        if question.key == mine.key and entry.study.id != study.id:
            arm = "modified" if question.modified == mine.modified else "baseline"
            if any(one == arm and since < when for (one, _), since in entry.seen.items()):
                return entry.study.id
    return None


def ended_seeds(store: Store, draft: Study) -> set[int]:
    """Seeds whose run has ended in an arm of a study that trains what ``draft`` would in both."""
    home = _home(store).with_(draft)
    mine = home.entry(draft)
    return {
        seed
        for entry in home.entries
        if entry is not mine and home.are_twins(entry, mine)
        for _, seed in entry.ends
    }


def used_seeds(store: Store) -> set[int]:
    return {seed for entry in _home(store).entries for seed in entry.study.seeds}


def floors(store: Store, study: Study) -> list[Study]:
    """The studies that compare this study's baseline with itself, on the same data and under the
    same conditions, oldest first."""
    wanted = _trained_with(study)
    base = study.arms["baseline"].sha256
    found = [
        one
        for one in questions.planned(store).values()
        if one.is_floor and one.arms["baseline"].sha256 == base and _trained_with(one) == wanted
    ]
    return sorted(found, key=lambda one: one.created)


def pairs_of(study: Study, ends: Ends) -> list[float | None]:
    """The differences (nats) of the first pairs that have ended, in the order of the plan; None for
    one of which a run diverged."""
    found: list[float | None] = []
    for seed in study.seeds:
        both = [ends.get((arm, seed)) for arm in ARMS]
        if both[0] is None or both[1] is None:
            break
        base, modified = (
            one.val_loss if one.state == RunState.FINISHED else None
            for one in both
            if one is not None
        )
        found.append(None if base is None or modified is None else modified - base)
    return found


# ── what is on record


@dataclass(frozen=True, eq=False)
class _Entry:
    """A study on record, and what is known of its runs."""

    study: Study
    at: tuple[str, ...]
    """When each batch of its seeds was begun (UTC)."""
    ends: Ends = field(default_factory=dict)
    seen: Mapping[tuple[str, int], str] = field(default_factory=dict)
    """(arm, seed) → since when a result of it could be seen (UTC)."""
    losses: Mapping[str, Mapping[int, Mapping[int, float]]] = field(default_factory=dict)
    """Arm → seed → iter → training loss, of the first iters."""
    forgotten: bool = False
    """Whether how its runs began is not on record: an edit since then may have changed nothing."""

    def drawn(self, arm: str, seed: int) -> int:
        return self.study.trainer.drawn_seed(Run(arm, "", seed))

    def drawn_seen(self, arm: str, until: str = "~") -> set[int]:
        """The seeds that an arm's runs were drawn with whose results could be seen by a time; by
        now, if none is given."""
        return {
            self.drawn(arm, seed)
            for (one, seed), since in self.seen.items()
            if one == arm and since <= until
        }

    @cached_property
    def batches(self) -> tuple[tuple[tuple[int, ...], str], ...]:
        """The seeds that were declared together, and when; a first single pair, an experiment, with
        what came after it."""
        found: list[tuple[tuple[int, ...], str]] = []
        for seeds, at in zip(self.study.design.batches, self.at, strict=True):
            if len(found) == 1 and len(found[0][0]) == 1:
                found = [((*found[0][0], *seeds), at)]
            else:
                found.append((seeds, at))
        return tuple(found)


@dataclass(frozen=True)
class _Picks:
    """How a study came by its seeds: whether they were picked, which sets could have been taken in
    their place (the chance of each to claim something when nothing has changed), and what could be
    known then, by study."""

    picked: bool = False
    others: tuple[float, ...] = ()
    pays: bool = False
    """Whether it is judged as a later look for it."""
    known: Mapping[str, frozenset[int]] = field(default_factory=dict)


class _Home:
    """Everything on record, oldest first, and what each study asks and trains."""

    def __init__(self, entries: Sequence[_Entry], unreadable: int) -> None:
        self.entries = sorted(entries, key=lambda entry: entry.at[0])
        self.unreadable = unreadable
        self._place = {entry: at for at, entry in enumerate(self.entries)}
        found = questions_of([entry.study for entry in self.entries])
        self._questions = dict(zip(self.entries, found, strict=True))
        self._trainings = self._told_apart()
        self._same: dict[tuple[object, ...], str | None] = {}
        self.picks = cache(self._how_picked)
        self._askings: dict[object, dict[_Entry, Asking]] = {}

    def entry(self, study: Study) -> _Entry:
        name = questions.name_of(study)
        return next(one for one in self.entries if questions.name_of(one.study) == name)

    def question(self, entry: _Entry) -> Question:
        return self._questions[entry]

    def with_(self, study: Study) -> _Home:
        """The home with a study that is only planned; itself where the study is on record."""
        name = questions.name_of(study)
        if any(questions.name_of(one.study) == name for one in self.entries):
            return self
        latest = max([study.created, *(one.at[-1] for one in self.entries)])
        return _Home(
            [*self.entries, _Entry(study, (latest,) * len(study.design.batches))], self.unreadable
        )

    def _told_apart(self) -> dict[_Entry, dict[str, ArmTraining]]:
        """What each arm trains: one record for all arms that train the same by the same code and
        settings, with the first losses of all of their runs."""
        known: dict[object, tuple[ArmTraining, dict[int, Mapping[int, float]]]] = {}
        found: dict[_Entry, dict[str, ArmTraining]] = {}
        for entry in self.entries:
            for arm in ARMS:
                losses: dict[int, Mapping[int, float]] = {}
                mine = identity.arm_training(entry.study, arm, losses)
                key = self._questions[entry].text, mine.code, mine.settings
                mine, losses = known.setdefault(key, (mine, losses))
                for seed, first in entry.losses.get(arm, {}).items():
                    losses.setdefault(entry.drawn(arm, seed), first)
                found.setdefault(entry, {})[arm] = mine
        return found

    def _same_run(self, theirs: _Entry, arm: str, mine: _Entry) -> str | None:
        """The arm of ``mine`` that trains what an arm of ``theirs`` does (see sameness). An edited
        baseline is taken for the one before, and so is any edited file where it is forgotten how
        its runs began, until first losses tell them apart."""
        arms = self._trainings[mine]
        question, ours = self._questions[theirs], self._questions[mine]
        its = question.baseline if arm == "baseline" else question.modified
        edited: tuple[str, ...] = ()
        if its == ours.baseline:
            edited = ("baseline",)
        elif its == ours.modified and theirs.forgotten:
            edited = ("modified",)
        other = self._trainings[theirs][arm]
        key = other, edited, *arms.values()
        if key not in self._same:
            self._same[key] = find_same_arm(other, arms, edited)
        return self._same[key]

    def are_twins(self, one: _Entry, other: _Entry) -> bool:
        """Whether two studies train the same but for their seeds; their arms may be swapped."""
        found = [self._same_run(one, arm, other) for arm in ARMS]
        if one.study.is_floor and other.study.is_floor:
            return None not in found
        return set(found) == set(ARMS)

    # ── looks

    def _asks(self, entry: _Entry) -> list[_Entry]:
        """The studies that ask what one asks, itself among them."""
        if entry.study.is_floor:
            return [entry]
        key = self.question(entry).key
        return [
            one for one in self.entries if self.question(one).key == key and not one.study.is_floor
        ]

    def askings(self, entry: _Entry) -> dict[_Entry, Asking]:
        """The askings of a study's question, oldest first."""
        key = entry if entry.study.is_floor else self.question(entry).key
        if key not in self._askings:
            walk = self._walk(self._asks(entry))
            self._askings[key] = {one: asking for one, _, asking in walk if asking.looks}
        return self._askings[key]

    def next_alpha(self, entry: _Entry) -> float:
        """What the first look of a study may spend that has come to none."""
        if (level := entry.study.design.level) is not None:
            return level
        before = next(before for one, before, _ in self._walk(self._asks(entry)) if one is entry)
        return spends(entry.study, later=before > 0 or self.picks(entry).pays)

    def _walk(self, entries: Sequence[_Entry]) -> list[tuple[_Entry, int, Asking]]:
        """Each study of a question with how many looks came before it. Studies that were declared
        together share their 5%: none is a later look of another."""
        found = []
        seen = self.unreadable
        looked: dict[str, int] = {}
        for entry in entries:
            together = _series_id(entry.study)
            before = seen - looked.get(together, 0)
            picks = self.picks(entry)
            mine = _looks(entry, before > 0 or picks.pays)
            seen += len(mine)
            if together:
                looked[together] = looked.get(together, 0) + len(mine)
            design = entry.study.design
            found.append((entry, before, Asking(entry.study.id, mine, design, picks.others)))
        return found

    def family(self, entry: _Entry) -> Family:
        """What was asked besides a study's question."""
        mine = self.question(entry)
        found: dict[tuple[int, frozenset[int]], list[Asking]] = {mine.key: []}
        sharing = set()
        for other in self.entries:
            question = self.question(other)
            if other.study.is_floor or not (askings := self.askings(other)):
                continue
            found[question.key] = list(askings.values())
            if question.key != mine.key and self._shares_baseline(entry, other):
                sharing.add(question.key)
        totals = [one.total for askings in found.values() for one in askings]
        return Family(
            here=sum(text == mine.text for text, _ in found),
            questions=len(found),
            texts=len({text for text, _ in found}),
            shared=len(sharing),
            total=interim_analyses.together([*totals, *[ALPHA] * self.unreadable]),
        )

    def _shares_baseline(self, entry: _Entry, other: _Entry) -> bool:
        return any(
            self._same_run(other, arm, entry) == "baseline"
            and other.drawn_seen(arm) & set(entry.study.seeds)
            for arm in ARMS
        )

    # ── seeds that were picked

    def _related(self, entry: _Entry) -> list[tuple[_Entry, dict[str, str]]]:
        """The other studies of which an arm trains what one of this study's does, perhaps in
        another dress: their arm → this study's."""
        found = []
        for other in self.entries:
            if other is not entry and self.question(entry).text == self.question(other).text:
                arms = {theirs: self._same_run(other, theirs, entry) for theirs in ARMS}
                known = {theirs: mine for theirs, mine in arms.items() if mine is not None}
                if known:
                    found.append((other, known))
        return found

    def _how_picked(self, entry: _Entry) -> _Picks:
        if entry.study.is_floor:
            return _Picks()
        others = self._related(entry)
        result = _Picks()
        before: set[int] = set()
        for seeds, when in entry.batches:
            known: dict[str, set[int]] = {arm: set() for arm in ARMS}
            by_study: dict[str, frozenset[int]] = {}
            for other, arms in others:
                if (other.at[0], self._place[other]) > (when, self._place[entry]):
                    continue
                for theirs, mine in arms.items():
                    there = other.drawn_seen(theirs, when)
                    known[mine] |= there
                    by_study[other.study.id] = by_study.get(other.study.id, frozenset()) | there
            if not before and len(entry.study.design.batches[0]) == 1 < len(
                seeds
            ):  # its own experiment
                for arm in ARMS:
                    known[arm] |= entry.drawn_seen(arm, when) & {seeds[0]}
            named, either = set(seeds), known["baseline"] | known["modified"]
            both = known["baseline"] & known["modified"]
            if named & either and either - named - before:
                declared = self._declared(entry, others, when)
                in_order = _are_next(named, before, known["modified"])
                if named & both and both - named - before:
                    in_order = False  # pairs could be seen, so even the first ones may be the best
                if not in_order and not {frozenset(named), frozenset(named | before)} & declared:
                    return _Picks(picked=True, known=by_study)
                if not before:
                    result = _could_be(named, declared, either, in_order)
            before |= named
        return result

    def _declared(
        self, entry: _Entry, others: Sequence[tuple[_Entry, dict[str, str]]], when: str
    ) -> set[frozenset[int]]:
        """The sets of seeds that studies had declared before, without picking them, and at which
        results could be seen."""
        return {
            frozenset(other.study.seeds)
            for other, arms in others
            if self._place[other] < self._place[entry]
            and len(other.study.seeds) >= MIN_FOR_VERDICT
            and any(other.drawn_seen(theirs, when) for theirs in arms)
            and not self.picks(other).picked
        }

    def left_out(self, entry: _Entry, picks: _Picks) -> tuple[tuple[str, tuple[int, ...]], ...]:
        named = set(entry.study.seeds)
        left = []
        for other, arms in self._related(entry):
            if picks.picked:
                there = sorted(picks.known.get(other.study.id, ()))
            elif set(arms.values()) == set(ARMS):
                there = [
                    s for s in other.study.seeds if all((arm, s) in other.ends for arm in ARMS)
                ]
            else:
                continue
            out = tuple(seed for seed in there if seed not in named)
            named |= set(out)
            if out:
                left.append((other.study.id, out))
        return tuple(left)

    # ── arms that go astray

    def strays(self, entry: _Entry) -> tuple[tuple[str, int, int, int], ...]:
        ends: dict[str, dict[int, End]] = {arm: {} for arm in ARMS}
        for other, arms in [*self._related(entry), (entry, {arm: arm for arm in ARMS})]:
            for (theirs, seed), end in other.ends.items():
                if theirs in arms:
                    ends[arms[theirs]][other.drawn(theirs, seed)] = end
        found = []
        for arm, runs in ends.items():
            losses = [end.val_loss for end in runs.values() if end.val_loss is not None]
            diverged = sum(end.state == RunState.DIVERGED for end in runs.values())
            stuck = len(_stuck(losses))
            if diverged or stuck:
                found.append((arm, len(runs), diverged, stuck))
        return tuple(found)


_homes: WeakKeyDictionary[Store, tuple[object, _Home]] = WeakKeyDictionary()


def _home(store: Store) -> _Home:
    """Everything on record; read once while nothing has changed."""
    stamp = questions.stamp(store)
    known = _homes.get(store)
    if known is None or known[0] != stamp:
        known = _homes[store] = stamp, _read(store)
    return known[1]


def _read(store: Store) -> _Home:
    rows: dict[str, list[Row]] = {}
    for row in questions.runs(store):
        rows.setdefault(row["study_id"], []).append(row)
    losses: dict[str, Any] = {}
    for row in questions.first_losses(store, FIRST_LOSSES):
        by_seed = losses.setdefault(row["study_id"], {}).setdefault(row["arm"], {})
        by_seed.setdefault(row["seed"], {})[row["iter"]] = row["value"]
    begun, unreadable = questions.begun(store)
    there, removed = questions.planned(store), questions.removed(store)
    entries = []
    for name in {**begun, **removed, **there}:
        found = begun.get(name)
        if name in there:
            study = there[name]
            entry = _of_rows(study, found, rows.get(study.id, []), losses.get(study.id, {}))
        elif name in removed:
            entry = _of_line(removed[name][0], found, removed[name][1])
        else:
            assert found is not None
            entry = _gone(found.study, found)
        if entry.study.design.counts_as_asking:
            entries.append(entry)
    return _Home(entries, unreadable)


def _times(study: Study, begun: questions.Begun | None) -> tuple[str, ...]:
    known = begun.at if begun is not None else (study.origin.imported_at or study.created,)
    return (*known, *[known[-1]] * len(study.design.batches))[: len(study.design.batches)]


def _of_rows(
    study: Study, begun: questions.Begun | None, rows: Iterable[Row], losses: Mapping[str, Any]
) -> _Entry:
    ends: dict[tuple[str, int], End] = {}
    seen: dict[tuple[str, int], str] = {}
    for row in rows:
        at = row["arm"], row["seed"]
        if row["state"] in ENDED:
            ends[at] = End(row["state"], row["val_loss"])
        if questions.shows_a_result(row):
            seen[at] = row["started"] or row["ended"] or ""
    if not rows and study.files.launch.exists() and not is_alive(study.files):
        return _gone(study, begun)  # its runs were removed by hand
    return _Entry(study, _times(study, begun), ends, seen, losses)


def _of_line(
    study: Study, begun: questions.Begun | None, runs: Mapping[str, Mapping[str, Any]]
) -> _Entry:
    """What the line of a deleted study says. When its runs were seen is not on record: before
    anything that was planned later, to be on the safe side."""
    ends: dict[tuple[str, int], End] = {}
    seen = {}
    losses: dict[str, dict[int, dict[int, float]]] = {arm: {} for arm in ARMS}
    forgotten = False
    for run in study.runs:
        said = runs.get(run.name)
        said = said if isinstance(said, Mapping) else {"state": "unknown"}
        first = said.get("first")
        if isinstance(first, Mapping):
            losses[run.arm][run.seed] = {
                int(at): float(loss)
                for at, loss in first.items()
                if isinstance(loss, int | float) and str(at).isdecimal()
            }
        if said.get("state") in ENDED:
            loss = said.get("val_loss")
            known = isinstance(loss, int | float)
            ends[run.arm, run.seed] = End(str(said["state"]), loss if known else None)
        if said.get("seen", said.get("state") is not None):
            seen[run.arm, run.seed] = ""
            forgotten = forgotten or not isinstance(first, Mapping)
    return _Entry(study, _times(study, begun), ends, seen, losses, forgotten)


def _gone(study: Study, begun: questions.Begun | None) -> _Entry:
    """A study whose files were removed by hand: nothing proves that no result was seen."""
    at = _times(study, begun)
    seen = {(run.arm, run.seed): at[0] for run in study.runs}
    return _Entry(study, at, {}, seen, forgotten=True)


# ── looks


def _looks(entry: _Entry, later: bool) -> tuple[tuple[int, float], ...]:
    """The looks that a study has come to: begun is looked at, whether or not it goes on to its end.
    A batch is begun once a result of the modified arm could be seen."""
    study = entry.study
    begun = [
        any(("modified", seed) in entry.seen for seed in batch) for batch in study.design.batches
    ]
    if study.design.level is not None:
        if not any(begun):
            return ()
        pairs = pairs_of(study, entry.ends)
        over = study.design.over_after(pairs, study.smallest_that_matters) or len(pairs)
        return study.design.looks_until(over)
    sizes = []
    n = 0
    for batch, started in zip(study.design.batches, begun, strict=True):
        if not started:
            break
        n += len(batch)
        sizes.append(n)
    # fewer than three pairs give no verdict: what is looked at is what they would go on to; a
    # single pair goes on to nothing
    sizes = [size for size in sizes if size >= MIN_FOR_VERDICT] or [
        MIN_FOR_VERDICT for size in sizes[-1:] if size > 1
    ]
    return tuple((size, spends(study, later=later or at > 0)) for at, size in enumerate(sizes))


def _all_looks(design: Design | None) -> tuple[tuple[int, float], ...]:
    """Every look that a design with a level of its own may come to; empty for the others."""
    return () if design is None else design.looks_until(design.pairs[1])


def declared_together(one: Study, other: Study) -> bool:
    """Whether two studies are of one series: then neither is a later look of the other."""
    return _series_id(one) == _series_id(other) != ""


def _series_id(study: Study) -> str:
    mine = study.origin.series
    return "" if mine is None else mine.id


def spends(study: Study, *, later: bool = False) -> float:
    """α of a look outside a planned range, of a series its share; all looks of a range together
    spend it."""
    mine = study.origin.series
    share = 1.0 if mine is None else mine.alpha / ALPHA
    return share * (ALPHA_LATER if later else ALPHA)


def _trained_with(study: Study) -> tuple[str, str, str, str]:
    return (
        json.dumps(study.trainer.hyperparameters, sort_keys=True),
        study.data.sha256,
        study.trainer.device,
        study.trainer.number_format,
    )


def _are_next(seeds: set[int], before: set[int], known: set[int]) -> bool:
    """Whether seeds, put to those ``before``, make the first ones, 0, 1, 2, …; or are the first of
    which the modified arm's runs are not ``known``."""
    taken = before | known
    free = [seed for seed in range(len(seeds) + len(taken)) if seed not in taken]
    whole = seeds | before
    return whole == set(range(len(whole))) or seeds == set(free[: len(seeds)])


def _could_be(
    seeds: set[int], declared: set[frozenset[int]], known: set[int], in_order: bool
) -> _Picks:
    """What a choice costs among sets of seeds whose results could be known: each of the others
    could have been asked in place of this one. The first seeds in their order spend what a first
    look does, another set what a later one does."""
    others = []
    first = {one for one in declared if one == set(range(len(one)))}
    many = len(seeds)
    if in_order and seeds == set(range(many)):
        # of the first seeds any number could have been taken: a look after each
        most = max([many, *map(len, first)])
        looked = interim_analyses.any_claim(
            [(n, ALPHA) for n in range(max(2, min(many, MIN_FOR_VERDICT)), most + 1)]
        )
        others += [1 - (1 - looked) / (1 - ALPHA)] * (most > many)
    else:
        others += [ALPHA for one in first if one != seeds]
    others += [ALPHA_LATER for one in declared - first if one != seeds]
    return _Picks(others=tuple(others), pays=not in_order and bool(others))


STUCK_FROM, STUCK = 5, 10.0
"""Of at least so many runs one counts as stuck that ends so many times as far above their median as
half of them lie from it."""


def _stuck(losses: Sequence[float]) -> list[float]:
    """The losses of runs that ended far above all others."""
    if len(losses) < STUCK_FROM:
        return []
    middle = statistics.median(losses)
    spread = statistics.median(abs(loss - middle) for loss in losses)
    return [loss for loss in losses if loss - middle > STUCK * spread > 0]
