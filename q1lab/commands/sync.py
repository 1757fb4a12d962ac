"""`q1lab sync`: upload runs to Weights & Biases that are not there yet."""

from __future__ import annotations

import click

from q1lab.commands._names import study_argument
from q1lab.commands._output import print_text
from q1lab.compare.comparison_cache import resolve_study_id
from q1lab.ground.errors import FAILED, OK, UNFINISHED, Problem
from q1lab.ground.files import is_locked
from q1lab.ground.text_formats import plural
from q1lab.study import studies
from q1lab.study import wandb_runs as wandb_state
from q1lab.study.liveness import is_alive
from q1lab.study.studies import Study
from q1lab.train.weights_and_biases.client import FINISH_SECONDS
from q1lab.train.weights_and_biases.relay import upload_study

UPLOAD_SECONDS = 600.0
"""Seconds that the upload of a study may take."""


@click.command(
    epilog="""\b
Examples:
  q1lab sync
  q1lab sync rope-1
  q1lab sync rope --show"""
)
@study_argument(required=False)
@click.option(
    "--show",
    is_flag=True,
    help="Upload nothing: list the runs of STUDY (or of a modification's study) as their W&B "
    "page does, and say where that page is.",
)
def sync(study: str | None, show: bool) -> int:
    """Upload STUDY to W&B (default: all but those with W&B off).

    What W&B lacks is written offline again, from the runs' events, and handed to `wandb sync`. A
    study is done when W&B has every row of its runs. With STUDY, its runs and their links are
    printed. The exit status is 0 when nothing is left to upload.
    """
    if show:
        return _show(study)
    if study:
        chosen = [studies.load(study)]
    else:
        chosen = [each for each in studies.load_readable() if each.trainer.wandb != "disabled"]
    if not chosen:
        click.echo("nothing to upload: no study uses W&B")
    code = OK
    for each in chosen:
        code = _upload(each) or code
        print_text("\n".join([_standing(each), *(wandb_state.run_lines(each) if study else [])]))
    return code


def _upload(study: Study) -> int:
    """Upload what W&B has not confirmed of a study; returns the exit status. Problem without a
    key, or if the relay is at work for too long."""
    before = wandb_state.pending_runs(study)
    if not before:
        return OK
    if is_alive(study.files):
        click.echo(f"{study.id}: still running; sync it when its runs have ended", err=True)
        return UNFINISHED
    if not wandb_state.key_configured():
        raise Problem(
            "no W&B key is configured",
            FAILED,
            next=f"run `{wandb_state.wandb_command('login')}`, then `q1lab sync` again",
        )
    click.echo(f"{study.id}: uploading {plural(len(before), 'run')} …", err=True)
    if is_locked(wandb_state.relay_lock(study)):
        click.echo(
            f"{study.id}: waiting for its relay, which still ends the runs at W&B "
            f"(about {FINISH_SECONDS:.0f} s where the server does not answer) …",
            err=True,
        )
    upload_study(study, UPLOAD_SECONDS)
    return FAILED if wandb_state.pending_runs(study) else OK


def _show(name: str | None) -> int:
    """Print the runs of a study, by default of the newest, and where they can be seen at W&B."""
    names = [resolve_study_id(name)] if name else [s.id for s in studies.load_readable()][-1:]
    if not names:
        click.echo("no study yet: `q1lab run` trains one")
        return OK
    study = studies.load(names[0])
    lines = [*wandb_state.run_lines(study), *wandb_state.where_to_look(study)]
    print_text("\n".join([_standing(study), *lines]))
    return OK


def _standing(study: Study) -> str:
    status = wandb_state.wandb_status(study)
    return f"{study.id}: {status.words}" + (f"  {status.url}" if status.url else "")
