"""The relay, the only process that talks to Weights & Biases: it follows a study's events and
repeats them there with wandb's own client.

``relay STUDY_DIR``          follow the study to its end, then upload what did not arrive
``relay --sync STUDY_DIR``   upload the runs that W&B has not confirmed (`q1lab sync`)

The trainers know nothing of it and no process waits for it, so it may block, fail or be killed. It
keeps no state that matters: the ids were minted before the launch, row n of a run is always the
same, and W&B says how many rows it has.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import private_folder, remove_inside, try_lock
from q1lab.judgment.run_states import RunState
from q1lab.study import studies
from q1lab.study.liveness import is_alive
from q1lab.study.studies import Study
from q1lab.study.wandb_runs import (
    ERROR,
    OFFLINE,
    SYNCED,
    SYNCING,
    mint_ids,
    pending_runs,
    read_relayed_runs,
    relay_lock,
    scrub_keys,
    update_run,
    wandb_folders,
)
from q1lab.train.weights_and_biases.client import (
    OpenRun,
    check_server,
    error_text,
    prepared_process,
    rows_at_wandb,
    stop_wandb_service,
    write_log,
)
from q1lab.train.weights_and_biases.upload import BUSY, upload_pending, upload_study

POLL_SECONDS = 0.4
"""Seconds between two readings of the events."""

RETRY_SECONDS = 60.0
"""Seconds before a server that failed is tried again."""

LAST_UPLOAD_SECONDS = 420.0
"""Seconds that the upload at the end of a study may take."""


class Relay:
    """A relay that follows one study until its processes have ended."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.runs: dict[str, OpenRun] = {}
        self.closed_at: dict[str, int] = {}
        """Run name → the bytes of its events that were there when it was last closed, by this relay
        or an earlier one."""
        self.not_before = 0.0
        """Monotonic time of the next attempt to reach W&B."""
        self.stop = threading.Event()

    def follow(self) -> None:
        """Relay events until the study's processes have ended."""
        plan, last_stamp = self.study.files.plan, 0
        while True:
            # checked before the events are read, so that the last ones are seen
            alive = is_alive(self.study.files)
            if (stamp := plan.stat().st_mtime_ns) != last_stamp:
                last_stamp = stamp
                self._read_plan()
            for run in self.runs.values():
                self._relay(run)
            if not alive or self.stop.wait(POLL_SECONDS):
                break
        for run in self.runs.values():
            if run.handle is not None:
                self._close(run, RunState.CRASHED)
        if not self._online:
            stop_wandb_service()

    @property
    def _online(self) -> bool:
        return self.study.trainer.wandb == "online"

    def _read_plan(self) -> None:
        """Read the plan, which may have grown, and mint ids for new runs."""
        self.study = studies.load(self.study.id)
        mint_ids(self.study)
        relayed = read_relayed_runs(self.study)
        for run in self.study.runs:
            if run.name not in self.runs:
                self.runs[run.name] = OpenRun(self.study, run, relayed[run.name].id)
                self.closed_at[run.name] = relayed[run.name].offset

    def _relay(self, run: OpenRun) -> None:
        run.read_events()
        if not run.history.started:
            return
        if run.handle is None and (self.closed_at[run.name] >= run.offset or not self._open(run)):
            return
        try:
            run.log_rows()
        except Exception as error:
            run.handle = None
            self._note_failure(run, error_text(error))
        else:
            if run.history.ended is not None:
                self._close(run)

    def _open(self, run: OpenRun) -> bool:
        """Open the run at W&B, or in an offline folder. False if that fails, or has failed just
        now."""
        if time.monotonic() < self.not_before:
            return False
        old = wandb_folders(self.study, run.wandb_id)
        try:
            if self._online:
                check_server()
            run.open("online" if self._online else "offline")
        # wandb is a guest here: whatever it raises must not end the relay
        except Exception as error:
            self._note_failure(run, error_text(error))
            return False
        if self._online:
            url = scrub_keys(run.handle.url)
            update_run(self.study, run.name, state=SYNCING, error=None, offset=0, url=url)
        else:
            update_run(self.study, run.name, state=OFFLINE, error=None, offset=0)
            for folder in old:
                remove_inside(folder)
        return True

    def _close(self, run: OpenRun, state: RunState | None = None) -> None:
        """Close the run. One that a dead server kept waiting is enough: the others are left to the
        upload at the end."""
        self.closed_at[run.name] = run.offset
        try:
            if time.monotonic() < self.not_before:
                raise Problem("W&B could not be reached", FAILED)
            run.finish(state)
            if self._online and rows_at_wandb(run.wandb_id) < len(run.history.rows):
                raise Problem("not every row arrived", FAILED)
        except Exception as error:
            run.handle = None
            why = f"{error_text(error)} at the end of the run"
            self._note_failure(
                run, f"{why}; everything is kept, `q1lab sync` uploads it", offset=run.offset
            )
        else:
            outcome = SYNCED if self._online else OFFLINE
            update_run(self.study, run.name, state=outcome, offset=run.offset)

    def _note_failure(self, run: OpenRun, text: str, **more: Any) -> None:
        """Note the failure and leave W&B alone for ``RETRY_SECONDS``. Nothing is lost: the run is
        opened again from its events, or a sync uploads it."""
        write_log(f"{run.name}: {text}")
        self.not_before = time.monotonic() + RETRY_SECONDS
        update_run(self.study, run.name, state=ERROR, error=text, **more)


def main(arguments: list[str]) -> int:
    """Follow or upload a study under the relay's lock, so that a study never has two relays."""
    *options, folder = arguments
    study = studies.load(Path(folder).name)
    private_folder(study.files.wandb)
    # another relay may be uploading; the command that asked for a sync has a time limit of its own
    lock = try_lock(relay_lock(study), wait=120 if options else 15)
    if lock is None:
        write_log(f"{study.id}: another relay is at work")
        return BUSY
    with prepared_process(study.files.root):
        if options == ["--sync"]:
            return 0 if upload_pending(study) else 1
        relay = Relay(study)
        signal.signal(signal.SIGTERM, lambda *_: relay.stop.set())
        relay.follow()
        os.close(lock)
        if relay.study.trainer.wandb != "online" or relay.stop.is_set():
            return 0
        if pending_runs(relay.study):
            upload_study(relay.study, LAST_UPLOAD_SECONDS)
        return 1 if pending_runs(relay.study) else 0


if __name__ == "__main__":
    try:
        status = main(sys.argv[1:])
    except Exception as error:  # the runner starts the relay again at once: don't let it spin
        write_log(f"{type(error).__name__}: {error_text(error)}")
        status = error.code if isinstance(error, Problem) else FAILED
        time.sleep(3)
    os._exit(status)  # wandb's exit hooks may wait for a server that is gone
