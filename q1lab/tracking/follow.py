"""Following one study: its events become rows of W&B runs while they are written."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from q1lab.study.alive import is_alive
from q1lab.study.states import State
from q1lab.study.studies import Study
from q1lab.tracking import state as wandb_state
from q1lab.tracking.client import (
    FINISH,
    Line,
    RestartError,
    UnreachableError,
    folder_of,
    load,
    open_run,
    reach,
    reason,
    remove,
    say,
    settle,
)
from q1lab.tracking.state import ERROR, OFFLINE, SYNCING

POLL = 0.4
"""Seconds between two looks at the events."""

PAUSE = "Q1LAB_RELAY_PAUSE"
"""Environment of a relay that started itself anew: the seconds for which it stays offline."""

AT_ONCE = 16
"""Runs that are closed side by side."""

RETRY = 60.0
"""Seconds before a server that failed is tried again for the next run; until then runs are kept
offline."""


class Relay:
    """Follows one study until its lock is free."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.lines: dict[str, Line] = {}
        self.due: list[Line] = []
        """Runs that have ended and are to be closed at W&B."""
        self.not_before = time.monotonic() + float(os.environ.pop(PAUSE, 0))
        """Monotonic time before which W&B isn't tried again."""
        self.stop = threading.Event()

    def follow(self) -> None:
        """Until nothing of the study is alive, and every event is written."""
        plan = self.study.files.plan
        seen = None
        while True:
            # before reading: no last event can slip in between
            alive = is_alive(self.study.files)
            stamp = plan.stat().st_mtime_ns
            if stamp != seen:
                seen = stamp
                self._take_plan()
            for line in self.lines.values():
                self._step(line)
            self._close_together()
            if not alive or self.stop.wait(POLL):
                break
        self.due = [line for line in self.lines.values() if line.handle is not None]
        self._close_together(State.CRASHED)
        settle(self.study)

    def _take_plan(self) -> None:
        """Read the plan (again: it may have grown), mint the ids that are missing, open a line per
        run."""
        self.study = load(self.study.files.root)
        wandb_state.mint(self.study)
        known = wandb_state.read(self.study)
        for run in self.study.runs:
            if run.name in self.lines:
                continue
            line = Line(self.study, run)
            relay = known[run.name]
            if relay.offset:  # closed before, by this relay or by one before it
                line.closed_at = relay.offset
            self.lines[run.name] = line

    def _step(self, line: Line) -> None:
        line.read()
        projection = line.projection
        if not projection.started:
            return
        if line.handle is None:
            if line.closed_at >= line.offset:
                return
            self._open(line)
        try:
            line.write()
        # wandb is a guest here: whatever it raises must not end the relay
        except Exception as error:
            self._lost(line, error)
            return
        if projection.ended is not None:
            self.due.append(line)
            if len(self.due) >= AT_ONCE:
                self._close_together()

    def _close_together(self, state: State | None = None) -> None:
        """Close the runs that are due side by side: a server that is gone lets each of them wait
        FINISH seconds."""
        due, self.due = self.due, []
        if len(due) > 1:
            say(f"ending {len(due)} runs at W&B; at most {FINISH:.0f} s")
        for start in range(0, len(due), AT_ONCE):
            with ThreadPoolExecutor(AT_ONCE) as pool:
                list(pool.map(lambda line: self._close(line, state), due[start : start + AT_ONCE]))

    def _open(self, line: Line) -> None:
        study, run = self.study, line.run
        relay = wandb_state.read(study)[run.name]
        config = line.projection.config
        error: str | None = None
        line.written = 0
        if study.wandb == "online":
            try:
                if time.monotonic() < self.not_before:
                    raise UnreachableError(relay.error or self._last_error())
                reach()
                wandb_state.update(study, run.name, sent=True, state=SYNCING)
                line.handle = open_run(study, run, relay, config, "online", resume=True)
                line.mode = "online"
                line.written = line.handle.starting_step if line.handle.resumed else 0
                wandb_state.update(
                    study,
                    run.name,
                    state=SYNCING,
                    error=None,
                    url=line.handle.url,
                    entity=line.handle.entity,
                    closed=False,
                    folder=None,
                    offset=0,
                )
                return
            except Exception as problem:
                error = reason(problem)
                if time.monotonic() >= self.not_before:
                    say(f"{run.name}: kept offline, since {error}")
                    self.not_before = time.monotonic() + RETRY
                line.written = 0
        old = wandb_state.folders(study, relay.id)
        try:
            line.handle = open_run(study, run, relay, config, "offline", resume=False)
        except Exception as problem:
            wandb_state.update(
                study, run.name, state=ERROR, error=error or reason(problem), offset=0
            )
            raise RestartError(reason(problem)) from problem
        line.mode = OFFLINE
        remove(old)
        wandb_state.update(
            study,
            run.name,
            state=ERROR if error else OFFLINE,
            error=error,
            folder=folder_of(line.handle),
            closed=False,
            offset=0,
        )

    def _last_error(self) -> str:
        errors = [relay.error for relay in wandb_state.read(self.study).values() if relay.error]
        return errors[-1] if errors else "W&B did not answer a moment ago"

    def _lost(self, line: Line, error: BaseException) -> None:
        """wandb gave up on an open run: the next step opens it again, from the events."""
        text = reason(error)
        say(f"{line.run.name}: {text}")
        handle, line.handle = line.handle, None
        self.not_before = time.monotonic() + RETRY
        with contextlib.suppress(Exception):
            handle.finish(exit_code=1)
        wandb_state.update(self.study, line.run.name, state=ERROR, error=text)

    def _close(self, line: Line, state: State | None) -> None:
        offset, rows = line.offset, len(line.projection.rows)
        online = line.mode == "online"
        try:
            line.finish(state)
        except Exception as error:
            text = (
                f"{reason(error)} at the end of the run; everything is kept, "
                "`q1lab sync` uploads it"
            )
            say(f"{line.run.name}: {text}")
            self.not_before = time.monotonic() + RETRY
            wandb_state.update(
                self.study, line.run.name, state=ERROR, error=text, offset=offset, rows=rows
            )
            return
        wandb_state.update(
            self.study, line.run.name, offset=offset, rows=rows, closed=not online, digest=None
        )
