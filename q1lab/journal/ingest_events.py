"""Runs come in from files: the events that trainers append are folded into rows.

A run's rows and its place in the file move in one transaction, so two viewers at once are harmless,
and a kill at any moment repeats nothing and loses nothing.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any

from q1lab.ground.errors import Problem
from q1lab.ground.files import file_size, kind_of_non_file
from q1lab.ground.paths import RunPaths
from q1lab.journal.store import Row, Store
from q1lab.judgment.metric import Metric
from q1lab.judgment.run_states import ENDED, RunState
from q1lab.study import studies
from q1lab.study.events import (
    Event,
    cut_after_end,
    read_ended_run,
    read_new_events,
    reported_numbers,
    standard_names,
)
from q1lab.study.liveness import is_alive
from q1lab.study.run_faults import read_trace, why_it_broke
from q1lab.study.studies import Study, run_name

NEW_RUN: dict[str, Any] = {
    "state": str(RunState.QUEUED),
    "attempt": 0,
    "iter": 0,
    "train_loss": None,
    "val_loss": None,
    "eval_loss": None,
    "tokens_per_s": None,
    "seconds": 0.0,
    "started": None,
    "ended": None,
    "message": None,
    "reused_from": None,
    "farthest": 0,
    "why": "[]",
    "parts": "[]",
}
"""A run before its first event: the columns that ``fold_events`` changes."""

HAS_FAULTS = (*ENDED, RunState.FAILED, RunState.CRASHED)
"""The states of runs that are asked why they ended badly."""

MANY = 100
"""Studies to read that take so long that their number is told meanwhile."""

VANISHED = "the process ended without saying why (killed, or out of memory?)"


# ── studies


def ingest_all(store: Store) -> dict[str, str]:
    """Bring the index up to date with every study on disk that isn't settled in it yet; returns the
    reasons for those that can't be read, by id. It costs a look at each plan's time of change, and
    more only for what is new or not over."""
    on_disk = studies.plan_stamps()
    if on_disk is None:  # nobody can look now
        return {}
    db = store.db
    indexed = {row["id"]: row["stamp"] for row in db.execute("SELECT id, stamp FROM studies")}
    if gone := [(study_id,) for study_id in indexed if study_id not in on_disk]:
        with store.transaction():
            db.executemany("DELETE FROM studies WHERE id = ?", gone)
    # (the condition is that of the index on runs, so that it is used)
    unfinished = {
        row["study_id"]
        for row in db.execute(
            "SELECT DISTINCT study_id FROM runs WHERE state NOT IN ('finished', 'diverged')"
        )
    }
    unreadable: dict[str, str] = {}
    new = studies.oldest_first(
        name for name, stamp in on_disk.items() if name in unfinished or indexed.get(name) != stamp
    )
    is_long = sum(indexed.get(name) != on_disk[name] for name in new) >= MANY
    for done, study_id in enumerate(new):
        if store.on_wait is not None and is_long and done % (len(new) // 5) == 0:
            store.on_wait(f"reading the records of {len(new):,} studies: {done:,} are done …")
        try:
            ingest_study(store, studies.load(study_id))
        except Problem as problem:
            if problem.file == store.file:
                raise  # the database refuses, and the study is sound
            unreadable[study_id] = str(problem)
    return unreadable


def ingest_study(store: Store, study: Study, *, whole: bool = True) -> int:
    """Take a study's new events into the tables; returns how many there were. ``whole`` also looks
    at the plan and at the runs that have ended."""
    if whole:
        study = _take_in_plan(store, study)
    rows = store.runs(study.id) if whole else store.unfinished_runs(study.id)
    news = [row["id"] for row in rows if _has_news(study, row)]
    if not news:
        return 0
    with store.transaction():  # one commit for many: it waits for the disk
        return sum(_take_in_run(store, study, run_id) for run_id in news)


def _take_in_plan(store: Store, study: Study) -> Study:
    """Make a study's rows those of its plan; returns the study as it is planned now. Problem when
    the plan changed and can't be read."""
    stamp = studies.plan_stamp(study.id)
    row = store.db.execute(
        "SELECT stamp, created FROM studies WHERE id = ?", (study.id,)
    ).fetchone()
    if row is not None and row["stamp"] == stamp:
        return study
    study = studies.load(study.id)
    with store.transaction() as db:
        if row is not None and row["created"] != study.created:  # another one had its name
            db.execute("DELETE FROM studies WHERE id = ?", (study.id,))
        _upsert_study(db, study, stamp)
    return study


def _upsert_study(db: sqlite3.Connection, study: Study, stamp: str) -> None:
    row = {
        "id": study.id,
        "variant": study.variant,
        "baseline": study.baseline,
        "preset": study.trainer.preset,
        "data_name": study.data.name,
        "data_sha256": study.data.sha256,
        "dtype": study.trainer.dtype,
        "seeds": len(study.seeds),
        "created": study.created,
        "plan": json.dumps(study.to_dict()),
        "stamp": stamp,
    }
    db.execute(
        f"INSERT INTO studies ({', '.join(row)}) VALUES ({', '.join(f':{name}' for name in row)}) "
        f"ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in row)}",
        row,
    )
    db.executemany(
        "INSERT INTO runs (study_id, arm, variant, seed, max_iters) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (study_id, arm, seed) DO UPDATE SET variant = excluded.variant, "
        "max_iters = excluded.max_iters",
        [(study.id, run.arm, run.variant, run.seed, study.max_iters) for run in study.runs],
    )
    seeds = json.dumps(study.seeds)
    db.execute(  # a range that is over has fewer seeds than it began with
        "DELETE FROM runs WHERE study_id = ? AND seed NOT IN (SELECT value FROM json_each(?))",
        (study.id, seeds),
    )


# ── runs


def _has_news(study: Study, run: Row) -> bool:
    """True if a run's file has grown (or was replaced), or its process is gone without a word."""
    files = study.files.run(run_name(run["arm"], run["seed"]))
    size = file_size(files.events)
    if size != run["events_offset"] or (not size and kind_of_non_file(files.events)):
        return True  # (something other than a file is read, too: the error names it)
    return bool(run["state"] == RunState.RUNNING) and not is_alive(files)


def _take_in_run(store: Store, study: Study, run_id: int) -> int:
    """Take a run's new events into the tables; returns how many."""
    more, total = True, 0
    while more:
        count, more = _take_in_chunk(store, study, run_id)
        total += count
    return total


def _take_in_chunk(store: Store, study: Study, run_id: int) -> tuple[int, bool]:
    """Take some of a run's new events into the tables; returns how many, and if there is more."""
    db = store.db
    run = db.execute("SELECT * FROM runs WHERE id = ?", (run_id,)).fetchone()
    if run is None:  # another viewer has begun the study anew
        return 0, False
    files = study.files.run(run_name(run["arm"], run["seed"]))
    size = file_size(files.events)
    if 0 < size < run["events_offset"]:  # it was replaced: its row begins anew
        _set(db, run_id, {**NEW_RUN, "events_offset": 0, "bad_lines": 0})
        db.execute("DELETE FROM metrics WHERE run_id = ?", (run_id,))
        return 0, True
    # looked at before reading: an exit record can't slip in between
    alive = is_alive(files)
    new_events, offset, bad = read_new_events(files.events, run["events_offset"])
    events, behind = cut_after_end(new_events, run["state"] in ENDED)
    lost = run["state"] == RunState.RUNNING and not alive and not events
    if not (events or bad or behind or lost):
        return 0, False
    fields = fold_events(dict(run), events)
    if lost:
        fields["state"], fields["message"] = str(RunState.CRASHED), VANISHED
    is_whole = offset >= size
    if fields["state"] in HAS_FAULTS and is_whole:
        fields["why"] = _why_it_broke(study, files, new_events, run["events_offset"])
    counts = {"events_offset": offset, "bad_lines": run["bad_lines"] + bad + behind}
    _set(db, run_id, {**fields, **counts})
    values = reported_values(events, study.metric, store.metric_names(run_id))
    db.executemany(
        "INSERT OR REPLACE INTO metrics VALUES (?, ?, ?, ?)",
        [(run_id, *value) for value in values],
    )
    # a run whose process is gone says so only in a look that finds nothing new
    return len(events), not lost and (not is_whole or fields["state"] == RunState.RUNNING)


def _why_it_broke(study: Study, files: RunPaths, events: list[Event], offset: int) -> str:
    """The reasons why a run ended badly, as JSON; ``events`` are those behind ``offset``."""
    whole = events if not offset else read_ended_run(files.events)[0]
    return json.dumps(why_it_broke(read_trace(whole, study.metric, study.data.guess_loss)))


def _set(db: sqlite3.Connection, run_id: int, fields: dict[str, Any]) -> None:
    columns = ", ".join(f"{key} = :{key}" for key in fields)
    db.execute(f"UPDATE runs SET {columns} WHERE id = :_id", {**fields, "_id": run_id})


# ── the fold


def fold_events(run: dict[str, Any], events: list[Event]) -> dict[str, Any]:
    """The changed columns of a run after ``events``, sound ones: a pure fold, the same however they
    are cut. What stands behind its end changes nothing."""
    state = RunState(run["state"])
    out: dict[str, Any] = {key: run[key] for key in NEW_RUN}
    for event in cut_after_end(events, state in ENDED)[0]:
        kind = event["type"]
        if kind == "start":
            state = RunState.RUNNING
            out["attempt"] = event.get("attempt", out["attempt"] + 1)
            out["started"] = out["started"] or event.get("time")
            out["ended"] = out["message"] = None
            out["why"] = "[]"
            out["iter"] = event.get("resumed_from") or 0
            out["reused_from"] = event.get("reused_from")
        elif kind == "iter":
            out["iter"] = max(out["iter"], event["iter"])
            out["train_loss"] = event.get("train_loss", out["train_loss"])
            _keep_pace(out, event)
        elif kind == "eval":  # a command may report nothing else
            out["iter"] = max(out["iter"], event["iter"])
            out["eval_loss"] = event.get("val_loss")
            out["parts"] = json.dumps(event.get("parts", []))
            _keep_pace(out, event)
        elif kind == "exit":
            after = RunState(event["state"])
            if after not in (RunState.QUEUED, RunState.RUNNING):
                # (also without a start: a model file that can't be loaded never got that far)
                state = after
                out["ended"], out["message"] = event.get("time"), event.get("message")
                out["iter"] = event.get("iter", out["iter"])
                _keep_pace(out, event)
                if after is RunState.FINISHED:
                    out["val_loss"] = event.get("val_loss")
        elif kind == "note":
            out["message"] = event.get("text")
        out["farthest"] = max(out["farthest"], out["iter"])
    out["state"] = str(state)
    return out


def _keep_pace(out: dict[str, Any], event: Event) -> None:
    """The speed, and the seconds that all of the run's attempts have taken."""
    out["seconds"] = event.get("total", event.get("t")) or out["seconds"]
    out["tokens_per_s"] = event.get("tok_per_s") or out["tokens_per_s"]


def reported_values(
    events: list[Event], metric: Metric, before: Iterable[str] = ()
) -> Iterator[tuple[str, int, float | None]]:
    """(name, iter, value) for every number that a run's sound events report; ``before``: the names
    under which earlier ones did."""
    others = set(before).difference(standard_names(metric))
    for event in events:
        for name, value in reported_numbers(event, metric, others).items():
            yield name, event["iter"], value
