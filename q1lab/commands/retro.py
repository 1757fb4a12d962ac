"""`q1lab retro`: write and refresh the quarter's retrospective, and commit exactly it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from q1lab.commands import _documents as shared
from q1lab.errors import OK
from q1lab.index import learned
from q1lab.index.store import Store


@click.command(
    epilog="""\b
Examples:
  q1lab retro
  q1lab retro --stdout
  q1lab retro --no-commit

\b
Exit codes: 0 done, 1 git or a hook refused, 2 something must be decided first (the message says which
option)."""
)
@shared.writing_options
@click.option("--overwrite", is_flag=True, help="Replace what you edited between q1lab's marks.")
@click.option("--add-missing", is_flag=True, help="Put back regions that you took out of the file.")
@click.option(
    "--stdout", is_flag=True, help="Print the document as it would be, and write nothing."
)
@shared.json_option
def retro(
    repo: Path | None,
    dry_run: bool,
    yes: bool,
    no_commit: bool,
    init: bool,
    overwrite: bool,
    add_missing: bool,
    stdout: bool,
    as_json: bool,
) -> int:
    """Write Q1_RETRO.md, or bring it up to date, and commit it alone.

    Artifacts, KPIs, unfinished steps, minutes and predictions are counted from what is there;
    insights, reasons and plans are your answers from session C. A box that you tick in the file
    stays ticked.
    """
    from q1lab.documents import gather
    from q1lab.documents import retro as documents
    from q1lab.documents.regions import find
    from q1lab.documents.save import draft, read

    week = shared.week()
    how = shared.Writing(repo, dry_run, yes, no_commit, init)
    name = documents.file_name(documents.quarter_of(week.label))
    with Store() as store:
        if stdout or (as_json and no_commit and dry_run):
            root, found = shared.folder_of(repo), shared.maybe_repository(repo)
            root = found.root if found else root
        else:
            root, found = shared.repository(how)
        looking = found or shared.maybe_repository(repo)
        existing = read(root / name) or b""
        ticked = {
            title
            for region in find(existing, name)
            if region.name == "calibration"
            for title in documents.ticked_in(region.body)
        }
        record = gather.retro_record(store, week, looking, ticked=ticked)
        if stdout and as_json:
            shared.emit(dataclasses.asdict(record))
            return OK
        rendered = documents.document(record, week.root)
        made = draft(root / name, rendered, overwrite=overwrite, add_missing=add_missing)
        if stdout:
            shared.show(made.new.decode(errors="replace"))
            return OK
        if made.edited:
            shared.remark(
                f"kept as you edited it: {', '.join(made.edited)} (--overwrite replaces it). The difference:"
            )
            shared.show_diff(made.edited_diff, err=True)
        if dry_run and not as_json:
            shared.show_diff(made.diff)
        told = (
            f"docs: add {name}"
            if made.old is None
            else f"docs: update {', '.join(made.changed[:3]) or 'text'} in {name}"
        )
        result = shared.save({made.path: made.new}, told, found, how, quiet=as_json)
        if not dry_run:
            learned.note_retro(store, week.label, str(made.path), result["commit"])
        if as_json:
            shared.emit(
                {
                    **result,
                    "changed": list(made.changed),
                    "kept": list(made.edited),
                    "diff": made.diff,
                }
            )
    return OK
