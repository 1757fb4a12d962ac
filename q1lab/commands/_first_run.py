"""The metric of a command that nobody named: guessed from its first run, named, and asked about
where the first run leaves it open."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Set
from dataclasses import replace
from itertools import islice

import click

from q1lab.commands._ask import ask_direction
from q1lab.commands._output import remark
from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import printable
from q1lab.judgment.metric_names import direction, is_speed, known_direction
from q1lab.study.command_arms import CommandSpec
from q1lab.study.command_line import Request
from q1lab.train import first_run
from q1lab.train.first_run import FirstRun

MOST_LISTED = 8
"""Names that are listed where several may be the metric."""


def needs_first_run(loop: CommandSpec) -> bool:
    """True for a command whose metric is not known, or is a speed, beside which the number that the
    change should leave alone is told."""
    return not loop.metric or (is_speed(loop.metric) and not loop.beside)


def with_metric(request: Request, typed: Set[str], *, ask: bool, quiet: bool) -> Request:
    """The request with the metric that its command measured before, else the one of its first run,
    or with the number beside a speed. Problem where no one can say which number it is."""
    loop = request.loop
    assert loop is not None
    better = loop.better if "better" in typed else ""
    measured = first_run.known_reading(loop)
    if measured is not None:
        spec, source = measured[0], f", as in {measured[1]}"
    else:
        remark(
            f"First run ({loop.arms[0]}, seed {request.parsed_seeds.seeds[0]}), to see which "
            "number counts (or --metric NAME) …",
            quiet=quiet,
        )
        show = _show_line if sys.stderr.isatty() else lambda _: None
        heard = first_run.hear(request, show)
        show("")  # what follows is printed on an empty line
        if loop.metric:
            spec = replace(loop, beside=next(iter(heard.candidates), ""))
            better = loop.better
        else:
            spec = replace(loop, metric=_chosen(heard, ask))
            better = _better(spec.metric, better, ask)
        source = f", with {spec.beside} beside it" * bool(spec.beside)
    spec = replace(spec, better=better or spec.better)
    remark(
        f"Metric: {spec.metric}{source}, {spec.better} is better (to say it: --metric "
        f"{shlex.quote(spec.metric)} --better {spec.better}).",
        quiet=quiet,
    )
    return replace(request, loop=spec)


def _show_line(line: str) -> None:
    """Show the last line of a run that is heard, in place of the one before."""
    width = shutil.get_terminal_size().columns - 1
    click.echo("\r" + printable(line)[:width].ljust(width) + "\r", nl=False, err=True)


def _chosen(heard: FirstRun, ask: bool) -> str:
    names = heard.candidates
    if not names:
        raise Problem(f"the first run showed no metric: {first_run.NO_METRIC}", FAILED)
    first = next(iter(names))
    if len(names) == 1:
        return first
    shown = [f"{name} ({value})" for name, value in islice(names.items(), MOST_LISTED)]
    more = f" and {len(names) - MOST_LISTED} more" * (len(names) > MOST_LISTED)
    problem = Problem(
        f"several numbers may be the metric: {', '.join(shown)}{more}",
        next=f"repeat the command with one, such as --metric {shlex.quote(first)}; its first "
        "run is kept",
    )
    if not ask:
        raise problem
    from q1lab.commands._choose import choose

    looks = {
        name: f"{value}  {better + ' is better' if (better := direction(name)) else ''}"
        for name, value in names.items()
    }
    name = choose("Which number counts? Each with its last value", looks)
    if name is None:
        raise problem
    return name


def _better(name: str, typed: str, ask: bool) -> str:
    try:
        return known_direction(name, typed)
    except Problem as problem:
        if not ask:
            raise
        return ask_direction(problem)
