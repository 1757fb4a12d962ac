"""`q1lab card`: a progress card to share."""

from __future__ import annotations

import click

from q1lab.commands import _documents as shared


@click.command()
def card() -> None:
    """Print where the week stands, as a block of text.

    \b
    Example: q1lab card
    """
    from q1lab.commands._opening import opened
    from q1lab.documents import counted
    from q1lab.journal import card as cards

    week = shared.week()
    with opened() as store:
        lines = counted.kpi_lines(store, week, shared.maybe_repository(None))
        click.echo(cards.text(cards.gather(store, week, lines)), nl=False)
