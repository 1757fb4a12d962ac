"""`q1lab class`: one table of what a whole class hands in."""

from __future__ import annotations

import secrets
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from q1lab.commands._output import force_option, print_json, remark, say_written
from q1lab.ground import plugin_finder
from q1lab.ground.errors import FAILED, OK, Problem, listed_statuses, nearest
from q1lab.ground.files import expand_user
from q1lab.plugins.class_ import HAND_IN_UNCHECKED, PLUGIN, REFUSED_HAND_IN

if TYPE_CHECKING:
    from q1lab.plugins.class_.hand_in_results import HandInResult, Wanted


@click.command(
    name="class",
    epilog="""\b
Examples:
  q1lab class hand-ins
  q1lab class hand-ins --checks --for rope --output class.csv --output class.html
  q1lab class hand-ins --cells 1
  q1lab class names.txt --handout seeds.html

"""
    + listed_statuses(PLUGIN.acts[0].statuses),
)
@click.argument("place", metavar="FOLDER", type=click.Path(path_type=Path))
@click.option("--checks", is_flag=True, help="Run `q1lab check` on each model file, which runs it.")
@click.option(
    "--for",
    "checks_for",
    metavar="NAME",
    help="Check for this modification. Default: by what each file does.",
)
@click.option(
    "--cells",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Number of runs of each study to train again, as `q1lab verify` does. Default: 0, which "
    "runs none of its files.",
)
@click.option(
    "--output",
    "outputs",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also write the table to a .csv or .html file; repeatable.",
)
@click.option(
    "--handout",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write a page with seeds of their own for each name, and the commands to type. FOLDER is "
    "then a text file with a name on each line.",
)
@force_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def class_(
    place: Path,
    checks: bool,
    checks_for: str | None,
    cells: int,
    outputs: tuple[Path, ...],
    handout: Path | None,
    force: bool,
    as_json: bool,
) -> int:
    """Make one table of what a class hands in: who, checks, verified, the verdict, and why not.

    FOLDER holds an entry for each person: a folder with archives, kept studies or model files, or
    one such file. Each study is verified, and judged at the level of its own history. Studies of
    one change get their mean over all hand-ins, with an interval that counts shared seeds once.

    Nothing that was handed in runs unless --checks or --cells asks for it: read the files first.
    Your own home and journal stay as they are.
    """
    if handout is not None:
        return _write_handout(expand_user(place), handout, force)
    from q1lab.plugins.class_.hand_in_results import Wanted

    if "verify" in plugin_finder.away():
        raise Problem("the plug-in verify is away, and `q1lab class` needs it", FAILED)
    for output in outputs:
        if output.suffix.lower() not in (".csv", ".html"):
            raise Problem(f"{output}: the table is written as .csv or .html")
    if checks_for is not None:
        _prove_checked(checks_for, checks)
    settings = Wanted(checks, checks_for, cells, secrets.randbelow(10**6))
    return _judge_class(expand_user(place), settings, outputs, force, as_json)


def _write_handout(names: Path, page: Path, force: bool) -> int:
    from q1lab.ground.write_intents import write_output
    from q1lab.plugins.class_ import handout

    write_output(page, handout.handout_page(handout.read_names(names)), force=force)
    say_written(page)
    return OK


def _prove_checked(name: str, checks: bool) -> None:
    """Problem if ``q1lab check --for`` would not take this name, or no check runs."""
    from q1lab.study import variants

    if not checks:
        raise Problem("--for says what --checks looks for: ", next="give both")
    if unknown := set(name.replace(",", "+").split("+")) - set(variants.checked_variants()):
        raise Problem(f"--for {name}: ", next=nearest(min(unknown), variants.checked_variants()))


def _judge_class(
    place: Path, settings: Wanted, outputs: tuple[Path, ...], force: bool, as_json: bool
) -> int:
    from q1lab.ground.write_intents import write_output
    from q1lab.plugins.class_ import class_table, hand_in_results, hand_ins
    from q1lab.plugins.class_.class_lines import class_lines

    folder = hand_ins.find_hand_ins(place)
    with hand_in_results.borrowed_home() as own_data:
        results = hand_in_results.judge_hand_ins(
            folder.hand_ins, settings, own_data, lambda text: remark(text, quiet=as_json)
        )
    lines = class_lines(results)
    if as_json:
        print_json(
            {"lines": [asdict(line) for line in lines], "without": folder.without}
            | ({"number": settings.number} if settings.cells else {})
        )
    else:
        click.echo(class_table.table_text(lines, folder), nl=False)
    for output in outputs:
        is_csv = output.suffix.lower() == ".csv"
        text = class_table.table_csv(lines) if is_csv else class_table.table_page(lines, folder)
        write_output(output, text, force=force)
        if not as_json:
            say_written(output)
    return _status([result for line in lines for result in line.results])


def _status(results: list[HandInResult]) -> int:
    from q1lab.plugins.class_.hand_in_results import FAILED_CHECK, REFUSED, UNCHECKED, UNUSABLE

    if any(r.verified == REFUSED or r.checks in (FAILED_CHECK, UNUSABLE) for r in results):
        return REFUSED_HAND_IN
    return HAND_IN_UNCHECKED if any(r.verified == UNCHECKED for r in results) else OK
