"""`q1lab hint`: the next hint for a modification, and at last the reference."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from q1lab.commands._options import json_option
from q1lab.commands._output import print_diff, print_json, remark
from q1lab.commands._store import open_store
from q1lab.commands._week import current_week
from q1lab.ground.errors import FAILED, OK, Problem
from q1lab.ground.files import printable
from q1lab.journal import learner_tables
from q1lab.study.own_model.run_checks import run_checks
from q1lab.week.own_model import model_file


@click.command(
    epilog="""\b
Examples:
  q1lab hint rope
  q1lab hint rope --stage 2
  q1lab hint rope --compare rope.py"""
)
@click.argument("variant", required=False)
@click.option(
    "--stage",
    type=click.IntRange(1, len(model_file.STAGES)),
    help="1 question, 2 place, 3 idea, 4 outline, 5 solution.",
)
@click.option(
    "--compare",
    type=click.Path(path_type=Path),
    help="Your file, once it passes: shown beside the reference, with what may differ.",
)
@json_option
def hint(variant: str | None, stage: int | None, compare: Path | None, as_json: bool) -> int:
    """The next hint for VARIANT: a question, the place, the idea, an outline of the new code, and
    at last the solution."""
    week = current_week()
    with open_store() as store:
        if variant is None:
            row = learner_tables.modification_row(store, week.label)
            if row is None:
                raise Problem("say for which modification: ", next="q1lab hint rope")
            variant = str(row["variant"])
        ladder = model_file.hints_for(variant, week.root)
        if compare is not None:
            return _print_reference(variant, compare, week.root, as_json)
        used = learner_tables.used_hints(store, week.label, variant)
        if stage is None:
            shown = model_file.open_hints(store, week.label, week.root, variant)[0]
        elif requested := [each for each in ladder if each.stage == stage]:
            shown = requested[0]
        else:
            raise Problem(f"{variant} has no hint of stage {stage}")
        learner_tables.use_hint(store, week.label, variant, shown.stage)
    last = len(model_file.STAGES)
    if as_json:
        print_json({**vars(shown), "of": last, "used": sorted({*used, shown.stage})})
        return OK
    click.echo(f"{variant}, hint {shown.stage} of {last}: {shown.title.lower()}\n")
    _print_hint(shown.text, is_diff=shown.stage == last)
    if shown.stage < last:
        following = "the solution" if shown.stage == last - 1 else "the next one"
        remark(f"\nq1lab hint {variant} gives {following}")
    return OK


def _print_hint(text: str, is_diff: bool) -> None:
    """Print a hint: on a terminal with colored diffs and rendered Markdown, elsewhere as text."""
    if is_diff:
        print_diff(text)
    elif sys.stdout.isatty():
        from rich.console import Console
        from rich.markdown import Markdown

        Console().print(Markdown(printable(text)))
    else:
        click.echo(text)


def _print_reference(variant: str, file: Path, content: Path, as_json: bool) -> int:
    """Print the difference between the reference and the learner's file. Problem unless the file
    passes its checks."""
    report = run_checks(file, variant)
    if not report.passed:
        raise Problem(
            f"{file.name} does not pass yet ({report.fault})",
            FAILED,
            next="the reference comes after that, or as `--stage 5`",
        )
    comparison = model_file.compare_with_reference(variant, file)
    explanation = model_file.notes_after_passing(variant, content)
    if as_json:
        facts = {"variant": variant, "file": str(file.absolute()), **vars(comparison)}
        print_json({**facts, "after": explanation})
        return OK
    shown = "From the reference to it:"
    if not comparison.of_file:
        shown = (
            "It was made from other code, so here is what the reference changes in its baseline:"
        )
    remark(f"{file.name} passes all {report.counted}. {shown}")
    _print_hint(comparison.diff or "no difference\n", is_diff=True)
    click.echo()
    _print_hint(explanation, is_diff=False)
    return OK
