"""`q1lab delete`, `prune` and `restore`: the upkeep of studies."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import click

from q1lab.commands import _documents as shared
from q1lab.commands._names import study_argument
from q1lab.commands._store import open_store
from q1lab.ground import paths, text_formats
from q1lab.ground.errors import FAILED, OK, Problem
from q1lab.ground.files import expand_user, printable
from q1lab.index import reclaimable, study_names
from q1lab.record import begin, delete_restore
from q1lab.study import bundle, studies

yes_option = click.option("--yes", is_flag=True, help="Don't ask.")
dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Say what would happen, and do nothing."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def _agrees(question: str, yes: bool) -> bool:
    """True if the learner agrees. Problem if no one answers."""
    unanswered = Problem("nothing was done: ", next="look with --dry-run, then give --yes")
    return yes or shared.ask_user(question, unanswered) == "yes"


@click.command(
    epilog="""\b
Examples:
  q1lab delete rope-1 --dry-run
  q1lab delete rope-1 swiglu-2 --yes
  q1lab delete 'quick-*'

Exit status: 0 deleted, 1 a study can't be deleted, 2 usage."""
)
@study_argument(nargs=-1, required=True)
@dry_run_option
@yes_option
@json_option
def delete(study: tuple[str, ...], dry_run: bool, yes: bool, as_json: bool) -> int:
    """Delete STUDY: its runs, weights and logs stay in the trash until `q1lab prune`.

    STUDY may be a quoted pattern, such as 'quick-*'. What it matches is shown before you are asked.

    `q1lab restore STUDY` brings it back. Its plan and how its runs ended stay on record,
    so that the count of questions you asked stays true. Documents in your
    repository stay as they are.
    """
    with open_store() as store:
        names = delete_restore.match_names(study)
        previews = [delete_restore.preview_delete(store, name) for name in names]
    for preview in previews:
        description = f"{preview.id}: {text_formats.byte_size(preview.bytes)}"
        if preview.unreadable:
            description += "; its plan can't be read, so only its name stays on record"
        if preview.reused_by:
            description += (
                f"; {', '.join(preview.reused_by)} reused runs of it: those are copies, and stay"
            )
        click.echo(printable(description), err=as_json)
    if not dry_run:
        delete_restore.refuse_running(names)
    done = not dry_run and _agrees(f"Move {len(previews)} of your studies to the trash?", yes)
    if done:
        with open_store() as store:
            for preview in previews:
                delete_restore.delete_study(store, preview.id)
    if as_json:
        record = [
            {"study": preview.id, "bytes": preview.bytes, "deleted": done} for preview in previews
        ]
        click.echo(json.dumps(record, indent=1))
    else:
        back = f"deleted; `q1lab restore {previews[0].id}` brings it back until `q1lab prune`"
        click.echo(printable(back) if done else "nothing was deleted")
    return OK


@click.command(
    epilog="""\b
Examples:
  q1lab prune --dry-run
  q1lab prune --models --older-than 90 --yes"""
)
@click.option("--models", is_flag=True, help="Also the weights of finished runs.")
@click.option(
    "--older-than",
    "days",
    type=click.FloatRange(0),
    default=30.0,
    show_default=True,
    metavar="DAYS",
    help="Only those older than this.",
)
@dry_run_option
@yes_option
@json_option
def prune(models: bool, days: float, dry_run: bool, yes: bool, as_json: bool) -> int:
    """Free disk space: empty the trash, and remove checkpoints of ended runs, texts that no study
    trains on, and temporary files of killed commands.

    Losses, verdicts and logs stay. Studies that are running are left alone.
    """
    paths.ensure_home()
    items = reclaimable.list_reclaimable(models=models, days=days)
    total = sum(item.bytes for item in items)
    for item in items:
        line = f"{item.kind:<12} {text_formats.byte_size(item.bytes):>9}  {item.description}"
        click.echo(printable(line), err=as_json)
    with open_store() as store:
        warnings = reclaimable.reuse_warnings(store, items)
    for sentence in warnings:
        click.echo(printable(sentence), err=as_json)
    done = bool(items) and not dry_run and _agrees(f"Free {text_formats.byte_size(total)}?", yes)
    if done:
        with open_store() as store:
            reclaimable.delete_items(items)
    if as_json:
        rows = [{"kind": i.kind, "what": i.description, "bytes": i.bytes} for i in items]
        click.echo(json.dumps({"items": rows, "bytes": total, "freed": done}, indent=1))
    elif not items:
        click.echo("nothing to free")
    else:
        click.echo(f"{'freed' if done else 'would free'} {text_formats.byte_size(total)}")
    return OK


def _trashed(name: str) -> Path | None:
    """The place of a deleted study, by its own name or the learner's; None without one."""
    with open_store() as store:
        names = name, *study_names.all_named(store, name)
    return next(filter(None, map(delete_restore.trashed_folder, names)), None)


@click.command(
    epilog="""\b
Examples:
  q1lab restore rope-1.zip
  q1lab restore rope-1/ --name rope-1-laptop
  q1lab restore rope-1

Exit status: 0 restored, 1 the files are damaged or no study's, 2 usage."""
)
@click.argument("place", metavar="PLACE|STUDY", type=click.Path(path_type=Path))
@click.option("--name", metavar="NAME", help="Another name for the study.")
@json_option
def restore(place: Path, name: str | None, as_json: bool) -> int:
    """Bring back a study from PLACE, a folder or archive that `q1lab export` wrote, or a deleted
    STUDY from the trash, completely or not at all."""
    paths.ensure_home()
    place = expand_user(place)
    trashed = None if bundle.is_bundle(place) else _trashed(str(place))
    learners_name = ""
    if trashed is not None:
        study = studies.load(delete_restore.restore_study(trashed, name))
    elif not place.exists():
        raise Problem(
            f"{place}: no such file or folder, and no study of that name in the trash",
            FAILED,
            next="`q1lab delete --empty --dry-run` lists the trash, `q1lab status` the studies",
        )
    else:
        with bundle.taken_in(place) as received:
            learners_name = received.learners_name
            study = bundle.restore(received, place, name)
    with open_store() as store:
        begin.record_begin(store, study)
        if learners_name:
            with contextlib.suppress(Problem):  # another study has its name by now
                study_names.give_name(store, study.id, learners_name)
    if as_json:
        click.echo(json.dumps({"study": study.id, "runs": len(study.runs)}, indent=1))
        return OK
    click.echo(printable(f"{study.id}: restored, {len(study.runs)} runs; q1lab compare {study.id}"))
    return OK
