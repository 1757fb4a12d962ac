"""The histories of the questions in this home, for planning and for verdicts: the studies on
record, how their runs ended, and the looks and levels that follow (history.py)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from q1lab.ground import paths
from q1lab.journal import on_record, seen
from q1lab.journal.declarations import changed_parts
from q1lab.journal.history import Look, level_after, looks_at
from q1lab.journal.on_record import Begun, StudyKey, study_key
from q1lab.journal.store import Store
from q1lab.judgment.intervals import ALPHA
from q1lab.judgment.judgment import Asked
from q1lab.judgment.run_states import RunState
from q1lab.study import run_ends
from q1lab.study.identity import arm_fingerprint, is_same_program, question_hash
from q1lab.study.run_ends import RunEnds
from q1lab.study.studies import ARMS, Study


@dataclass(frozen=True)
class StudyHistory:
    """The record of a study's question, as far as its verdict needs it."""

    level: float = ALPHA
    """The chance of a false claim that the study may have."""
    next_level: float | None = None
    """The same of another look at the question; None where that is not known."""
    asked: Asked = field(default_factory=Asked)
    changed: tuple[str, ...] = ()
    """The parts of its plan that differ from the declaration
    (``declarations.DECLARED_PARTS``); if there are any, it gets no verdict."""
    astray: tuple[tuple[str, int, int, int], ...] = ()
    """(arm, runs of the question, how many of them diverged, how many got stuck) of each arm with
    such runs."""


def study_history(store: Store, study: Study) -> StudyHistory:
    """The history of a study as it is known now."""
    begun = on_record.begun_studies(store)
    own = Begun(study, question_hash(study), arm_fingerprint(study, "modified"))
    declared = next((each.study for each in begun if each.key == own.key), None)
    begun = [*(each for each in begun if each.key != own.key), own]
    ends = seen.ends_of(store, [each.study for each in begun])
    ends[own.key] = ends[own.key] or {}
    looks = _looks_by_question(begun, ends)
    same = looks[own.question] if study.counts_as_asking else []
    level, before = _level(study, same)
    of_arm = {each.key for each in begun if each.modified == own.modified}
    of_program = [
        of_one for of_one in looks.values() if of_one and is_same_program(of_one[0].study, study)
    ]
    verdicts = (_verdict_of(look, ends[study_key(look.study)]) for look in before)
    return StudyHistory(
        level,
        level_after(len(same) + (len(before) == len(same)), study),
        Asked(
            earlier=tuple(verdicts),
            total=level + sum(look.level for look in before),
            about_it=sum(
                any(study_key(look.study) in of_arm for look in of_one) for of_one in of_program
            ),
            questions=len(of_program),
            expected=sum(look.level for of_one in of_program for look in of_one),
        ),
        tuple(changed_parts(declared, study)) if declared is not None else (),
        run_ends.astray_runs(
            [ends[each.key] or {} for each in begun if each.question == own.question], study.metric
        ),
    )


def _looks_by_question(
    begun: Sequence[Begun], ends: Mapping[StudyKey, RunEnds | None]
) -> dict[str, list[Look]]:
    """The looks at each question, oldest first."""
    by_question: dict[str, list[Begun]] = {}
    for each in begun:
        by_question.setdefault(each.question, []).append(each)
    return {
        question: looks_at((each.study, ends[each.key]) for each in studies)
        for question, studies in by_question.items()
    }


def _level(study: Study, looks: Sequence[Look]) -> tuple[float, Sequence[Look]]:
    """The level of a study's newest look, and the looks before it: of the one that it gave, else
    of the one to come."""
    own = [at for at, look in enumerate(looks) if study_key(look.study) == study_key(study)]
    if own and (study.design.is_sequential or looks[own[-1]].pairs == len(study.seeds)):
        return looks[own[-1]].level, looks[: own[-1]]
    return level_after(len(looks), study), looks


def _verdict_of(look: Look, ends: RunEnds | None) -> str:
    """The verdict of a look; empty where its numbers are not known here."""
    return run_ends.verdict_after(look.study, ends, look.pairs, look.level) if ends else ""


@dataclass(frozen=True)
class NextLook:
    """A look to come at a question: how many were before it, and its chance of a false claim."""

    before: int
    level: float


def next_look(store: Store, draft: Study) -> NextLook:
    """The look that a study which is being planned will be."""
    before = 0
    if draft.counts_as_asking:
        same = [each.study for each in _same_question(store, draft)]
        ends = seen.ends_of(store, same)
        before = len(looks_at((study, ends[study_key(study)]) for study in same))
    return NextLook(before, level_after(before, draft))


def _same_question(store: Store, study: Study) -> list[Begun]:
    question = question_hash(study)
    return [each for each in on_record.begun_studies(store) if each.question == question]


def seeds_with_results(store: Store, draft: Study) -> set[int]:
    """The seeds at which a run of another study of this question has shown a number, or
    diverged."""
    used: set[int] = set()
    for each in _same_question(store, draft):
        if each.key == study_key(draft):
            continue
        if not paths.study_dir(each.study.id).exists():
            deleted = on_record.deleted_study(store, *each.key)
            used |= {
                run.seed
                for run in each.study.runs
                if deleted is None or deleted.runs.get(run.name, {}).get("seen")
            }
            continue
        rows = store.runs(each.study.id)
        used |= {
            row["seed"]
            for row in rows
            if seen.shows_number(row) or row["state"] == RunState.DIVERGED
        }
    return used


def study_with_result(store: Store, study: Study, until: str) -> str | None:
    """A study in which a result of this study's modified arm could be seen before ``until`` (UTC);
    None if there is no such study."""
    modified = arm_fingerprint(study, "modified")
    arms_by_id = {
        each.study.id: [arm for arm in ARMS if arm_fingerprint(each.study, arm) == modified]
        for each in on_record.begun_studies(store)
        if each.key != study_key(study)
    }
    for row in store.db.execute(
        "SELECT study_id, arm, state, farthest, eval_loss, started FROM runs "
        "WHERE started < ? ORDER BY started",
        (until,),
    ):
        if row["arm"] in arms_by_id.get(row["study_id"], ()) and seen.shows_number(row):
            return str(row["study_id"])
    return next(
        (
            deleted.id
            for deleted in on_record.deleted_studies(store)
            if arms_by_id.get(deleted.id)
            and any(facts.get("seen") for facts in deleted.runs.values())
        ),
        None,
    )


def used_seeds(store: Store) -> set[int]:
    """The seeds of every study on record."""
    return {seed for each in on_record.begun_studies(store) for seed in each.study.seeds}
