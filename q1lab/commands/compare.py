"""`q1lab compare`: the comparison of a study, again, at any time."""

from __future__ import annotations

import json
from pathlib import Path

import click

from q1lab.errors import OK
from q1lab.index.store import Store
from q1lab.study import studies
from q1lab.study.studies import Study


@click.command(
    epilog="""\b
Examples:
  q1lab compare
  q1lab compare rope-1 --json
  q1lab compare rope-1 --plot rope.svg"""
)
@click.argument("study", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the whole record as JSON.")
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Draw it: .svg or .png.",
)
def compare(study: str | None, as_json: bool, plot: Path | None) -> int:
    """The comparison of STUDY (default: the latest), with its verdict."""
    chosen = studies.load(study or studies.latest())
    with Store() as store:
        if plot is not None:
            draw(store, chosen, plot)
        show(store, chosen, as_json=as_json)
        if plot is not None and not as_json:
            click.echo(f"\nDrawn: {plot}")
    return OK


def show(store: Store, study: Study, *, as_json: bool) -> None:
    """Print a study's comparison: JSON, or the verdict block."""
    from q1lab.compare import telling
    from q1lab.compare.keeping import compare as make

    record = make(store, study)
    if as_json:
        click.echo(
            json.dumps(telling.to_json(record), indent=2, ensure_ascii=False, allow_nan=False)
        )
        return
    from rich.console import Console

    from q1lab.compare.text import rich_lines

    console = Console(highlight=False)
    console.print()
    for line in rich_lines(record, min(console.width, 100)):
        console.print(line, soft_wrap=True)


def draw(store: Store, study: Study, path: Path) -> None:
    """Draw both arms' loss curves and the forest plot of the difference."""
    from q1lab.compare import charts, keeping

    charts.comparison_figure(keeping.compare(store, study), keeping.curves(store, study), path)
