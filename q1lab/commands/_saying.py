"""How commands print: a record as JSON for programs, a line beside it for people."""

from __future__ import annotations

import click


def print_json(record: object) -> None:
    """A record on stdout, for programs."""
    import json

    click.echo(json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False))


def tell(text: str, silent: bool) -> None:
    """A line for a person, on stderr; none where a program reads."""
    if not silent:
        click.echo(text, err=True)
