"""The database: opened safely, migrated, fed from events, and asked.

Reading and ingesting go through the standard library's sqlite3, since importing sqlite_utils (and with it
numpy) costs more than a whole `q1lab status`. sqlite_utils makes and migrates the schema. The journal is
SQLite's rollback journal with full sync: this program writes little, and what was acknowledged must survive a
power cut.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from q1lab import paths, studies
from q1lab.errors import FAILED, Problem
from q1lab.events import read_new
from q1lab.files import is_locked, locked, utc_now
from q1lab.paths import StudyPaths
from q1lab.states import ENDED, MISSING, State, may_follow
from q1lab.studies import Study

SCHEMA = 2
"""Number of migrations in q1lab.migrations; kept in ``PRAGMA user_version``."""

Row = sqlite3.Row


class Store:
    """One connection. Use it from the thread that made it; make another for another thread.

    ``db`` is the sqlite3 connection in autocommit mode, rows are ``sqlite3.Row``. Write inside ``with
    store.write() as db``: a BEGIN IMMEDIATE transaction that commits at the end and rolls back on an error.
    """

    def __init__(self, file: Path | None = None) -> None:
        self.file = file or paths.database()
        self.moved_aside: Path | None = None
        """Where a damaged database was put, when opening found one."""
        self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.db = self._open()

    def _open(self) -> sqlite3.Connection:
        try:
            return self._open_once()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise Problem(f"cannot open {self.file}: {error}", FAILED) from error
            with locked(self.file.with_suffix(".lock")):
                self.moved_aside = set_aside(self.file)
            return self._open_once()

    def _open_once(self) -> sqlite3.Connection:
        new = not self.file.exists() or self.file.stat().st_size == 0
        if new:
            os.close(os.open(self.file, os.O_RDWR | os.O_CREAT, 0o600))
        db = sqlite3.connect(self.file, timeout=10, isolation_level=None)
        try:
            db.row_factory = sqlite3.Row
            db.execute("PRAGMA foreign_keys = ON")
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA:
                raise Problem(
                    f"{self.file} was written by a newer q1lab (schema {version}, this one knows {SCHEMA}); "
                    "upgrade q1lab, or point Q1LAB_HOME at another folder. Nothing was changed.",
                    FAILED,
                )
            if version < SCHEMA:
                with locked(self.file.with_suffix(".lock")):
                    migrate(db)
            elif _small(self.file):
                found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
                if found != "ok":
                    raise sqlite3.DatabaseError(found)
        except BaseException:
            db.close()
            raise
        return db

    def close(self) -> None:
        self.db.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One immediate transaction; a full disk or a locked database is a Problem and changes nothing."""
        try:
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield self.db
            except BaseException:
                self.db.execute("ROLLBACK")
                raise
            self.db.execute("COMMIT")
        except sqlite3.OperationalError as error:
            with contextlib.suppress(sqlite3.Error):
                if self.db.in_transaction:
                    self.db.execute("ROLLBACK")
            raise Problem(f"cannot write {self.file}: {error}", FAILED) from error

    # ── settings ─────────────────────────────────────────────────────────────────────────────────────────

    def setting(self, key: str, default: Any = None) -> Any:
        """A value that the program keeps for itself (JSON)."""
        row = self.db.execute("SELECT value FROM settings WHERE key = ?", (key,)).fetchone()
        return json.loads(row["value"]) if row else default

    def set_setting(self, key: str, value: Any) -> None:
        with self.write() as db:
            db.execute(
                "INSERT OR REPLACE INTO settings VALUES (?, ?, ?)", (key, json.dumps(value), utc_now())
            )

    # ── runs: fed from files ─────────────────────────────────────────────────────────────────────────────

    def ingest_all(self) -> None:
        """Bring the index up to date with every study on disk that isn't settled in it yet."""
        settled = {
            row["id"]
            for row in self.db.execute(
                "SELECT s.id FROM studies s WHERE NOT EXISTS (SELECT 1 FROM runs r WHERE r.study_id = s.id "
                "AND r.state NOT IN ('finished', 'diverged'))"
            )
        }
        for study_id in studies.ids():
            if study_id not in settled or self._extended(study_id):
                with contextlib.suppress(Problem):
                    self.ingest(studies.load(study_id))

    def _extended(self, study_id: str) -> bool:
        row = self.db.execute("SELECT plan FROM studies WHERE id = ?", (study_id,)).fetchone()
        file = StudyPaths(paths.study_dir(study_id)).plan
        return bool(row["plan"] != file.read_text())

    def ingest(self, study: Study) -> int:
        """Take a study's new events into the tables; returns how many there were.

        A run's rows and its file offset move in one transaction, so two viewers at once are harmless.
        """
        taken = 0
        plan_text = study.files.plan.read_text()
        row = self.db.execute("SELECT plan FROM studies WHERE id = ?", (study.id,)).fetchone()
        if row is None or row["plan"] != plan_text:
            with self.write() as db:
                _upsert_study(db, study, plan_text)
        for run in self.db.execute("SELECT * FROM runs WHERE study_id = ?", (study.id,)).fetchall():
            if run["state"] in ("finished", "diverged") and run["reused_from"] is None and run["attempt"]:
                files = study.files.run(f"{run['arm']}-seed{run['seed']}")
                if _size(files.events) == run["events_offset"]:
                    continue
            taken += self._ingest_run(study, run)
        return taken

    def _ingest_run(self, study: Study, run: Row) -> int:
        files = study.files.run(f"{run['arm']}-seed{run['seed']}")
        taken = 0
        while True:
            alive = is_locked(files.lock)  # looked at before reading: an exit record can't slip in between
            events, offset, bad = read_new(files.events, run["events_offset"])
            lost = run["state"] == State.RUNNING and not alive and not events
            if not events and not bad and not lost:
                return taken
            with self.write() as db:
                now = db.execute("SELECT * FROM runs WHERE id = ?", (run["id"],)).fetchone()
                if now["events_offset"] != run["events_offset"]:  # another viewer was faster
                    run = now
                    continue
                fields = fold(dict(run), events)
                if lost:
                    fields["state"] = str(State.CRASHED)
                    fields["message"] = "the process ended without a word (killed, or out of memory?)"
                fields["events_offset"] = offset
                fields["bad_lines"] = run["bad_lines"] + bad
                db.execute(
                    f"UPDATE runs SET {', '.join(f'{key} = :{key}' for key in fields)} WHERE id = :_id",
                    {**fields, "_id": run["id"]},
                )
                db.executemany(
                    "INSERT OR REPLACE INTO metrics VALUES (?, ?, ?, ?)",
                    [(run["id"], *metric) for metric in metrics_of(events)],
                )
            taken += len(events)
            run = self.db.execute("SELECT * FROM runs WHERE id = ?", (run["id"],)).fetchone()
            if lost:
                return taken

    # ── runs: asked ──────────────────────────────────────────────────────────────────────────────────────

    def runs(self, study_id: str) -> list[Row]:
        """A study's runs, in the order of its plan (seed by seed, baseline first)."""
        return self.db.execute("SELECT * FROM runs WHERE study_id = ? ORDER BY id", (study_id,)).fetchall()

    def curve(self, run_id: int, name: str) -> list[tuple[int, float | None]]:
        """A metric (``train_loss`` or ``val_loss``) of a run as (iter, value), by iter."""
        return [
            (row["iter"], row["value"])
            for row in self.db.execute(
                "SELECT iter, value FROM metrics WHERE run_id = ? AND name = ? ORDER BY iter", (run_id, name)
            )
        ]

    def missing(self, study: Study) -> list[str]:
        """Names of the runs that the same command again would train."""
        return [f"{r['arm']}-seed{r['seed']}" for r in self.runs(study.id) if State(r["state"]) in MISSING]


def fold(run: dict[str, Any], events: list[dict[str, Any]]) -> dict[str, Any]:
    """The changed columns of a run after ``events``: a pure fold, the same however the events are cut."""
    state = State(run["state"])
    out: dict[str, Any] = {
        key: run[key]
        for key in ("state", "attempt", "iter", "train_loss", "val_loss", "eval_loss", "tokens_per_s",
                    "seconds", "started", "ended", "message", "reused_from")
    }  # fmt: skip
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
    """Seconds that all of the run's attempts have taken; an older trainer knew only this attempt's."""
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


def migrate(db: sqlite3.Connection) -> None:
    """Bring the schema up to date. The only place that needs sqlite_utils at run time."""
    import sqlite_utils

    from q1lab.migrations import migrations

    migrations.apply(sqlite_utils.Database(db))
    db.execute(f"PRAGMA user_version = {SCHEMA}")


def set_aside(file: Path) -> Path:
    """Move a damaged database (and its journal) out of the way; returns its new place."""
    stamp = utc_now().replace(":", "").replace("+0000", "")
    target = file.with_name(f"{file.stem}.damaged-{stamp}{file.suffix}")
    count = 1
    while target.exists():
        count += 1
        target = file.with_name(f"{file.stem}.damaged-{stamp}-{count}{file.suffix}")
    journal = file.with_name(file.name + "-journal")
    if journal.exists():
        journal.rename(target.with_name(target.name + "-journal"))
    file.rename(target)
    return target


def _upsert_study(db: sqlite3.Connection, study: Study, plan_text: str) -> None:
    db.execute(
        "INSERT INTO studies VALUES (?,?,?,?,?,?,?,?,?,?,?,?) "
        "ON CONFLICT(id) DO UPDATE SET plan = excluded.plan, seeds = excluded.seeds",
        (
            study.id, study.variant, study.baseline, study.preset, study.data.name, study.data.sha256,
            study.device, study.dtype, study.headline, len(study.seeds), study.created, plan_text,
        ),
    )  # fmt: skip
    db.executemany(
        "INSERT OR IGNORE INTO runs (study_id, arm, variant, seed, max_iters) VALUES (?, ?, ?, ?, ?)",
        [(study.id, run.arm, run.variant, run.seed, study.max_iters) for run in study.runs],
    )


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _small(file: Path) -> bool:
    """Whether a structural check is quick (under a few milliseconds): up to 4 MB."""
    return file.stat().st_size < 4 << 20
