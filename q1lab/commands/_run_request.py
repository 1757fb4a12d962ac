"""The arguments of `q1lab run`, parsed: variants, a training command, a study.toml, a bundle's
folder, or the name of a study or a sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from q1lab.commands._run_options import TypedCommand
from q1lab.ground.errors import Problem
from q1lab.ground.files import expand_user
from q1lab.ground.options import KEPT_FOLDER, STUDY_NAME
from q1lab.study import command_line, kept_folder, series, studies, two_commands, variants
from q1lab.study.command_arms import CommandSpec, with_reading
from q1lab.study.command_line import OPTIONS, Request, options_with
from q1lab.study.studies import Study
from q1lab.train import first_number, series_members

WITH_SERIES = {"variant", "yes", "as_json"}
"""All that may be typed with the name of a sweep, which is only shown."""

RANGE = "3..8"
"""The seeds of two commands, unless others were typed."""


@dataclass(frozen=True)
class ParsedRun:
    """The request that was typed. Several ``variants`` make it a sweep. ``series`` is the id of a
    sweep declared earlier, whose table is to be printed."""

    request: Request
    variants: Sequence[str]
    series: str | None = None


def parse_run(
    typed_names: Sequence[str],
    typed_command: TypedCommand,
    options: Mapping[str, Any],
    typed: Set[str],
) -> ParsedRun:
    """Parse the arguments of `q1lab run`; ``typed`` are the options that were typed, with whatever
    value. Problem for arguments and options that don't go together; all that can be refused by
    their text alone is refused before any file is read."""
    loop: CommandSpec | None
    baseline: str | None
    if two_commands.are_commands(typed_names):
        loop, options = _two_commands(typed_names, typed_command, options, typed)
        baseline, names = loop.arms
    else:
        names = [name for word in typed_names for name in _split(word)]
        if len(names) == 1 and typed_command.corrections and typed_command.command_ is None:
            study = _named(names[0])
            alone = study is not None and study.origin.series is None
            if study is not None and alone and first_number.silent_run(study) is not None:
                corrected = _corrected(study, typed_command.corrections, options, typed)
                return ParsedRun(corrected, names)
        loop, names, baseline = _arms(names, typed_command, options["baseline"])
    may_run = options["yes"] or loop is not None  # the learner typed the command, or named its file
    request_options = {**options, "baseline": baseline, "yes": may_run}
    request = command_line.request_from_options(variant=names[0], loop=loop, **request_options)
    _ = request.parsed_seeds  # raises Problem for bad ones, at once
    if len(names) > 1 or loop is not None:
        return ParsedRun(request, names)
    if members := _series_members(names[0]):
        if typed - WITH_SERIES:
            raise Problem(
                f"{names[0]} prints its table again: ",
                next="leave the options out. To train with others, change the command that "
                f"declared it: {command_line.resume_command(members[min(members)])}",
            )
        return ParsedRun(request, names, series=names[0])
    if (study := _named(names[0])) is not None:
        request = _going_on(study, request, typed)
    elif kept_folder.is_kept_folder(names[0]) and (
        typed & OPTIONS.keys() - options_with(KEPT_FOLDER)
    ):
        kept_study = kept_folder.load_kept_study(expand_user(names[0]))
        raise kept_folder.another_study(kept_study, request)
    return ParsedRun(request, names)


def _two_commands(
    commands: Sequence[str],
    typed_command: TypedCommand,
    options: Mapping[str, Any],
    typed: Set[str],
) -> tuple[CommandSpec, dict[str, Any]]:
    """The training command of two commands, and the options of its request: a range unless seeds
    were typed."""
    if options["baseline"]:
        raise Problem("--baseline is for model files; the first command is the baseline")
    seeds = options["seeds"] if "seeds" in typed else RANGE
    return typed_command.of_two(commands), {**options, "seeds": seeds}


def _split(word: str) -> list[str]:
    """``rope,swiglu`` is two names; a file's name may have a comma."""
    if Path(word).exists():
        return [word]
    return [name for part in word.split(",") if (name := part.strip())] or [word]


def _arms(
    names: list[str], typed_command: TypedCommand, baseline: str | None
) -> tuple[CommandSpec | None, list[str], str | None]:
    """The training command (None for q1lab's own loop), the variants, and the baseline."""
    file, *arms = names if names and names[0].endswith(".toml") else (None, *names)
    if file and len(arms) > 1:
        file, arms = None, names
    loop = typed_command.loop(Path(file) if file else None, arms[0] if arms else None)
    if loop is None:
        if not names:
            raise Problem("give a VARIANT, such as rope, or a --command")
        return None, names, baseline
    if len(arms) > 1:
        raise Problem(f"{arms[1]}: with a command, only one arm at a time is compared with itself")
    if baseline:
        raise Problem("--baseline is for model files; of --arm the first, or baseline, is it")
    first, others = loop.arms
    return loop, others, first


def _series_members(name: str) -> dict[int, Study]:
    """The studies of the sweep with this name, by their place; empty if there is none."""
    is_series = name.partition("-")[0] == series.SWEEP
    return series_members.load_members(name) if is_series else {}


def _named(name: str) -> Study | None:
    """The study with this name; None if the name is a model's, a file's, or no study's."""
    if name in variants.variant_names() or Path(name).exists() or name not in studies.ids():
        return None
    return studies.load(name)


def _corrected(
    study: Study, corrections: Mapping[str, str], options: Mapping[str, Any], typed: Set[str]
) -> Request:
    """The request of a study whose command has shown no number, with the metric read as typed.
    Problem for any other option."""
    jobs = study.trainer.jobs
    typed_request = command_line.request_from_options(variant=study.id, **options)
    study = study.with_trainer(loop=with_reading(study.trainer.loop, corrections))
    return replace(_going_on(study, typed_request, typed), jobs=jobs)


def _going_on(study: Study, request: Request, typed: Set[str]) -> Request:
    """The request that an existing study was planned by, with the seeds and the engine typed after
    its name. Problem for any other option."""
    if typed & OPTIONS.keys() - options_with(STUDY_NAME):
        raise Problem(
            f"{study.id} says what it trains: ",
            next="leave all options but --seeds and --launcher out",
        )
    changes = {name: getattr(request, name) for name in typed & OPTIONS.keys()}
    if first_number.silent_run(study) is not None:
        changes["yes"] = True  # the learner's own command, with a file that they corrected
    return replace(study.trainer.request(study), **changes)
