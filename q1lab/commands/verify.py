"""`q1lab verify`: check a bundle that somebody else made."""

from __future__ import annotations

import secrets
from dataclasses import asdict
from pathlib import Path

import click

from q1lab.commands import _documents as shared
from q1lab.commands._output import print_json, print_wrapped, remark
from q1lab.ground.errors import NOT_CHECKED, OK, REFUSED_BUNDLE, VERIFY_STATUS, Problem
from q1lab.ground.files import expanded, plain


@click.command(
    epilog="""\b
Examples:
  q1lab verify studies/rope-1
  q1lab verify rope-1.q1lab.zip --cells 2 --number 4711
  q1lab verify rope-1.q1lab.zip --cells 0

"""
    + VERIFY_STATUS
)
@click.argument("place", metavar="FILE_OR_FOLDER", type=click.Path(path_type=Path))
@click.option(
    "--cells",
    type=click.IntRange(0),
    metavar="N",
    help="Runs to train again; 0 runs none of its files. Default: 1.",
)
@click.option("--all", "every", is_flag=True, help="Train all runs again.")
@click.option(
    "--number", type=click.IntRange(0), metavar="N", help="Your number, which chooses the runs."
)
@click.option(
    "--data", type=click.Path(path_type=Path), metavar="FILE", help="The text, if it has none."
)
@click.option("--yes", is_flag=True, help="Run a study's command without asking.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def verify(
    place: Path,
    cells: int | None,
    every: bool,
    number: int | None,
    data: Path | None,
    yes: bool,
    as_json: bool,
) -> int:
    """Check a study that somebody gives you, as an archive or as a folder of their repo.

    It checks every file, the journal (also against the commits around the folder), and works out
    the verdict anew. Then it trains one run again, which a number of yours chooses, and compares
    it with the record. That runs the files of the study: read them first. A command is shown and
    asked about.
    """
    from q1lab.verify import bundle_check

    if every and cells is not None:
        raise Problem("--all and --cells: ", next="give one of them")
    drawn = secrets.randbelow(10**6) if number is None else number
    many = None if every else 1 if cells is None else cells
    how = bundle_check.CheckOptions(many, drawn, data and expanded(data))

    def agree(commands: str) -> bool:
        return shared.agrees_to_run(commands, "--yes runs it, --cells 0 runs nothing", yes)

    report = bundle_check.check_bundle(
        expanded(place), how, lambda text: remark(text, quiet=as_json), agree
    )
    code = REFUSED_BUNDLE if report.refused else NOT_CHECKED if report.unchecked else OK
    if as_json:
        refused = [{"reason": reason, "what": words} for reason, words in report.refused]
        print_json({**asdict(report), "refused": refused, "chance": report.chance, "code": code})
        return code
    for words in report.passed:
        print_wrapped(plain(f"  {words}"))
    if report.trained:
        many_of = f"{len(report.trained)} of {report.of} runs (number {drawn})"
        print_wrapped(
            f"  {many_of}: so one forged run is found in {report.chance:.0%} of such checks"
        )
    for words in report.unchecked:
        print_wrapped(plain(f"  not checked: {words}"))
    for reason, words in report.refused:
        print_wrapped(plain(f"  {reason}: {words}"))
    ends = {REFUSED_BUNDLE: "refused", NOT_CHECKED: "could not be checked whole", OK: "verified"}
    said = ends[code] + (", without training" if code == OK and many == 0 else "")
    click.echo(f"{report.study}: {said}")
    return code
