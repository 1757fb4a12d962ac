"""`q1lab merge`: the modification into the learner's model, checked and committed."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click

from q1lab.commands._documents import open_repository, save_and_commit
from q1lab.commands._options import WriteOptions, json_option, writing_options
from q1lab.commands._output import print_diff, print_json, remark
from q1lab.commands._store import open_store
from q1lab.commands._week import current_week
from q1lab.documents import merge_change
from q1lab.ground.errors import FAILED, OK, Problem
from q1lab.week.own_model import model_file


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
        conflicts = merge_change.conflict_words(model_merge)
        message = f"{conflicts}: {merge_change.SETTLE}. Before: {record['copy']}"
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
