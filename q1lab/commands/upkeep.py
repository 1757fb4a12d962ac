"""`q1lab delete` and `restore`: the trash."""

from __future__ import annotations

import contextlib
from pathlib import Path

import click

from q1lab.commands._ask import ask_user
from q1lab.commands._names import study_argument
from q1lab.commands._options import json_option
from q1lab.commands._output import print_json, print_text
from q1lab.commands._store import open_store
from q1lab.ground import paths, text_formats
from q1lab.ground.errors import FAILED, OK, Problem
from q1lab.ground.files import expand_user, printable
from q1lab.journal import delete_restore, on_record, study_names, trash
from q1lab.study import bundle, studies


def _agrees(question: str, yes: bool) -> bool:
    """True if the learner agrees. Problem if no one answers."""
    unanswered = Problem("nothing was done: ", next="look with --dry-run, then give --yes")
    return yes or ask_user(question, unanswered) == "yes"


@click.command(
    epilog="""\b
Examples:
  q1lab delete rope-1 --dry-run
  q1lab delete rope-1 swiglu-2 --yes
  q1lab delete 'quick-*'
  q1lab delete --empty --yes

Exit status: 0 deleted, 1 a study can't be deleted, 2 usage."""
)
@study_argument(nargs=-1)
@click.option("--empty", is_flag=True, help="Empty the trash, for good.")
@click.option("--dry-run", is_flag=True, help="Say what would happen, and do nothing.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@json_option
def delete(study: tuple[str, ...], empty: bool, dry_run: bool, yes: bool, as_json: bool) -> int:
    """Move STUDY to the trash, with its runs, weights and logs.

    STUDY may be a quoted pattern, such as 'quick-*'. What it matches is shown before you are asked.

    `q1lab restore STUDY` brings it back until --empty, which also removes what killed commands left
    behind. The plan and how the runs ended stay on record, so that the count of questions you asked
    stays true. Documents in your repository stay as they are.
    """
    if empty == bool(study):
        raise Problem("give studies or --empty: one of them")
    if empty:
        return _empty_trash(dry_run, yes, as_json)
    with open_store() as store:
        names = delete_restore.match_names(study)
        previews = [delete_restore.preview_delete(store, name) for name in names]
    for preview in previews:
        click.echo(printable(_description(preview)), err=as_json)
    if not dry_run:
        delete_restore.refuse_running(names)
    done = not dry_run and _agrees(f"Move {len(previews)} of your studies to the trash?", yes)
    if done:
        with open_store() as store:
            for preview in previews:
                delete_restore.delete_study(store, preview.id)
    if as_json:
        print_json(
            [{"study": preview.id, "bytes": preview.bytes, "deleted": done} for preview in previews]
        )
    elif done:
        print_text(
            f"deleted; `q1lab restore {previews[0].id}` brings it back until `q1lab delete --empty`"
        )
    else:
        click.echo("nothing was deleted")
    return OK


def _description(preview: delete_restore.DeletePreview) -> str:
    """What the deletion of a study moves, and what stays."""
    text = f"{preview.id}: {text_formats.byte_size(preview.bytes)}"
    if preview.unreadable:
        text += "; its plan can't be read, so only its name stays on record"
    if preview.reused_by:
        text += f"; {', '.join(preview.reused_by)} reused runs of it: those are copies, and stay"
    return text


def _empty_trash(dry_run: bool, yes: bool, as_json: bool) -> int:
    """Empty the trash, and say what was in it."""
    paths.ensure_home()
    places = trash.list_trash()
    sizes = [trash.size_of(place) for place in places]
    for place, size in zip(places, sizes, strict=True):
        what = "" if place.parent == paths.trash_dir() else ", left behind by a killed command"
        click.echo(printable(f"{place.name}: {text_formats.byte_size(size)}{what}"), err=as_json)
    total = text_formats.byte_size(sum(sizes))
    done = bool(places) and not dry_run and _agrees(f"Remove {total} for good?", yes)
    if done:
        trash.empty(places)
    if as_json:
        rows = [{"name": p.name, "bytes": n} for p, n in zip(places, sizes, strict=True)]
        print_json({"items": rows, "bytes": sum(sizes), "freed": done})
    elif not places:
        click.echo("the trash is empty")
    else:
        click.echo(f"freed {total}" if done else f"nothing was removed; it holds {total}")
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
        on_record.record_begin(store, study)
        if learners_name:
            with contextlib.suppress(Problem):  # another study has its name by now
                study_names.give_name(store, study.id, learners_name)
    if as_json:
        print_json({"study": study.id, "runs": len(study.runs)})
        return OK
    print_text(f"{study.id}: restored, {len(study.runs)} runs; q1lab compare {study.id}")
    return OK
