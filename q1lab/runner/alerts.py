"""When a person is to be told about a study: it has ended, a run diverged, nothing has come for
long.

The runner looks, since it is there with or without a viewer and wherever the study trains, and
starts the learner's own command (``on_end`` in config.toml) through
``q1lab.commands.run_on_end``. The app and whoever follows in a terminal look, too: they ring, and
ask the terminal for a notification.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from q1lab.ground.files import size_of
from q1lab.study import engine_state
from q1lab.study.engine_state import RUNNING
from q1lab.study.events import closing_exit
from q1lab.study.run_states import RunState
from q1lab.study.studies import Study

ENDED, DIVERGED, STALLED = "ended", "diverged", "stalled"
ALERT_KINDS = (ENDED, DIVERGED, STALLED)

STALL = 900.0
"""Seconds without an event of any run from which a study counts as stalled."""

POLL_INTERVAL = 5.0
"""Seconds between two looks."""


def alert_text(study_id: str, kind: str) -> str:
    """What to say of a study that goes on."""
    if kind == DIVERGED:
        return f"A run of {study_id} diverged: its loss is not finite any more."
    return f"{study_id} has written nothing for {STALL / 60:.0f} minutes."


class AlertWatch:
    """Looks at one launch of a study; tells each thing once, a stall once per stall."""

    def __init__(self, study: Study, clock: Callable[[], float] = time.monotonic) -> None:
        self.study, self.clock = study, clock
        self.sizes = self._sizes()
        self.moved = self.looked = clock()
        self.stalled = False
        self.diverged = self._diverged(self.sizes)
        """Runs of an earlier launch are no news."""

    def poll(self) -> list[str]:
        """What is new: some of ``diverged`` and ``stalled``. Cheap, and at most every ``EVERY``
        seconds."""
        now = self.clock()
        if now - self.looked < POLL_INTERVAL:
            return []
        self.looked = now
        if self._waits():
            self.moved = now
        news = []
        sizes = self._sizes()
        changed = [name for name, size in sizes.items() if size != self.sizes.get(name)]
        if changed:
            self.sizes, self.moved, self.stalled = sizes, now, False
            diverged = self._diverged(changed)
            if diverged - self.diverged:
                news.append(DIVERGED)
            self.diverged = (self.diverged - set(changed)) | diverged
        elif now - self.moved >= STALL and not self.stalled:
            self.stalled = True
            news.append(STALLED)
        return news

    def _waits(self) -> bool:
        """Whether an engine has the study and none of its runs is at work: silence in a cluster's
        queue is no stall."""
        word = engine_state.read_status(self.study.files.root)
        if word is None or word.over:
            return False
        return not any(seen.state == RUNNING for seen in word.cells.values())

    def _sizes(self) -> dict[str, int]:
        return {run.name: size_of(self.study.files.run(run.name).events) for run in self.study.runs}

    def _diverged(self, names: Iterable[str]) -> set[str]:
        ends = {name: closing_exit(self.study.files.run(name).events) for name in names}
        return {name for name, end in ends.items() if end and end["state"] == RunState.DIVERGED}
