"""Uploads the runs that no upload has confirmed yet."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from q1lab.ground import paths
from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import open_private, printable, private_folder
from q1lab.judgment.run_states import RunState
from q1lab.study import child_processes
from q1lab.study import wandb_runs as wandb_state
from q1lab.study.liveness import is_alive
from q1lab.study.studies import Study
from q1lab.study.wandb_runs import ERROR, SYNCED, SYNCING, scrub_keys
from q1lab.train.weights_and_biases.client import (
    RunUpload,
    UnreachableError,
    check_server,
    count_uploaded_rows,
    error_text,
    open_run,
    remove_folders,
    stop_wandb_service,
    write_log,
)

BUSY = 3
"""The relay's exit status when another relay holds the study's lock."""

UPLOAD_SECONDS = 300.0
"""Seconds that one `wandb sync` may take."""


def upload_pending(study: Study) -> bool:
    """Upload every run that no upload has confirmed. True if all are confirmed in the end.

    Each run is written from its events into an offline folder, which stays. If W&B has rows of it
    already, only the rest is uploaded, from another folder. The outcome of each run, and its last
    error, is stored in ``runs.json``.
    """
    wandb_state.mint_ids(study)
    names = wandb_state.pending_runs(study)
    run_uploads = [RunUpload(study, run) for run in study.runs if run.name in names]
    for run_upload in run_uploads:
        run_upload.read_events()
    run_uploads = [run_upload for run_upload in run_uploads if run_upload.projection.started]
    if not run_uploads:
        return not names
    try:
        whole_folders = {
            run_upload.run.name: _write_whole(run_upload) for run_upload in run_uploads
        }
        stop_wandb_service()
        check_server()
        folder_to_send = {
            run_upload.run.name: _write_rest(run_upload) or whole_folders[run_upload.run.name]
            for run_upload in run_uploads
        }
        stop_wandb_service()
    except Exception as error:
        for run_upload in run_uploads:
            wandb_state.update_run(study, run_upload.run.name, state=ERROR, error=error_text(error))
        write_log(f"{study.id}: {error_text(error)}")
        return False
    for run_upload in run_uploads:
        wandb_state.update_run(
            study, run_upload.run.name, state=SYNCING, sent=True, offset=run_upload.offset
        )
    code, output = _run_wandb_sync(list(folder_to_send.values()))
    urls = dict(re.findall(r"\[[^\]\n]*/([a-z0-9]{8})\] View run .*? at (https?://\S+)", output))
    for name, folder in folder_to_send.items():
        relay = wandb_state.read_relayed_runs(study)[name]
        if code == 0 and list(folder.glob("*.wandb.synced")):
            url = urls.get(relay.id, relay.url)
            wandb_state.update_run(study, name, state=SYNCED, error=None, url=url)
            (whole_folders[name] / f"run-{relay.id}.wandb.synced").touch(mode=0o600)
        else:
            wandb_state.update_run(study, name, state=ERROR, error=_sync_error(code, output))
        if folder != whole_folders[name]:
            remove_folders([folder])
    return not wandb_state.pending_runs(study)


def _write_whole(run_upload: RunUpload) -> Path:
    """Write an offline folder with the run's whole history, and delete older ones of this run."""
    old = wandb_state.wandb_folders(
        run_upload.study, wandb_state.read_relayed_runs(run_upload.study)[run_upload.run.name].id
    )
    folder = _write_offline(run_upload, 0)
    remove_folders(old)
    return folder


def _write_offline(run_upload: RunUpload, first: int) -> Path:
    """Write a closed offline folder with the run's rows from ``first`` on; returns its path."""
    relay = wandb_state.read_relayed_runs(run_upload.study)[run_upload.run.name]
    config = run_upload.projection.config
    run_upload.handle = open_run(
        run_upload.study, run_upload.run, relay, config, "offline", resume=first > 0
    )
    folder = run_upload.study.files.wandb / Path(run_upload.handle.dir).parent.name
    run_upload.written = first
    run_upload.log_rows()
    run_upload.finish_run(RunState.RUNNING if is_alive(run_upload.files) else RunState.CRASHED)
    return folder


def _write_rest(run_upload: RunUpload) -> Path | None:
    """Write an offline folder with the rows that W&B lacks; None if it lacks all of them."""
    relay = wandb_state.read_relayed_runs(run_upload.study)[run_upload.run.name]
    uploaded_rows, rows = (
        count_uploaded_rows(relay) if relay.sent else 0,
        len(run_upload.projection.rows),
    )
    if uploaded_rows > rows:
        raise UnreachableError(
            f"W&B holds {uploaded_rows} rows for {run_upload.run.name} ({relay.id}) and the "
            f"events {rows}; they are not the same run, and nothing was uploaded"
        )
    return _write_offline(run_upload, uploaded_rows) if uploaded_rows else None


def _run_wandb_sync(folders: list[Path]) -> tuple[int, str]:
    """Run `wandb sync` on the folders; returns its exit code (-1 if it took too long) and
    output."""
    env = {key: value for key, value in os.environ.items() if key != "WANDB_SILENT"}
    command = [
        *child_processes.python_module("wandb"),
        "sync",
        "--include-online",
        "--include-synced",
    ]
    with child_processes.running_child(
        [*command, *map(str, folders)],
        seconds=UPLOAD_SECONDS,
        env=env,
        cwd=folders[0].parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as child:
        try:
            output, _ = child.communicate(timeout=UPLOAD_SECONDS)
            code = child.returncode
        except subprocess.TimeoutExpired:
            child.kill()  # its service ends with it
            output, _ = child.communicate()
            code = -1
    return code, scrub_keys(printable(output))


def _sync_error(code: int, output: str) -> str:
    if code == -1:
        return f"the upload was not through after {UPLOAD_SECONDS:.0f} s; `q1lab sync` continues it"
    lines = [line.removeprefix("wandb: ").strip() for line in output.splitlines()]
    error_lines = [
        line for line in lines if re.search(r"error|fail|refus|denied|invalid|HTTP \d", line, re.I)
    ]
    error_lines = error_lines or lines
    why = error_text(Exception(error_lines[-1])) if error_lines else "it said nothing"
    return (
        f"`wandb sync` left no mark (exit {code}): {why}"
        if code == 0
        else f"`wandb sync` failed: {why}"
    )


def upload_study(study: Study, seconds: float) -> None:
    """Upload a study by a relay process, which is ended after ``seconds``. It must be another
    process, because a wandb that met a broken server may still hold the runs' ids.

    ``wandb_state.wandb_status(study)`` has the outcome. Problem if the relay did not end in time,
    or another one is at work."""
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
