"""`q1lab new`, `q1lab hint` and `q1lab merge`: the learner's own model file, from the copy to the
commit."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import sys
from pathlib import Path
from typing import Any

import click

from q1lab.commands._documents import open_repository, repository_folder, save_and_commit
from q1lab.commands._options import WriteOptions, json_option, repo_option, writing_options
from q1lab.commands._output import print_diff, print_json, remark
from q1lab.commands._store import open_store
from q1lab.commands._week import current_week
from q1lab.documents import merge_change
from q1lab.ground.errors import FAILED, OK, Problem
from q1lab.ground.files import printable
from q1lab.ground.git_repository import Repository, init_repository
from q1lab.journal import learner_tables
from q1lab.study.own_model.run_checks import run_checks
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
    if name is not None and (Path(name).name != name or not name.endswith(".py")):
        raise Problem(f"--name {name}: a file name that ends in .py, without folders")
    if name is not None and variant is not None and baseline:
        raise Problem("--name names one file", next="make them one at a time")
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
    help="1 question, 2 place, 3 idea, 4 signatures, 5 reference.",
)
@click.option(
    "--compare",
    type=click.Path(path_type=Path),
    help="Your file, once it passes: shown beside the reference, with what may differ.",
)
@json_option
def hint(variant: str | None, stage: int | None, compare: Path | None, as_json: bool) -> int:
    """The next hint for VARIANT: a question, the place, the idea, the signatures of the new
    code, and at last the reference."""
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
        remark(f"\nq1lab hint {variant} gives the next one")
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
        failure = report.unusable or report.failed[0].words
        raise Problem(
            f"{file.name} does not pass yet ({failure})",
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


@click.command(
    epilog="""\b
Examples:
  q1lab merge rope.py
  q1lab merge rope.py --into model.py --dry-run

Exit status: 0 merged (or nothing to do), 1 conflicts or a failed check, 2 usage."""
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--into",
    type=click.Path(path_type=Path),
    help="The file to merge into. Default: model.py beside FILE.",
)
@click.option(
    "--base",
    type=click.Path(path_type=Path),
    help="The file that FILE was made from, if FILE's first line is gone.",
)
@click.option("--unchecked", is_flag=True, help="Don't run the checks on the result.")
@writing_options
@json_option
def merge(
    file: Path,
    into: Path | None,
    base: Path | None,
    unchecked: bool,
    write_options: WriteOptions,
    as_json: bool,
) -> int:
    """Apply the modification in FILE to your model.py, check the result, and commit that file
    alone.

    A three-way merge: FILE's changes since it was made, applied to model.py as it is now. A copy of
    model.py is kept. Conflicts are written with git's markers, and nothing is committed.
    """
    target = (into or file.absolute().parent / "model.py").absolute()
    model_merge = model_file.merge_into(file, target, base)
    write_options = dataclasses.replace(write_options, repo=write_options.repo or target.parent)
    record: dict[str, Any] = {
        "file": str(model_merge.file.absolute()),
        "into": str(target),
        "variant": model_merge.variant,
        "conflicts": model_merge.conflicts,
        "diff": model_merge.diff,
    }
    if message := merge_change.nothing_to_merge(model_merge):
        return _finish_merge(record, as_json, OK, message)
    if not as_json:
        print_diff(model_merge.diff)
    week = current_week().label
    if model_merge.conflicts:
        change = merge_change.model_change(model_merge, None, week)
        if write_options.dry_run:
            message = f"{merge_change.conflict_words(model_merge)}; nothing was written"
            return _finish_merge(record, as_json, FAILED, message)
        with open_store() as store:
            record["copy"] = str(change.save(store).copy)
        message = f"{change.unsettled}. Before: {record['copy']}"
        return _finish_merge(record, as_json, FAILED, message)
    if not unchecked:
        report = merge_change.check_merge(model_merge)
        record["checks"] = {"passed": report.passed, "count": len(report.checks)}
        try:
            remark(merge_change.passed_words(model_merge, report))
        except Problem as problem:
            return _finish_merge(record, as_json, FAILED, str(problem))
    _, repo = open_repository(write_options)
    change = merge_change.model_change(model_merge, repo, week)
    change = dataclasses.replace(change, diff="")  # it was printed above
    with open_store() as store:
        saved = save_and_commit(store, change, write_options, quiet=as_json)
    message = f"before: {saved['copy']}" if "copy" in saved else ""
    return _finish_merge({**record, **saved}, as_json, OK, message)


def _finish_merge(record: dict[str, Any], as_json: bool, code: int, message: str) -> int:
    if as_json:
        print_json({**record, "message": message})
    elif message:
        remark(message)
    return code
