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


def say(text: str, indent: str = "  ") -> None:
    """Sentences on stdout. On a terminal they are broken between words, further lines indented;
    elsewhere each stays a line of its own."""
    if sys.stdout.isatty():
        text = click.wrap_text(text, min(shutil.get_terminal_size().columns, 100), "", indent)
    click.echo(text)
