"""What the words after `q1lab run` ask for: variants, a command, a study.toml, a kept folder, a
study's name, a series' name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from q1lab.commands._run_options import TypedCommand
from q1lab.ground.errors import Problem
from q1lab.planning import series_plan
from q1lab.runner import series_turns
from q1lab.study import command_line, series, studies, variants
from q1lab.study.command_arms import CommandSpec
from q1lab.study.command_line import Request
from q1lab.study.studies import Study


@dataclass(frozen=True)
class ParsedRun:
    """The ``request`` of a study. Several ``variants`` make a sweep of it, and an ``axis`` with its
    values another series. ``series`` is one that was declared before: its table is asked for."""

    request: Request
    variants: Sequence[str]
    axis: tuple[str, tuple[str, ...]] | None = None
    series: str | None = None


def parse_run(
    words: Sequence[str],
    own: TypedCommand,
    options: Mapping[str, Any],
    *,
    over: str | None,
    tune: str | None,
    detach: bool,
) -> ParsedRun:
    """Sort out what was typed. Problem for words and options that don't go together; what can be
    seen to be wrong is said before anything is looked at."""
    names = [name for word in words for name in _split(word)]
    loop, names, baseline = _arms(names, own, options["baseline"])
    _check_together(names, over, tune, detach)
    seen = options["yes"] or loop is not None  # a command that is typed, or named by its file
    given = {**options, "baseline": baseline, "yes": seen}
    request = command_line.request_from_options(variant=names[0], loop=loop, **given)
    _ = request.parsed_seeds  # bad ones are said at once
    axis = series_plan.parse_axis(over) if over else None
    if len(names) > 1 or loop is not None:
        return ParsedRun(request, names, axis)
    if _names_a_series(names[0]):
        return ParsedRun(request, names, axis, series=names[0])
    study = _named(names[0])
    return ParsedRun(request if study is None else _going_on(study, request), names, axis)


def _split(word: str) -> list[str]:
    """``rope,swiglu`` is two names, as in --seeds and --over; a file's name may have a comma."""
    if Path(word).exists():
        return [word]
    return [name for one in word.split(",") if (name := one.strip())] or [word]


def _arms(
    names: list[str], own: TypedCommand, baseline: str | None
) -> tuple[CommandSpec | None, list[str], str | None]:
    """The command that trains, if that is not q1lab's own loop; the variants, and the baseline."""
    toml = len(names) == 1 and names[0].endswith(".toml")
    loop = own.loop(Path(names[0]) if toml else None)
    if loop is None:
        if not names:
            raise Problem("give a VARIANT, such as rope, or a --command")
        return None, names, baseline
    if names and not toml:
        raise Problem(f"{names[0]}: with --command the arms are named by --arm, not by VARIANT")
    if baseline:
        raise Problem("--baseline is for model files; of --arm the first, or baseline, is it")
    first, others = loop.arms
    return loop, others, first


def _check_together(names: Sequence[str], over: str | None, tune: str | None, detach: bool) -> None:
    if len(names) > 1 and (over or tune):
        raise Problem(f"{'--over' if over else '--tune'} is for one VARIANT, and here are several")
    if tune and (over or detach):
        other = "--over" if over else "--detach"
        raise Problem(
            f"--tune with {other}: the study is planned when tuning is done", next="leave one out"
        )


def _names_a_series(name: str) -> bool:
    kind = name.partition("-")[0]
    return kind in (series.SWEEP, series.OVER) and bool(series_turns.series_members(name))


def _named(name: str) -> Study | None:
    """The study of that name, where it is no model's and no file's."""
    if name in variants.variant_names() or Path(name).exists() or name not in studies.ids():
        return None
    study = studies.load(name)
    if study.design.resume_instead(study.variant):
        raise Problem(
            f"{name} is a proposal to a gate",
            next=f"go on with {command_line.resume_command(study)}",
        )
    return study


def _going_on(study: Study, request: Request) -> Request:
    """The request of a study that is there, with the seeds that were typed beside its name. Problem
    for any other option."""
    plain = Request(request.variant, yes=request.yes)
    if replace(request, seeds=plain.seeds) != plain:
        raise Problem(f"{study.id} says what it trains: ", next="leave all options but --seeds out")
    again = replace(study.trainer.request(study), yes=request.yes)
    return again if request.seeds == plain.seeds else replace(again, seeds=request.seeds)
