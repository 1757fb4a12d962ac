"""Reads the store into snapshots: the learner's progress, all studies, and the study in focus.

The app imports this module after its first paint.
"""

from __future__ import annotations

import contextlib
import time

from q1lab.app.snapshot import Job, Snapshot
from q1lab.app.study_in_focus import StudyInFocus
from q1lab.compare.comparison_cache import cached_comparison
from q1lab.ground.errors import Problem
from q1lab.journal import ingest_events, study_view
from q1lab.journal.store import Store
from q1lab.journal.study_view import RunView, StudyRow
from q1lab.study import studies
from q1lab.study.events import standard_names
from q1lab.study.studies import Study
from q1lab.week import evidence, progress
from q1lab.week.progress import Progress
from q1lab.week.syllabus import Week

CURVES, FIRST_CURVES = 250, 60
"""Curves read per snapshot, and for the first one, which a person waits for; the snapshots that
follow read the others."""

SCAN = 3.0
"""Seconds between two scans of all studies' events; every poll reads those of training studies."""


class SnapshotReader:
    """Reads the store into snapshots, and reuses everything that has not changed since the last
    one."""

    def __init__(self, week: str, content: Week | None = None) -> None:
        self.week = week
        self.content = content
        """The week's text; with it, evidence ticks steps."""
        self.watched: str | None = None
        """The id of the study to put in focus; None: the one that trains, else the newest."""
        self.charted = ""
        """A metric to read curves of, beside the study's metric and the training loss."""
        self.pages: dict[str, Job] = {}
        self._done = Progress()
        self._worked_out: object = None
        """The stamp at which progress was last computed."""
        self._plans: dict[str, tuple[str, Study]] = {}
        self._rows: tuple[StudyRow, ...] = ()
        self._last_state: tuple[object, ...] = ()
        self._focus: StudyInFocus | None = None
        self._settled: dict[str, StudyRow] = {}
        self._runs: dict[int, tuple[tuple[object, ...], RunView]] = {}
        """Views of the runs in focus by run id, each with the row and metric it was made from."""
        self._scanned = float("-inf")
        self._viewed = self._more = False
        """True after a first view of a study; True if curves are left for the next snapshot."""
        self._trained: str | None = None
        """The id of the study that was last seen training."""
        self._unreadable: dict[str, str] = {}
        """Study id → reason, for the studies that can't be read."""

    def read_snapshot(self, store: Store, *, ingest: bool = True) -> Snapshot:
        """A fresh snapshot; with ``ingest``, the trainers' new events are read into the store
        first."""
        if ingest:
            self._ingest(store)
        stamp = store.stamp()
        state = (stamp, self.watched, self.charted, tuple(self._unreadable))
        running = {row.id for row in self._rows if row.state == "running"}
        if state != self._last_state or running or self._more:
            self._update_view(store)
            if ingest and self._ingest_ended(store, running):
                self._update_view(store)
            self._last_state = state
        if ingest and self._focus is not None:
            self._focus = self._focus.with_wandb_status()
        pages = {name: job(store) for name, job in self.pages.items()}
        done = self._progress(store)
        return Snapshot(done, self._rows, self._focus, pages)

    def _progress(self, store: Store) -> Progress:
        """Ticks, answers and minutes; computed again only when the database has changed."""
        now = store.stamp()
        if now != self._worked_out:
            self._done = progress.recorded_progress(store, self.week)
            if self.content is not None:
                self._done = evidence.tick_by_evidence(store, self.content, self._done)
            self._worked_out = now
        return self._done

    def _ingest(self, store: Store) -> None:
        now = time.monotonic()
        if now - self._scanned > SCAN:  # new studies, and those that nobody trains
            self._scanned = now
            self._unreadable = ingest_events.ingest_all(store)
            return
        for row in self._rows:
            if row.state == "running":
                with contextlib.suppress(Problem):
                    ingest_events.ingest_study(store, self._plan(row.id), whole=False)

    def _ingest_ended(self, store: Store, ran: set[str]) -> bool:
        """Read all events of studies that have stopped training since the last poll: when a planned
        range ends, its plan changes, and the last runs may have ended in the meantime."""
        ended = [row.id for row in self._rows if row.id in ran and row.state != "running"]
        for study_id in ended:
            with contextlib.suppress(Problem):
                ingest_events.ingest_study(store, self._plan(study_id))
        return bool(ended)

    def _update_view(self, store: Store) -> None:
        """Update the list of studies and the study in focus; the latter is computed once."""
        study_id = self.watched or self._default_study()
        self._focus = self._view(store, study_id)
        rows_by_id = dict(self._settled)
        if self._focus is not None:
            rows_by_id[self._focus.row.id] = self._focus.row
        self._rows = study_view.read_study_rows(store, rows_by_id, self._unreadable)
        self._settled = {row.id: row for row in self._rows if row.state == "finished"}
        another = self._default_study()
        if another != study_id and (self._focus is None or not self.watched):
            self._focus = self._view(store, another)

    def _default_study(self) -> str | None:
        """The id of the study that trains; else of the one last seen training; else the newest."""
        sound = {row.id: row.state for row in self._rows if row.problem is None}
        self._trained = next(
            (name for name, state in sound.items() if state == "running"), self._trained
        )
        return self._trained if self._trained in sound else next(iter(sound), None)

    def _plan(self, study_id: str) -> Study:
        stamp = studies.plan_stamp(study_id)
        cached = self._plans.get(study_id)
        if cached is None or cached[0] != stamp:
            cached = self._plans[study_id] = (stamp, studies.load(study_id))
        return cached[1]

    def _view(self, store: Store, study_id: str | None) -> StudyInFocus | None:
        if study_id is None:
            return None
        try:
            study = self._plan(study_id)
        except Problem:
            return None
        rows = store.runs(study_id)
        if not rows:
            return None
        fresh = {}
        room = CURVES if self._viewed else FIRST_CURVES
        self._more = False
        names = {*standard_names(study.metric)[:2], self.charted}
        for row in rows:
            values = (*row, self.charted)
            cached = self._runs.get(row["id"])
            if cached is None or cached[0] != values:
                run = study_view.run_view(row, study)
                if run.attempt and room == 0:  # the next snapshot reads its curve
                    self._more = True
                    cached = ((), run)
                else:
                    room -= 1 if run.attempt else 0
                    cached = (values, study_view.with_curves(store, run, names))
            fresh[row["id"]] = cached
        self._runs = fresh
        self._viewed = True
        view = study_view.build_view(study, tuple(run for _, run in fresh.values()))
        before = self._focus if self._focus and self._focus.row.id == study_id else None
        wandb = before.wandb if before else None
        return StudyInFocus(study, view.row, view.runs, cached_comparison(store, study_id), wandb)
