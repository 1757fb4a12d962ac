"""`q1lab new`: put a model file of the learner's own into their repository."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import click

from q1lab.commands._documents import repository_folder
from q1lab.commands._options import json_option, repo_option
from q1lab.commands._output import print_json, remark
from q1lab.commands._store import open_store
from q1lab.commands._week import current_week
from q1lab.ground.errors import OK, Problem
from q1lab.ground.git_repository import Repository, init_repository
from q1lab.journal import learner_tables
from q1lab.week.own_model import model_file
from q1lab.week.own_model.model_file import NewFile


@click.command(
    epilog="""\b
Examples:
  q1lab new rope
  q1lab new rope --from model.py
  q1lab new --baseline
  q1lab new --repo transformer-from-scratch

Exit status: 0 done, 2 usage; a file that is already there is never touched."""
)
@click.argument("variant", required=False)
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path),
    help="The file to copy. Default: your model.py, else the baseline.",
)
@click.option("--baseline", is_flag=True, help="Write the baseline as your model.py.")
@click.option("--name", help="The new file's name. Default: the variant's.")
@repo_option
@json_option
def new(
    variant: str | None,
    source: Path | None,
    baseline: bool,
    name: str | None,
    repo: Path | None,
    as_json: bool,
) -> int:
    """Put a model file into your repository: a copy to write VARIANT into, or a first model.py.

    With --repo and a folder that is not there yet, the repository is made too.
    """
    if variant is None and not baseline and repo is None:
        raise Problem(
            "say what to make: a modification (q1lab new rope), or --baseline for a first model.py"
        )
    if baseline and source is not None:
        raise Problem("--baseline writes the baseline; --from copies a file: ", next="choose one")
    if name is not None:
        _prove_name(name, one_file=variant is None or not baseline)
    if variant is not None:
        model_file.require_modification(variant)

    folder = repository_folder(repo)
    created = not folder.exists()
    if created:
        folder = _make_repository(folder)
    new_files = [] if variant is not None and not baseline else _new_baseline(folder, name)
    if variant is not None:
        new_files.append(_new_modification(variant, folder, source, name))
    if as_json:
        print_json(
            {"repository_made": created, "files": [vars(new_file) for new_file in new_files]}
        )
        return OK
    for new_file in new_files:
        click.echo(f"{new_file.path}: a copy of {new_file.source}")
    with contextlib.suppress(Problem):  # the file has been written; this is only a remark
        if Repository.around(folder) is None:
            remark(f"{folder} is in no git repository yet; `git init` there makes it one")
    if variant is not None:
        _say_next(variant, new_files[-1].path)
    return OK


def _prove_name(name: str, *, one_file: bool) -> None:
    if Path(name).name != name or not name.endswith(".py"):
        raise Problem(f"--name {name}: a file name that ends in .py, without folders")
    if not one_file:
        raise Problem("--name names one file", next="make them one at a time")


def _make_repository(folder: Path) -> Path:
    """Make a folder with a repository, and return it as git names it."""
    if shutil.which("git") is None:
        model_file.make_folder(folder)
        remark(
            f"{folder}: a new folder. Without git, which is not installed, it is not a repository"
        )
        return folder
    folder = init_repository(folder).root
    remark(f"{folder}: a new git repository")
    return folder


def _new_baseline(folder: Path, name: str | None) -> list[NewFile]:
    """The baseline as the learner's model, unless they have one."""
    if name is None and (folder / "model.py").is_file():
        remark(
            f"{folder / 'model.py'} is your model, and stays as it is: "
            "`q1lab check model.py --for baseline` says whether it trains"
        )
        return []
    return [model_file.new_baseline(folder, name or "model.py")]


def _new_modification(variant: str, folder: Path, source: Path | None, name: str | None) -> NewFile:
    """The file to write a modification into, noted as the week's."""
    with open_store() as store:
        label = current_week().label
        key = learner_tables.record_key(store, label, variant)
        row = learner_tables.modification_row(store, key)
        noted = str(row["file"]) if row else ""
        new_file = model_file.new_model_file(variant, folder, source, name, noted)
        model_file.note_file(store, label, variant, new_file)
    return new_file


def _say_next(variant: str, file: Path) -> None:
    week = current_week()
    with open_store() as store:
        chosen = learner_tables.chosen_variant(store, week.label)
    if chosen != variant:
        remark(f"your choice for the week is {chosen}; q1lab modification {variant} changes it")
    has_hints = variant in model_file.hint_files(week.root)
    hints = f", and q1lab hint {variant} when stuck" if has_hints else ""
    remark(f"next: q1lab check {file.name} --watch{hints}")
