"""`q1lab retro`: write and refresh the quarter's retrospective, and commit exactly it."""

from __future__ import annotations

import dataclasses

import click

from q1lab.commands import _documents as shared
from q1lab.commands._opening import opened
from q1lab.errors import OK


@click.command(
    epilog="""\b
Examples:
  q1lab retro
  q1lab retro --stdout
  q1lab retro --no-commit

\b
Exit codes: 0 done, 1 git or a hook refused, 2 something must be decided first (the
message says which option)."""
)
@shared.writing_options
@shared.region_options
@shared.json_option
def retro(
    how: shared.Writing, overwrite: bool, add_missing: bool, stdout: bool, as_json: bool
) -> int:
    """Write Q1_RETRO.md, or bring it up to date, and commit it alone.

    Artifacts, KPIs, unfinished steps, minutes and predictions are counted from what is there;
    insights, reasons and plans are your answers from session C. A box that you tick in the file
    stays ticked.
    """
    from q1lab.documents import proposals
    from q1lab.documents import retro as documents

    week = shared.week()
    with opened() as store:
        root, found = shared.place(how, looking=stdout)
        looking = found or shared.maybe_repository(how.repo)
        if stdout and as_json:
            ticked = proposals.retro_ticks(root, week)
            shared.emit(dataclasses.asdict(documents.gather(store, week, looking, ticked=ticked)))
            return OK
        proposal = proposals.retro(
            store,
            week,
            root,
            None if stdout else found,
            looking=looking,
            overwrite=overwrite,
            add_missing=add_missing,
        )
        if stdout:
            shared.show(proposal.text)
            return OK
        return shared.carry_out(proposal, store, how, as_json=as_json)
