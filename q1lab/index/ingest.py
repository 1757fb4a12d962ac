"""Runs come in from files: the events that trainers append are folded into rows.

A run's rows and its place in the file move in one transaction, so two viewers at once are harmless,
and a kill at any moment repeats nothing and loses nothing.
"""

from __future__ import annotations

import contextlib
import math
import sqlite3
from collections.abc import Iterator
from typing import Any

from q1lab import paths
from q1lab.errors import Problem
from q1lab.files import read_text, size_of
from q1lab.index.store import Row, Store
from q1lab.paths import StudyPaths
from q1lab.study import studies
from q1lab.study.alive import is_alive
from q1lab.study.events import last_event, read_new
from q1lab.study.states import ENDED, State, may_follow
from q1lab.study.studies import Study, run_name

FIRST: dict[str, Any] = {
    "state": str(State.QUEUED), "attempt": 0, "iter": 0, "train_loss": None, "val_loss": None,
    "eval_loss": None, "tokens_per_s": None, "seconds": 0.0, "started": None, "ended": None,
    "message": None, "reused_from": None,
}  # fmt: skip
"""A run before its first event: the columns that ``fold`` changes."""

GONE = "the process ended without a word (killed, or out of memory?)"


# ── studies


def take_in_all(store: Store) -> None:
    """Bring the index up to date with every study on disk that isn't settled in it yet."""
    settled = {
        row["id"]
        for row in store.db.execute(
            "SELECT s.id FROM studies s WHERE NOT EXISTS (SELECT 1 FROM runs r "
            "WHERE r.study_id = s.id AND r.state NOT IN ('finished', 'diverged'))"
        )
    }
    now = studies.stamps()
    changed = [
        name for name, stamp in now.items() if name not in settled or store.plans.get(name) != stamp
    ]
    for study_id in studies.in_order(changed):
        if study_id not in settled or _extended(store, study_id):
            with contextlib.suppress(Problem):
                take_in(store, studies.load(study_id))
    store.plans = now


def _extended(store: Store, study_id: str) -> bool:
    row = store.db.execute("SELECT plan FROM studies WHERE id = ?", (study_id,)).fetchone()
    file = StudyPaths(paths.study_dir(study_id)).plan
    return bool(row["plan"] != read_text(file))


def take_in(store: Store, study: Study) -> int:
    """Take a study's new events into the tables; returns how many there were."""
    taken = 0
    store.follow_the_file()
    plan_text = read_text(study.files.plan)
    row = store.db.execute("SELECT plan FROM studies WHERE id = ?", (study.id,)).fetchone()
    if row is None or row["plan"] != plan_text:
        with store.write() as db:
            _upsert_study(db, study, plan_text)
    if not _is_sound(study, store.runs(study.id)):
        forget(store, study, plan_text)
    news = [run for run in store.runs(study.id) if _has_news(study, run)]
    if news:
        with store.write():  # one commit for all of them: it waits for the disk
            for run in news:
                taken += _take_in_run(store, study, run)
    return taken


def forget(store: Store, study: Study, plan_text: str | None = None) -> None:
    """Drop what the tables say of a study's runs; ``take_in`` then takes all of it from the files
    again."""
    with store.write() as db:
        # its runs and metrics go with it
        db.execute("DELETE FROM studies WHERE id = ?", (study.id,))
        _upsert_study(db, study, plan_text or read_text(study.files.plan))


def verify(store: Store, study: Study) -> bool:
    """Take a study in, and compare the numbers that a verdict rests on with the files: where a
    run's last record says otherwise than the tables do (a bad disk), all are taken from the files
    again. Returns whether the tables were right."""
    take_in(store, study)
    for run in store.runs(study.id):
        if State(run["state"]) in ENDED and _says_otherwise(study, run):
            forget(store, study)
            take_in(store, study)
            return False
    return True


def _upsert_study(db: sqlite3.Connection, study: Study, plan_text: str) -> None:
    db.execute(
        "INSERT INTO studies VALUES (?,?,?,?,?,?,?,?,?,?,?,?) "
        "ON CONFLICT(id) DO UPDATE SET plan = excluded.plan, seeds = excluded.seeds",
        (
            study.id, study.variant, study.baseline, study.preset, study.data.name,
            study.data.sha256, study.device, study.dtype, study.headline, len(study.seeds),
            study.created, plan_text,
        ),
    )  # fmt: skip
    db.executemany(
        "INSERT OR IGNORE INTO runs (study_id, arm, variant, seed, max_iters) "
        "VALUES (?, ?, ?, ?, ?)",
        [(study.id, run.arm, run.variant, run.seed, study.max_iters) for run in study.runs],
    )


def _is_sound(study: Study, rows: list[Row]) -> bool:
    """Whether a study's rows are those of its plan, with states that there are."""
    planned = {(run.arm, run.variant, run.seed, study.max_iters) for run in study.runs}
    there = {(row["arm"], row["variant"], row["seed"], row["max_iters"]) for row in rows}
    return (
        planned == there
        and len(rows) == len(planned)
        and all(row["state"] in set(State) for row in rows)
    )


# ── runs


def _has_news(study: Study, run: Row) -> bool:
    """Whether a run's file has grown (or was replaced), or its process is gone without a word."""
    files = study.files.run(run_name(run["arm"], run["seed"]))
    if size_of(files.events) != run["events_offset"]:
        return True
    return bool(run["state"] == State.RUNNING) and not is_alive(files)


def _take_in_run(store: Store, study: Study, run: Row) -> int:
    files = study.files.run(run_name(run["arm"], run["seed"]))
    taken = 0
    if 0 < size_of(files.events) < run["events_offset"]:  # it was replaced: its row begins anew
        with store.write() as db:
            _set(db, run["id"], {**FIRST, "events_offset": 0, "bad_lines": 0})
            db.execute("DELETE FROM metrics WHERE run_id = ?", (run["id"],))
        run = _row(store, run["id"])
    while True:
        # looked at before reading: an exit record can't slip in between
        alive = is_alive(files)
        events, offset, bad = read_new(files.events, run["events_offset"])
        lost = run["state"] == State.RUNNING and not alive and not events
        if not events and not bad and not lost:
            return taken
        with store.write() as db:
            now = _row(store, run["id"])
            if now["events_offset"] != run["events_offset"]:  # another viewer was faster
                run = now
                continue
            fields = fold(dict(run), events)
            if lost:
                fields["state"], fields["message"] = str(State.CRASHED), GONE
            fields["events_offset"] = offset
            fields["bad_lines"] = run["bad_lines"] + bad
            _set(db, run["id"], fields)
            db.executemany(
                "INSERT OR REPLACE INTO metrics VALUES (?, ?, ?, ?)",
                [(run["id"], *metric) for metric in metrics_of(events)],
            )
        taken += len(events)
        run = _row(store, run["id"])
        if lost:
            return taken


def _row(store: Store, run_id: int) -> Row:
    row: Row = store.db.execute("SELECT * FROM runs WHERE id = ?", (run_id,)).fetchone()
    return row


def _set(db: sqlite3.Connection, run_id: int, fields: dict[str, Any]) -> None:
    columns = ", ".join(f"{key} = :{key}" for key in fields)
    db.execute(f"UPDATE runs SET {columns} WHERE id = :_id", {**fields, "_id": run_id})


def _says_otherwise(study: Study, run: Row) -> bool:
    """Whether the last line of a run's events is an exit record that its row doesn't agree with."""
    record = last_event(study.files.run(run_name(run["arm"], run["seed"])).events)
    if record is None or record["type"] != "exit":
        return False  # no file to go by, or notes after the exit
    if record.get("state") != run["state"]:
        return True
    return bool(
        run["state"] == State.FINISHED and finite(record.get("val_loss")) != run["val_loss"]
    )


# ── the fold


def fold(run: dict[str, Any], events: list[dict[str, Any]]) -> dict[str, Any]:
    """The changed columns of a run after ``events``: a pure fold, the same however the events are
    cut."""
    state = State(run["state"])
    out: dict[str, Any] = {key: run[key] for key in FIRST}
    for event in events:
        kind = event["type"]
        if kind == "start":
            if not may_follow(state, State.RUNNING) and state is not State.RUNNING:
                continue
            state = State.RUNNING
            out["attempt"] = int(event.get("attempt", out["attempt"] + 1))
            out["started"] = out["started"] or event.get("time")
            out["ended"] = out["message"] = None
            out["iter"] = int(event.get("resumed_from") or 0)
            out["reused_from"] = event.get("reused_from")
        elif kind == "iter":
            out["iter"] = int(event["iter"])
            out["seconds"] = _seconds(event) or out["seconds"]
            out["train_loss"] = finite(event.get("train_loss"))
            out["tokens_per_s"] = finite(event.get("tok_per_s")) or out["tokens_per_s"]
        elif kind == "eval":
            out["eval_loss"] = finite(event.get("val_loss"))
            out["seconds"] = _seconds(event) or out["seconds"]
        elif kind == "exit":
            after = State(event.get("state", "failed"))
            if state not in ENDED and after not in (State.QUEUED, State.RUNNING):
                # (also without a start: a model file that can't be loaded never got that far)
                state = after
                out["ended"] = event.get("time")
                out["message"] = event.get("message")
                out["tokens_per_s"] = finite(event.get("tok_per_s")) or out["tokens_per_s"]
                out["seconds"] = _seconds(event) or out["seconds"]
                out["iter"] = int(event.get("iter", out["iter"]))
                if after is State.FINISHED:
                    out["val_loss"] = finite(event.get("val_loss"))
        elif kind == "note":
            out["message"] = event.get("text")
    out["state"] = str(state)
    return out


def _seconds(event: dict[str, Any]) -> float | None:
    """Seconds that all of the run's attempts have taken; an older trainer knew only this
    attempt's."""
    return finite(event.get("total", event.get("t")))


def metrics_of(events: list[dict[str, Any]]) -> Iterator[tuple[str, int, float | None]]:
    """(name, iter, value) for every number worth a point on a curve."""
    for event in events:
        if event["type"] == "iter":
            yield "train_loss", int(event["iter"]), finite(event.get("train_loss"))
        elif event["type"] == "eval":
            name = "final_val_loss" if event.get("final") else "val_loss"
            yield name, int(event["iter"]), finite(event.get("val_loss"))


def finite(value: Any) -> float | None:
    """``value`` as a float, or None when it isn't a finite number."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    return None
