"""The one frozen snapshot that every widget shows, and the desk that takes it.

The desk is one thread with one database connection. It looks a few times a second, and between two
looks it does what the screens ask for (tick this step, save that answer), each followed by a fresh
snapshot: what is on screen is what is on disk. Nothing here knows Textual; the app hands in a
function that delivers.
"""

from __future__ import annotations

import contextlib
import queue
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from q1lab.ground import paths
from q1lab.ground.errors import Problem
from q1lab.index.store import Store
from q1lab.week.progress import Progress

if TYPE_CHECKING:  # the first paint does without
    from q1lab.index.ingest_events import Looked
    from q1lab.index.study_view import StudyLine
    from q1lab.tui.snapshot_taker import Focus, Taker

Job = Callable[[Store], Any]


@dataclass(frozen=True)
class Snapshot:
    """Everything that is on screen, at one moment."""

    progress: Progress = field(default_factory=Progress)
    studies: tuple[StudyLine, ...] = ()
    """Newest first."""
    focus: Focus | None = None
    pages: dict[str, Any] = field(default_factory=dict)
    """What single screens asked for (see ``Desk.page``), by the page's name."""
    news: tuple[str, ...] = ()
    """What a person is to be told at this moment: a run diverged, a study stalled."""
    looked: Looked | None = None
    """How far a long first look at all studies has come; None when it is whole."""

    @property
    def training(self) -> StudyLine | None:
        """The study that trains now; the newest of them when there are several."""
        return next((line for line in self.studies if line.state == "running"), None)


def ended_since(before: Snapshot, after: Snapshot) -> list[StudyLine]:
    """The studies that trained at one look and have all their runs at the next."""
    trained = {line.id for line in before.studies if line.state == "running"}
    return [line for line in after.studies if line.id in trained and line.done == line.total]


def log_error() -> str:
    """Keep the traceback of the current exception, and say where it is."""
    file = paths.home() / "app.log"
    with contextlib.suppress(OSError), file.open("a") as log:
        traceback.print_exc(file=log)
    return f"An error in q1lab. Nothing was lost; {file} has the details."


class Desk:
    """The thread's work: do what was asked, look, deliver; again."""

    def __init__(
        self,
        make_taker: Callable[[], Taker],
        deliver: Callable[[Snapshot], object],
        fail: Callable[[str, str], object],
        *,
        file: Path | None = None,
        every: float = 0.4,
    ) -> None:
        self._make_taker = make_taker
        self.deliver = deliver
        self.fail = fail
        self.file = file
        self.every = every
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()

    @cached_property
    def taker(self) -> Taker:
        """What reads the store, made in the desk's thread."""
        return self._make_taker()

    def ask(self, job: Job) -> None:
        """Do ``job(store)`` in the desk's thread, then take a snapshot."""
        self._jobs.put(job)

    def page(self, name: str, job: Job | None) -> None:
        """Have every snapshot carry ``job(store)`` under ``pages[name]``; None takes it out
        again."""

        def change(_: Store) -> None:
            if job is None:
                self.taker.pages.pop(name, None)
            else:
                self.taker.pages[name] = job

        self.ask(change)

    def watch(self, study_id: str | None) -> None:
        """Look at this study's curves from now on; None: at the newest study."""
        self.ask(lambda _: setattr(self.taker, "watched", study_id))

    def chart(self, metric: str) -> None:
        """Read the curves of this metric, too, from now on."""
        self.ask(lambda _: setattr(self.taker, "charted", metric))

    def stop(self) -> None:
        """End the thread after what was asked before is done."""
        self._jobs.put(None)

    def work(self) -> None:
        """Runs in the desk's own thread until ``stop``. An error is told, and the work goes on."""
        store: Store | None = None
        last: Snapshot | None = None
        ingest = False  # the first look shows what the database knows; files come with the second
        while True:
            try:
                if store is None:
                    store = Store(self.file)
                    if store.notice:
                        self.fail("Your records", store.notice)
                snapshot = self.taker.take(store, ingest=ingest)
                if snapshot != last:
                    self.deliver(snapshot)
                last = snapshot
            except Problem as problem:
                self.fail("The database can't be used", str(problem))
                if store is None:
                    return
            except Exception:
                self._log("The desk stumbled")
            try:
                job = self._jobs.get(timeout=self._pause(ingest))
            except queue.Empty:
                ingest = True
                continue
            while True:
                if job is None:
                    if store is not None:
                        store.close()
                    return
                ingest = False
                last = None
                self._do(store, job)
                try:
                    job = self._jobs.get_nowait()
                except queue.Empty:
                    break

    def _pause(self, ingest: bool) -> float:
        """Seconds to wait for something to do before the next look."""
        if not ingest:
            return 0.05
        return 0.0 if self.taker.looked else self.every

    def _do(self, store: Store | None, job: Job) -> None:
        if store is None:
            return
        try:
            job(store)
        except Problem as problem:
            self.fail("That did not work", str(problem))
        except Exception:
            self._log("That did not work")

    def _log(self, title: str) -> None:
        """Tell about an error that nobody foresaw."""
        self.fail(title, log_error())
