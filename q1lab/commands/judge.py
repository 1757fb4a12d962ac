"""`q1lab judge`: the verdict on runs from elsewhere."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from q1lab.commands._ask import ask_direction, is_at_terminal
from q1lab.commands._flags import flags
from q1lab.commands._options import json_option
from q1lab.commands._output import print_json
from q1lab.commands._verdict import print_series, print_verdict
from q1lab.ground.errors import FAILED, OK, UNFINISHED, Problem
from q1lab.ground.text_formats import plural, printable
from q1lab.judgment import layout, series_table
from q1lab.judgment.series_table import SeriesResult
from q1lab.judgment.tables import judged_table, typed_numbers
from q1lab.judgment.tables.found_runs import Found, NumberTable, OpenMetric, TableOptions
from q1lab.judgment.tables.sources import found_in_sources


@click.command(
    epilog="""\b
Examples:
  q1lab judge --baseline 1.91,1.90,1.92 --modified 1.79,1.80,1.85 --better lower
  q1lab judge runs.csv                          columns cfg, seed, val_loss
  q1lab judge results.md                        a Markdown table; a workbook: results.xlsx
  q1lab judge sweep.csv --baseline adamw        every other arm, in one table
  q1lab judge wandb/ --arm-key optimizer.name --baseline adamw
  q1lab judge wandb:alice/q1-loop               a project at Weights & Biases
  q1lab judge runs/                             TensorBoard, Lightning, HF Trainer
  q1lab judge --arm base='logs/base*.txt' --arm new='logs/new*.txt' --metric val_loss
  q1lab judge 'logs/*.txt' --metric-pattern 'val_loss:(?P<value>[0-9.]+)'
  q1lab judge runs.csv --expect helps           for CI: the exit status"""
)
@click.argument("sources", nargs=-1, type=click.Path(readable=False), metavar="[SOURCE...]")
@flags(TableOptions)
@click.option(
    "--expect",
    multiple=True,
    type=click.Choice(["helps", "hurts", "cannot-tell"]),
    help="Exit with 0 if this is the verdict (of every arm), with 1 if another is, and with 3 if "
    "there is none. Repeatable: any of them.",
)
@click.option("--full", is_flag=True, help="Print everything: figure, tables, notes, scope.")
@json_option
def judge(
    sources: tuple[str, ...],
    expect: tuple[str, ...],
    full: bool,
    as_json: bool,
    **typed: Any,
) -> int:
    """Judge runs that were trained elsewhere: final numbers, or the logs that trainers leave.

    A SOURCE is a file, a folder, a pattern, or a project at Weights & Biases, wandb:ENTITY/PROJECT,
    whose runs are read with the key of `wandb login` and not kept. Tables are CSV, TSV, Markdown,
    a workbook's sheet, JSON or JSON lines: a row per run or per step, a column per seed, or a row
    per arm with the mean, its sd (or se) and n. Logs, one a run, are offline runs of W&B,
    TensorBoard events, HF's trainer_state.json, Lightning's metrics.csv, JSON lines, a JSON file of
    one run's numbers, and printed lines with NAME=NUMBER or a pattern. Where an arm has several
    files whose rows say no seed, each file is one run. A dash is standard input.

    The arm of a log is the one that --arm or --arm-key gives it; without these it is guessed from
    the log's settings or name, and printed. So is its seed. Arms are compared seed by seed if both
    have the same seeds, else as two groups. Several arms are ranked in one table, and share the 5%
    of false claims. It trains nothing, and keeps nothing.
    """
    options = _table_options(**typed)
    ask = not as_json and is_at_terminal() and sys.stderr.isatty()
    tables = None
    while tables is None:
        try:
            tables = _read(sources, options)
        except Problem as problem:
            answered = _answered(problem, options) if ask else None
            if answered is None:
                raise
            options = answered
    if len(tables) == 1:
        judgment = judged_table.judge_table(tables[0])
        if as_json:
            print_json({**layout.to_json(judgment), "read": tables[0].told()})
        else:
            _print_read(tables[0])
            print_verdict(judgment, full=full)
        return _status([judgment.analysis.verdict], expect)
    arms = judged_table.judge_arms(tables)
    if as_json:
        print_json({**series_table.series_json(arms), "read": tables[0].told()})
    else:
        _print_read(tables[0])
        print_series(arms)
        if full:
            _print_each(arms)
    return _status(
        [m.comparison.analysis.verdict for m in arms.ranked if m.comparison is not None], expect
    )


def _answered(problem: Problem, options: TableOptions) -> TableOptions | None:
    """The options with what a person says to what the problem leaves open; None for another
    problem, and where they leave."""
    if isinstance(problem, OpenMetric):
        from q1lab.commands._choose import choose

        name = choose(problem.what, problem.looks)
        return None if name is None else replace(options, metric=name)
    if problem.field == "better":
        return replace(options, better=ask_direction(problem))
    return None


def _table_options(arms: tuple[str, ...], **typed: str | None) -> TableOptions:
    """The options as typed. Problem for an --arm without a name or a pattern."""
    pairs = []
    for item in arms:
        name, _, pattern = item.partition("=")
        if not name.strip() or not pattern:
            raise Problem(
                f"--arm {item!r}", next="give NAME=PATTERN, such as base='logs/base*.txt'"
            )
        pairs.append((name, pattern))
    return TableOptions(**typed, arms=tuple(pairs))


def _read(sources: Sequence[str], options: TableOptions) -> list[NumberTable]:
    """A table for each arm that is compared with the baseline."""
    if sources or options.arms:
        return _found(sources, options).tables(options)
    names_alone = replace(options, baseline=None, modified=None)
    return typed_numbers.two_lists(options).tables(names_alone)


def _found(sources: Sequence[str], options: TableOptions) -> Found:
    """The runs of the sources; a project at W&B is read into a folder that is thrown away."""
    places = [*sources, *(place for _, place in options.arms)]
    if not any(place.startswith("wandb:") for place in places):
        return found_in_sources(sources, options)
    from q1lab.train.weights_and_biases import pull_runs

    with tempfile.TemporaryDirectory(prefix="q1lab-pull-") as name:
        return found_in_sources(
            sources, options, pull=lambda source: pull_runs.pull(source, Path(name))
        )


def _status(verdicts: Sequence[str], expect: Sequence[str]) -> int:
    """The exit status by what was expected, of all verdicts: OK if nothing was."""
    expected = {word.replace("-", " ") for word in expect}
    others = [verdict for verdict in verdicts if verdict not in expected]
    if not expect or not others:
        return OK
    shown = ", ".join(dict.fromkeys(verdict.upper() for verdict in others))
    click.echo(f"q1lab: expected {' or '.join(expect)}, but got {shown}", err=True)
    return UNFINISHED if "no verdict" in others else FAILED


def _print_read(table: NumberTable) -> None:
    """Print what was understood, how to say it otherwise, and what was left out on reading."""
    from rich.console import Console

    console, notes = Console(highlight=False, markup=False), table.found.notes
    for line in () if table.found.is_typed else table.told():
        console.print(printable(line), style="dim", soft_wrap=True)
    for note in notes[:MOST_NOTES]:
        console.print(f"note: {printable(note)}", style="dim")
    if len(notes) > MOST_NOTES:
        console.print(f"note: and {plural(len(notes) - MOST_NOTES, 'note')} more", style="dim")


MOST_NOTES = 10


def _print_each(arms: SeriesResult) -> None:
    """Print each comparison of the table in full."""
    for member in arms.ranked:
        assert member.comparison is not None
        click.echo()
        print_verdict(member.comparison, full=True)
