"""`q1lab compare`: print the comparison of a study."""

from __future__ import annotations

import itertools
from pathlib import Path

import click

from q1lab.commands._names import study_argument
from q1lab.commands._noted import note_comparison_read
from q1lab.commands._options import force_option, json_option
from q1lab.commands._output import print_json, print_text, print_wrapped, remark, say_written
from q1lab.commands._store import open_store
from q1lab.commands._verdict import print_series, print_verdict
from q1lab.compare import comparison_cache, series_reader
from q1lab.compare.comparison import Comparison, comparison_json
from q1lab.compare.comparison_cache import compare as make_comparison
from q1lab.ground.errors import FAILED, OK, UNFINISHED, Problem
from q1lab.ground.write_intents import write_output
from q1lab.journal.store import Store
from q1lab.judgment import picture, series_table
from q1lab.study import first_number, kinds, series, studies
from q1lab.study.events import has_ended
from q1lab.study.studies import Study


@click.command(
    epilog="""\b
Examples:
  q1lab compare
  q1lab compare rope --full
  q1lab compare rope-1 --json
  q1lab compare rope-1 --plot rope.svg"""
)
@study_argument(required=False)
@click.option("--full", is_flag=True, help="Print everything: figure, tables, notes, scope.")
@json_option
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Draw the comparison: .svg or .png.",
)
@force_option
def compare(
    study: str | None,
    full: bool,
    as_json: bool,
    plot: Path | None,
    force: bool,
) -> int:
    """Show the verdict of STUDY in at most six lines; with --full, everything.

    A modification's name stands for its newest study with three pairs or more; without STUDY, the
    newest study of all is shown. The name of a sweep prints its table.
    """
    if study is not None and series.is_sweep(study):
        if full or plot is not None:
            raise Problem("--full and --plot are for a study", next="name one")
        with open_store() as store:
            return print_sweep(store, study, as_json=as_json)
    name = comparison_cache.resolve_study_id(study) if study else studies.latest()
    chosen = studies.load(name)
    with open_store() as store:
        if plot is not None:
            write_picture(store, chosen, plot, force=force)
        record = print_comparison(store, chosen, as_json=as_json, full=full)
        if plot is not None and not as_json:
            click.echo()
            say_written(plot)
        if record is not None and full and not as_json:
            note_comparison_read(store, record)
    return OK


def print_sweep(store: Store, name: str, *, as_json: bool) -> int:
    """Print a sweep's table. Returns OK, FAILED if a run failed, UNFINISHED if some are missing."""
    table = series_reader.read_series(store, name)
    members = [(member.study, member.is_complete) for member in table.members if member.study]
    if as_json:
        print_json(series_table.series_json(table))
    elif any(print_silent_run(studies.load(study)) for study, _ in members):
        return FAILED
    else:
        click.echo()
        print_series(table)
    unfinished = [study for study, is_complete in members if not is_complete]
    if unfinished:
        line = kinds.resume_command(studies.load(unfinished[0]))
        remark(f"q1lab: {name} is not done; go on with: {line}")
    return FAILED if series_reader.failed_members(table) else UNFINISHED if unfinished else OK


def print_comparison(
    store: Store,
    study: Study,
    *,
    as_json: bool,
    full: bool = False,
) -> Comparison | None:
    """Print a study's comparison as JSON, in short or in ``full``. None where a run that showed no
    number ended it, of which there is nothing else to say."""
    if not as_json and print_silent_run(study):
        return None
    record = make_comparison(store, study)
    if as_json:
        print_json(comparison_json(record))
        return record
    click.echo()
    print_verdict(record, full=full)
    return record


def print_silent_run(study: Study) -> bool:
    """Print why a study ended with a run that showed no number, and how it goes on. False, with
    nothing printed, for any other study."""
    silent = first_number.silent_run(study)
    if silent is None:
        return False
    run, series = silent.run, study.origin.series
    left = sum(not has_ended(study.files.run(other.name).events) for other in study.runs) - 1
    why = silent.message.partition("; ")[0] if silent.ways else silent.message
    print_text(f"\n{run.variant} seed {run.seed} failed: {why}")
    print_text(f"(log: {study.files.run(run.name).log})")
    whole = study.id if series is None else series.id
    print_wrapped(
        f"An arm's first run has to show its number: {whole} ended there, the other runs "
        f"({left} of {study.id}) did not train, and this try costs nothing."
    )
    for line, ways in itertools.groupby(silent.ways, key=lambda way: way[0]):
        print_text(f"  {line}" if line else "  reported by name:")
        for option in filter(None, (option for _, option in ways)):
            print_text(f"      {option if series else f'q1lab run {study.id} {option}'}")
    command = "the whole command as you correct it"
    if any(option for _, option in silent.ways):
        with_options = f"{command} and one of these options"
        command = f"one of these, or with {command}" if series is None else with_options
    print_wrapped(first_number.goes_on_with(study, command))
    return True


def write_picture(
    store: Store,
    study: Study,
    path: Path,
    *,
    force: bool = False,
) -> None:
    """Draw both arms' loss curves and the forest plot of the difference into ``path``."""
    form = picture.picture_format(path)
    image = picture.draw_comparison(
        comparison_cache.compare(store, study),
        comparison_cache.read_curves(store, study),
        form,
    )
    write_output(path, image, force=force)
