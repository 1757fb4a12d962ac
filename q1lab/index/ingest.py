"""Runs come in from files: the events that trainers append are folded into rows.

A run's rows and its place in the file move in one transaction, so two viewers at once are harmless,
and a kill at any moment repeats nothing and loses nothing.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from q1lab.errors import Problem
from q1lab.files import size_of
from q1lab.index.store import Row, Store
from q1lab.study import studies
from q1lab.study.events import last_event, read_new
from q1lab.study.liveness import is_alive
from q1lab.study.states import ENDED, State, may_follow
from q1lab.study.studies import Study, run_name

FIRST: dict[str, Any] = {
    "state": str(State.QUEUED),
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
}
"""A run before its first event: the columns that ``fold`` changes."""

GONE = "the process ended without saying why (killed, or out of memory?)"


STEP = 0.7
"""Seconds after which what was taken in is committed: a kill loses no more than that, and another
viewer waits no longer."""

LARGE = 32 << 20
"""Bytes of new events from which a study is committed in steps of its own."""


class Looked(NamedTuple):
    """How far a look at all studies has come."""

    studies: int
    of: int
    taken: int
    """Bytes of events taken in."""

    @property
    def is_whole(self) -> bool:
        return self.studies >= self.of

    @property
    def words(self) -> str:
        read = f"{self.taken / 1e6:,.0f} MB of events"
        if self.of == 1:
            return read
        more = f", {read}" if self.taken >= 1e6 else ""
        return f"{self.studies:,} of {self.of:,} studies{more}"


Tell = Callable[[Looked], object]
"""Told after each step, when it is committed, and at the end. Where it answers ``ENOUGH``, the look
ends there, and the next one goes on."""

ENOUGH = "enough"

# ── studies


def take_in_all(store: Store, tell: Tell | None = None) -> dict[str, str]:
    """Bring the index up to date with every study on disk that isn't settled in it yet; returns why
    those that can't be read can't, by id.

    It costs a look at each plan's time of change, and more only for what is new or not over. Many
    studies are committed together, in steps.
    """
    tell = tell or store.tell
    store.follow_the_file()
    now = studies.stamps()
    if now is None:  # nobody can look now
        return {}
    known = {row["id"]: row["stamp"] for row in store.db.execute("SELECT id, stamp FROM studies")}
    gone = [study_id for study_id in known if study_id not in now]
    if gone:
        with store.write() as db:
            db.executemany("DELETE FROM studies WHERE id = ?", [(study_id,) for study_id in gone])
    # (the condition is that of the index on runs, so that it is used)
    unfinished = {
        row["study_id"]
        for row in store.db.execute(
            "SELECT DISTINCT study_id FROM runs WHERE state NOT IN ('finished', 'diverged')"
        )
    }
    queue = studies.in_order(
        study_id
        for study_id, stamp in now.items()
        if study_id in unfinished or known.get(study_id) != stamp
    )
    unreadable: dict[str, str] = {}
    looked = taken = 0

    def step(read: int, under_way: int = 0) -> bool:
        nonlocal taken
        taken += read
        return tell is not None and tell(Looked(looked - under_way, len(queue), taken)) == ENOUGH

    def with_news() -> Iterator[tuple[Study, int]]:
        nonlocal looked
        for study_id in queue:
            looked += 1
            try:
                study = studies.load(study_id)
            except Problem as problem:
                unreadable[study_id] = str(problem)
                continue
            size = _news(store, study)
            if size is not None:
                yield study, size

    waiting = with_news()
    for study, size in waiting:
        large, read = (study, 0) if size >= LARGE else (None, size)
        if large is None:
            until = time.monotonic() + STEP
            with store.write():
                take_in(store, study, step=_unheard)
                while time.monotonic() < until and (another := next(waiting, None)):
                    if another[1] >= LARGE:
                        large = another[0]
                        break
                    take_in(store, another[0], step=_unheard)
                    read += another[1]
            if step(read, under_way=int(large is not None)):
                return unreadable
        if large is not None and take_in(store, large, step=lambda read: step(read, 1)) is None:
            return unreadable
    step(0)
    return unreadable


def _news(store: Store, study: Study) -> int | None:
    """Bytes of events that a study has more than the tables; None when there is nothing to do."""
    row = store.db.execute("SELECT stamp FROM studies WHERE id = ?", (study.id,)).fetchone()
    if row is None or row["stamp"] != studies.stamp(study.id):
        return sum(size_of(study.files.run(run.name).events) for run in study.runs)
    rows = store.runs(study.id)
    if not _is_sound(study, rows):
        return 0
    news = [row for row in rows if _has_news(study, row)]
    if not news:
        return None
    sizes = [size_of(study.files.run(run_name(row["arm"], row["seed"])).events) for row in news]
    return sum(sizes) - sum(int(row["events_offset"]) for row in news)


def take_in(
    store: Store,
    study: Study,
    *,
    whole: bool = True,
    step: Callable[[int], bool] | None = None,
) -> int | None:
    """Take a study's new events into the tables; returns how many there were.

    ``whole`` also looks at the plan and at the runs that have ended. Without it the look costs what
    can have changed since a whole one. ``step`` is called after each commit with the bytes that it
    took in; where it says so, the rest is left for the next look, and None returned. Without it,
    who is told of long looks hears of this one.
    """
    step = step or _telling(store)
    store.follow_the_file()
    if whole:
        study = _take_in_plan(store, study)
        rows = store.runs(study.id)
    else:
        rows = store.unfinished(study.id)
    news = deque(row["id"] for row in rows if _has_news(study, row))
    taken = 0
    while news:
        until, read = time.monotonic() + STEP, 0
        with store.write():  # one commit for many: it waits for the disk
            while True:
                count, size, more = _take_in_chunk(store, study, news[0])
                taken += count
                read += size
                if not more:
                    news.popleft()
                if not news or time.monotonic() >= until:
                    break
        if step(read) and news:
            return None
    step(0)
    return taken


def _unheard(read: int) -> bool:
    return False


def _telling(store: Store) -> Callable[[int], bool]:
    """Says how far the look at one study has come; it is whole when nothing more came."""
    taken = 0

    def step(read: int) -> bool:
        nonlocal taken
        taken += read
        return store.tell is not None and store.tell(Looked(int(not read), 1, taken)) == ENOUGH

    return step


def _take_in_plan(store: Store, study: Study) -> Study:
    """Make a study's rows those of its plan; returns the study as it is planned now. Problem when
    the plan changed and can't be read."""
    stamp = studies.stamp(study.id)
    row = store.db.execute("SELECT stamp FROM studies WHERE id = ?", (study.id,)).fetchone()
    if row is None or row["stamp"] != stamp:
        study = studies.load(study.id)
        with store.write() as db:
            _upsert_study(db, study, stamp)
    if not _is_sound(study, store.runs(study.id)):
        forget(store, study)
    return study


def forget(store: Store, study: Study) -> None:
    """Drop what the tables say of a study's runs; ``take_in`` then takes all of it from the files
    again."""
    with store.write() as db:
        # its runs and metrics go with it
        db.execute("DELETE FROM studies WHERE id = ?", (study.id,))
        _upsert_study(db, study, studies.stamp(study.id))


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


def _upsert_study(db: sqlite3.Connection, study: Study, stamp: str) -> None:
    row = {
        "id": study.id,
        "variant": study.variant,
        "baseline": study.baseline,
        "preset": study.preset,
        "data_name": study.data.name,
        "data_sha256": study.data.sha256,
        "device": study.device,
        "dtype": study.dtype,
        "headline": study.headline,
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
        "INSERT OR IGNORE INTO runs (study_id, arm, variant, seed, max_iters) "
        "VALUES (?, ?, ?, ?, ?)",
        [(study.id, run.arm, run.variant, run.seed, study.max_iters) for run in study.runs],
    )


def _is_sound(study: Study, rows: list[Row]) -> bool:
    """Whether a study's rows are those of its plan, with states that there are."""
    planned = {(run.arm, run.variant, run.seed, study.max_iters) for run in study.runs}
    there = {(row["arm"], row["variant"], row["seed"], row["max_iters"]) for row in rows}
    states = {row["state"] for row in rows}
    return planned == there and len(rows) == len(planned) and states <= set(State)


# ── runs


def _has_news(study: Study, run: Row) -> bool:
    """Whether a run's file has grown (or was replaced), or its process is gone without a word."""
    files = study.files.run(run_name(run["arm"], run["seed"]))
    if size_of(files.events) != run["events_offset"]:
        return True
    return bool(run["state"] == State.RUNNING) and not is_alive(files)


def _take_in_chunk(store: Store, study: Study, run_id: int) -> tuple[int, int, bool]:
    """Take some of a run's new events into the tables, inside the caller's transaction; returns how
    many, their bytes, and whether there may be more."""
    db = store.db
    run = _row(store, run_id)
    if run is None:  # another viewer has begun the study anew
        return 0, 0, False
    files = study.files.run(run_name(run["arm"], run["seed"]))
    size = size_of(files.events)
    if 0 < size < run["events_offset"]:  # it was replaced: its row begins anew
        _set(db, run_id, {**FIRST, "events_offset": 0, "bad_lines": 0})
        db.execute("DELETE FROM metrics WHERE run_id = ?", (run_id,))
        return 0, 0, True
    # looked at before reading: an exit record can't slip in between
    alive = is_alive(files)
    events, offset, bad = read_new(files.events, run["events_offset"])
    if study.is_blind:
        events = [{key: event[key] for key in event if key not in LOSSES} for event in events]
    lost = run["state"] == State.RUNNING and not alive and not events
    if not events and not bad and not lost:
        return 0, 0, False
    fields = fold(dict(run), events)
    if lost:
        fields["state"], fields["message"] = str(State.CRASHED), GONE
    fields["events_offset"] = offset
    fields["bad_lines"] = run["bad_lines"] + bad
    _set(db, run_id, fields)
    db.executemany(
        "INSERT OR REPLACE INTO metrics VALUES (?, ?, ?, ?)",
        [(run_id, *metric) for metric in metrics_of(events)],
    )
    more = not lost and (offset < size or fields["state"] == State.RUNNING)
    return len(events), max(0, offset - run["events_offset"]), more


def _row(store: Store, run_id: int) -> Row | None:
    row: Row | None = store.db.execute("SELECT * FROM runs WHERE id = ?", (run_id,)).fetchone()
    return row


def _set(db: sqlite3.Connection, run_id: int, fields: dict[str, Any]) -> None:
    columns = ", ".join(f"{key} = :{key}" for key in fields)
    db.execute(f"UPDATE runs SET {columns} WHERE id = :_id", {**fields, "_id": run_id})


def _says_otherwise(study: Study, run: Row) -> bool:
    """Whether the last line of a run's events is an exit record that its row doesn't agree with."""
    if study.is_blind:  # its losses are kept out of the tables
        return False
    record = last_event(study.files.run(run_name(run["arm"], run["seed"])).events)
    if record is None or record["type"] != "exit":
        return False  # no file to go by, or notes after the exit
    if record.get("state") != run["state"]:
        return True
    return bool(
        run["state"] == State.FINISHED and finite(record.get("val_loss")) != run["val_loss"]
    )


# ── the fold

LOSSES = ("train_loss", "val_loss")
"""Fields of events that say how a run comes out."""


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
    if type(value) in (float, int) and -1e300 < value < 1e300:
        return float(value)
    return None
