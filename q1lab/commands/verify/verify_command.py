"""`q1lab verify`: check a bundle that another person made."""

from __future__ import annotations

import secrets
from dataclasses import asdict
from pathlib import Path

import click

from q1lab.commands import _documents as shared
from q1lab.commands._output import print_json, print_wrapped, remark
from q1lab.ground.command_table import NOT_CHECKED, REFUSED_BUNDLE, acts
from q1lab.ground.errors import OK, Problem, listed_statuses
from q1lab.ground.files import expand_user, printable


@click.command(
    epilog="""\b
Examples:
  q1lab verify studies/rope-1
  q1lab verify rope-1.zip --cells 2
  q1lab verify rope-1.zip --cells 0

"""
    + listed_statuses(acts()["verify"].statuses)
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
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
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

    It checks every file and the journal (also against the commits of the repo), and computes the
    verdict again. Then it trains one run again, chosen at random, and compares it with the record.
    That runs the study's own files: read them first. A training command is shown, and runs only if
    you agree.
    """
    from q1lab.commands.verify import bundle_check

    if all_runs and cells is not None:
        raise Problem("--all and --cells: ", next="give one of them")
    seed_number = secrets.randbelow(10**6) if number is None else number
    run_count = None if all_runs else 1 if cells is None else cells
    options = bundle_check.CheckOptions(run_count, seed_number, data and expand_user(data))

    def agree(commands: str) -> bool:
        return shared.agrees_to_run(commands, "--yes runs it, --cells 0 runs nothing", yes)

    report = bundle_check.check_bundle(
        expand_user(place), options, lambda text: remark(text, quiet=as_json), agree
    )
    code = REFUSED_BUNDLE if report.refused else NOT_CHECKED if report.unchecked else OK
    if as_json:
        refused = [{"reason": reason, "what": sentence} for reason, sentence in report.refused]
        print_json({**asdict(report), "refused": refused, "chance": report.chance, "code": code})
        return code
    for sentence in report.passed:
        print_wrapped(printable(f"  {sentence}"))
    if report.trained:
        compared = len(report.trained) - len(report.not_to_the_end)
        many_of = f"{compared} of {report.of} runs to the end (number {seed_number})"
        print_wrapped(
            f"  {many_of}: so one forged run is found in {report.chance:.0%} of such checks"
        )
    for sentence in report.unchecked:
        print_wrapped(printable(f"  not checked: {sentence}"))
    for reason, sentence in report.refused:
        print_wrapped(printable(f"  {reason}: {sentence}"))
    ends = {
        REFUSED_BUNDLE: "refused",
        NOT_CHECKED: "could not be checked completely",
        OK: "verified",
    }
    ending = ends[code] + (", without training" if code == OK and run_count == 0 else "")
    click.echo(f"{report.study}: {ending}")
    return code
