"""Verdicts on the terminal."""

from __future__ import annotations

import shutil

import click

from q1lab.commands._output import print_paged
from q1lab.judgment import series_table
from q1lab.judgment.records import Judgment
from q1lab.judgment.series_table import SeriesResult
from q1lab.judgment.terminal_text import rich_comparison_lines, rich_short_lines


def print_verdict(comparison: Judgment, *, full: bool) -> None:
    """Print a comparison in short, or in ``full`` through a pager where the terminal is too small;
    in colors where it has them."""
    from rich.console import Console

    console = Console(highlight=False)
    lines = rich_comparison_lines if full else rich_short_lines
    print_paged(console, *lines(comparison, min(console.width, 100)), soft_wrap=True)


def print_series(result: SeriesResult) -> None:
    """Print the table of a series, as wide as the terminal."""
    width = min(shutil.get_terminal_size().columns, 100)
    click.echo("\n".join(series_table.series_lines(result, width)))
