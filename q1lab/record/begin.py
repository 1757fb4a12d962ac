"""Putting a study on record before its first trainer starts: ``begin`` is an act of the journal,
with the study's plan as it is then, and the level of its look.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.paths import StudyPaths, study_dir
from q1lab.index import ingest_events
from q1lab.index.store import Store
from q1lab.record import declarations, on_record, seen
from q1lab.record.declarations import declaration_of, declared_name
from q1lab.record.history import Line, Record
from q1lab.record.on_record import StudyKey, study_key
from q1lab.study import run_ends
from q1lab.study.liveness import is_alive
from q1lab.study.studies import Study


def record_begin(store: Store, study: Study) -> None:
    """Put a study on record with the seeds that it has now, unless it is. Problem when that can't
    be written: then nothing may train.

    A study without a result is put on record again where others were begun since: its line says
    what could be seen before its first result."""
    ingest_events.ingest_all(store)
    with store.act() as add:
        lines = on_record.public_lines(store)
        name = declared_name(*study_key(study))
        recorded = on_record.begun_study(store, *study_key(study))
        if recorded is not None:
            refuse_changed_plan(recorded, study)
            is_newest = lines[-1]["study"] == name
            if set(study.seeds) <= set(recorded.seeds) and (
                is_newest or name in seen.seen_runs(store, ()).seen
            ):
                return
        declares = line_now(store, study, lines)
        declares.setdefault("level", Record([*lines, declares]).level_of(name))
        add("begin", at=on_record.record_time(store), plan=study.to_dict(), declares=declares)


def line_now(store: Store, study: Study, lines: Sequence[Line]) -> dict[str, Any]:
    """The line that would put a study on record now, without its level."""
    line: dict[str, Any] = declaration_of(study)
    others = [other for other in lines if other["question"] == line["question"] and other["asks"]]
    line |= seen.seen_runs(store, lines).news_since(lines)
    keys = on_record.study_keys(store)
    line["claims"] = _new_claims(store, keys, [*lines, line], others)
    line["running"] = _running(keys, others, line["study"])
    return line


def refuse_changed_plan(declared: Study, study: Study) -> None:
    """Problem where the plan of a study that goes on is not the one that was declared with more
    seeds, or with the first ones of a range."""
    line = declaration_of(declared)
    grown = declarations.disagreeing_fields(line, declaration_of(study))
    if changed := [key for key in declarations.differing_fields(line, study) if key in grown]:
        raise Problem(
            f"{study.id}: its study.json was changed after it was declared ({', '.join(changed)})",
            FAILED,
            next="put it back as it was, or ask again with --fresh",
        )


def _running(keys: Mapping[str, StudyKey], others: Sequence[Line], own_name: str) -> list[str]:
    """The studies of a question that train now: each will be a look, even if it has shown nothing
    yet."""
    names = {str(line["study"]) for line in others} - {own_name}
    return sorted(
        name for name in names & keys.keys() if is_alive(StudyPaths(study_dir(keys[name][0])))
    )


def _new_claims(
    store: Store,
    keys: Mapping[str, StudyKey],
    lines: Sequence[Line],
    others: Sequence[Line],
) -> list[str]:
    """The studies of a question whose verdict is HELPS or HURTS, as their runs are now, and that no
    line names yet."""
    claimed = {name for line in lines for name in line.get("claims", ())}
    record, claims = Record(lines), []
    for name in dict.fromkeys(str(line["study"]) for line in others):
        if name in claimed or record.is_picked(name):
            continue
        study = on_record.begun_study(store, *keys[name])
        if study is not None:
            ends, pairs = seen.recorded_ends(store, study), len(study.seeds)
            verdict = run_ends.verdict_after(study, ends, pairs, record.level_of(name))
            claims += [name] if verdict in ("helps", "hurts") else []
    return claims
