"""`q1lab diff`: the changes that a variant makes, computed from the code that runs."""

from __future__ import annotations

import sys

import click

from q1lab.commands import _documents as shared
from q1lab.commands._output import print_diff
from q1lab.ground.errors import OK
from q1lab.ground.files import printable
from q1lab.week.own_model import diffs, parents


@click.command(
    epilog="""\b
Examples:
  q1lab diff rope
  q1lab diff ./my_rope.py --baseline ./model.py"""
)
@click.argument("variant")
@click.option(
    "--baseline",
    help="The model to compare with: a name or a file. Default: the one that VARIANT was made "
    "from.",
)
def diff(variant: str, baseline: str | None) -> int:
    """The unified diff from the baseline to VARIANT, colored on a terminal."""
    pair = parents.find_pair(variant, baseline, "diff")
    new, old = pair.modified, pair.baseline
    if pair.note:
        sys.stderr.write(f"note: {printable(pair.note)}\n")
    text = printable(diffs.unified_diff(old.text, new.text, f"{old.name}.py", new.path.name))
    if not text:
        click.echo(f"{new.path.name} and {old.name}.py hold the same code.")
        return OK
    added, removed = diffs.count_changed_lines(text)
    print_diff(text)
    if new.is_learners:
        shared.note_viewed("diff", new.path.absolute())
    changed_name = new.path.name if new.is_learners else new.title
    sys.stderr.write(f"{changed_name} against {old.name}.py: +{added} −{removed} lines\n")
    return OK
