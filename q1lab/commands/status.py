"""`q1lab status`: what runs, what is done, what is next. Imports nothing heavy."""

from __future__ import annotations

import json

import click

from q1lab.commands.live import line, minutes_text
from q1lab.errors import OK, Problem
from q1lab.index.store import Store
from q1lab.index.view import StudyView, look
from q1lab.study import command, launch, studies
from q1lab.study.states import State
from q1lab.study.studies import Study
from q1lab.tracking import state as wandb_state

SHOWN = 8


@click.command(epilog="Example: q1lab status --json")
@click.option("--json", "as_json", is_flag=True, help="Every study and run as JSON.")
def status(as_json: bool) -> int:
    """What runs, what is done, what is next."""
    ids = studies.ids()
    views: list[StudyView] = []
    broken: dict[str, str] = {}
    with Store() as store:
        for study_id in reversed(ids):
            try:
                views.append(look(store, studies.load(study_id)))
            except Problem as problem:
                broken[study_id] = str(problem)
    if as_json:
        click.echo(
            json.dumps({"studies": [record(view) for view in views], "broken": broken}, indent=2)
        )
        return OK
    if not views and not broken:
        click.echo("No study yet. Start one: q1lab run rope --seeds 3")
    for view in views[:SHOWN]:
        if view.engine and view.alive:
            launch.tend(view.study)
        click.echo(summary(view))
        for text in wandb_lines(view.study, newest=view is views[0]):
            click.echo(f"    {text}")
        if view.alive or view.line.state in ("crashed", "failed", "stopped"):
            for run in view.runs:
                if run.state not in (State.QUEUED, State.FINISHED):
                    click.echo(f"    {line(run)}")
    if len(views) > SHOWN:
        click.echo(f"… and {len(views) - SHOWN} older studies (--json lists them all)")
    for study_id, reason in broken.items():
        click.echo(f"{study_id}: {reason}")
    if views:
        click.echo(f"next: {next_step(views)}")
    return OK


def summary(view: StudyView) -> str:
    study = view.study
    now = view.line
    where = f" {view.engine}" if view.engine else ""
    left = f", about {minutes_text(now.seconds_left)} left" if now.seconds_left else ""
    return (
        f"{study.id}: {study.variant} against {study.baseline}, {study.preset}, {study.data.name}: "
        f"{now.state}{where}, {now.done} of {now.total} runs done{left}"
    )


def wandb_lines(study: Study, *, newest: bool) -> list[str]:
    """How the study stands with W&B; off is said of the newest only, which also says how to open it
    here."""
    standing = wandb_state.status(study)
    if standing.state == wandb_state.OFF:
        return ["W&B off"] if newest else []
    lines = [f"W&B {standing.words}"]
    if standing.url:
        lines.append(f"W&B {standing.url}")
    if newest and wandb_state.kept(study):
        lines.append(f"in the terminal: {wandb_state.leet_command(study)}")
    return lines


def wandb_record(study: Study) -> dict[str, object]:
    standing = wandb_state.status(study)
    return {
        "state": standing.state,
        "error": standing.error,
        "url": standing.url,
        "leet": wandb_state.leet_command(study) if wandb_state.kept(study) else None,
        "runs": {
            name: {"id": run.id, "state": run.state, "error": run.error, "url": run.url}
            for name, run in standing.runs.items()
        },
    }


def next_step(views: list[StudyView]) -> str:
    """The command that makes sense now, for the newest study."""
    view = views[0]
    if view.alive:
        return f"q1lab attach {view.study.id}"
    if view.line.state == "finished":
        return f"q1lab compare {view.study.id}"
    return command.text(command.of_study(view.study))


def record(view: StudyView) -> dict[str, object]:
    study = view.study
    return {
        "study": study.id,
        "variant": study.variant,
        "baseline": study.baseline,
        "preset": study.preset,
        "data": {"name": study.data.name, "sha256": study.data.sha256},
        "device": study.device,
        "dtype": study.dtype,
        "state": view.line.state,
        "engine": view.engine or None,
        "done": view.line.done,
        "seconds_left": view.line.seconds_left,
        "wandb": wandb_record(study),
        "runs": [
            {
                "run": run.name,
                "arm": run.arm,
                "seed": run.seed,
                "state": str(run.state),
                "iter": run.iter,
                "max_iters": run.max_iters,
                "train_loss": run.train_loss,
                "val_loss": run.val_loss,
                "tokens_per_s": run.tokens_per_s,
                "attempt": run.attempt,
                "message": run.message,
            }
            for run in view.runs
        ],
    }
