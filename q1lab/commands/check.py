"""`q1lab check`: the property checks of a model file."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from q1lab.commands._options import json_option
from q1lab.commands._output import width_shown
from q1lab.commands._store import open_store
from q1lab.commands._week import current_week
from q1lab.ground.errors import USAGE, Problem
from q1lab.ground.files import printable
from q1lab.journal import learner_tables
from q1lab.study import command_line, presets, variants
from q1lab.study.own_model.run_checks import CheckReport, CheckResult, made_for, run_checks
from q1lab.week import evidence
from q1lab.week.own_model.check_blocks import (
    CheckBlock,
    following_block,
    lay_out,
    outcome_blocks,
    printed_block,
    result_block,
)
from q1lab.week.own_model.model_file import ways_in_words


@click.command(
    epilog="""\b
Examples:
  q1lab check rope.py
  q1lab check mine.py --for rope --watch
  q1lab check mine.py --for rope --baseline model.py
  q1lab check mine.py --for rope --set use_rope=true
  q1lab check model.py --for baseline --json

Exit status: 0 all passed, 1 a check failed, 2 the file can't be used, 3 the modification could
not be judged, 130 ended by Ctrl-C."""
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--for",
    "for_",
    default=None,
    help=f"{', '.join(variants.checked_variants())}, or several joined by +; default: what "
    "the file's first line names.",
)
@click.option(
    "--baseline",
    help="The model to compare with: a name or a file. Default: the one that FILE was made from.",
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Set a field of the file's own GPTConfig to another value; repeatable.",
)
@click.option("--watch", is_flag=True, help="Check again whenever the file is saved, until Ctrl-C.")
@json_option
def check(
    file: Path,
    for_: str | None,
    baseline: str | None,
    overrides: tuple[str, ...],
    watch: bool,
    as_json: bool,
) -> int:
    """Check the behavior of a model FILE: causality, gradients, and its modification's promises.

    The names in the file don't matter. It runs in a process of its own, with limits on time and
    memory.
    """
    variant_names = variants.checked_variants()
    for part in (for_ or "").replace(",", "+").split("+"):
        if part and part not in variant_names:
            raise Problem(f"--for {part}: not one of {', '.join(variant_names)}")
    if watch and as_json:
        raise Problem(
            "--watch shows checks as a file is saved; --json gives one record: ", next="choose one"
        )
    for_ = for_ or _named_on_top(file)
    while True:
        checked = _stamp(file)
        code = _check_once(file, for_, baseline, overrides, as_json)
        if not watch:
            return code
        _wait_for_save(file, checked)
        click.echo(f"\n{file.name} was saved.")


def _named_on_top(file: Path) -> str | None:
    """The modification that the first line names; None where there is no file to read. Problem
    without such a line."""
    named = made_for(file)
    if named is None and file.is_file():
        names = ", ".join(variants.checked_variants())
        raise Problem(
            f"{file}: its first line does not say which modification it holds",
            next=f"add --for with one of {names}",
        )
    return named


def _settings(overrides: tuple[str, ...]) -> dict[str, Any]:
    """The file's own fields of --set. Problem for a size, of which the checks choose their own."""
    texts = command_line.parse_settings(overrides)
    config = presets.PRESETS[presets.default_preset("cpu")]
    for key in texts:
        if key in (*config, "vocab_size"):
            raise Problem(
                f"--set {key}: the checks choose their own sizes",
                next="name a field that only your GPTConfig has",
            )
    return {key: presets.parse_value(key, text) for key, text in texts.items()}


def _check_once(
    file: Path, for_: str | None, baseline: str | None, overrides: tuple[str, ...], as_json: bool
) -> int:
    def show(result: CheckResult) -> None:
        if not (as_json or result.follows):  # one line at the end is about all that follow
            _print([result_block(result)])

    compared = variants.find_variant(baseline).path if baseline else None
    settings = _settings(overrides)
    report = run_checks(file, for_, baseline=compared, settings=settings, on_result=show)
    chosen = _note_passed(file, report)
    if as_json:
        click.echo(json.dumps(report.as_dict(), ensure_ascii=False))
        return report.code
    _print(following_block(report.checks))
    if printed := printed_block(report):
        click.echo()
        _print(printed)
    if report.unusable is not None:
        ways = "" if file.exists() or file.is_symlink() else f"; {ways_in_words(file, for_)}"
        sys.stderr.write(f"q1lab: {printable(report.unusable + ways)}\n")
        return USAGE
    click.echo()
    choices, set_words = variants.modifications(), "".join(f" --set {text}" for text in overrides)
    _print(outcome_blocks(report, str(file), chosen, baseline, set_words, choices))
    return report.code


def _note_passed(file: Path, report: CheckReport) -> str | None:
    """Note in the journal that the learner's file passed, which ticks its step. Returns the
    modification chosen for the week; None if the file did not pass, or nothing could be noted."""
    if report.passed and report.unusable is None:
        # a broken week or database must not hide the result of the checks
        with contextlib.suppress(Problem), open_store() as store:
            label = current_week().label
            evidence.note_check(store, label, file, report.for_)
            return learner_tables.chosen_variant(store, label)
    return None


POLL_SECONDS = 0.3
COLORS = {"good": "green", "bad": "red", "warn": "yellow"}
"""Colors on a terminal, by role; the other roles have none."""


def _print(blocks: Iterable[CheckBlock]) -> None:
    """Print blocks. One without a sign may hold a command to copy: its lines are not broken."""
    for block in blocks:
        for line in lay_out(block, width_shown() if block.sign else None):
            click.echo("".join(click.style(text, fg=COLORS.get(role)) for text, role in line))


def _wait_for_save(file: Path, checked: object) -> None:
    """Return once the file is there and is another than the one that was checked. Polling works
    everywhere; change notifications don't on WSL and network mounts."""
    while _stamp(file) in (checked, None):
        time.sleep(POLL_SECONDS)


def _stamp(file: Path) -> tuple[int, int, int] | None:
    """What changes when a file is saved, also by an editor that replaces it; None without one."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
