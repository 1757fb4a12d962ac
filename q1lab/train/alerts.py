"""Alerts about a study that is watched, in the app or a terminal: a run diverged, or no event has
come for long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from q1lab.ground.files import file_size
from q1lab.ground.text_formats import duration
from q1lab.judgment.run_states import RunState
from q1lab.study.events import closing_exit
from q1lab.study.studies import Study

DIVERGED, STALLED = "diverged", "stalled"

STALL = 900.0
"""Seconds without an event of any run from which a study counts as stalled."""

POLL_INTERVAL = 5.0
"""Seconds between two polls."""


def alert_text(study_id: str, kind: str) -> str:
    """The alert's text, for a study that goes on."""
    if kind == DIVERGED:
        return f"A run of {study_id} diverged: its loss is not finite any more."
    return f"{study_id} has written nothing for {duration(STALL)}."


class AlertWatch:
    """Watches one launch of a study and reports each alert once, a stall once per stall."""

    def __init__(self, study: Study, clock: Callable[[], float] = time.monotonic) -> None:
        self.study, self.clock = study, clock
        self.sizes = self._sizes()
        self.last_growth = self.last_poll = clock()
        self.stalled = False
        self.diverged = self._diverged(self.sizes)
        """Runs that diverged before this launch give no alert."""

    def poll(self) -> list[str]:
        """The alerts that are new: some of ``diverged`` and ``stalled``. Cheap; looks at the files
        at most every ``POLL_INTERVAL`` seconds."""
        now = self.clock()
        if now - self.last_poll < POLL_INTERVAL:
            return []
        self.last_poll = now
        news = []
        sizes = self._sizes()
        changed = [name for name, size in sizes.items() if size != self.sizes.get(name)]
        if changed:
            self.sizes, self.last_growth, self.stalled = sizes, now, False
            diverged = self._diverged(changed)
            if diverged - self.diverged:
                news.append(DIVERGED)
            self.diverged = (self.diverged - set(changed)) | diverged
        elif now - self.last_growth >= STALL and not self.stalled:
            self.stalled = True
            news.append(STALLED)
        return news

    def _sizes(self) -> dict[str, int]:
        return {
            run.name: file_size(self.study.files.run(run.name).events) for run in self.study.runs
        }

    def _diverged(self, names: Iterable[str]) -> set[str]:
        ends = {name: closing_exit(self.study.files.run(name).events) for name in names}
        return {name for name, end in ends.items() if end and end["state"] == RunState.DIVERGED}
