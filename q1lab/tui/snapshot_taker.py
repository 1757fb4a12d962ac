"""Reads the store into snapshots: what the learner did, all studies, and the one that the lab looks
at. It keeps what did not change between two looks.

Nothing of it is loaded before something is on screen.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from q1lab.ground.errors import Problem
from q1lab.index import ingest_events, learner_tables, study_view
from q1lab.index.ingest_events import Looked
from q1lab.index.store import Store
from q1lab.index.study_view import RunView, StudyLine, StudyView
from q1lab.runner import alerts, launch
from q1lab.study import studies
from q1lab.study.events import standard_names
from q1lab.study.studies import Study
from q1lab.tui.snapshot import Job, Snapshot
from q1lab.week import evidence, progress
from q1lab.week.progress import Progress
from q1lab.week.syllabus import Week

if TYPE_CHECKING:
    from q1lab.study.wandb_runs import WandbStatus
    from q1lab.verdict.comparison import Comparison


@dataclass(frozen=True)
class Focus(StudyView):
    """The study that the lab looks at, with its runs' curves and its comparison when there is
    one."""

    record: Comparison | None = None
    wandb: WandbStatus | None = None
    """How it stands with W&B; None in the very first look."""


CURVES, FIRST_CURVES = 250, 60
"""Curves read per look, and by the first one, which a person waits for; the others come with the
looks that follow."""

SCAN = 3.0
"""Seconds between two looks at all studies; those that train are looked at every time."""

PATIENCE = 1.0
"""Seconds after which a look at all studies leaves the rest to the next one: ticks and answers
don't wait for it, and what was read is shown."""


class Taker:
    """Reads the store into snapshots. Keeps what did not change between two looks."""

    def __init__(self, week: str, content: Week | None = None) -> None:
        self.week = week
        self.content = content
        """The week itself: with it, steps tick themselves by what happened."""
        self.watched: str | None = None
        """The study whose curves are wanted; None: the newest."""
        self.charted = ""
        """The metric that is charted, beside the study's own and the training loss."""
        self.pages: dict[str, Job] = {}
        self._done = Progress()
        self._evidence: evidence.WeekEvidence | None = None
        self._worked_out: object = None
        """The database's stamp when these two were worked out."""
        self._plans: dict[str, tuple[str, Study]] = {}
        self._lines: tuple[StudyLine, ...] = ()
        self._seen: tuple[object, ...] = ()
        self._focus: Focus | None = None
        self._settled: dict[str, StudyLine] = {}
        self._runs: dict[int, tuple[tuple[object, ...], RunView]] = {}
        """Each run of the study in focus: its row and what is charted, and what is shown of it."""
        self._scanned = float("-inf")
        self._looked = self._more = False
        """Whether a look has been taken, and whether it left curves for the next one."""
        self._trained: str | None = None
        """The study that trained last, while one looked."""
        self._unreadable: dict[str, str] = {}
        """Why the studies that can't be read can't, by id."""
        self._watches: dict[str, alerts.AlertWatch] = {}
        """A look at each study that trains, for what a person is to be told."""
        self.looked: Looked | None = None
        """How far the look at all studies came that was not finished."""

    def take(self, store: Store, *, ingest: bool = True) -> Snapshot:
        """A fresh snapshot. ``ingest`` takes the trainers' new events in first."""
        if ingest:
            self._ingest(store)
        stamp = store.stamp().beside_progress  # a tick is no reason to look at the studies
        seen = (stamp, self.watched, self.charted, tuple(self._unreadable))
        running = {line.id for line in self._lines if line.state == "running"}
        if seen != self._seen or running or self._more:
            self._look(store)
            if ingest and self._take_in_what_ended(store, running):
                self._look(store)
            self._seen = seen
        if ingest and self._focus is not None:
            self._focus = with_wandb(self._focus)
        pages = {name: job(store) for name, job in self.pages.items()}
        done = self._progress(store)
        news = tuple(self._news()) if ingest else ()
        return Snapshot(done, self._lines, self._focus, pages, news, self.looked)

    def _progress(self, store: Store) -> Progress:
        """Ticks, answers and minutes; worked out again only when the database or a file that counts
        has changed."""
        now = (store.stamp(), learner_tables.timer_stamp(store))
        if now != self._worked_out or (self._evidence and self._evidence.facts.changed_files):
            self._done = progress.recorded_progress(store, self.week)
            if self.content is not None:
                self._evidence = evidence.find_evidence(
                    store, self.content, self._done, self._evidence
                )
                self._done = evidence.tick_by_evidence(self._done, self._evidence)
            self._worked_out = now
        return self._done

    def _news(self) -> Iterator[str]:
        """What of the studies that train is seen for the first time."""
        alive = [line.id for line in self._lines if line.state == "running"]
        self._watches = {name: self._watches[name] for name in alive if name in self._watches}
        for name in alive:
            with contextlib.suppress(Problem):
                study = self._plan(name)
                watch = self._watches.get(name)
                if watch is None or watch.study is not study:
                    watch = self._watches[name] = alerts.AlertWatch(study)
                for kind in watch.poll():
                    yield alerts.alert_text(name, kind)

    def _ingest(self, store: Store) -> None:
        now = time.monotonic()
        if self.looked or now - self._scanned > SCAN:  # new studies, and those that nobody trains
            self._scanned = now
            self._look_at_all(store, now + PATIENCE)
            self._tend()
            return
        for line in self._lines:
            if line.state == "running":
                with contextlib.suppress(Problem):
                    ingest_events.take_in(store, self._plan(line.id), whole=False)

    def _take_in_what_ended(self, store: Store, ran: set[str]) -> bool:
        """A study that trained at the last look and does not now is read whole: a planned range
        that is over has another plan, and its last runs may have ended since."""
        ended = [line.id for line in self._lines if line.id in ran and line.state != "running"]
        for study_id in ended:
            with contextlib.suppress(Problem):
                ingest_events.take_in(store, self._plan(study_id))
        return bool(ended)

    def _look_at_all(self, store: Store, until: float) -> None:
        before = self.looked

        def tell(looked: Looked) -> str:
            whole = looked.is_whole
            self.looked = None if whole else added(before, looked)
            return ingest_events.ENOUGH if not whole and time.monotonic() > until else ""

        found = ingest_events.take_in_all(store, tell)
        # of those that this look did not reach, the last one's word stands
        self._unreadable = {**self._unreadable, **found} if self.looked else found

    def _look(self, store: Store) -> None:
        """Bring the lines and the study in focus up to date; the latter is worked out once."""
        wanted = self.watched or self._foremost()
        self._focus = self._view(store, wanted)
        known = dict(self._settled)
        if self._focus is not None:
            known[self._focus.line.id] = self._focus.line
        self._lines = study_view.lines(store, known, self._unreadable)
        self._settled = {line.id: line for line in self._lines if line.state == "finished"}
        if not self.watched and self._foremost() != wanted:
            self._focus = self._view(store, self._foremost())

    def _foremost(self) -> str | None:
        """The study that trains; none does: the one that did, while one looked, else the newest."""
        sound = {line.id: line.state for line in self._lines if line.problem is None}
        self._trained = next(
            (name for name, state in sound.items() if state == "running"), self._trained
        )
        return self._trained if self._trained in sound else next(iter(sound), None)

    def _tend(self) -> None:
        """Have somebody here follow what trains elsewhere: its runner may have been killed."""
        for line in self._lines:
            if line.state == "running":
                with contextlib.suppress(Problem, OSError):
                    launch.resume_runner(self._plan(line.id))

    def _plan(self, study_id: str) -> Study:
        stamp = studies.plan_stamp(study_id)
        seen = self._plans.get(study_id)
        if seen is None or seen[0] != stamp:
            seen = self._plans[study_id] = (stamp, studies.load(study_id))
        return seen[1]

    def _view(self, store: Store, study_id: str | None) -> Focus | None:
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
        room = CURVES if self._looked else FIRST_CURVES
        self._more = False
        names = {*standard_names(study.metric)[:2], self.charted}
        for row in rows:
            values = (*row, self.charted)
            one = self._runs.get(row["id"])
            if one is None or one[0] != values:
                run = study_view.run_view(row, study.tokens_per_iter)
                if run.attempt and room == 0:  # its curve comes with the next look
                    self._more = True
                    one = ((), run)
                else:
                    room -= 1 if run.attempt else 0
                    one = (values, study_view.with_curves(store, run, names))
            fresh[row["id"]] = one
        self._runs = fresh
        self._looked = True
        now = study_view.view_of(study, tuple(run for _, run in fresh.values()))
        before = self._focus if self._focus and self._focus.line.id == study_id else None
        wandb = before.wandb if before else None
        from q1lab.verdict.comparison_cache import kept  # a first paint may have no study to show

        return Focus(study, now.line, now.runs, now.engine, kept(store, study_id), wandb)


def added(before: Looked | None, now: Looked) -> Looked:
    """How far a look has come that goes on where the one before left off: it has fewer to look
    at."""
    if before is None:
        return now
    of = max(before.of, now.of)
    return Looked(of - now.of + now.studies, of, before.taken + now.taken)


def with_wandb(focus: Focus) -> Focus:
    """The study with its standing at W&B, which changes after the last run has ended, too."""
    from q1lab.study import wandb_runs as wandb_state

    standing = wandb_state.wandb_status(focus.study)
    return focus if standing == focus.wandb else replace(focus, wandb=standing)
