"""Uploading what no upload has confirmed yet."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from q1lab.doors.weights_and_biases.client import (
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
from q1lab.ground import paths
from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import open_private, plain, private_folder
from q1lab.runner import child_processes
from q1lab.study import wandb_runs as wandb_state
from q1lab.study.liveness import is_alive
from q1lab.study.run_states import RunState
from q1lab.study.studies import Study
from q1lab.study.wandb_runs import ERROR, SYNCED, SYNCING, scrub_keys

BUSY = 3
"""The relay's exit status when another one holds the study."""

UPLOAD_SECONDS = 300.0
"""Seconds that one upload may take."""


def upload_pending(study: Study) -> bool:
    """Upload every run that no upload has confirmed; True when all are confirmed in the end.

    Each is written into an offline folder, anew from its events, which stays. Where something
    arrived before, W&B is asked how many rows it has, and only the rest goes up, from a folder of
    its own. The outcome of each run, and the last error in words, is kept in ``runs.json``.
    """
    wandb_state.mint_ids(study)
    names = wandb_state.pending_runs(study)
    lines = [RunUpload(study, run) for run in study.runs if run.name in names]
    for line in lines:
        line.read_events()
    lines = [line for line in lines if line.projection.started]
    if not lines:
        return not names
    try:
        whole = {line.run.name: _write_whole(line) for line in lines}
        stop_wandb_service()
        check_server()
        going = {line.run.name: _write_rest(line) or whole[line.run.name] for line in lines}
        stop_wandb_service()
    except Exception as error:
        for line in lines:
            wandb_state.update_run(study, line.run.name, state=ERROR, error=error_text(error))
        write_log(f"{study.id}: {error_text(error)}")
        return False
    for line in lines:
        wandb_state.update_run(study, line.run.name, state=SYNCING, sent=True, offset=line.offset)
    code, said = _run_wandb_sync(list(going.values()))
    urls = dict(re.findall(r"\[[^\]\n]*/([a-z0-9]{8})\] View run .*? at (https?://\S+)", said))
    for name, folder in going.items():
        relay = wandb_state.read_relayed_runs(study)[name]
        if code == 0 and list(folder.glob("*.wandb.synced")):
            url = urls.get(relay.id, relay.url)
            wandb_state.update_run(study, name, state=SYNCED, error=None, url=url)
            (whole[name] / f"run-{relay.id}.wandb.synced").touch(mode=0o600)
        else:
            wandb_state.update_run(study, name, state=ERROR, error=_sync_error(code, said))
        if folder != whole[name]:
            remove_folders([folder])
    return not wandb_state.pending_runs(study)


def _write_whole(line: RunUpload) -> Path:
    """The run's folder with its whole history, in the place of what wandb had of it here."""
    old = wandb_state.wandb_folders(
        line.study, wandb_state.read_relayed_runs(line.study)[line.run.name].id
    )
    folder = _write_offline(line, 0)
    remove_folders(old)
    return folder


def _write_offline(line: RunUpload, first: int) -> Path:
    """A finished offline folder with the run's rows from ``first`` on."""
    relay = wandb_state.read_relayed_runs(line.study)[line.run.name]
    config = line.projection.config
    line.handle = open_run(line.study, line.run, relay, config, "offline", resume=first > 0)
    folder = line.study.files.wandb / Path(line.handle.dir).parent.name
    line.written = first
    line.log_rows()
    line.finish_run(RunState.RUNNING if is_alive(line.files) else RunState.CRASHED)
    return folder


def _write_rest(line: RunUpload) -> Path | None:
    """A folder with the rows that W&B lacks; None where it lacks all."""
    relay = wandb_state.read_relayed_runs(line.study)[line.run.name]
    have, rows = count_uploaded_rows(relay) if relay.sent else 0, len(line.projection.rows)
    if have > rows:
        raise UnreachableError(
            f"W&B holds {have} rows for {line.run.name} ({relay.id}) and the events {rows}; they "
            "are not the same run, and nothing was uploaded"
        )
    return _write_offline(line, have) if have else None


def _run_wandb_sync(folders: list[Path]) -> tuple[int, str]:
    """Run `wandb sync` on the folders; returns its exit code (-1: it took too long) and what it
    said."""
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
            said, _ = child.communicate(timeout=UPLOAD_SECONDS)
            code = child.returncode
        except subprocess.TimeoutExpired:
            child.kill()  # its service ends with it
            said, _ = child.communicate()
            code = -1
    return code, scrub_keys(plain(said))


def _sync_error(code: int, said: str) -> str:
    if code == -1:
        return (
            f"the upload was not through after {UPLOAD_SECONDS:.0f} s; `q1lab sync` goes on with it"
        )
    lines = [line.removeprefix("wandb: ").strip() for line in said.splitlines()]
    told = [
        line for line in lines if re.search(r"error|fail|refus|denied|invalid|HTTP \d", line, re.I)
    ]
    told = told or lines
    why = error_text(Exception(told[-1])) if told else "it said nothing"
    return (
        f"`wandb sync` left no mark (exit {code}): {why}"
        if code == 0
        else f"`wandb sync` failed: {why}"
    )


def upload_study(study: Study, seconds: float) -> None:
    """Have the relay upload a study, in a process of its own that ends after ``seconds`` at the
    latest: a wandb that met a broken server may still hold on to the runs' ids.

    How it went stands in ``wandb_state.wandb_status(study)``. Raises Problem where it could not
    even try.
    """
    private_folder(study.files.wandb)
    command = [
        *child_processes.python_module("q1lab.doors.weights_and_biases.relay"),
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
                next=f"`q1lab sync {study.id}` goes on with it",
            ) from None
    if code == BUSY:
        raise Problem(
            f"the relay of {study.id} is still at work", FAILED, next="try again in a moment"
        )
