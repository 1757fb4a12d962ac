"""The frozen snapshot that every widget shows, and the store thread that reads it.

The store thread holds the app's one database connection. It polls a few times a second, and between
two polls it runs the jobs of the screens (tick this step, save that answer) and then reads a fresh
snapshot: the screen shows what is on disk. Nothing here imports Textual; the app passes in the
function that delivers.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from q1lab.ground import paths
from q1lab.ground.errors import Problem
from q1lab.journal.database import as_problem
from q1lab.journal.store import Store
from q1lab.week.progress import Progress
from q1lab.week.syllabus import Week

if TYPE_CHECKING:  # the first paint does without
    from q1lab.app.study_in_focus import StudyInFocus
    from q1lab.journal.study_view import StudyRow

Job = Callable[[Store], Any]


@dataclass(frozen=True)
class Snapshot:
    """Everything that the screens show, at one moment."""

    progress: Progress = field(default_factory=Progress)
    studies: tuple[StudyRow, ...] = ()
    """Newest first."""
    focus: StudyInFocus | None = None
    pages: dict[str, Any] = field(default_factory=dict)
    """Results of the jobs of single screens (see ``StoreThread.set_page_job``), by page name."""

    @property
    def training(self) -> StudyRow | None:
        """The study that trains now; of several, the newest."""
        return next((row for row in self.studies if row.state == "running"), None)


def studies_ended_between(before: Snapshot, after: Snapshot) -> list[StudyRow]:
    """The studies that trained in one snapshot and whose runs have all ended in the next."""
    trained = {row.id for row in before.studies if row.state == "running"}
    return [row for row in after.studies if row.id in trained and row.done == row.total]


def log_error() -> str:
    """Append the current exception's traceback to app.log; returns a message naming the file."""
    file = paths.home() / "app.log"
    with contextlib.suppress(OSError), file.open("a") as log:
        traceback.print_exc(file=log)
    return f"An error in q1lab. Nothing was lost; {file} has the details."


class Reader(Protocol):
    """What the store thread has its snapshots from."""

    content: Week | None
    watched: str | None
    """The id of the study to put in focus; None: the one that trains, else the newest."""
    charted: str
    """A metric to read curves of, beside the study's metric and the training loss."""
    pages: dict[str, Job]

    def read_snapshot(self, store: Store, *, ingest: bool = True) -> Snapshot:
        """A fresh snapshot; with ``ingest``, the trainers' new events are read into the store
        first."""


class StoreThread:
    """Runs submitted jobs, reads a snapshot, delivers it if it has changed; and again."""

    def __init__(
        self,
        make_reader: Callable[[], Reader],
        deliver: Callable[[Snapshot], object],
        fail: Callable[[str, str], object],
        *,
        say: Callable[[str], object] | None = None,
        file: Path | None = None,
        poll_seconds: float = 0.4,
    ) -> None:
        self._make_reader = make_reader
        self.deliver = deliver
        self.fail = fail
        self.say = say
        """Called with a line about what the thread waits for."""
        self.file = file
        self.poll_seconds = poll_seconds
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._last: Snapshot | None = None
        self._failure = ""

    @cached_property
    def reader(self) -> Reader:
        """The snapshot reader, created in this thread on first use."""
        return self._make_reader()

    def submit(self, job: Job) -> None:
        """Run ``job(store)`` in this thread, then read a snapshot."""
        self._jobs.put(job)

    def set_page_job(self, name: str, job: Job | None) -> None:
        """Store the result of ``job(store)`` under ``pages[name]`` in every snapshot; None
        removes the job."""

        def change(_: Store) -> None:
            if job is None:
                self.reader.pages.pop(name, None)
            else:
                self.reader.pages[name] = job

        self.submit(change)

    def watch_study(self, study_id: str | None) -> None:
        """Read this study's curves from now on; None: those of the newest study."""
        self.submit(lambda _: setattr(self.reader, "watched", study_id))

    def chart_metric(self, metric: str) -> None:
        """Also read the curves of this metric from now on."""
        self.submit(lambda _: setattr(self.reader, "charted", metric))

    def stop(self) -> None:
        """End the thread after the jobs submitted so far."""
        self._jobs.put(None)
        self._stopped.set()

    def run(self) -> None:
        """The thread's main loop, until ``stop``. An error is shown, and the loop goes on."""
        store = self._open()
        if store is None:
            return
        with store:
            jobs: list[Job | None] = []
            begun = False  # the first snapshot reads the database alone; the second, new events too
            while None not in jobs:
                ingest = begun and not jobs
                self._look(store, ingest=ingest, anew=bool(jobs))
                begun, jobs = True, self._wait_for_jobs(self.poll_seconds if ingest else 0.05)
                for job in jobs:
                    if job is not None:
                        self._do(store, job)

    def _open(self) -> Store | None:
        """The store, as soon as it can be opened; None if the thread is to end before that."""
        while True:
            try:
                return Store(self.file, on_wait=self.say)
            except Problem as problem:
                self._note_failure(problem)
            if self._stopped.wait(self.poll_seconds):
                return None

    def _look(self, store: Store, *, ingest: bool, anew: bool) -> None:
        """Read a snapshot, and deliver it if it has changed, or ``anew``."""
        try:
            with as_problem(store.file):
                snapshot = self.reader.read_snapshot(store, ingest=ingest)
            if anew or snapshot != self._last:
                self.deliver(snapshot)
            self._last, self._failure = snapshot, ""
        except Exception as error:
            self._note_failure(error)

    def _note_failure(self, error: Exception) -> None:
        """Show an error; the same one is shown once, and not for each poll."""
        if repr(error) != self._failure:
            self._failure = repr(error)
            if isinstance(error, Problem):
                self.fail("The database can't be used", str(error))
            else:
                self._log("The app could not read your records")

    def _wait_for_jobs(self, seconds: float) -> list[Job | None]:
        """The jobs submitted until now; waits up to ``seconds`` for the first. None ends the
        thread."""
        jobs = []
        with contextlib.suppress(queue.Empty):
            jobs.append(self._jobs.get(timeout=seconds))
            while True:
                jobs.append(self._jobs.get_nowait())
        return jobs

    def _do(self, store: Store, job: Job) -> None:
        try:
            with as_problem(store.file):
                job(store)
        except Problem as problem:
            self.fail("That did not work", str(problem))
        except Exception:
            self._log("That did not work")

    def _log(self, title: str) -> None:
        """Log an unexpected error and show it."""
        self.fail(title, log_error())
