"""`q1lab retro`: write and refresh the quarter's retrospective, and commit exactly it."""

from __future__ import annotations

import click

from q1lab.commands._documents import open_repository, repository_if_any, write_document
from q1lab.commands._options import WriteOptions, json_option, overwrite_option, writing_options
from q1lab.commands._store import open_store
from q1lab.commands._week import current_week
from q1lab.documents import document_changes


@click.command(
    epilog="""\b
Examples:
  q1lab retro
  q1lab retro --dry-run
  q1lab retro --no-commit

Exit status: 0 done, 1 git or a hook refused, 2 something must be decided first (the message
says which option)."""
)
@writing_options
@overwrite_option
@json_option
def retro(write_options: WriteOptions, overwrite: bool, as_json: bool) -> int:
    """Write Q1_RETRO.md, or bring it up to date, and commit it alone.

    Artifacts, KPIs, unfinished steps, minutes and predictions are counted from what is there;
    insights, reasons and plans are your answers from session C. A box that you tick in the file
    stays ticked.
    """
    week = current_week()
    with open_store() as store:
        root, repo = open_repository(write_options)
        change = document_changes.retro_change(
            store,
            week,
            root,
            repo,
            looking=repo or repository_if_any(write_options.repo),
            overwrite=overwrite,
        )
        return write_document(change, store, write_options, as_json=as_json)
