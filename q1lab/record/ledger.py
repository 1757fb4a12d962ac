"""The ledger: the number of times a question was asked, and the α left for its next answer.

A question is (modification, baseline, data). It stays the same question with other seeds, another
preset or ``--set``, another headline, swapped arms, for imported and adopted runs, and where a
model file is renamed, or edited so that it trains the same: by its syntax tree, or by the first
losses of its runs. Another idea in the same file is another question. Every study of a question
that was begun is in its ledger, and stays there when it is stopped, deleted, or removed by hand. A
study of a file against itself claims nothing about a modification, so only its own ledger holds it.
A single pair is an experiment and asks no question yet.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple
from weakref import WeakKeyDictionary

from q1lab.index.store import Store
from q1lab.record import declarations, declared_history, questions
from q1lab.record.askings import (
    Asking,
    brought_askings,
    look_alpha,
    looks_taken,
    possible_looks,
    series_id,
)
from q1lab.record.declarations import Declaration
from q1lab.record.picked_seeds import (
    ArmOnRecord,
    LikeArms,
    Relation,
    Relations,
    SeedPicks,
    find_picks,
)
from q1lab.record.recorded_studies import (
    RecordedStudy,
    RunEnd,
    counted_losses,
    read_recorded_studies,
)
from q1lab.statistics import interim_analyses, intervals
from q1lab.statistics.intervals import ALPHA, ALPHA_LATER, Headline
from q1lab.study import identity
from q1lab.study.identity import (
    ArmTraining,
    Fingerprints,
    Kin,
    Question,
    find_same_arm,
    kin_of,
    questions_of,
)
from q1lab.study.run_states import RunState
from q1lab.study.studies import ARMS, Study, run_name


@dataclass(frozen=True)
class QuestionFamily:
    """All questions on record that studies with a verdict ask."""

    questions: int
    expected_false_claims: float
    """The number of claims to expect if nothing helps: the sum of what the questions may spend. A
    sum of chances needs no independence, so it holds whatever runs the studies share."""
    claims: int
    """The number of questions about which a study claims a difference now."""


@dataclass(frozen=True)
class QuestionHistory:
    """The history of a question, seen from one of its studies."""

    askings: tuple[Asking, ...]
    """Every study that was begun, oldest first."""
    alpha: float
    """The α that this study's newest look may spend."""
    later: bool
    """True if that look is a later one, with its smaller α."""
    left_out: tuple[tuple[str, tuple[int, ...]], ...]
    """(study, seeds) of the runs that train the same as this study's and are not in it: if its
    seeds were picked, the runs whose results could be known then; otherwise the pairs that have
    ended by now."""
    picked: bool
    """True if this study's seeds were picked among those at which results could be known."""
    could_be: int = 0
    """The number of sets of seeds that could have been taken in place of this study's."""
    unreadable: int = 0
    """Lines of the record that can't be read: each may have been one more asking."""
    restarted: tuple[tuple[str, int], ...] = ()
    """(run, number of restarts after it had shown a result), for runs whose numbers differ each
    time."""
    changed: tuple[str, ...] = ()
    """The parts of its plan that differ from the declaration; if there are any, it gets no
    verdict."""
    diverged_or_stuck: tuple[tuple[str, int, int, int], ...] = ()
    """(arm, runs on record, how many of them diverged, how many got stuck) of each arm with such
    runs."""
    family: QuestionFamily | None = None

    @property
    def studies(self) -> int:
        return len(self.askings) + self.unreadable

    @property
    def looks(self) -> int:
        return sum(len(asking.looks) for asking in self.askings) + self.unreadable

    @property
    def total(self) -> float:
        """The chance of at least one claim when nothing has changed: exact if the studies share
        no run, else a bound from above."""
        return interim_analyses.chance_over_studies(
            [*(asking.total for asking in self.askings), *[ALPHA] * self.unreadable]
        )


def question_history(store: Store, study: Study) -> QuestionHistory:
    """The history of a study's question, as the index knows it now."""
    ledger = _read_ledger(store).including(study)
    recorded = ledger.find(study)
    askings = ledger.askings(recorded)
    asking, picks = askings.get(recorded), ledger.picks(recorded)
    counts_here = asking is not None and recorded.alpha_elsewhere is None
    alpha = asking.looks[-1][1] if asking and counts_here else ledger.next_alpha(recorded)
    first_alpha, spent = look_alpha(study), alpha
    if all_looks := possible_looks(study.design):
        spent = interim_analyses.chance_of_any_claim(all_looks)
    return QuestionHistory(
        tuple(askings.values()),
        alpha,
        spent < 0.9 * first_alpha,
        () if study.is_floor else ledger.left_out(recorded, picks),
        picks.picked,
        len(ledger.came_by_seeds(recorded).alternatives),
        ledger.unreadable_of(recorded),
        tuple((run_name(*run), times) for run, times in recorded.restarts.items()),
        recorded.changed,
        ledger.diverged_or_stuck(recorded),
        None if study.is_floor or not study.design.has_verdict else ledger.family(recorded),
    )


def allowed_alpha(store: Store, draft: Study) -> float:
    """The chance of a false claim that a study being planned may have."""
    ledger = _read_ledger(store).including(draft)
    return ledger.next_alpha(ledger.find(draft))


def picks_in_draft(store: Store, draft: Study) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """(study, seeds) of the known results that a study being planned leaves out, if its seeds are
    picked; otherwise empty."""
    ledger = _read_ledger(store).including(draft)
    recorded = ledger.find(draft)
    picks = ledger.picks(recorded)
    return ledger.left_out(recorded, picks) if picks.picked else ()


def is_later_look(store: Store, draft: Study) -> bool:
    """True if the question of a study being planned has been asked before, by a study that was not
    declared together with it."""
    return allowed_alpha(store, draft) < look_alpha(draft)


def seen_in_study(store: Store, study: Study, until: str) -> str | None:
    """A study in which results of this question's modification could be seen before ``until``
    (UTC); None if there is no such study."""
    ledger = _read_ledger(store).including(study)
    question = ledger.question(ledger.find(study))
    for other in ledger.studies:
        other_question = ledger.question(other)
        if other_question.key == question.key and other.study.id != study.id:
            swapped = other_question.modified != question.modified
            arm = "baseline" if swapped else "modified"
            if any(
                run_arm == arm and since < until for (run_arm, _), since in other.seen_since.items()
            ):
                return other.study.id
    return None


def ended_seeds(store: Store, draft: Study) -> set[int]:
    """Seeds whose run has ended in an arm of a study that trains what ``draft`` would in both."""
    ledger = _read_ledger(store).including(draft)
    recorded = ledger.find(draft)
    return {
        seed
        for other in ledger.studies
        if other is not recorded and ledger.are_twins(other, recorded)
        for _, seed in other.ends
    }


def used_seeds(store: Store) -> set[int]:
    """The seeds of every study on record."""
    return {seed for recorded in _read_ledger(store).studies for seed in recorded.study.seeds}


def floor_studies(store: Store, study: Study) -> list[Study]:
    """The studies that compare this study's baseline with itself, on the same data and under the
    same conditions, oldest first."""
    conditions = _training_conditions(study)
    baseline = study.arms["baseline"].sha256
    floors = [
        other
        for other in questions.studies_on_disk(store).values()
        if other.is_floor
        and other.arms["baseline"].sha256 == baseline
        and _training_conditions(other) == conditions
    ]
    return sorted(floors, key=lambda floor: floor.created)


# ── all studies on record


class RelatedStudy(NamedTuple):
    """A study with an arm that trains the same as an arm of the judged study, or is kin to it: its
    arm → the arm of the judged study."""

    recorded: RecordedStudy
    trains_same: Mapping[str, str]
    kin: Mapping[str, str]
    """Also the arms that train the same."""


class _Ledger:
    """All studies on record, oldest first, with the question that each asks and what its arms
    train."""

    def __init__(
        self,
        studies: Sequence[RecordedStudy],
        unreadable: int,
        declared_lines: Sequence[Declaration],
    ) -> None:
        self.studies = sorted(studies, key=lambda recorded: recorded.begun_at[0])
        self.unreadable = unreadable
        self._declared_lines = declared_lines
        self._chains = [study.first_chain for study in self.studies if study.first_chain]
        self._place = {recorded: place for place, recorded in enumerate(self.studies)}
        plans = [recorded.study for recorded in self.studies]
        self._kin: dict[RecordedStudy, Kin] = dict(zip(self.studies, kin_of(plans), strict=True))
        marks = [
            recorded.marks or declarations.declared_marks(recorded.study)
            for recorded in self.studies
        ]
        self._questions = self._ask(marks)
        self._trainings = self._group_trainings()
        self._alike = identity.begin_alike(
            training for arms in self._trainings.values() for training in arms.values()
        )
        self._questions = self._ask(self._with_rewritten(marks))
        self._same_runs: dict[tuple[object, ...], str | None] = {}
        self._group_like_arms()
        self._askings: dict[object, dict[object, Asking]] = {}

    def find(self, study: Study) -> RecordedStudy:
        return self._by_key[questions.study_key(study)]

    @cached_property
    def _by_key(self) -> dict[questions.StudyKey, RecordedStudy]:
        return {questions.study_key(recorded.study): recorded for recorded in self.studies}

    def question(self, recorded: RecordedStudy) -> Question:
        return self._questions[recorded]

    def including(self, study: Study) -> _Ledger:
        """A ledger that also has a study that is only planned; this one if the study is on
        record."""
        if questions.study_key(study) in self._by_key:
            return self
        latest = max([study.created, *(recorded.begun_at[-1] for recorded in self.studies)])
        planned = RecordedStudy(study, (latest,) * len(study.design.batches))
        line = {**declarations.declaration_of(study), "seen": {}}
        return _Ledger([*self.studies, planned], self.unreadable, [*self._declared_lines, line])

    def _ask(self, marks: Sequence[Fingerprints]) -> dict[RecordedStudy, Question]:
        return dict(zip(self.studies, questions_of(marks), strict=True))

    def _with_rewritten(self, marks: Sequence[Fingerprints]) -> Sequence[Fingerprints]:
        """The fingerprints of the studies' questions, with one more that two modifications share
        where their code differs and their runs begin alike: a file rewritten so that it trains the
        same."""
        joined: list[dict[str, frozenset[str]]] = [dict(fingerprints) for fingerprints in marks]
        place_by_training: dict[ArmTraining, int] = {}
        for place, recorded in enumerate(self.studies):
            question, trainings = self._questions[recorded], self._trainings[recorded]
            training = trainings["modified"]
            is_own = identity.is_own_file(recorded.study, "modified")
            if not is_own or recorded.study.is_floor or training in place_by_training:
                continue
            for other_training in self._alike.get(training, ()):
                other_place = place_by_training.get(other_training)
                if other_place is None:
                    continue
                other_question = self._questions[self.studies[other_place]]
                if (
                    (other_question.text, other_question.baseline)
                    == (question.text, question.baseline)
                    and other_question.modified != question.modified
                    and find_same_arm(other_training, trainings) == "modified"
                ):
                    for at in (other_place, place):
                        joined[at]["modified"] |= {f"begins like {other_place}"}
            place_by_training[training] = place
        return joined

    def _group_trainings(self) -> dict[RecordedStudy, dict[str, ArmTraining]]:
        """The training of each study's arms. Arms with the same text, code and settings share one
        ArmTraining, which holds the first losses of all their runs."""
        groups: dict[object, tuple[ArmTraining, dict[int, Mapping[int, float]]]] = {}
        trainings: dict[RecordedStudy, dict[str, ArmTraining]] = {}
        for recorded in self.studies:
            for arm in ARMS:
                losses_by_seed: dict[int, Mapping[int, float]] = {}
                training = identity.arm_training(recorded.study, arm, losses_by_seed)
                key = self._questions[recorded].text, training.code, training.settings
                training, losses_by_seed = groups.setdefault(key, (training, losses_by_seed))
                for seed, first_losses in recorded.losses.get(arm, {}).items():
                    losses_by_seed.setdefault(recorded.drawn_seed(arm, seed), first_losses)
                trainings.setdefault(recorded, {})[arm] = training
        return trainings

    def _group_like_arms(self) -> None:
        """Group the arms that train the same and are of one kin."""
        self._like_arms: dict[tuple[object, ...], LikeArms] = {}
        self._like_arms_of: dict[tuple[RecordedStudy, str], LikeArms] = {}
        self._by_training: dict[ArmTraining, dict[LikeArms, ArmOnRecord]] = {}
        self._by_kin: dict[int, dict[LikeArms, ArmOnRecord]] = {}
        for place, recorded in enumerate(self.studies):
            kin = self._kin[recorded]
            for arm in ARMS:
                training, own_kin = self._trainings[recorded][arm], getattr(kin, arm)
                is_ours, is_forgotten = recorded.study.origin.is_ours, recorded.is_forgotten
                key = training, own_kin, is_ours, is_forgotten
                like_arms = self._like_arms.setdefault(key, LikeArms())
                on_record = ArmOnRecord(recorded, arm, place, (kin.baseline, kin.modified))
                like_arms.arms.append(on_record)
                self._like_arms_of[recorded, arm] = like_arms
                self._by_training.setdefault(training, {}).setdefault(like_arms, on_record)
                self._by_kin.setdefault(own_kin, {}).setdefault(like_arms, on_record)

    def _relations(self, recorded: RecordedStudy) -> Relations:
        """The arms on record that train what an arm of this study trains, or are kin to it."""
        kin = self._kin[recorded]
        ours = {getattr(kin, arm): arm for arm in reversed(ARMS)}
        related_arms: dict[LikeArms, ArmOnRecord] = {}
        for training in self._trainings[recorded].values():
            for alike in (training, *self._alike.get(training, ())):
                related_arms |= self._by_training.get(alike, {})
        for number in ours:
            related_arms |= self._by_kin.get(number, {})
        relations = {}
        for like_arms, example in related_arms.items():
            other, their_arm = example.recorded, example.arm
            same = self._trains_same(other, their_arm, recorded)
            own_kin = ours.get(getattr(self._kin[other], their_arm))
            both_ours = other.study.origin.is_ours and recorded.study.origin.is_ours
            if same is not None or own_kin is not None:
                known_by_name = None if both_ours else ours
                relations[like_arms] = Relation(like_arms, same, same or own_kin, known_by_name)
        return Relations(
            self._place[recorded],
            relations,
            lambda other, arm: self._like_arms_of[other, arm],
        )

    def _trains_same(
        self, other: RecordedStudy, other_arm: str, recorded: RecordedStudy
    ) -> str | None:
        """The arm of ``recorded`` that trains what ``other_arm`` trains (study/identity.py).

        An edited baseline counts as the one before the edit until first losses tell them apart; so
        does any edited file if the first losses of its runs are not on record.
        """
        arms = self._trainings[recorded]
        their_kin, kin = getattr(self._kin[other], other_arm), self._kin[recorded]
        edited: tuple[str, ...] = ()
        if their_kin == kin.baseline:
            edited = ("baseline",)
        elif their_kin == kin.modified and other.is_forgotten:
            edited = ("modified",)
        training = self._trainings[other][other_arm]
        key = training, edited, *arms.values()
        if key not in self._same_runs:
            distance = identity.loss_distance if edited else self._distance
            self._same_runs[key] = find_same_arm(training, arms, edited, distance)
        return self._same_runs[key]

    def _distance(self, training: ArmTraining, other: ArmTraining) -> float:
        """The distance of the first losses of runs that begin alike; infinite for all others."""
        return self._alike.get(training, {}).get(other, math.inf)

    def are_twins(self, first: RecordedStudy, second: RecordedStudy) -> bool:
        """True if two studies train the same at other seeds; their arms may be swapped."""
        same_arms = [self._trains_same(first, arm, second) for arm in ARMS]
        if first.study.is_floor and second.study.is_floor:
            return None not in same_arms
        return set(same_arms) == set(ARMS)

    # ── looks

    def _same_question(self, recorded: RecordedStudy) -> list[RecordedStudy]:
        """The studies that ask a study's question, with the study itself, oldest first. A study
        from another home comes before the studies that were begun in that home after a look at
        it."""
        if recorded.study.is_floor:
            return [recorded]
        studies = self._by_question[self.question(recorded).key]
        asking = {self._declared_names[other]: other for other in studies}
        ordered: dict[str, RecordedStudy] = {}

        def add_after_earlier(name: str) -> None:
            study = asking.pop(name, None)
            if study is not None:
                for earlier, looks in study.first_chain.looks.items() if study.first_chain else ():
                    if looks:
                        add_after_earlier(earlier)
                ordered[name] = study

        for name in list(asking):
            add_after_earlier(name)
        return list(ordered.values())

    @cached_property
    def _by_question(self) -> dict[object, list[RecordedStudy]]:
        by_question: dict[object, list[RecordedStudy]] = {}
        for recorded in self.studies:
            if not recorded.study.is_floor:
                by_question.setdefault(self.question(recorded).key, []).append(recorded)
        return by_question

    def unreadable_of(self, recorded: RecordedStudy) -> int:
        """The lines that can't be read, here and in the journals that came with the studies of a
        study's question: each may have been one more asking of it."""
        chains = [study.first_chain for study in self._same_question(recorded)]
        return self.unreadable + sum(chain.unread for chain in chains if chain)

    def askings(self, recorded: RecordedStudy) -> dict[object, Asking]:
        """The askings of a study's question, oldest first, by the study on record, or by the
        declared name of one that was begun in another home."""
        key = recorded if recorded.study.is_floor else self.question(recorded).key
        if key not in self._askings:
            counted = self._count_looks(self._same_question(recorded))
            self._askings[key] = {study: asking for study, _, asking in counted if asking.looks}
        return self._askings[key]

    def next_alpha(self, recorded: RecordedStudy) -> float:
        """The α that a study's first look may spend, before the study has come to a look."""
        if (level := recorded.study.design.level) is not None:
            return level
        looks_before = next(
            looks_before
            for study, looks_before, _ in self._count_looks(self._same_question(recorded))
            if study is recorded
        )
        later = looks_before > 0 or self.picks(recorded).is_later_look
        return look_alpha(recorded.study, later=later)

    @cached_property
    def _declared_names(self) -> dict[RecordedStudy, str]:
        return {
            recorded: declarations.declared_name(*questions.study_key(recorded.study))
            for recorded in self.studies
        }

    def _count_looks(self, studies: Sequence[RecordedStudy]) -> list[tuple[object, int, Asking]]:
        """Each study of a question with the number of looks that came before it. Studies that were
        declared together share their 5%: none of them is a later look of another. Those that a
        study's first chain names come before it."""
        counted: list[tuple[object, int, Asking]] = []
        counted_names = set(self._declared_names.values())
        looks_so_far = self.unreadable
        looks_by_series: dict[str, int] = {}
        for recorded in studies:
            series = series_id(recorded.study)
            if (chain := recorded.first_chain) is not None:
                looks_so_far += chain.unread
                for line, asking in brought_askings(chain):
                    if asking.study not in counted_names:
                        counted_names.add(asking.study)
                        counted.append((asking.study, looks_so_far, asking))
                        looks_so_far += len(asking.looks)
                        if declarations.is_of_series(line, recorded.study):
                            looks_by_series[series] = looks_by_series.get(series, 0) + len(
                                asking.looks
                            )
            looks_before = looks_so_far - looks_by_series.get(series, 0)
            if (spent := recorded.alpha_elsewhere) is not None:  # it costs what its look spent
                look = len(recorded.study.design.batches[-1]), spent
                looks: tuple[tuple[int, float], ...] = (look,) if spent else ()
                counted.append((recorded, looks_before, Asking(recorded.study.id, looks)))
                continue
            picks = self.picks(recorded)
            looks = looks_taken(recorded, later=looks_before > 0 or picks.is_later_look)
            looks_so_far += len(looks)
            if series:
                looks_by_series[series] = looks_by_series.get(series, 0) + len(looks)
            asking = Asking(recorded.study.id, looks, recorded.study.design, picks.alternatives)
            counted.append((recorded, looks_before, asking))
        return counted

    def family(self, recorded: RecordedStudy) -> QuestionFamily:
        """All questions on record, a study's own among them even if nothing was seen of it yet."""
        spent_by_question, spent_elsewhere, claims = self._family
        return QuestionFamily(
            questions=len({self.question(recorded).key, *spent_by_question}),
            expected_false_claims=spent_elsewhere + sum(spent_by_question.values()),
            claims=claims,
        )

    @cached_property
    def _family(self) -> tuple[dict[object, float], float, int]:
        """The α that each question has spent, what was spent elsewhere and by lines that can't be
        read, and the number of questions with a claim."""
        spent_by_question: dict[object, float] = {}
        spent_elsewhere: dict[object, float] = {}
        claimed = set()
        for other in self.studies:
            if other.study.is_floor:
                continue
            askings = self.askings(other)
            spent_elsewhere |= {
                of: brought.total for of, brought in askings.items() if type(of) is str
            }
            asking = askings.get(other)
            if not other.study.design.has_verdict:  # a gate's proposal: what its look spent
                spent_elsewhere[other] = other.alpha_elsewhere or 0.0
                continue
            if asking is None:
                continue
            key = self.question(other).key
            spent_by_question[key] = spent_by_question.get(key, 0.0) + asking.total
            if self._claims_difference(other, asking):
                claimed.add(key)
        unreadable = self.unreadable + sum(chain.unread for chain in self._chains)
        elsewhere = sum(spent_elsewhere.values()) + ALPHA * unreadable
        return spent_by_question, elsewhere, len(claimed)

    def _claims_difference(self, recorded: RecordedStudy, asking: Asking) -> bool:
        """True if the verdict of a study is HELPS or HURTS, as its runs on record are now."""
        losses = counted_losses(recorded.study, recorded.ends)
        if losses is None or self.picks(recorded).picked:
            return False
        headline: Headline = "welch" if recorded.study.design.headline == "welch" else "paired"
        return intervals.claims_difference(*losses, headline=headline, alpha=asking.looks[-1][1])

    # ── seeds that were picked

    def _related(self, recorded: RecordedStudy) -> list[RelatedStudy]:
        """The other studies with an arm that trains what one of this study's arms trains, or is
        kin to it, the oldest first."""
        relations = self._relations(recorded)
        arms: dict[int, list[tuple[ArmOnRecord, Relation]]] = {}
        for relation in relations.by_arms.values():
            for arm in relation.like_arms.arms:
                if arm.recorded is not recorded and relation.is_kin(arm):
                    arms.setdefault(arm.place, []).append((arm, relation))
        return [
            RelatedStudy(
                self.studies[place],
                {arm.arm: same for arm, relation in arms[place] if (same := relation.trains_same)},
                {arm.arm: kin for arm, relation in arms[place] if (kin := relation.kin)},
            )
            for place in sorted(arms)
        ]

    def came_by_seeds(self, recorded: RecordedStudy) -> SeedPicks:
        """The way in which a study came by its seeds. That of older studies decides what they
        declared, so all are judged once, the oldest first."""
        return self._all_picks[self._place[recorded]]

    @cached_property
    def _all_picks(self) -> list[SeedPicks]:
        all_picks: list[SeedPicks] = []
        for recorded in self.studies:
            picks = find_picks(
                recorded,
                self._relations(recorded),
                lambda other: all_picks[self._place[other]].picked,
            )
            all_picks.append(picks)
        return all_picks

    def picks(self, recorded: RecordedStudy) -> SeedPicks:
        """The way in which a study came by its seeds and runs. A run that began again after it had
        shown a result could have been left as it was, so it counts as one more asking. A baseline
        against itself claims nothing, so its seeds don't matter."""
        if recorded.study.is_floor:
            return SeedPicks()
        picks = self.came_by_seeds(recorded)
        if self._were_picked_elsewhere(recorded):
            picks = replace(picks, picked=True)
        restarts = sum(recorded.restarts.values())
        if not restarts:
            return picks
        later_ones = 1 - (1 - ALPHA_LATER) ** (restarts - 1)
        alternatives = (*picks.alternatives, ALPHA, later_ones)
        return replace(picks, alternatives=alternatives, is_later_look=True)

    def _were_picked_elsewhere(self, recorded: RecordedStudy) -> bool:
        """True if a study's seeds were picked in the home that it came from, or here among those
        that the journals of other homes show."""
        if recorded.first_chain is not None and recorded.first_chain.picked:
            return True
        if not any(chain.earlier for chain in self._chains):
            return False
        name = self._declared_names[recorded]
        places = [at for at, line in enumerate(self._declared_lines) if line["study"] == name]
        lines = declarations.with_first_chains(self._declared_lines[: max(places, default=-1) + 1])
        return bool(lines) and declared_history.were_picked(recorded.study, lines)

    def left_out(
        self, recorded: RecordedStudy, picks: SeedPicks
    ) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """(study, seeds) of runs that train the same and are not in this study; each seed stands
        with one study."""
        counted_seeds = set(recorded.study.seeds)
        left_out: list[tuple[str, tuple[int, ...]]] = []
        if self._were_picked_elsewhere(recorded):
            lines = [line for chain in self._chains for line in chain.earlier]
            elsewhere = set().union(*map(declarations.declared_seeds, lines))
            left_out.append((ANOTHER_HOME, tuple(sorted(elsewhere - counted_seeds))))
        if picks.picked:
            known_by_study = self._known_by_study(recorded, picks.known_until)
        else:
            known_by_study = self._ended_pairs(recorded)
        for other, seeds in known_by_study:
            missing = tuple(seed for seed in seeds if seed not in counted_seeds)
            counted_seeds |= set(missing)
            if missing:
                left_out.append((other.study.id, missing))
        return tuple(left_out)

    def _known_by_study(
        self, recorded: RecordedStudy, until: str
    ) -> Iterator[tuple[RecordedStudy, list[int]]]:
        """The earlier studies that are like a study, with their seeds whose results could be known
        by ``until`` (UTC)."""
        for other, _, kin in self._related(recorded):
            if (other.begun_at[0], self._place[other]) < (until, self._place[recorded]):
                yield other, sorted(set().union(*(other.seen_seeds(arm, until) for arm in kin)))

    def _ended_pairs(self, recorded: RecordedStudy) -> Iterator[tuple[RecordedStudy, list[int]]]:
        """The other studies that train the same in both arms, with the seeds of pairs that have
        ended."""
        relations = self._relations(recorded)
        places = {
            arm.place
            for relation in relations.by_arms.values()
            if relation.trains_same == "modified"
            for arm in relation.like_arms.arms
        }
        for place in sorted(places - {relations.place}):
            other = self.studies[place]
            if not (recorded.study.design.has_seeds and other.study.design.has_seeds):
                continue  # its runs may be the same ones
            like_arms = (self._like_arms_of[other, arm] for arm in ARMS)
            related = [relations.by_arms.get(arms) for arms in like_arms]
            if {relation.trains_same for relation in related if relation} == set(ARMS):
                seeds = other.study.seeds
                yield (
                    other,
                    [seed for seed in seeds if all((arm, seed) in other.ends for arm in ARMS)],
                )

    # ── arms whose runs diverge or get stuck

    def diverged_or_stuck(self, recorded: RecordedStudy) -> tuple[tuple[str, int, int, int], ...]:
        """(arm, runs on record, diverged, stuck) of each arm with runs that diverged or got
        stuck."""
        own_place = self._place[recorded]
        latest: dict[str, dict[int, tuple[int, RunEnd]]] = {arm: {} for arm in ARMS}
        for relation in self._relations(recorded).by_arms.values():
            if relation.trains_same is not None:
                newest = latest[relation.trains_same]
                for seed, runs_at_seed in relation.like_arms.ends.items():
                    others = (run for run in reversed(runs_at_seed) if run[0] != own_place)
                    run = next(others, None)
                    if run is not None and (seed not in newest or newest[seed][0] < run[0]):
                        newest[seed] = run
        ends = {arm: {seed: end for seed, (_, end) in latest[arm].items()} for arm in ARMS}
        for (arm, seed), end in recorded.ends.items():
            ends[arm][recorded.drawn_seed(arm, seed)] = end
        diverged_or_stuck = []
        for arm, runs in ends.items():
            losses = [end.val_loss for end in runs.values() if end.val_loss is not None]
            diverged = sum(end.state == RunState.DIVERGED for end in runs.values())
            stuck = len(_stuck_losses(losses))
            if diverged or stuck:
                diverged_or_stuck.append((arm, len(runs), diverged, stuck))
        return tuple(diverged_or_stuck)


_ledgers: WeakKeyDictionary[Store, tuple[object, _Ledger]] = WeakKeyDictionary()


def _read_ledger(store: Store) -> _Ledger:
    """The ledger of all studies on record; read once while nothing has changed."""
    stamp = questions.record_stamp(store)
    cached = _ledgers.get(store)
    if cached is None or cached[0] != stamp:
        ledger = _Ledger(*read_recorded_studies(store), questions.declared_lines(store))
        cached = _ledgers[store] = stamp, ledger
    return cached[1]


def _training_conditions(study: Study) -> tuple[str, str, str, str]:
    """(hyperparameters as JSON, the data's hash, device, number format)."""
    return (
        json.dumps(study.trainer.hyperparameters, sort_keys=True),
        study.data.sha256,
        study.trainer.device,
        study.trainer.number_format,
    )


ANOTHER_HOME = "another home"
"""Stands for the studies of another home, which are known by their declared names alone."""

STUCK_FROM, STUCK = 5, 10.0
"""Among at least STUCK_FROM runs, a run is stuck if its loss lies more than STUCK times the median
absolute deviation above the median."""


def _stuck_losses(losses: Sequence[float]) -> list[float]:
    """The losses of runs that ended far above all others."""
    if len(losses) < STUCK_FROM:
        return []
    median = statistics.median(losses)
    deviation = statistics.median(abs(loss - median) for loss in losses)
    return [loss for loss in losses if loss - median > STUCK * deviation > 0]
