"""`q1lab diff`: the changes that a variant makes, computed from the code that runs."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from q1lab.commands._names import variant_argument
from q1lab.commands._noted import note_viewed
from q1lab.commands._options import json_option
from q1lab.commands._output import print_diff, print_json
from q1lab.ground import paths
from q1lab.ground.errors import OK, Problem
from q1lab.ground.files import printable
from q1lab.study import studies, variants
from q1lab.study.own_model import parents
from q1lab.study.own_model.parents import Pair
from q1lab.week.own_model import diffs


@click.command(
    epilog="""\b
Examples:
  q1lab diff rope
  q1lab diff rope-1
  q1lab diff ./my_rope.py --baseline ./model.py"""
)
@variant_argument(or_study=True)
@click.option(
    "--baseline",
    help="The model to compare with: a name or a file. Default: the one that VARIANT was made "
    "from.",
)
@json_option
def diff(variant: str, baseline: str | None, as_json: bool) -> int:
    """The unified diff from the baseline to VARIANT, colored on a terminal.

    For the name of a study: between the two files as they trained.
    """
    pair = _trained_pair(variant, baseline) or parents.find_pair(variant, baseline, "diff")
    new, old = pair.modified, pair.baseline
    text = printable(diffs.unified_diff(old.text, new.text, f"{old.name}.py", new.path.name))
    added, removed = diffs.count_changed_lines(text)
    if as_json:
        names = {"variant": new.name, "baseline": old.name, "note": pair.note}
        print_json({**names, "added": added, "removed": removed, "diff": text})
        return OK
    if pair.note:
        sys.stderr.write(f"note: {printable(pair.note)}\n")
    if not text:
        click.echo(f"{new.path.name} and {old.name}.py hold the same code.")
        return OK
    print_diff(text, paged=True)
    if new.is_learners:
        note_viewed("diff", new.path.absolute())
    changed_name = new.path.name if new.is_learners else new.title
    sys.stderr.write(f"{changed_name} against {old.name}.py: +{added} −{removed} lines\n")
    return OK


def _trained_pair(name: str, baseline: str | None) -> Pair | None:
    """The files that the study ``name`` trained, or its modified one and ``baseline``; None if
    ``name`` is not a study's."""
    if name in variants.variant_names() or not studies.is_id(name) or Path(name).is_file():
        return None
    if not paths.StudyPaths(paths.study_dir(name)).plan.exists():
        return None
    study = studies.load(name)
    files = study.model_files
    if not files or not all(files.values()):
        raise Problem(
            f"{name} has no model files",
            next=f"`q1lab compare {name} --full` says what its arms are",
        )
    old, new = (
        variants.read_variant(study.files.root / file, study.arms[arm].variant, name)
        for arm, file in files.items()
    )
    return Pair(variants.find_variant(baseline) if baseline else old, new)
