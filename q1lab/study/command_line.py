"""Requests to `q1lab run`, as a record and as a command line. All such command lines are built
here.

``Request`` holds the options as typed, and ``argv`` writes them as a command. ``kinds.request``
makes the one that plans a study's twin: same files, hyperparameters, data, device and number
format.
Pure, and light enough for the app's first screen.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from q1lab.ground import config
from q1lab.ground.errors import Problem
from q1lab.ground.options import (
    COMMAND,
    EVERY_DAY,
    KEPT_FOLDER,
    STUDY_NAME,
    Option,
    option,
    options_of,
)
from q1lab.study import presets
from q1lab.study.command_arms import CommandSpec
from q1lab.study.typed_seeds import TypedSeeds, parse_seeds


@dataclass(frozen=True)
class Request:
    """A request for a study, with the options of `q1lab run` as typed. Each option is declared at
    its field: a new one needs a field here, and the code that uses its value."""

    variant: str
    seeds: str = option(
        "3",
        "A number (3), a range that stops when the answer is known (3..12), or a number of new "
        "seeds, drawn for you (fresh:8).",
        EVERY_DAY,
        goes_with=(STUDY_NAME, COMMAND),
    )
    baseline: str | None = option(
        None,
        "The model to compare with: a name or a file. Default: the one that VARIANT was made from.",
        EVERY_DAY,
        goes_with=(COMMAND,),
    )
    preset: str | None = option(
        None,
        "Size and budget. Default: by device.",
        EVERY_DAY,
        choices=tuple(presets.PRESETS),
    )
    data: str = option(
        "",
        "stdlib, shakespeare, or a UTF-8 text file. Default: as `q1lab data` says, else stdlib.",
        EVERY_DAY,
        goes_with=(KEPT_FOLDER,),
    )
    overrides: Mapping[str, str] = field(
        default_factory=dict,
        metadata={
            "max_iters": Option(
                "Optimizer updates per run.",
                EVERY_DAY,
                is_number=True,
            ),
            "overrides": Option(
                "Any other hyperparameter; repeatable.",
                flag="--set",
                is_list=True,
                metavar="KEY=VALUE",
            ),
        },
    )
    """Hyperparameters that differ from the preset's: name to value, both as typed."""
    device: str = option(
        "auto",
        choices=("auto", "cpu", "cuda", "mps"),
        goes_with=(COMMAND,),
    )
    dtype: str = option("auto", choices=("auto", "fp32", "bf16"))
    jobs: int | None = option(
        None,
        "Runs that train at once. Default: one per core, or one per GPU.",
        is_number=True,
        goes_with=(KEPT_FOLDER, COMMAND),
    )
    wandb: str = option(
        "auto",
        "Weights & Biases; auto is online where a key is configured, else offline.",
        choices=config.SETTINGS["wandb"].choices,
        goes_with=(KEPT_FOLDER, COMMAND),
    )
    launcher: str | None = option(
        None,
        "Words before the command of each run: 'srun --gres=gpu:1 --job-name={run}'.",
        metavar="WORDS",
        may_be_empty=True,
        goes_with=(STUDY_NAME, KEPT_FOLDER, COMMAND),
    )
    fresh: bool = option(
        False,
        "Start a new study even if this one exists.",
        goes_with=(KEPT_FOLDER, COMMAND),
    )
    unchecked: bool = option(
        False,
        "Train your own file without its checks; the verdict says so.",
        goes_with=(KEPT_FOLDER,),
    )
    yes: bool = option(
        False,
        "Run the command of another person's study without asking.",
        goes_with=(STUDY_NAME, KEPT_FOLDER, COMMAND),
    )
    """True if a command may run that never ran here: the person typed it, or has seen it."""
    loop: CommandSpec | None = None
    """The command that trains, where that is not q1lab's own loop; ``variant`` and ``baseline`` are
    then names of its arms."""

    @property
    def launcher_words(self) -> str:
        """The launcher that was typed, else that of the settings. Problem for an open quote."""
        words = config.load_settings().launcher if self.launcher is None else self.launcher
        try:
            shlex.split(words)
        except ValueError as error:
            raise Problem(f"--launcher {words[:60]!r}: {error}", next="close the quote") from None
        return words

    @cached_property
    def parsed_seeds(self) -> TypedSeeds:
        """The seeds typed after --seeds, parsed. Problem if no design takes them."""
        return parse_seeds(self.seeds)


OPTIONS = options_of(Request)
"""The options of a request, by name, in the order of `q1lab run --help`."""
IN_COMMANDS = tuple(sorted(OPTIONS, key=lambda name: name != "baseline"))
"""Their names, with the pair that is compared first, as commands have it."""


def options_with(other: str) -> frozenset[str]:
    """The options that may be typed with something else than a variant, such as STUDY_NAME."""
    return frozenset(name for name, option in OPTIONS.items() if other in option.goes_with)


def option_values(request: Request) -> dict[str, Any]:
    """The values by which a request would be typed, by option."""
    overrides = dict(request.overrides)
    values: dict[str, Any] = {name: getattr(request, name, None) for name in IN_COMMANDS}
    values["max_iters"] = overrides.pop("max_iters", None)
    values["overrides"] = tuple(f"{key}={value}" for key, value in overrides.items())
    return values


def argv(request: Request) -> tuple[str, ...]:
    """The command of a request, program name first. Defaults are left out."""
    # a file whose name begins with a hyphen would be read as an option
    variant = f"./{request.variant}" if request.variant.startswith("-") else request.variant
    words = ["q1lab", "run", variant]
    default = option_values(Request(request.variant, seeds=""))
    for name, value in option_values(request).items():
        if value != default[name] and value is not None:
            words += OPTIONS[name].words(value)
    return tuple(words)


def request_from_options(
    *,
    max_iters: int | None = None,
    overrides: tuple[str, ...] = (),
    loop: CommandSpec | None = None,
    **options: Any,
) -> Request:
    """Make a request from the parsed options of `q1lab run`; None is one that was not typed."""
    return Request(
        overrides=parse_settings(overrides, max_iters),
        loop=loop,
        **{name: value for name, value in options.items() if value is not None},
    )


def parse_settings(typed: tuple[str, ...], max_iters: int | None = None) -> dict[str, str]:
    """The values of --set KEY=VALUE by key, as texts; Problem for one that is not that."""
    value_by_key: dict[str, str] = {}
    for item in typed:
        key, sign, value = item.partition("=")
        if not sign or not key.strip():
            raise Problem(f"--set {item!r}: ", next="give KEY=VALUE, such as learning_rate=3e-4")
        value_by_key[key.strip()] = value.strip()
    if max_iters is not None:
        value_by_key["max_iters"] = str(max_iters)
    return value_by_key


def command_text(request: Request) -> str:
    """``argv`` as one line for a shell."""
    return shlex.join(argv(request))


def sweep_command(request: Request, variants: Sequence[str]) -> str:
    """The command of the request for several variants, for a shell."""
    return shlex.join(("q1lab", "run", *variants, *argv(request)[3:]))


def fewest_overrides(preset: str, config: Mapping[str, Any]) -> dict[str, str]:
    """The fewest --set options (and --max-iters) that make ``config`` out of ``preset``.

    They come from the hyperparameters that trained, not from the options typed at the time: a
    preset may have changed since.
    """
    preset_config = presets.PRESETS.get(preset, {})
    overrides: dict[str, str] = {}
    # max_iters first: other values follow it unless they are given, too
    for key in sorted(config, key=lambda key: (key != "max_iters", key not in preset_config)):
        try:
            resolved = presets.resolve_config(preset, overrides, config) if preset_config else {}
        except Problem:  # a study from elsewhere may have values that no training takes
            resolved = {}
        if key not in resolved or not _same(resolved[key], config[key]):
            overrides[key] = _typed(config[key])
    return overrides


def _same(value: Any, other: Any) -> bool:
    return bool(value == other) and type(value) is type(other)


def _typed(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
