"""Uploads the runs that W&B has not confirmed: each is written offline again, from its events, and
handed to `wandb sync`."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from q1lab.ground import paths
from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import open_private, private_folder, remove_inside
from q1lab.judgment.run_states import RunState
from q1lab.study import child_processes
from q1lab.study.studies import Study
from q1lab.study.wandb_runs import (
    ERROR,
    SYNCED,
    SYNCING,
    mint_ids,
    pending_runs,
    scrub_keys,
    update_run,
    wandb_folders,
)
from q1lab.train.weights_and_biases.client import (
    OpenRun,
    check_server,
    error_text,
    find_run,
    rows_at_wandb,
    stop_wandb_service,
    write_log,
)

BUSY = 3
"""The relay's exit status when another relay holds the study's lock."""

SYNC_SECONDS = 300.0
"""Seconds that one `wandb sync` may take."""


def upload_pending(study: Study) -> bool:
    """Upload every run that W&B has not confirmed. True if all are confirmed in the end.

    Each run is written into an offline folder, which stays. If W&B has rows of it already, only the
    rest is handed to `wandb sync`, from another folder. What became of each run is written into
    ``runs.json``.
    """
    ids = mint_ids(study)
    names = pending_runs(study)
    runs = [OpenRun(study, run, ids[run.name]) for run in study.runs if run.name in names]
    for run in runs:
        run.read_events()
    runs = [run for run in runs if run.history.started]
    try:
        whole = [_write_whole(run) for run in runs]
        stop_wandb_service()
        check_server()
        rest = [_write_rest(run) for run in runs]
        stop_wandb_service()
        for run in runs:
            update_run(study, run.name, state=SYNCING, offset=run.offset)
        error = _wandb_sync([part or all_ for part, all_ in zip(rest, whole, strict=True)])
        for run, folder in zip(runs, whole, strict=True):
            _note_outcome(run, folder, error)
        for folder in filter(None, rest):
            remove_inside(folder)
    except Exception as failure:
        for name in pending_runs(study):
            update_run(study, name, state=ERROR, error=error_text(failure))
        write_log(f"{study.id}: {error_text(failure)}")
    return not pending_runs(study)


def _write_whole(run: OpenRun) -> Path:
    """Write an offline folder with the run's whole history, and delete older ones of this run."""
    old = wandb_folders(run.study, run.wandb_id)
    folder = _write_offline(run, 0)
    for each in old:
        remove_inside(each)
    return folder


def _write_rest(run: OpenRun) -> Path | None:
    """Write an offline folder with the rows that W&B lacks; None if it lacks all of them."""
    first = rows_at_wandb(run.wandb_id)
    return _write_offline(run, first) if first else None


def _write_offline(run: OpenRun, first: int) -> Path:
    """Write a closed offline folder with the run's rows from ``first`` on; returns its path."""
    run.open("offline", first)
    folder = run.study.files.wandb / Path(run.handle.dir).parent.name
    run.log_rows()
    run.finish(RunState.CRASHED)
    return folder


def _note_outcome(run: OpenRun, whole: Path, error: str | None) -> None:
    """Write down what became of a run: its rows at W&B are counted, as `wandb sync` says that it
    uploaded runs which the server refused."""
    rows = rows_at_wandb(run.wandb_id) if error is None else 0
    if error is None and rows < len(run.history.rows):
        error = f"W&B has {rows} of the run's {len(run.history.rows)} rows"
    if error is not None:
        update_run(run.study, run.name, state=ERROR, error=error)
        return
    (whole / f"run-{run.wandb_id}.wandb.synced").touch()  # wandb's own mark
    url = scrub_keys(find_run(run.wandb_id).url)
    update_run(run.study, run.name, state=SYNCED, error=None, url=url)


def _wandb_sync(folders: list[Path]) -> str | None:
    """Run `wandb sync` on the folders; what it complained of, or None."""
    env = {name: value for name, value in os.environ.items() if name != "WANDB_SILENT"}
    env["WANDB_RESUME"] = "allow"  # rows that W&B has stay
    with child_processes.running_child(
        [
            *child_processes.python_module("wandb"),
            *("sync", "--include-synced"),
            *map(str, folders),
        ],
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
            return f"{late}; `q1lab sync` continues it"
    lines = [line.removeprefix("wandb: ").strip() for line in output.splitlines()]
    errors = [line for line in lines if re.search(r"error|fail|refus|denied|HTTP \d", line, re.I)]
    if not errors and child.returncode == 0:
        return None
    last = (errors or lines or [f"exit status {child.returncode}"])[-1]
    return f"`wandb sync` failed: {error_text(Exception(last))}"


def upload_study(study: Study, seconds: float) -> None:
    """Upload a study by a relay process, which is ended after ``seconds``. It must be another
    process, because a wandb that met a broken server may still hold the runs' ids.

    ``wandb_status(study)`` has the outcome. Problem if the relay did not end in time, or another
    one is at work."""
    private_folder(study.files.wandb)
    command = [
        *child_processes.python_module("q1lab.train.weights_and_biases.relay"),
        "--sync",
        str(study.files.root),
    ]
    with (
        open_private(study.files.relay_log) as log,
        child_processes.running_child(
            command,
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
