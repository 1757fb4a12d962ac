"""How commands print: a record as JSON for programs, a line beside it for people."""

from __future__ import annotations

import shutil
import sys

import click


def print_json(record: object) -> None:
    """A record on stdout, for programs."""
    import json

    click.echo(json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False))


def tell(text: str, silent: bool) -> None:
    """A line for a person, on stderr; none where a program reads."""
    if not silent:
        click.echo(text, err=True)


def fitted(text: str, indent: int, most: int | None = 100) -> str:
    """``text`` broken between words for a terminal of at most ``most`` columns, further lines
    indented by as many cells as stand before the first; whole where there is no terminal."""
    if not sys.stdout.isatty():
        return text
    columns = shutil.get_terminal_size().columns
    width = max(30, min(columns, most or columns) - indent)
    return click.wrap_text(text, width).replace("\n", "\n" + " " * indent)


def say(text: str, indent: int = 2) -> None:
    """Sentences on stdout, ``fitted``."""
    click.echo(fitted(text, indent))
