"""`q1lab verify`: check a bundle that another person made."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from q1lab.commands._ask import agrees_to_run
from q1lab.commands._options import json_option
from q1lab.commands._output import print_json, print_wrapped, remark
from q1lab.commands.verify import bundle_check
from q1lab.ground.errors import FAILED, INTERRUPTED, OK, USAGE, Problem, listed_statuses
from q1lab.ground.files import expand_user, printable

REFUSED_BUNDLE, NOT_CHECKED = 20, 21
STATUSES = {
    OK: "what was checked holds",
    FAILED: "not a bundle",
    USAGE: "usage",
    REFUSED_BUNDLE: "refused",
    NOT_CHECKED: "not checked completely",
    INTERRUPTED: "interrupted",
}
"""All exit statuses of `q1lab verify`."""


@click.command(
    epilog="""\b
Examples:
  q1lab verify studies/rope-1
  q1lab verify rope-1.zip --cells 2
  q1lab verify rope-1.zip --cells 0

"""
    + listed_statuses(STATUSES)
)
@click.argument("place", metavar="FILE_OR_FOLDER", type=click.Path(path_type=Path))
@click.option(
    "--cells",
    type=click.IntRange(0),
    metavar="N",
    help="Number of runs to train again; 0 runs none of its files. Default: 1.",
)
@click.option("--all", "all_runs", is_flag=True, help="Train all runs again.")
@click.option(
    "--number",
    type=click.IntRange(0),
    metavar="N",
    help="Choose the runs by this number, not at random. The giver must not know it.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The text to train on, if the bundle does not contain it.",
)
@click.option("--yes", is_flag=True, help="Run a study's command without asking.")
@json_option
def verify(
    place: Path,
    cells: int | None,
    all_runs: bool,
    number: int | None,
    data: Path | None,
    yes: bool,
    as_json: bool,
) -> int:
    """Check a study that another person gives you, as an archive or a folder of their repo.

    It compares every file with its list of hashes, and computes the verdict again from the numbers
    given. Then it checks that the model files don't read what they should predict, trains one run
    again, chosen at random, and compares it with the record to the last bit. That runs the study's
    own files: read them first. A training command is shown, and runs only if you agree. It says
    what it did; whether the comparison is fair is for you to judge.
    """
    if all_runs and cells is not None:
        raise Problem("--all and --cells: ", next="give one of them")
    seed_number = secrets.randbelow(10**6) if number is None else number
    run_count = None if all_runs else 1 if cells is None else cells
    options = bundle_check.CheckOptions(run_count, seed_number, data and expand_user(data))

    def agree(commands: str) -> bool:
        return agrees_to_run(commands, "--yes runs it, --cells 0 runs nothing", yes)

    report = bundle_check.check_bundle(
        expand_user(place), options, lambda text: remark(text, quiet=as_json), agree
    )
    code = REFUSED_BUNDLE if report.refused else NOT_CHECKED if report.unchecked else OK
    if as_json:
        refused = [{"reason": reason, "what": sentence} for reason, sentence in report.refused]
        print_json({**asdict(report), "refused": refused, "chance": report.chance, "code": code})
        return code
    for sentence in _sentences(report, run_count):
        print_wrapped(printable(f"  {sentence}"))
    ends = {
        REFUSED_BUNDLE: "refused",
        NOT_CHECKED: "not checked completely, or not a fair comparison",
        OK: "nothing above speaks against it",
    }
    click.echo(f"{report.study}: {ends[code]}")
    return code


def _sentences(report: bundle_check.BundleReport, run_count: int | None) -> Iterator[str]:
    """What was done, what was not, and what was refused."""
    yield from report.done
    if report.trained:
        yield (
            f"{len(report.trained)} of {report.of} runs were compared to the last bit (number "
            f"{report.number}): one forged run is found in {report.chance:.0%} of such checks"
        )
    if run_count == 0:
        yield "nothing was trained again, and no model file was run"
    yield from (f"not checked: {sentence}" for sentence in report.unchecked)
    yield from (f"{reason}: {sentence}" for reason, sentence in report.refused)
