"""The histories of the studies in this home, for planning and for verdicts: history.py is asked
with the lines on record and with what could be seen since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from q1lab.index.store import Store
from q1lab.judgment.records import SeenLook
from q1lab.record import begin, on_record, seen
from q1lab.record.declarations import declaration_of, declared_name, differing_fields
from q1lab.record.history import History, Look, read_history
from q1lab.record.on_record import study_key
from q1lab.study import run_ends
from q1lab.study.identity import arm_fingerprint
from q1lab.study.studies import ARMS, Study


@dataclass(frozen=True)
class StudyHistory:
    """The record of a study's question, as far as its verdict needs it."""

    history: History
    looks: tuple[SeenLook, ...] = ()
    left_out: tuple[tuple[str, tuple[int, ...]], ...] = ()
    """(study, seeds) of the results that picked seeds leave out."""
    changed: tuple[str, ...] = ()
    """The parts of its plan that differ from the declaration
    (``declarations.DECLARED_PARTS``); if there are any, it gets no verdict."""
    astray: tuple[tuple[str, int, int, int], ...] = ()
    """(arm, runs of the question, how many of them diverged, how many got stuck) of each arm with
    such runs."""


def study_history(store: Store, study: Study) -> StudyHistory:
    """The history of a study on record as it is known now; of a study that is only planned, or
    that was copied into this home, the one that it would have if it began now."""
    lines = on_record.public_lines(store)
    keys, name = on_record.study_keys(store), declared_name(*study_key(study))
    if name not in keys:
        return StudyHistory(planned_history(store, study))
    history = read_history(lines, name, seen.seen_runs(store, lines).news_since(lines))
    begun = on_record.begun_study(store, *keys[name])
    changed = differing_fields(declaration_of(begun), study) if begun else ()
    names = {other: key[0] for other, key in keys.items()}
    own_line = next(line for line in reversed(lines) if line["study"] == name)
    question = own_line["question"]
    same_question = dict.fromkeys(line["study"] for line in lines if line["question"] == question)
    plans = {
        other: plan
        for other in same_question
        if (plan := on_record.begun_study(store, *keys[other])) is not None
    }
    ends = {other: seen.recorded_ends(store, plan) for other, plan in plans.items()}
    return StudyHistory(
        history,
        tuple(_seen_look(look, plans, ends, names) for look in history.looks),
        left_out_here(store, history),
        tuple(changed),
        run_ends.astray_runs(ends.values(), study.metric),
    )


def left_out_here(store: Store, history: History) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """(study, seeds) of the results that picked seeds leave out, by the studies' names here."""
    keys = on_record.study_keys(store)
    return tuple((keys[name][0], seeds) for name, seeds in history.left_out)


def _seen_look(
    look: Look,
    plans: Mapping[str, Study],
    ends: Mapping[str, run_ends.RunEnds],
    names: Mapping[str, str],
) -> SeenLook:
    verdict = ""
    if (plan := plans.get(look.study)) is not None:
        verdict = run_ends.verdict_after(plan, ends[look.study], look.pairs, look.level)
    study = names.get(look.study, "")
    return SeenLook(study, look.pairs, look.level, verdict, look.replicates)


def planned_history(store: Store, draft: Study) -> History:
    """The history of a study that is being planned."""
    lines = on_record.public_lines(store)
    line = begin.line_now(store, draft, lines)
    return read_history([*lines, line], line["study"])


def study_with_result(store: Store, study: Study, until: str) -> str | None:
    """A study in which a result of this study's modified arm could be seen before ``until`` (UTC);
    None if there is no such study."""
    modified = arm_fingerprint(study, "modified")
    lines = on_record.public_lines(store)
    keys = on_record.study_keys(store)
    arms_by_id = {
        keys[line["study"]][0]: [arm for arm in ARMS if line["arms"][arm] == modified]
        for line in lines
        if line["study"] in keys and keys[line["study"]] != study_key(study)
    }
    for row in store.db.execute(
        "SELECT study_id, arm, state, iter, eval_loss, attempts, started FROM runs "
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
    lines = on_record.public_lines(store)
    return {seed for line in lines for batch in line["seeds"] for seed in batch}
