"""`q1lab judge`: the verdict on final numbers from elsewhere; it keeps nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from q1lab.commands._output import print_json
from q1lab.commands._table_options import table_options
from q1lab.commands._verdict import print_series, print_verdict
from q1lab.ground.errors import OK, Problem
from q1lab.tables.found_runs import NumberTable, TableOptions

if TYPE_CHECKING:
    from q1lab.judgment.series_table import SeriesResult


@click.command(
    epilog="""\b
Examples:
  q1lab judge --baseline 1.91,1.90,1.92 --modified 1.79,1.80,1.85
  q1lab judge runs.csv                          columns cfg, seed, val_loss
  q1lab judge sweep.csv --baseline adamw        every other arm, in one table
  q1lab judge runs.tsv --baseline adam --arm-key optimizer --metric accuracy
  wandb-export | q1lab judge - --json"""
)
@click.argument("file", required=False, metavar="[FILE|-]")
@click.option(
    "--baseline",
    metavar="NUMBERS|ARM",
    help="The baseline's numbers; with a FILE, the baseline's name in it.",
)
@table_options
@click.option("--full", is_flag=True, help="Print everything: figure, tables, notes, scope.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole record as JSON.")
def judge(
    file: str | None,
    baseline: str | None,
    modified: str | None,
    full: bool,
    as_json: bool,
    **columns: str | None,
) -> int:
    """Judge final numbers that were trained elsewhere: a CSV, TSV or JSON file, or two lists.

    It trains nothing and keeps nothing; `q1lab import` keeps the same numbers as a study, which
    `q1lab export --format latex` prints as a table. The arms are compared seed by seed if both have
    the same seeds, else as two groups. Several arms are ranked in one table, and their comparisons
    with the baseline share 5%. A permutation test's p is in --json.
    """
    from q1lab.tables import number_table
    from q1lab.tables.judged_table import judge_table

    options = TableOptions(baseline, modified, **columns)
    if file is not None:
        tables = number_table.read_tables(file, options)
        source = "standard input" if file == "-" else file
    elif baseline is None or modified is None:
        raise Problem(
            "nothing to judge", next="give a FILE, or --baseline 1.91,1.90 --modified 1.79,1.80"
        )
    else:
        tables = [number_table.typed_numbers(baseline, modified, options)]
        source = "the command line"
    if len(tables) > 1:
        from q1lab.judgment import series_table
        from q1lab.tables.judged_arms import judge_arms

        arms = judge_arms(tables, source)
        if as_json:
            print_json(series_table.series_json(arms))
            return OK
        _print_guesses(tables[0])
        print_series(arms)
        if full:
            _print_each(arms)
        return OK
    judgment = judge_table(tables[0], source)
    if as_json:
        print_json(judgment.to_dict())
        return OK
    _print_guesses(tables[0])
    print_verdict(judgment, full=full)
    return OK


def _print_guesses(table: NumberTable) -> None:
    """Print the columns that were guessed, and what was left out on reading."""
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    if table.guesses:
        console.print(f"Read: {', '.join(table.guesses)}.", style="dim")
    for note in table.notes:
        console.print(f"note: {note}", style="dim")


def _print_each(arms: SeriesResult) -> None:
    """Print each comparison of the table in full."""
    for member in arms.ranked:
        assert member.comparison is not None
        click.echo()
        print_verdict(member.comparison, full=True)
