"""Following one study: its events become rows of W&B runs while they are written."""

from __future__ import annotations

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

from q1lab.doors.weights_and_biases.client import (
    FINISH_SECONDS,
    RunUpload,
    check_server,
    error_text,
    load_study,
    open_run,
    remove_folders,
    stop_wandb_service,
    write_log,
)
from q1lab.study import wandb_runs as wandb_state
from q1lab.study.liveness import is_alive
from q1lab.study.run_states import RunState
from q1lab.study.studies import Study
from q1lab.study.wandb_runs import ERROR, OFFLINE, SYNCING

POLL_SECONDS = 0.4
"""Seconds between two looks at the events."""

MAX_CLOSING = 16
"""Runs that are closed side by side."""

RETRY_SECONDS = 60.0
"""Seconds before a server that failed is tried again."""


class Relay:
    """Follows one study until its lock is free."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.lines: dict[str, RunUpload] = {}
        self.due: list[RunUpload] = []
        """Runs that have ended and are to be closed at W&B."""
        self.not_before = 0.0
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
            if not alive or self.stop.wait(POLL_SECONDS):
                break
        self.due = [line for line in self.lines.values() if line.handle is not None]
        self._close_together(RunState.CRASHED)
        stop_wandb_service()

    def _take_plan(self) -> None:
        """Read the plan (again: it may have grown), mint the ids that are missing, open a line per
        run."""
        self.study = load_study(self.study.files.root)
        wandb_state.mint_ids(self.study)
        known = wandb_state.read_relayed_runs(self.study)
        for run in self.study.runs:
            if run.name in self.lines:
                continue
            line = self.lines[run.name] = RunUpload(self.study, run)
            # where it was closed before, by this relay or by one before it
            line.closed_at = known[run.name].offset or -1

    def _step(self, line: RunUpload) -> None:
        line.read_events()
        projection = line.projection
        if not projection.started:
            return
        if line.handle is None and (line.closed_at >= line.offset or not self._open(line)):
            return
        try:
            line.log_rows()
        except Exception as error:
            self._lost(line, error)
            return
        if projection.ended is not None:
            self.due.append(line)
            if len(self.due) >= MAX_CLOSING:
                self._close_together()

    def _close_together(self, state: RunState | None = None) -> None:
        """Close the runs that are due side by side: a server that is gone lets each of them wait
        FINISH seconds."""
        due, self.due = self.due, []
        if len(due) > 1:
            write_log(f"ending {len(due)} runs at W&B; at most {FINISH_SECONDS:.0f} s")
        for start in range(0, len(due), MAX_CLOSING):
            with ThreadPoolExecutor(MAX_CLOSING) as pool:
                list(
                    pool.map(
                        lambda line: self._close(line, state), due[start : start + MAX_CLOSING]
                    )
                )

    def _open(self, line: RunUpload) -> bool:
        """Begin the run, at W&B or in a folder here; False while that can't be."""
        study, name = self.study, line.run.name
        online = study.trainer.wandb == "online"
        if time.monotonic() < self.not_before:
            return False
        relay = wandb_state.read_relayed_runs(study)[name]
        old = wandb_state.wandb_folders(study, relay.id)
        try:
            if online:
                check_server()
                wandb_state.update_run(study, name, sent=True)
            mode: Literal["online", "offline"] = "online" if online else "offline"
            config = line.projection.config
            line.handle = open_run(study, line.run, relay, config, mode, resume=online)
        # wandb is a guest here: whatever it raises must not end the relay
        except Exception as error:
            self._failed(line, error_text(error))
            return False
        line.written = line.handle.starting_step if online and line.handle.resumed else 0
        there = {"url": line.handle.url, "entity": line.handle.entity} if online else {}
        state = SYNCING if online else OFFLINE
        wandb_state.update_run(study, name, state=state, error=None, offset=0, **there)
        if not online:
            remove_folders(old)
        return True

    def _failed(self, line: RunUpload, text: str, **more: Any) -> None:
        """W&B is left alone for a while. The events have everything: a run that is under way is
        opened again then, and a sync uploads what is left."""
        write_log(f"{line.run.name}: {text}")
        self.not_before = time.monotonic() + RETRY_SECONDS
        wandb_state.update_run(self.study, line.run.name, state=ERROR, error=text, **more)

    def _lost(self, line: RunUpload, error: BaseException) -> None:
        """wandb gave up on an open run."""
        handle, line.handle = line.handle, None
        with contextlib.suppress(Exception):
            handle.finish(exit_code=1)
        self._failed(line, error_text(error))

    def _close(self, line: RunUpload, state: RunState | None) -> None:
        offset = line.offset
        try:
            line.finish_run(state)
        except Exception as error:
            kept = "everything is kept, `q1lab sync` uploads it"
            self._failed(line, f"{error_text(error)} at the end of the run; {kept}", offset=offset)
        else:
            wandb_state.update_run(self.study, line.run.name, offset=offset)
