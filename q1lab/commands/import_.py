"""`q1lab import`: runs that were trained elsewhere, from a folder of events or a CSV."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from q1lab.errors import OK, Problem
from q1lab.study import studies
from q1lab.study.bundle import Bundle
from q1lab.study.studies import Study
from q1lab.tracking.outside_runs import ForeignRun


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What `import` and `pull` have in common."""
    for option in (
        click.option(
            "--json", "as_json", is_flag=True, help="Print the comparison's record as JSON."
        ),
        click.option(
            "--allow",
            multiple=True,
            metavar="KEY",
            help="A difference that is meant: a config key, `iters` or `seeds`. Repeatable.",
        ),
        click.option(
            "--baseline", metavar="CFG", help="Which cfg is the baseline (default: baseline)."
        ),
    ):
        command = option(command)
    return command


@click.command(
    "import",
    epilog="""\b
Examples:
  q1lab import ~/Downloads/rope-1          a study's folder from another machine
  q1lab import rope-1-results.zip          what a notebook trained, or an archive
  q1lab import runs/                       any folder with events.jsonl files
  q1lab import export.csv --baseline gpt2  cfg, seed, iter, train_loss, val_loss""",
)
@click.argument("path", type=click.Path(path_type=Path))
@options
def import_(path: Path, baseline: str | None, allow: tuple[str, ...], as_json: bool) -> int:
    """Take in runs that were trained elsewhere from PATH, group them into a study, and compare.

    Arms come from `cfg` (baseline and one more), seeds from `seed`. Runs whose data, config or
    length differ are refused.
    """
    from q1lab.study import bundle
    from q1lab.tracking import outside_runs

    if not path.exists():
        raise Problem(f"{path} doesn't exist; give a folder of events.jsonl or a CSV")
    if path.is_file() and path.suffix != ".csv" and bundle.is_packed(path):
        with bundle.unpacked(path) as found:
            return _study(found, str(path), as_json=as_json)
    if (path / "study.json").is_file():
        if baseline or allow:
            raise Problem(
                f"{path} is a whole study with its own plan; --baseline and --allow don't apply"
            )
        return _study(bundle.read(path, str(path)), str(path), as_json=as_json)
    runs = outside_runs.from_folder(path) if path.is_dir() else outside_runs.from_csv(path)
    return finish(make(runs, str(path), baseline, allow), as_json=as_json)


def _study(found: Bundle, origin: str, *, as_json: bool) -> int:
    """Take a whole study in: into the one that was planned here, else as one of its own."""
    from q1lab.commands._store import opened
    from q1lab.commands.compare import show
    from q1lab.index import questions
    from q1lab.tracking import importing

    known = importing.planned(found.study)
    with opened() as store:
        if known is None:
            taken = questions.taken_names(store)
            return finish(importing.adopt(found, origin, taken), as_json=as_json)
        filled = importing.fill(known, found, origin)
        said = f"{known.id}: {len(filled)} runs taken in from {origin}"
        click.echo(
            said if filled else f"{known.id}: {origin} has no run that it lacks", err=as_json
        )
        show(store, studies.load(known.id), as_json=as_json)
    return OK


def make(
    runs: list[ForeignRun], origin: str, baseline: str | None, allow: tuple[str, ...]
) -> Study:
    """Group runs and write the study. Problem when they are not comparable; nothing is written
    then."""
    from q1lab.commands._store import opened
    from q1lab.index import questions
    from q1lab.tracking import importing

    grouped = importing.group(runs, baseline=baseline, allow=allow)
    with opened() as store:
        return importing.create(grouped, origin, questions.taken_names(store))


def finish(study: Study, *, as_json: bool) -> int:
    """Say what was taken in, then compare."""
    from q1lab.commands._store import opened
    from q1lab.commands.compare import show
    from q1lab.index import questions

    assert study.imported is not None
    said = f"{study.id}: {len(study.runs)} runs taken in from {study.imported.source}"
    click.echo(said, err=as_json)
    for text in study.imported.notes:
        click.echo(f"  note: {text}", err=as_json)
    with opened() as store:
        questions.begin(store, study)
        show(store, study, as_json=as_json)
    return OK
