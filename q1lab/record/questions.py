"""The facts that the ledger of questions reads: the studies that were begun, what is on disk of
them, and how far their runs came.

A question is on record before its first trainer starts: ``begin`` is an act of the journal, with
the study's plan as it is then. So it stays asked when its folder is removed.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from q1lab.ground import json_records, paths
from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import utc_now
from q1lab.index import journal
from q1lab.index.store import Row, Store
from q1lab.record import declarations
from q1lab.record.declarations import Declaration, FirstChain, declaration_of
from q1lab.study import studies
from q1lab.study.identity import Fingerprints, kin_of
from q1lab.study.liveness import is_alive
from q1lab.study.run_states import ENDED
from q1lab.study.studies import Study

StudyKey = tuple[str, str]
"""A study's id and when it was planned: an id may be given again after a folder was removed."""


def study_key(study: Study) -> StudyKey:
    return study.id, study.created


@dataclass(frozen=True)
class BegunStudy:
    """A study on record: its plan as it was last begun, and the time (UTC) at which each batch of
    its seeds was begun."""

    study: Study
    begun_at: tuple[str, ...]
    marks: Fingerprints | None = None
    """The fingerprints of its question as they were declared; None if its line declares no
    fingerprints."""
    first_chain: FirstChain | None = None
    """The journal that came with it from another home."""
    asks: bool = True
    """True if its line declares that it asks its question."""


def record_begin(store: Store, study: Study, first_chain: FirstChain | None = None) -> None:
    """Put a study on record with the seeds that it has now, unless it is. Problem when that can't
    be written: then nothing may train.

    A study without a result is put on record again where others were begun since: its line says
    what could be seen before its first result."""
    with store.act() as add:
        recorded = begun_studies(store)[0].get(study_key(study))
        if recorded is not None:
            refuse_changed_plan(recorded.study, study)
        if recorded is None or not (
            set(study.seeds) <= set(recorded.study.seeds)
            and (_last_begun(store) == study_key(study) or _has_seen_runs(store, study))
        ):
            seen = _newly_seen_runs(store)
            declares = {**declaration_of(study), "seen": seen}
            if first_chain is not None:
                declares["first_chain"] = json_records.to_json(first_chain)
                declares["seen"] = {**first_chain.seen, **seen}
            add("begin", at=record_time(store), plan=study.to_dict(), declares=declares)


def refuse_changed_plan(declared: Study, study: Study) -> None:
    """Problem where the plan of a study that goes on is not the one that was declared with more
    seeds, or with the first ones of a range."""
    line = declaration_of(declared)
    grown = declarations.disagreeing_fields(line, declaration_of(study))
    if changed := [key for key in declarations.differing_fields(line, study) if key in grown]:
        raise Problem(
            f"{study.id}: its study.json was changed after it was declared ({', '.join(changed)})",
            FAILED,
            next="put it back as it was, or ask anew with --fresh",
        )


def _last_begun(store: Store) -> StudyKey | None:
    last = "SELECT study_id, created FROM begun ORDER BY id DESC LIMIT 1"
    row = store.db.execute(last).fetchone()
    return None if row is None else (row["study_id"], row["created"])


def _has_seen_runs(store: Store, study: Study) -> bool:
    return bool(seen_runs(store, [study])[study_key(study)])


def _newly_seen_runs(store: Store) -> dict[str, list[str]]:
    """The runs whose results could be seen since the last line that lists them, by the declared
    names of their studies: they tell a stranger which results could be known when a study was
    begun."""
    listed: set[tuple[str, str]] = set()
    for line in journal.read_entries(store.journal).lines:
        declares = line.outline.get("declares")
        seen = declares.get("seen") if isinstance(declares, dict) else None
        for name, runs in seen.items() if isinstance(seen, dict) else ():
            listed.update((name, run) for run in runs)
    newly_seen: dict[str, list[str]] = {}
    begun = [study_begun.study for study_begun in begun_studies(store)[0].values()]
    for (study_id, created), runs in seen_runs(store, begun).items():
        name = declarations.declared_name(study_id, created)
        if new_runs := [run for run in runs if (name, run) not in listed]:
            newly_seen[name] = new_runs
    return newly_seen


def seen_runs(store: Store, begun: Iterable[Study]) -> dict[StudyKey, list[str]]:
    """The names of the runs whose results could be seen, for each of these studies: all runs of one
    whose files were removed by hand."""
    on_disk, deleted = studies_on_disk(store), deleted_plans(store)
    seen_on_disk: dict[str, list[str]] = {}
    plans = list(begun)
    iters = dict(zip((study.id for study in plans), telling_iters(plans), strict=True))
    for row in started_runs(store):
        seen = seen_on_disk.setdefault(row["study_id"], [])
        if shows_result(row, iters.get(row["study_id"], 0)):
            seen.append(studies.run_name(row["arm"], row["seed"]))
    runs_by_study = {}
    for study in plans:
        key = study_key(study)
        if key in on_disk and (study.id in seen_on_disk or not study.files.launch.exists()):
            runs = seen_on_disk.get(study.id, [])
        elif key in on_disk and is_alive(study.files):
            runs = []
        elif key in deleted:
            facts_by_run = deleted[key][1]
            runs = [
                run
                for run, facts in facts_by_run.items()
                if facts.get("seen", True) or facts.get("iter", 0) >= iters[study.id]
            ]
        else:
            runs = [run.name for run in study.runs]
        runs_by_study[key] = runs
    return runs_by_study


def begun_studies(store: Store) -> tuple[dict[StudyKey, BegunStudy], int]:
    """Every study on record, oldest first, and how many lines can't be read: each may have been a
    question."""
    studies_begun: dict[StudyKey, BegunStudy] = {}
    unread = store.unread
    for row in store.db.execute("SELECT at, plan, declares FROM begun ORDER BY id"):
        study = _plan(row["plan"])
        if study is None:
            unread += 1
            continue
        before = studies_begun.get(study_key(study))
        if before is None:
            before = BegunStudy(study, (), *_declared(row["declares"]))
        more = (row["at"],) * (len(study.design.batches) - len(before.begun_at))
        studies_begun[study_key(study)] = replace(
            before, study=study, begun_at=before.begun_at + more
        )
    return studies_begun, unread


def _declared(text: str) -> tuple[Fingerprints | None, FirstChain | None, bool]:
    """The fingerprints and the first chain in a declaration (None for each that can't be read), and
    True if it asks its question."""
    try:
        declared = json.loads(text)
        chain = declarations.read_first_chain(declared)
        return declarations.read_marks(declared["marks"]), chain, bool(declared["asks"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None, None, True


def declared_lines(store: Store) -> list[Declaration]:
    """The declarations of the journal's lines that put a study on record, as far as they can be
    read."""
    lines = []
    for (text,) in store.db.execute("SELECT declares FROM begun ORDER BY id"):
        with contextlib.suppress(ValueError):
            line = json.loads(text)
            declarations.check_declaration(line)
            declarations.read_first_chain(line)
            lines.append(line)
    return lines


def gate_decisions(store: Store) -> dict[str, bool]:
    """The studies that a gate has decided on: True for a proposal that it kept."""
    rows = store.db.execute("SELECT study_id, kept FROM gated")
    return {row["study_id"]: bool(row["kept"]) for row in rows}


def record_time(store: Store) -> str:
    """The time in UTC; where the clock was set back, the latest that is on record of this
    machine."""
    recorded, _ = begun_studies(store)
    ours = [study_id for (study_id, _), begun in recorded.items() if begun.study.origin.is_ours]
    (latest,) = store.db.execute(
        "SELECT coalesce(max(max(coalesce(started, ''), coalesce(ended, ''))), '') FROM runs "
        "WHERE study_id IN (SELECT value FROM json_each(?))",
        (json.dumps(ours),),
    ).fetchone()
    return max(
        utc_now(), str(latest), *(at for begun in recorded.values() for at in begun.begun_at)
    )


def studies_on_disk(store: Store) -> dict[StudyKey, Study]:
    """The plans of the studies on disk, oldest first."""
    rows = store.db.execute("SELECT plan FROM studies ORDER BY created, rowid")
    plans = [study for (plan,) in rows if (study := _plan(plan)) is not None]
    return {study_key(study): study for study in plans}


@dataclass(frozen=True)
class DeletedStudy:
    """The record of a study that was deleted: ``study`` (None where its plan could not be read),
    and of each of its runs by name ``state``, ``val_loss``, ``seen`` (True if it had shown a
    result), ``iter`` (its farthest), and ``first``: iter → training loss (nats) of its first
    iters."""

    id: str
    study: Study | None
    runs: dict[str, dict[str, Any]]


def deleted_studies(store: Store) -> list[DeletedStudy]:
    """Every study that was deleted, oldest first."""
    rows = store.db.execute("SELECT * FROM deleted ORDER BY rowid")
    return [
        DeletedStudy(row["study_id"], _plan(row["plan"]), json.loads(row["runs"])) for row in rows
    ]


def deleted_plans(store: Store) -> dict[StudyKey, tuple[Study, dict[str, dict[str, Any]]]]:
    """The plans of the studies that were deleted, and what is on record of their runs."""
    return {
        study_key(deleted.study): (deleted.study, deleted.runs)
        for deleted in deleted_studies(store)
        if deleted.study
    }


def absent_studies(store: Store) -> list[DeletedStudy]:
    """The deleted studies without those that are here again (restored, or never gone since the
    deletion was cut off)."""
    return [
        deleted
        for deleted in deleted_studies(store)
        if not paths.StudyPaths(paths.study_dir(deleted.id)).plan.exists()
    ]


def names_on_record(store: Store) -> set[str]:
    """Names of studies and of series that are on record, also of those that were deleted or removed
    by hand: documents and the ledger speak of them, so nothing else gets them."""
    begun = [study_begun.study for study_begun in begun_studies(store)[0].values()]
    absent = absent_studies(store)
    plans = [*begun, *(deleted.study for deleted in absent if deleted.study)]
    series = {study.origin.series.id for study in plans if study.origin.series}
    return {study.id for study in begun} | {deleted.id for deleted in absent} | series


def deleted_places(store: Store, series_id: str) -> set[int]:
    """The places of a series whose study was deleted."""
    series_of_deleted = [
        series.study.origin.series
        for series in absent_studies(store)
        if series.study and series.study.origin.series
    ]
    return {series.at for series in series_of_deleted if series.id == series_id}


def record_stamp(store: Store) -> tuple[object, ...]:
    """A value that changes whenever an answer of this module may have changed."""
    answers = store.db.execute(
        "SELECT (SELECT group_concat(id || stamp) FROM studies), count(*), sum(events_offset), "
        "(SELECT count(*) FROM begun), (SELECT group_concat(study_id || at) FROM deleted) FROM runs"
    ).fetchone()
    return (*answers, store.unread)


@lru_cache(maxsize=8192)
def _plan(text: str) -> Study | None:
    try:
        return studies.from_dict(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError, Problem):
        return None


def started_runs(store: Store) -> list[Row]:
    """(study_id, arm, seed, state, started, ended, iter, eval_loss, val_loss, reused_from,
    attempts) of all runs that were started."""
    return store.db.execute(
        "SELECT study_id, arm, seed, state, started, ended, iter, eval_loss, val_loss, "
        "reused_from, attempts FROM runs WHERE state <> 'queued'"
    ).fetchall()


def read_attempts(run: Row) -> list[tuple[str, int, int]]:
    """(time, the farthest iter before it, the iter it goes on from) of each attempt at a run."""
    return [(str(at or ""), before, since) for at, before, since in json.loads(run["attempts"])]


def farthest_iter(run: Row) -> int:
    """The farthest iter of all attempts at a run."""
    return max(int(run["iter"]), *(before for _, before, _ in read_attempts(run)), 0)


def shows_result(run: Row, iters: int) -> bool:
    """True if a run tells how it will come out: it ended, was evaluated, or an attempt at it
    trained at least ``iters`` iters (a training loss tells, too)."""
    return run["state"] in ENDED or run["eval_loss"] is not None or farthest_iter(run) >= iters


FEW_ITERS = 50
"""Training losses of fewer iters tell nothing of how a longer run will come out."""


def tenth_of(study: Study) -> int:
    """The iters after which training losses tell how a run of a study will come out: a tenth, or
    ``FEW_ITERS`` where nobody knows how long a run will be."""
    return -(-study.max_iters // 10) or FEW_ITERS


def telling_iters(studies: Sequence[Study]) -> list[int]:
    """For each study, the iters after which its training losses tell how a run will come out: a
    tenth of the shortest run among studies of the same two files, since a plan may name more iters
    than anybody means to train, but not fewer than ``FEW_ITERS`` or a tenth of its own."""
    shortest: dict[frozenset[int], int] = {}
    kin = [frozenset((arms.baseline, arms.modified)) for arms in kin_of(studies)]
    for study, arms in zip(studies, kin, strict=True):
        shortest[arms] = min(tenth_of(study), shortest.get(arms, tenth_of(study)))
    return [
        min(tenth_of(study), max(FEW_ITERS, shortest[arms]))
        for study, arms in zip(studies, kin, strict=True)
    ]


def read_first_losses(store: Store, iters: int, study_id: str | None = None) -> list[Row]:
    """(study_id, arm, seed, iter, value): training losses (nats) of the first ``iters`` iters of
    all runs, or of one study's, as far as they were logged and finite."""
    return store.db.execute(
        "SELECT r.study_id, r.arm, r.seed, m.iter, m.value FROM runs r JOIN metrics m "
        "ON m.run_id = r.id AND m.name = 'train_loss' AND m.iter BETWEEN 1 AND ? "
        "WHERE m.value IS NOT NULL AND r.study_id = coalesce(?, r.study_id)",
        (iters, study_id),
    ).fetchall()
