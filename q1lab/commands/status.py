"""`q1lab status`: what runs, what is done, what is next. Imports nothing heavy."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict

import click

from q1lab.commands._store import open_store
from q1lab.commands.live_progress import run_line as live_line
from q1lab.ground.errors import OK, Problem, notice
from q1lab.ground.text_formats import cut_middle, duration
from q1lab.index import ingest_events, lost_lines, study_labels, study_view
from q1lab.index.study_labels import Labels
from q1lab.index.study_view import StudyView
from q1lab.runner import launch
from q1lab.study import studies
from q1lab.study import wandb_runs as wandb_state
from q1lab.study.run_states import STATE_SYMBOLS, RunState
from q1lab.study.studies import Study

MAX_STUDIES = 8
"""Studies that are told about; --json has all."""

MAX_RUNS = 20
"""Lines about the runs of one study."""


@click.command(epilog="Example: q1lab status --json")
@click.option("--json", "as_json", is_flag=True, help="Every study and run as JSON.")
@click.option("--tag", metavar="TAG", help="Only studies that have this tag.")
def status(as_json: bool, tag: str | None) -> int:
    """What runs, what is done, what is next."""
    with open_store() as store:
        for words in lost_lines.told(store.file, store.journal):
            notice(words)
        unreadable = ingest_events.take_in_all(store)
        lines = study_view.lines(store, unreadable=unreadable)
        if tag is not None:
            tagged = study_labels.tagged(store, tag)
            lines = tuple(line for line in lines if line.id in tagged)
            unreadable = {line.id: unreadable[line.id] for line in lines if line.id in unreadable}
        # the study that a command without a name means comes first
        good = studies.oldest_first(line.id for line in lines if line.problem is None)[::-1]
        if as_json:
            views = [study_view.look(store, studies.load(name), new_events=False) for name in good]
            told = [study_record(one, study_labels.read(store, one.study.id)) for one in views]
            found = {"studies": told, "broken": unreadable}
            click.echo(json.dumps(found, indent=2))
            return OK
        shown = [
            study_view.look(store, studies.load(name), new_events=False)
            for name in good[:MAX_STUDIES]
        ]
        noted = {one.study.id: study_labels.read(store, one.study.id) for one in shown}
    if not lines:
        click.echo(f"No study yet. Start one: q1lab run {_chosen_variant()} --seeds 3")
    for one in shown:
        if one.engine and one.alive:
            launch.resume_runner(one.study)
        click.echo(study_summary(one))
        for text in label_lines(noted[one.study.id]):
            click.echo(f"    {text}")
        for text in wandb_lines(one.study, newest=one is shown[0]):
            click.echo(f"    {text}")
        for text in run_lines(one):
            click.echo(f"    {text}")
    if len(good) > MAX_STUDIES:
        click.echo(f"… and {len(good) - MAX_STUDIES:,} older studies (--json lists them all)")
    for line in lines:
        if line.problem is not None:
            click.echo(f"{STATE_SYMBOLS[RunState.FAILED]} {line.id} can't be read: {line.problem}")
    if shown:
        click.echo(f"next: {next_command(shown)}")
    return OK


def run_lines(one: StudyView) -> list[str]:
    """The runs worth a line: those under way, and those that did not finish."""
    if not one.alive and one.line.state not in ("crashed", "failed", "stopped"):
        return []
    wanted = [run for run in one.runs if run.state not in (RunState.QUEUED, RunState.FINISHED)]
    wanted.sort(key=lambda run: run.state is not RunState.RUNNING)
    more = len(wanted) - MAX_RUNS
    return [live_line(run, one.study.metric.name) for run in wanted[:MAX_RUNS]] + (
        [f"… and {more} more runs (--json lists them all)"] if more > 0 else []
    )


def study_summary(view: StudyView) -> str:
    study = view.study
    now = view.line
    where = f" {view.engine}" if view.engine else ""
    left = f", about {duration(now.seconds_left)} left" if now.seconds_left else ""
    # an imported study has no preset
    what = [f"{study.variant} against {study.baseline}", study.trainer.recipe, study.data.name]
    return (
        f"{study.id}: {', '.join(part for part in what if part)}: "
        f"{now.state}{where}, {now.done} of {now.total} runs done{left}"
    )


def _chosen_variant() -> str:
    """The modification that was chosen for the week, else one to try."""
    from q1lab.commands import _documents as shared
    from q1lab.index import learner_tables

    with contextlib.suppress(Problem), open_store() as store:
        return learner_tables.chosen(store, shared.current_week().label) or "rope"
    return "rope"


def label_lines(found: Labels) -> list[str]:
    """The learner's tags and note on a study, where there are any."""
    return [
        *([f"tags: {', '.join(found.tags)}"] if found.tags else []),
        *([f"note: {cut_middle(found.note, 200)}"] if found.note else []),
    ]


def wandb_lines(study: Study, *, newest: bool) -> list[str]:
    """How the study stands with W&B; off is said of the newest only, which also says how to open it
    here."""
    standing = wandb_state.wandb_status(study)
    if standing.state == wandb_state.OFF:
        return ["W&B off"] if newest else []
    lines = [f"W&B {standing.words}"]
    if standing.url:
        lines.append(f"W&B {standing.url}")
    if newest and wandb_state.has_wandb_folders(study):
        lines.append(f"in the terminal: {wandb_state.leet_command(study)}")
    return lines


def wandb_record(study: Study) -> dict[str, object]:
    standing = wandb_state.wandb_status(study)
    return {
        "state": standing.state,
        "error": standing.error,
        "url": standing.url,
        "leet": wandb_state.leet_command(study) if wandb_state.has_wandb_folders(study) else None,
        "runs": {
            name: {"id": run.id, "state": run.state, "error": run.error, "url": run.url}
            for name, run in standing.runs.items()
        },
    }


def next_command(views: list[StudyView]) -> str:
    """The command that makes sense now, for the newest study; ``views`` has the newest first."""
    newest = views[0]
    if newest.alive:
        return f"q1lab attach {newest.study.id}"
    if newest.line.state != "finished":
        from q1lab.study import command_line

        return command_line.resume_command(newest.study)
    ended = [one.study for one in reversed(views) if one.line.state == "finished"]
    mine = [study for study in ended if study.variant == newest.study.variant]
    if len(mine) == 1:
        return f"q1lab compare {newest.study.id}"
    # a small experiment beside the modification is no result to go on with
    from q1lab.verdict.comparison_cache import foremost

    return f"q1lab compare {(foremost(mine, lambda one: len(one.seeds)) or newest.study).id}"


def study_record(view: StudyView, noted: Labels) -> dict[str, object]:
    study = view.study
    return {
        "study": study.id,
        "variant": study.variant,
        "baseline": study.baseline,
        "preset": study.trainer.recipe,
        "data": {"name": study.data.name, "sha256": study.data.sha256},
        "device": study.trainer.device,
        "dtype": study.trainer.number_format,
        "metric": asdict(study.metric),
        "state": view.line.state,
        "engine": view.engine or None,
        "done": view.line.done,
        "seconds_left": view.line.seconds_left,
        "tags": list(noted.tags),
        "note": noted.note,
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
                "latest": run.eval_loss,
                "value": run.val_loss,
                "tokens_per_s": run.tokens_per_s,
                "attempt": run.attempt,
                "message": run.message,
            }
            for run in view.runs
        ],
    }
