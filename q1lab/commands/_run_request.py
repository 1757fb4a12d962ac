"""The arguments of `q1lab run`, parsed: variants, a training command, a study.toml, a bundle's
folder, or the name of a study or a sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from q1lab.ground.errors import Problem
from q1lab.ground.files import expand_user
from q1lab.ground.options import KEPT_FOLDER, STUDY_NAME
from q1lab.study import (
    command_line,
    first_number,
    kept_folder,
    kinds,
    studies,
    two_commands,
    variants,
)
from q1lab.study.command_arms import COMMAND_OPTIONS, CommandSpec, read_study_toml, with_reading
from q1lab.study.command_line import OPTIONS, Request, options_with
from q1lab.study.series import is_sweep
from q1lab.study.studies import Study
from q1lab.train import series_members

RANGE = "3..8"
"""The seeds of two commands, unless others were typed."""


@dataclass(frozen=True)
class ParsedRun:
    """The request that was typed. Several ``variants`` make it a sweep."""

    request: Request
    variants: Sequence[str]


def parse_run(typed_names: Sequence[str], options: Mapping[str, Any], typed: Set[str]) -> ParsedRun:
    """Parse the arguments of `q1lab run`; ``typed`` are the options that were typed, with whatever
    value. Problem for arguments and options that don't go together; all that can be refused by
    their text alone is refused before any file is read."""
    reading = {name: options[name] for name in COMMAND_OPTIONS if options[name] is not None}
    options = {name: value for name, value in options.items() if name not in COMMAND_OPTIONS}
    if two_commands.are_commands(typed_names):
        return _two_commands(typed_names, options, typed, reading)
    names = [name for word in typed_names for name in _split(word)]
    if not names:
        raise Problem("give a VARIANT, such as rope, or two commands in quotes")
    if names[0].endswith(".toml"):
        return _study_toml(names, options, reading)
    study = _named(names[0]) if len(names) == 1 else None
    if reading:
        return _corrected(study, reading, options, typed)
    request = command_line.request_from_options(variant=names[0], **options)
    _ = request.parsed_seeds  # raises Problem for bad ones, at once
    if len(names) > 1:
        return ParsedRun(request, names)
    if is_sweep(names[0]) and (members := series_members.load_members(names[0])):
        raise Problem(
            f"{names[0]} is a sweep; `q1lab compare {names[0]}` prints its table. ",
            next=f"It goes on with: {kinds.resume_command(members[min(members)])}",
        )
    if study is not None:
        request = _going_on(study, request, typed)
    elif kept_folder.is_kept_folder(names[0]) and (
        typed & OPTIONS.keys() - options_with(KEPT_FOLDER)
    ):
        kept_study = kept_folder.load_kept_study(expand_user(names[0]))
        raise kept_folder.another_study(kept_study, request)
    return ParsedRun(request, names)


def _two_commands(
    commands: Sequence[str],
    options: Mapping[str, Any],
    typed: Set[str],
    reading: Mapping[str, str],
) -> ParsedRun:
    """The request of two commands: for a range, unless seeds were typed."""
    if options["baseline"]:
        raise Problem("--baseline is for model files; the first command is the baseline")
    loop = two_commands.parse_two_commands(commands, **reading)
    seeds = options["seeds"] if "seeds" in typed else RANGE
    return _of_command(loop, {**options, "seeds": seeds})


def _study_toml(
    names: Sequence[str], options: Mapping[str, Any], reading: Mapping[str, str]
) -> ParsedRun:
    """The request of a study.toml, or of one of its arms that is compared with itself."""
    file, *arms = names
    if len(arms) > 1:
        raise Problem(f"{arms[1]}: only one arm at a time is compared with itself")
    if reading or options["baseline"]:
        raise Problem(
            f"{file} names its arms and its metric: ",
            next=f"change it there, and leave {_flags(reading) or '--baseline'} out",
        )
    return _of_command(read_study_toml(expand_user(file), *arms), options)


def _of_command(loop: CommandSpec, options: Mapping[str, Any]) -> ParsedRun:
    """The request of a command that the learner typed, or whose file they named."""
    baseline, others = loop.arms
    options = {**options, "baseline": baseline, "yes": True}
    request = command_line.request_from_options(variant=others[0], loop=loop, **options)
    _ = request.parsed_seeds  # raises Problem for bad ones, at once
    return ParsedRun(request, others)


def _flags(reading: Mapping[str, str]) -> str:
    return " and ".join(COMMAND_OPTIONS[name].flag for name in reading)


def _split(word: str) -> list[str]:
    """``rope,swiglu`` is two names; a file's name may have a comma."""
    if Path(word).exists():
        return [word]
    return [name for part in word.split(",") if (name := part.strip())] or [word]


def _named(name: str) -> Study | None:
    """The study with this name; None if the name is a model's, a file's, or no study's."""
    if name in variants.variant_names() or Path(name).exists() or name not in studies.ids():
        return None
    return studies.load(name)


def _corrected(
    study: Study | None, reading: Mapping[str, str], options: Mapping[str, Any], typed: Set[str]
) -> ParsedRun:
    """The request of a study whose command has shown no number, with the metric read as typed.
    Problem for any other option, and for any other study."""
    alone = study is not None and study.origin.series is None
    if study is None or not alone or first_number.silent_run(study) is None:
        raise Problem(
            f"{_flags(reading)} can only go with two commands, or with the name of a study whose "
            "command has shown no number yet",
            next="models are compared by val loss; `q1lab compare STUDY --full` has their speed",
        )
    # a metric that is read by its name needs no pattern
    corrections = {"pattern": "", **reading} if "metric" in reading else reading
    request = command_line.request_from_options(variant=study.id, **options)
    jobs = study.trainer.jobs
    study = study.with_trainer(loop=with_reading(study.trainer.loop, corrections))
    return ParsedRun(replace(_going_on(study, request, typed), jobs=jobs), [study.id])


def _going_on(study: Study, request: Request, typed: Set[str]) -> Request:
    """The request that an existing study was planned by, with the seeds and the launcher typed
    after its name. Problem for any other option."""
    if typed & OPTIONS.keys() - options_with(STUDY_NAME):
        raise Problem(
            f"{study.id} says what it trains: ",
            next="leave all options but --seeds and --launcher out",
        )
    changes = {name: getattr(request, name) for name in typed & OPTIONS.keys()}
    if first_number.silent_run(study) is not None:
        changes["yes"] = True  # the learner's own command, with a file that they corrected
    return replace(kinds.request(study), **changes)
