"""When a person is to be told about a study: it has ended, a run diverged, nothing has come for
long.

The runner looks, since it is there with or without a viewer and wherever the study trains, and
starts the learner's own command (``on_end`` in config.toml) through ``q1lab.commands.tell``. The
app rings and notifies by itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from q1lab.files import size_of
from q1lab.study.events import last_event
from q1lab.study.states import State
from q1lab.study.studies import Study

ENDED, DIVERGED, STALLED = "ended", "diverged", "stalled"
KINDS = (ENDED, DIVERGED, STALLED)

STALL = 900.0
"""Seconds without an event of any run from which a study counts as stalled."""

EVERY = 5.0
"""Seconds between two looks."""


class Watch:
    """Looks at one launch of a study; tells each thing once, a stall once per stall."""

    def __init__(self, study: Study, clock: Callable[[], float] = time.monotonic) -> None:
        self.study, self.clock = study, clock
        self.sizes = self._sizes()
        self.moved = self.looked = clock()
        self.stalled = False
        self.diverged = set(self._diverged())
        """Runs of an earlier launch are no news."""

    def look(self, *, waits: bool = False) -> list[str]:
        """What is new: some of ``diverged`` and ``stalled``. Cheap, and at most every ``EVERY``
        seconds. ``waits``: no run of it trains (a cluster's queue), so that silence is no stall."""
        now = self.clock()
        if waits:
            self.moved = now
        if now - self.looked < EVERY:
            return []
        self.looked = now
        news = []
        sizes = self._sizes()
        if sizes != self.sizes:
            self.sizes, self.moved, self.stalled = sizes, now, False
            diverged = set(self._diverged())
            if diverged - self.diverged:
                news.append(DIVERGED)
            self.diverged = diverged
        elif now - self.moved >= STALL and not self.stalled:
            self.stalled = True
            news.append(STALLED)
        return news

    def _sizes(self) -> dict[str, int]:
        return {run.name: size_of(self.study.files.run(run.name).events) for run in self.study.runs}

    def _diverged(self) -> list[str]:
        found = []
        for run in self.study.runs:
            end = last_event(self.study.files.run(run.name).events)
            if end is not None and end["type"] == "exit" and end.get("state") == State.DIVERGED:
                found.append(run.name)
        return found
