"""`q1lab status`: what runs, what is done, what is next. Imports nothing heavy."""

from __future__ import annotations

import json

import click

from q1lab.commands.live import line, minutes_text
from q1lab.errors import OK, Problem
from q1lab.index.store import Store
from q1lab.index.view import StudyView, look
from q1lab.study import studies
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
        click.echo(summary(view))
        for text in wandb_lines(view.study, newest=view is views[0]):
            click.echo(f"    {text}")
        if view.alive or view.state in ("crashed", "failed", "stopped"):
            for cell in view.cells:
                if cell.state not in (State.QUEUED, State.FINISHED):
                    click.echo(f"    {line(cell)}")
    if len(views) > SHOWN:
        click.echo(f"… and {len(views) - SHOWN} older studies (--json lists them all)")
    for study_id, reason in broken.items():
        click.echo(f"{study_id}: {reason}")
    if views:
        click.echo(f"next: {next_step(views)}")
    return OK


def summary(view: StudyView) -> str:
    study = view.study
    left = f", about {minutes_text(view.eta)} left" if view.eta else ""
    return (
        f"{study.id}: {study.variant} against {study.baseline}, {study.preset}, {study.data.name}: "
        f"{view.state}, {view.done} of {len(view.cells)} runs done{left}"
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
    from q1lab.commands.run import command

    view = views[0]
    if view.alive:
        return f"q1lab attach {view.study.id}"
    if view.state == "finished":
        return f"q1lab compare {view.study.id}"
    return command(view.study)


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
        "state": view.state,
        "done": view.done,
        "seconds_left": view.eta,
        "wandb": wandb_record(study),
        "runs": [
            {
                "run": cell.name,
                "arm": cell.arm,
                "seed": cell.seed,
                "state": str(cell.state),
                "iter": cell.iter,
                "max_iters": cell.max_iters,
                "train_loss": cell.train_loss,
                "val_loss": cell.val_loss,
                "tokens_per_s": cell.tokens_per_s,
                "attempt": cell.attempt,
                "message": cell.message,
            }
            for cell in view.cells
        ],
    }
