"""`q1lab delete`: studies into the trash, and the trash emptied."""

from __future__ import annotations

import click

from q1lab.commands._ask import ask_user
from q1lab.commands._names import study_argument
from q1lab.commands._options import json_option
from q1lab.commands._output import print_json, print_text
from q1lab.commands._store import open_store
from q1lab.ground import paths, text_formats
from q1lab.ground.errors import OK, Problem, notice
from q1lab.ground.files import printable
from q1lab.journal import delete_restore, trash


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
            for at, name in enumerate(names):
                try:
                    delete_restore.delete_study(store, name)
                except BaseException:
                    if at:
                        notice(f"deleted before that: {', '.join(names[:at])}")
                    raise
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


def _agrees(question: str, yes: bool) -> bool:
    """True if the learner agrees. Problem if no one answers."""
    unanswered = Problem("nothing was done: ", next="look with --dry-run, then give --yes")
    return yes or ask_user(question, unanswered) == "yes"


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
