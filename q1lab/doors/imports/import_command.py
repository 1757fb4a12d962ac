"""`q1lab import`: make a study of what `q1lab judge` reads, of another home's study, or of runs at
W&B."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from q1lab.commands._table_options import source_options, table_options
from q1lab.ground import paths
from q1lab.ground.errors import FAILED, OK, Problem
from q1lab.ground.files import printable
from q1lab.record.traveling_lines import CameWith
from q1lab.runner import child_processes
from q1lab.study import studies
from q1lab.study.bundle import Bundle
from q1lab.tables.found_runs import Found, TableOptions

if TYPE_CHECKING:
    from q1lab.doors.imports.import_study import ImportDraft, TakenIn
    from q1lab.index.store import Store

WANDB_PREFIX = "wandb:"
"""Prefix of a Weights & Biases project in place of a path."""
PULL_SECONDS = 300.0
"""Seconds that reading a W&B project may take."""


@click.command(
    "import",
    epilog="""\b
Examples:
  q1lab import ~/Downloads/rope-1          a study's folder from another machine
  q1lab import rope-1-results.zip          what a notebook trained, or an archive
  q1lab import runs/                       any folder with events.jsonl files
  q1lab import export.csv --baseline gpt2  cfg, seed, iter, train_loss, val_loss
  q1lab import wandb:alice/q1-capstone     a project of Weights & Biases
  q1lab import wandb:alice/q1-capstone --group rope-1
  q1lab import wandb:alice/lion --arm-key optimizer.name --baseline adamw --metric val/acc
  q1lab import wandb/ --arm-key optimizer.name --baseline adamw     offline runs""",
)
@source_options
@click.option(
    "--allow",
    multiple=True,
    metavar="KEY",
    help="An intended difference: a config key, `iters` or `seeds`. Repeatable.",
)
@click.option(
    "--group",
    metavar="GROUP",
    help="Only the runs of this W&B group (q1lab's groups are its studies).",
)
@click.option("--json", "as_json", is_flag=True, help="Print the comparison's record as JSON.")
def import_(
    sources: tuple[str, ...],
    allow: tuple[str, ...],
    group: str | None,
    as_json: bool,
    **typed: Any,
) -> int:
    """Take in runs that were trained elsewhere, make a study of them, and compare.

    It is `q1lab judge --keep`: the same sources, options and verdict. It also takes a whole study
    (a folder or an archive), a folder of events, and a project of W&B. In the last two, arms come
    from `cfg` and seeds from `seed` in the config, or from the keys of --arm-key and --seed-key,
    and runs whose data, config or length differ are refused.
    """
    return keep_sources(sources, table_options(**typed), allow, group, as_json=as_json)


def keep_sources(
    sources: Sequence[str],
    options: TableOptions,
    allow: tuple[str, ...] = (),
    group: str | None = None,
    *,
    as_json: bool,
) -> int:
    """Make studies of the runs in the sources, and print their comparison."""
    if not sources and not options.arms:
        raise Problem("nothing to import", next="give a SOURCE, or --arm NAME=PATTERN")
    alone = sources[0] if len(sources) == 1 and not options.arms else ""
    if alone.startswith(WANDB_PREFIX):
        project = alone.removeprefix(WANDB_PREFIX)
        from q1lab.doors.imports import outside_runs

        found = outside_runs.from_wandb(project, _read_project(project, group), options)
        return _print_taken(_take_in_runs(found, options, allow), as_json=as_json)
    if group is not None:
        raise Problem(f"--group needs a W&B project: {WANDB_PREFIX}ENTITY/PROJECT")
    result = _take_in_own(Path(alone), options, allow, as_json=as_json) if alone else None
    if result is not None:
        return result
    if allow:
        raise Problem(
            f"--allow {allow[0]}: differences in a table or in logs are named with the verdict, "
            "not refused",
            next="leave --allow out",
        )
    imported = _take_in_sources(sources, options, quiet=as_json)
    return _print_taken(imported, as_json=as_json)


def _take_in_own(
    path: Path, options: TableOptions, allow: tuple[str, ...], *, as_json: bool
) -> int | None:
    """Take in what q1lab itself wrote: a study's folder or archive, or a folder of events. None for
    anything else."""
    from q1lab.doors.imports import outside_runs
    from q1lab.study import bundle

    if path.is_file() and path.suffix != ".csv" and bundle.is_archive(path):
        with bundle.unpacked(path) as unpacked:
            return _import_bundle(unpacked, str(path), as_json=as_json)
    if (path / "study.json").is_file():
        if options.baseline or allow:
            raise Problem(
                f"{path} is a whole study with its own plan; --baseline and --allow don't apply",
                file=path,
            )
        return _import_bundle(bundle.read_bundle(path, str(path)), str(path), as_json=as_json)
    if path.is_dir() and any(outside_runs.event_files(path)):
        found = outside_runs.from_folder(path)
        return _print_taken(_take_in_runs(found, options, allow), as_json=as_json)
    return None


def _take_in_runs(found: Found, options: TableOptions, allow: tuple[str, ...]) -> list[TakenIn]:
    """Make studies of runs that must be alike. Problem, with nothing written, if they are not."""
    from q1lab.doors.imports import import_study

    identity_keys = [key for key in (options.arm_key, options.seed_key) if key is not None]
    tables = found.tables(options)
    return _take_in([import_study.draft_of_runs(table, allow, identity_keys) for table in tables])


def _take_in_sources(
    sources: Sequence[str], options: TableOptions, *, quiet: bool
) -> list[TakenIn]:
    """Make a study of each arm that is compared with the baseline, and say what was guessed."""
    from q1lab.doors.imports import import_study
    from q1lab.tables.sources import found_in_sources

    found = found_in_sources(sources, options, one_arm=False)
    drafts = [import_study.draft_of_table(table) for table in found.tables(options)]
    if found.guesses:
        click.echo(f"Read: {', '.join(found.guesses)}.", err=quiet)
    return _take_in(drafts)


def _take_in(drafts: Sequence[ImportDraft]) -> list[TakenIn]:
    from q1lab.commands._store import open_store
    from q1lab.doors.imports import import_study
    from q1lab.record import on_record

    with open_store() as store:
        names = on_record.names_on_record(store)
    return import_study.take_in(drafts, names)


def _import_bundle(received: Bundle, origin: str, *, as_json: bool) -> int:
    """Import a whole study: into the study that was planned here, else as a new one."""
    from q1lab.commands._store import open_store
    from q1lab.commands.compare import print_comparison
    from q1lab.doors.imports import import_study
    from q1lab.record import on_record, traveling_lines
    from q1lab.study import bundle

    planned = import_study.find_planned(received.study)
    with open_store() as store:
        if planned is not None:
            filled = import_study.fill_planned(planned, received, origin)
            study = studies.load(planned.id)
            told = f"{len(filled)} runs imported from {origin}"
            told = told if filled else f"{origin} has no new runs"
        elif traveling_lines.is_begun_here(store, received.study):
            study = bundle.adopt_study(received.study, received.files, [received.study.id])
            told = "it was begun here, and is back"
        else:
            came = traveling_lines.came_with(received)
            names = on_record.names_on_record(store)
            study = import_study.copy_study(received, origin, names, came)
            taken = [import_study.TakenIn(study)]
            return _print_taken(taken, came, is_whole=True, as_json=as_json)
        click.echo(f"{study.id}: {told}", err=as_json)
        print_comparison(store, study, as_json=as_json)
    return OK


def _print_taken(
    imported: list[TakenIn], came: CameWith | None = None, *, is_whole: bool = False, as_json: bool
) -> int:
    """Print what was imported, and the comparison or the table of all. ``is_whole``: it is a study
    of another home, which ``came`` with its lines or without."""
    from q1lab.commands._output import print_json
    from q1lab.commands._store import open_store
    from q1lab.commands._verdict import print_series
    from q1lab.commands.compare import print_comparison
    from q1lab.judgment import series_table
    from q1lab.verdict import series_reader

    with open_store() as store:
        for each in imported:
            _record_import(store, each, came, is_whole=is_whole, quiet=as_json)
        study = imported[-1].study
        if len(imported) == 1:
            print_comparison(store, study, as_json=as_json)
            return OK
        assert study.origin.series is not None
        result = series_reader.read_series(store, study.origin.series.id)
    if as_json:
        print_json(series_table.series_json(result))
    else:
        click.echo()
        print_series(result)
    return OK


def _record_import(
    store: Store,
    result: TakenIn,
    came: CameWith | None,
    *,
    is_whole: bool,
    quiet: bool,
) -> None:
    """Put a new study on record, and say what was imported."""
    from q1lab.judgment import notes
    from q1lab.record import begin, traveling_lines

    study = result.study
    if not result.is_new:
        click.echo(f"these are {study.id}'s runs, so nothing new is imported", err=quiet)
        return
    imported = f"{study.id}: {len(study.runs)} runs imported from {study.origin.came.source}"
    click.echo(imported, err=quiet)
    for text in study.origin.came.notes:
        click.echo(f"  note: {text}", err=quiet)
    if is_whole:
        click.echo(f"  note: {traveling_lines.came_with_line(came)}", err=quiet)
    if not study.origin.knows_other_runs:
        click.echo(f"  note: {notes.OTHER_RUNS}", err=quiet)
    begin.record_begin(store, study, came)


def _read_project(project: str, group: str | None) -> dict[str, Any]:
    """The runs of a W&B project, as the relay pulled them. Problem if they can't be read, or there
    are none."""
    from q1lab.study import wandb_runs as wandb_state

    if not re.fullmatch(r"[A-Za-z0-9][\w.-]{0,127}/[A-Za-z0-9][\w.-]{0,127}", project, re.ASCII):
        raise Problem(
            f"{project!r} is not ENTITY/PROJECT",
            next=f"write it like {WANDB_PREFIX}alice/q1-capstone",
        )
    if not wandb_state.key_configured():
        login = wandb_state.wandb_command("login")
        raise Problem("no W&B key is configured", FAILED, next=f"run `{login}`, then import again")
    record = _pull_in_child(project, group)
    if not record["runs"]:
        where = f" in the group {group}" if group else ""
        raise Problem(f"{project} has no runs{where}", FAILED)
    return record


def _pull_in_child(project: str, group: str | None) -> dict[str, Any]:
    """Read a project's runs by a relay process, which is ended after ``PULL_SECONDS``. Problem with
    the reason if that fails."""
    home = paths.ensure_home()
    with tempfile.TemporaryDirectory(prefix=".pull-", dir=home) as scratch:
        file = Path(scratch) / "runs.json"
        command = [
            *child_processes.python_module("q1lab.doors.weights_and_biases.relay"),
            "--pull",
            project,
            str(file),
        ]
        with child_processes.running_child(
            [*command, *([group] if group else [])],
            seconds=PULL_SECONDS,
            env=dict(os.environ),
            cwd=scratch,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as child:
            try:
                child.wait(timeout=PULL_SECONDS)
            except subprocess.TimeoutExpired:
                raise Problem(
                    f"{project} was not read within {PULL_SECONDS:.0f} s",
                    FAILED,
                    next="try again, or a smaller --group",
                ) from None
        try:
            record: dict[str, Any] = json.loads(file.read_text())
        except (OSError, ValueError):
            raise Problem(f"{project} could not be read: wandb gave no answer", FAILED) from None
    if "error" in record:
        raise Problem(printable(f"{project}: {record['error']}"), FAILED)
    return record
