"""Follows one study: its events become rows of W&B runs while they are written."""

from __future__ import annotations

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

from q1lab.judgment.run_states import RunState
from q1lab.study import wandb_runs as wandb_state
from q1lab.study.liveness import is_alive
from q1lab.study.studies import Study
from q1lab.study.wandb_runs import ERROR, OFFLINE, SYNCING
from q1lab.train.weights_and_biases.client import (
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

POLL_SECONDS = 0.4
"""Seconds between two readings of the events."""

MAX_CLOSING = 16
"""Most runs that are closed at the same time."""

RETRY_SECONDS = 60.0
"""Seconds before a server that failed is tried again."""


class Relay:
    """A relay that follows one study until its processes have ended."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.run_uploads: dict[str, RunUpload] = {}
        self.due: list[RunUpload] = []
        """Runs that have ended and are to be closed at W&B."""
        self.not_before = 0.0
        """Monotonic time of the next attempt to reach W&B."""
        self.stop = threading.Event()

    def follow(self) -> None:
        """Relay events until the study's processes have ended, and all events are at W&B or
        stored."""
        plan = self.study.files.plan
        last_stamp = None
        while True:
            # checked before the events are read, so that the last ones are seen
            alive = is_alive(self.study.files)
            stamp = plan.stat().st_mtime_ns
            if stamp != last_stamp:
                last_stamp = stamp
                self._read_plan()
            for run_upload in self.run_uploads.values():
                self._relay_run(run_upload)
            self._close_due()
            if not alive or self.stop.wait(POLL_SECONDS):
                break
        self.due = [
            run_upload for run_upload in self.run_uploads.values() if run_upload.handle is not None
        ]
        self._close_due(RunState.CRASHED)
        stop_wandb_service()

    def _read_plan(self) -> None:
        """Read the plan, which may have grown, mint ids for new runs, and add a ``RunUpload`` for
        each."""
        self.study = load_study(self.study.files.root)
        wandb_state.mint_ids(self.study)
        relay_by_run = wandb_state.read_relayed_runs(self.study)
        for run in self.study.runs:
            if run.name in self.run_uploads:
                continue
            run_upload = self.run_uploads[run.name] = RunUpload(self.study, run)
            # the offset where this relay or an earlier one closed the run
            run_upload.closed_at = relay_by_run[run.name].offset or -1

    def _relay_run(self, run_upload: RunUpload) -> None:
        run_upload.read_events()
        projection = run_upload.projection
        if not projection.started:
            return
        if run_upload.handle is None and (
            run_upload.closed_at >= run_upload.offset or not self._open(run_upload)
        ):
            return
        try:
            run_upload.log_rows()
        except Exception as error:
            self._abandon(run_upload, error)
            return
        if projection.ended is not None:
            self.due.append(run_upload)
            if len(self.due) >= MAX_CLOSING:
                self._close_due()

    def _close_due(self, state: RunState | None = None) -> None:
        """Close the runs that are due in parallel: a server that is gone makes each of them wait
        ``FINISH_SECONDS``."""
        due, self.due = self.due, []
        if len(due) > 1:
            write_log(f"ending {len(due)} runs at W&B; at most {FINISH_SECONDS:.0f} s")
        for start in range(0, len(due), MAX_CLOSING):
            with ThreadPoolExecutor(MAX_CLOSING) as pool:
                list(
                    pool.map(
                        lambda run_upload: self._close(run_upload, state),
                        due[start : start + MAX_CLOSING],
                    )
                )

    def _open(self, run_upload: RunUpload) -> bool:
        """Open the run at W&B, or in an offline folder. False if that fails, or has failed just
        now."""
        study, name = self.study, run_upload.run.name
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
            config = run_upload.projection.config
            run_upload.handle = open_run(study, run_upload.run, relay, config, mode, resume=online)
        # wandb is a guest here: whatever it raises must not end the relay
        except Exception as error:
            self._note_failure(run_upload, error_text(error))
            return False
        run_upload.written = (
            run_upload.handle.starting_step if online and run_upload.handle.resumed else 0
        )
        address = (
            {"url": run_upload.handle.url, "entity": run_upload.handle.entity} if online else {}
        )
        state = SYNCING if online else OFFLINE
        wandb_state.update_run(study, name, state=state, error=None, offset=0, **address)
        if not online:
            remove_folders(old)
        return True

    def _note_failure(self, run_upload: RunUpload, text: str, **more: Any) -> None:
        """Note the failure and leave W&B alone for ``RETRY_SECONDS``. Nothing is lost: an open run
        is then opened again from its events, and a sync uploads the rest."""
        write_log(f"{run_upload.run.name}: {text}")
        self.not_before = time.monotonic() + RETRY_SECONDS
        wandb_state.update_run(self.study, run_upload.run.name, state=ERROR, error=text, **more)

    def _abandon(self, run_upload: RunUpload, error: BaseException) -> None:
        """Give up the handle of an open run after wandb raised ``error``."""
        handle, run_upload.handle = run_upload.handle, None
        with contextlib.suppress(Exception):
            handle.finish(exit_code=1)
        self._note_failure(run_upload, error_text(error))

    def _close(self, run_upload: RunUpload, state: RunState | None) -> None:
        offset = run_upload.offset
        try:
            run_upload.finish_run(state)
        except Exception as error:
            consolation = "everything is kept, `q1lab sync` uploads it"
            self._note_failure(
                run_upload,
                f"{error_text(error)} at the end of the run; {consolation}",
                offset=offset,
            )
        else:
            wandb_state.update_run(self.study, run_upload.run.name, offset=offset)
