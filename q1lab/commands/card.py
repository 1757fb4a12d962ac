"""`q1lab course card`: a progress card to share."""

from __future__ import annotations

from pathlib import Path

import click

from q1lab.commands import _documents as shared
from q1lab.commands._output import force_option, say_written


@click.command()
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write it here, as an SVG.",
)
@force_option
def card(output: Path | None, force: bool) -> None:
    """Print where the week stands, or write it as an SVG.

    \b
    Example: q1lab course card --output card.svg
    """
    from q1lab.commands._store import open_store
    from q1lab.documents import kpi_sources
    from q1lab.ground.write_intents import write_output
    from q1lab.week import progress_card as cards

    week = shared.current_week()
    with open_store() as store:
        lines = kpi_sources.kpis_of_week(store, week, shared.repository_if_any(None))
        progress = cards.build_card(store, week, lines)
    if output is None:
        click.echo(cards.card_text(progress), nl=False)
        return
    write_output(output, cards.card_svg(progress), force=force)
    say_written(output)
