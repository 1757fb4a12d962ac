"""`q1lab diff`: what a variant changes, computed from the code that runs."""

from __future__ import annotations

import sys

import click

from q1lab.errors import OK
from q1lab.files import plain
from q1lab.model import diffs
from q1lab.study import variants


@click.command(
    epilog="""\b
Examples:
  q1lab diff rope
  q1lab diff ./my_rope.py --baseline ./model.py"""
)
@click.argument("variant")
@click.option(
    "--baseline",
    default="baseline",
    show_default=True,
    help="What to compare with: a name or a file.",
)
def diff(variant: str, baseline: str) -> int:
    """The unified diff from the baseline to VARIANT, coloured on a terminal."""
    new, old = variants.find(variant), variants.find(baseline)
    text = plain(diffs.unified(old.text, new.text, old.path.name, new.path.name))
    if not text:
        click.echo(f"{variant} and {baseline} hold the same code.")
        return OK
    added, removed = diffs.count(text)
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.syntax import Syntax

        Console().print(Syntax(text, "diff", theme="ansi_dark", background_color="default"))
    else:
        click.echo(text, nl=False)
    sys.stderr.write(f"{new.title}: +{added} −{removed} lines\n")
    return OK
