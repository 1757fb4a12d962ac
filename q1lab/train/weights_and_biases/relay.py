"""The relay, the only process that talks to Weights & Biases: it follows a study's events and
repeats them there with wandb's own client.

``relay STUDY_DIR``          follow the study to its end, then upload what did not arrive
``relay --sync STUDY_DIR``   upload the runs that W&B has not confirmed (`q1lab sync`)

An upload writes the runs offline again, from their events, and hands them to `wandb sync`.

The trainers know nothing of the relay and no process waits for it, so it may block, fail or be
killed. It keeps no state that matters: the ids were minted before the launch, and row n of a run is
always the same.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from q1lab.ground import paths
from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import open_private, private_folder, remove_inside, try_lock
from q1lab.ground.secret_text import without_secrets
from q1lab.judgment.run_states import RunState
from q1lab.study import child_processes, studies
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
    update_run,
    wandb_folders,
)
from q1lab.train.weights_and_biases.client import (
    OpenRun,
    check_server,
    error_text,
    prepared_process,
    rows_and_url,
    stop_wandb_service,
    write_log,
)

POLL_SECONDS = 0.4
"""Seconds between two readings of the events."""

RETRY_SECONDS = 60.0
"""Seconds before a server that failed is tried again."""

SYNC_SECONDS, LAST_UPLOAD_SECONDS = 300.0, 420.0
"""Seconds that one `wandb sync` may take, and the whole upload at the end of a study."""

BUSY = 3
"""The exit status when another relay holds the study's lock."""


class Relay:
    """A relay that follows one study until its processes have ended."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.online = study.trainer.wandb == "online"
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
        if not self.online:
            stop_wandb_service()

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
        if run.handle is None and (self.closed_at[run.name] >= run.offset or not self._open(run)):
            return
        try:
            run.log_rows()
        except Exception as error:
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
            if self.online:
                check_server()
            run.open("online" if self.online else "offline")
        # wandb is a guest here: whatever it raises must not end the relay
        except Exception as error:
            self._note_failure(run, error_text(error))
            return False
        if self.online:
            url = without_secrets(run.handle.url)
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
            if self.online:
                run.check_arrived()
        except Exception as error:
            why = f"{error_text(error)} at the end of the run"
            self._note_failure(
                run, f"{why}; everything is kept, `q1lab sync` uploads it", offset=run.offset
            )
        else:
            outcome = SYNCED if self.online else OFFLINE
            update_run(self.study, run.name, state=outcome, offset=run.offset)

    def _note_failure(self, run: OpenRun, text: str, **more: Any) -> None:
        """Note the failure and leave W&B alone for ``RETRY_SECONDS``. Nothing is lost: the run is
        opened again from its events, or a sync uploads it."""
        run.handle = None
        write_log(f"{run.name}: {text}")
        self.not_before = time.monotonic() + RETRY_SECONDS
        update_run(self.study, run.name, state=ERROR, error=text, **more)


# ── the upload of what did not arrive


def upload_pending(study: Study) -> None:
    """Write what W&B lacks of each run that it has not confirmed into an offline folder, hand these
    to `wandb sync`, which appends, and note what became of each run. The folders stay."""
    ids, names = mint_ids(study), pending_runs(study)
    if not names:
        return
    runs = [OpenRun(study, run, ids[run.name]) for run in study.runs if run.name in names]
    for run in runs:
        run.read_events()
    there: dict[str, int] = {}
    try:
        try:
            check_server()
            there |= {run.name: rows_and_url(run.wandb_id)[0] for run in runs}
        finally:
            folders = [_write_offline(run, there.get(run.name, 0)) for run in runs]
            stop_wandb_service()
        for run in runs:
            update_run(study, run.name, state=SYNCING, offset=run.offset)
        _wandb_sync(folders)
        for run in runs:
            update_run(study, run.name, state=SYNCED, error=None, url=run.check_arrived())
    except Exception as failure:
        for name in pending_runs(study):
            update_run(study, name, state=ERROR, error=error_text(failure))
        write_log(f"{study.id}: {error_text(failure)}")


def _write_offline(run: OpenRun, first: int) -> Path:
    """Write a closed offline folder with the run's rows from ``first`` on, and delete older ones of
    this run if it holds all of them; returns its path."""
    old = wandb_folders(run.study, run.wandb_id) if first == 0 else []
    run.open("offline", first)
    folder = run.study.files.wandb / Path(run.handle.dir).parent.name
    run.log_rows()
    run.finish(RunState.CRASHED)
    for each in old:
        remove_inside(each)
    return folder


def _wandb_sync(folders: list[Path]) -> None:
    """Run `wandb sync` on the folders; Problem with what it complained of."""
    env = {name: value for name, value in os.environ.items() if name != "WANDB_SILENT"}
    with child_processes.running_child(
        [*child_processes.python_module("wandb"), "sync", *map(str, folders)],
        seconds=SYNC_SECONDS,
        env=env,
        cwd=folders[0].parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as child:
        try:
            output, _ = child.communicate(timeout=SYNC_SECONDS)
        except subprocess.TimeoutExpired:
            late = f"the upload was not through after {SYNC_SECONDS:.0f} s"
            raise Problem(late, FAILED, next="`q1lab sync` continues it") from None
    lines = [line.removeprefix("wandb: ").strip() for line in output.splitlines()]
    errors = [line for line in lines if re.search(r"error|fail|refus|denied|HTTP \d", line, re.I)]
    if errors or child.returncode:
        last = (errors or lines or [f"exit status {child.returncode}"])[-1]
        raise Problem(f"`wandb sync` failed: {error_text(Exception(last))}", FAILED)


def upload_study(study: Study, seconds: float) -> None:
    """Upload a study by another relay process, which is ended after ``seconds``: a wandb that met a
    broken server may still hold the runs' ids.

    ``wandb_status(study)`` has the outcome. Problem if the relay did not end in time, or another
    one is at work."""
    private_folder(study.files.wandb)
    module = child_processes.python_module("q1lab.train.weights_and_biases.relay")
    with (
        open_private(study.files.relay_log) as log,
        child_processes.running_child(
            [*module, "--sync", str(study.files.root)],
            seconds=seconds,
            env={**os.environ, "Q1LAB_HOME": str(paths.home())},
            cwd=study.files.root,
            stdout=log,
            stderr=log,
        ) as child,
    ):
        try:
            code = child.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise Problem(
                f"{study.id} was not uploaded within {seconds:.0f} s",
                FAILED,
                next=f"`q1lab sync {study.id}` continues it",
            ) from None
    if code == BUSY:
        raise Problem(
            f"the relay of {study.id} is still at work", FAILED, next="try again in a moment"
        )


# ── the process


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
            upload_pending(study)
        else:
            relay = Relay(study)
            signal.signal(signal.SIGTERM, lambda *_: relay.stop.set())
            relay.follow()
            os.close(lock)
            study = relay.study
            if not relay.online or relay.stop.is_set():
                return 0
            if pending_runs(study):
                upload_study(study, LAST_UPLOAD_SECONDS)
        return 1 if pending_runs(study) else 0


if __name__ == "__main__":
    try:
        status = main(sys.argv[1:])
    except Exception as error:  # the runner starts the relay again at once: don't let it spin
        write_log(f"{type(error).__name__}: {error_text(error)}")
        status = error.code if isinstance(error, Problem) else FAILED
        time.sleep(3)
    os._exit(status)  # wandb's exit hooks may wait for a server that is gone
