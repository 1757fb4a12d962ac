"""`q1lab sync`: upload to Weights & Biases what is kept offline."""

from __future__ import annotations

import time

import click

from q1lab.doors.weights_and_biases.client import FINISH_SECONDS
from q1lab.doors.weights_and_biases.upload import upload_study
from q1lab.ground.errors import FAILED, OK, UNFINISHED, Problem
from q1lab.ground.files import is_locked, plain, remove
from q1lab.study import studies
from q1lab.study import wandb_runs as wandb_state
from q1lab.study.liveness import is_alive
from q1lab.study.studies import Study

UPLOAD_SECONDS = 600.0
"""How long the upload of a study may take."""


@click.command(
    epilog="""\b
Examples:
  q1lab sync
  q1lab sync rope-1
  q1lab sync rope-1 --fresh"""
)
@click.argument("study", required=False)
@click.option(
    "--fresh",
    is_flag=True,
    help="Upload STUDY as new runs: after its runs were deleted at W&B, say.",
)
def sync(study: str | None, fresh: bool) -> int:
    """Upload STUDY to W&B (default: every study that is not off).

    A study is done when every run of it is confirmed: `wandb sync` ended well and left its mark.
    Runs that went up in part, and folders that are broken, are made anew from the events. The exit
    status is 0 when nothing is left to upload.
    """
    if fresh and not study:
        raise Problem("--fresh needs the study's name", next="`q1lab status` lists them")
    if study:
        chosen = [studies.load(study)]
    else:
        chosen = [one for one in studies.load_readable() if one.trainer.wandb != "disabled"]
    if not chosen:
        click.echo("nothing to upload: no study uses W&B")
        return OK
    code = OK
    for one in chosen:
        if fresh and not is_alive(one.files):
            _reset_uploads(one)
        before = wandb_state.pending_runs(one)
        if not before:
            click.echo(_status_line(one))
            continue
        if is_alive(one.files):
            click.echo(f"{one.id}: still running; sync it when its runs have ended", err=True)
            code = code or UNFINISHED
            continue
        if not wandb_state.key_configured():
            raise Problem(
                "no W&B key is configured",
                FAILED,
                next=f"run `{wandb_state.wandb_command('login')}`, then `q1lab sync` again",
            )
        click.echo(
            f"{one.id}: uploading {len(before)} run{'s' if len(before) != 1 else ''} …", err=True
        )
        _wait_for_relay(one)
        upload_study(one, UPLOAD_SECONDS)
        click.echo(_status_line(one))
        if wandb_state.pending_runs(one):
            code = FAILED
    return code


def _wait_for_relay(study: Study) -> None:
    """A relay may still be ending the study's runs at a server that does not answer: say so, and
    wait until it is through. Problem after ``SECONDS``."""
    lock = wandb_state.relay_lock(study)
    if not is_locked(lock):
        return
    click.echo(
        f"{study.id}: waiting for its relay, which still ends the runs at W&B "
        f"(about {FINISH_SECONDS:.0f} s where the server does not answer) …",
        err=True,
    )
    deadline = time.monotonic() + UPLOAD_SECONDS
    while is_locked(lock):
        if time.monotonic() > deadline:
            raise Problem(
                f"the relay of {study.id} is still at work", FAILED, next="try again later"
            )
        time.sleep(0.2)


def _reset_uploads(study: Study) -> None:
    """Give the runs new ids and drop what wandb keeps under the old ones; the events are all it
    takes."""
    if is_locked(wandb_state.relay_lock(study)):
        raise Problem(
            f"the relay of {study.id} is still at work", FAILED, next="try again in a moment"
        )
    old = [
        folder
        for run in wandb_state.read_relayed_runs(study).values()
        for folder in wandb_state.wandb_folders(study, run.id)
    ]
    wandb_state.mint_new_ids(study)
    for folder in old:
        remove(folder)


def _status_line(study: Study) -> str:
    status = wandb_state.wandb_status(study)
    return plain(f"{study.id}: {status.words}" + (f"  {status.url}" if status.url else ""))
