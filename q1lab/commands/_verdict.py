"""Verdicts on the terminal."""

from __future__ import annotations

import shutil

import click

from q1lab.commands._output import print_paged
from q1lab.judgment import layout, series_table
from q1lab.judgment.judgment import Judgment
from q1lab.judgment.lines import plain_lines
from q1lab.judgment.series_table import SeriesResult


def print_verdict(judgment: Judgment, *, full: bool) -> None:
    """Print a judgment's first lines, or in ``full`` through a pager where the terminal is too
    small; in colors where it has them."""
    from rich.console import Console

    console = Console(highlight=False)
    lay = layout.full_lines if full else layout.first_lines
    lines = layout.rich_lines(lay(judgment, min(console.width, 100)))
    print_paged(console, *lines, soft_wrap=True)


def print_series(result: SeriesResult) -> None:
    """Print the table of a series, as wide as the terminal."""
    width = min(shutil.get_terminal_size().columns, 100)
    click.echo("\n".join(plain_lines(series_table.series_lines(result, width))))
