"""Requests to `q1lab run`, as a record and as a command line. All such command lines are built
here.

``Request`` holds the options as typed, and ``argv`` writes them as a command. A study's trainer
makes the request that plans its twin: same files, hyperparameters, data, device and number format.
Pure, and light enough for the app's first screen.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from q1lab.ground import command_table, config
from q1lab.ground.errors import Problem
from q1lab.judgment.subject import TunedValue
from q1lab.study import engine_choice, engine_state, part_registry, presets
from q1lab.study.command_arms import CommandSpec
from q1lab.study.design import TypedSeeds
from q1lab.study.engine_choice import EngineChoice
from q1lab.study.studies import Study

DEFAULT_HEADLINE = "paired"
"""The interval that decides unless a study declares the other. Chosen from measured pair
correlations: docs/pairing.md."""

CHOICES: Mapping[str, tuple[str, ...]] = {
    "preset": tuple(presets.PRESETS),
    "device": ("auto", "cpu", "cuda", "mps"),
    "dtype": ("auto", "fp32", "bf16"),
    "wandb": config.CHOICES["wandb"],
}
"""The values of a request's fields that have few: for the flags and their help and completion, and
for the app's form."""


@dataclass(frozen=True)
class Request:
    """A request for a study, with the options as typed."""

    variant: str
    seeds: str = "3"
    side: str | None = None
    """``better`` for a one-sided range, which can only say that the variant helps."""
    baseline: str | None = None
    """The variant to compare with; None: the parent of the variant, else q1lab's baseline."""
    preset: str | None = None
    data: str = ""
    """A name or a file; empty: the choice of `q1lab data`, else stdlib."""
    device: str = "auto"
    dtype: str = "auto"
    jobs: int | None = None
    headline: str = DEFAULT_HEADLINE
    may_be_paired: bool = False
    """True if nobody typed the headline of a command: its preflight may make it paired."""
    overrides: Mapping[str, str] = field(default_factory=dict)
    """Hyperparameters that differ from the preset's: name to value, both as typed."""
    match: str | None = None
    """``params``: give the modified model the width at which it has the baseline's parameters."""
    tune: str | None = None
    """The hyperparameter that each arm chooses for itself before the study."""
    tuned: TunedValue | None = None
    """The tuned value (designs/tuning.py); not typed, but found before the study is planned."""
    fresh: bool = False
    unchecked: bool = False
    wandb: str = "auto"
    engine: str | None = None
    """The engine: ``local``, another kind, ``KIND=ADDRESS`` or a name; None: the engine that the
    study has, or the one that the settings give for the preset."""
    engine_options: tuple[str, ...] = ()
    yes: bool = False
    """True if a command may run that never ran here: the person typed it, or has seen it."""
    loop: CommandSpec | None = None
    """The command that trains, where that is not q1lab's own loop; ``variant`` and ``baseline`` are
    then names of its arms."""

    @cached_property
    def parsed_seeds(self) -> TypedSeeds:
        """The seeds typed after --seeds, parsed. Problem if no design takes them."""
        for kind in part_registry.part_classes("design"):
            typed: TypedSeeds | None = kind.parse_seeds(self.seeds)
            if typed is not None:
                kind.check_headline(typed, self.headline)
                if not self.side:
                    return typed
                if typed.side is None:
                    raise Problem(
                        f"--side {self.side} with --seeds {self.seeds}: a one-sided study is a "
                        "planned range",
                        next="give one, such as --seeds 3..8",
                    )
                return replace(typed, side=self.side)
        raise Problem(
            f"--seeds {self.seeds!r}: ",
            next=(
                "give how many (3), a range (3..12 or full:3..12), which (0,1,2,7; whole numbers "
                "from 0 to 999,999,999), or how many new ones (fresh:8)"
            ),
        )


def argv(request: Request) -> tuple[str, ...]:
    """The command of a request, program name first. Defaults are left out."""
    # a file whose name begins with a hyphen would be read as an option
    variant = f"./{request.variant}" if request.variant.startswith("-") else request.variant
    words = ["q1lab", "run", variant]
    default = Request(request.variant, seeds="")
    overrides = dict(request.overrides)
    options = {
        "baseline": request.baseline,
        "seeds": request.seeds,
        "side": request.side,
        "preset": request.preset,
        "data": request.data,
        "max_iters": overrides.pop("max_iters", None),
    }
    for key, value in options.items():
        if value is not None and value != getattr(default, key, None):
            words += [f"--{key.replace('_', '-')}", str(value)]
    for key, value in overrides.items():
        words += ["--set", f"{key}={value}"]
    for key in ("device", "dtype", "jobs", "headline", "wandb", "match", "tune", "engine"):
        value = getattr(request, key)
        if value != getattr(default, key):
            words += [f"--{key}", str(value)]
    for option in request.engine_options:
        words += ["--engine-option", option]
    words += [f"--{key}" for key in ("fresh", "unchecked") if getattr(request, key)]
    return tuple(words)


def request_from_options(
    *,
    data: str | None,
    max_iters: int | None,
    overrides: tuple[str, ...],
    headline: str | None = None,
    loop: CommandSpec | None = None,
    **options: Any,
) -> Request:
    """Make a request from the parsed options of `q1lab run`."""
    return Request(
        data=data or "",
        overrides=parse_settings(overrides, max_iters),
        headline=headline or (DEFAULT_HEADLINE if loop is None else "welch"),
        may_be_paired=headline is None and loop is not None,
        loop=loop,
        **options,
    )


def parse_settings(typed: tuple[str, ...], max_iters: int | None = None) -> dict[str, str]:
    """The values of --set KEY=VALUE by key, as texts; Problem for one that is not that."""
    value_by_key: dict[str, str] = {}
    for item in typed:
        key, sign, value = item.partition("=")
        if not sign or not key.strip():
            raise Problem(
                f"--set {item!r}: ", next="give KEY=VALUE, for example --set learning_rate=3e-4"
            )
        value_by_key[key.strip()] = value.strip()
    if max_iters is not None:
        if max_iters < 1:
            raise Problem(f"--max-iters {max_iters}: a run needs at least 1 iter")
        value_by_key["max_iters"] = str(max_iters)
    return value_by_key


def request_from_argv(words: Sequence[str]) -> Request | None:
    """The request of a `q1lab run` command, program name first; None for any other command, for one
    that is refused, and for one with more than a single study in it: an axis, JSON, --detach."""
    if list(words[:2]) != ["q1lab", "run"]:
        return None
    try:
        parsed = command_table.parse_command(words[1:])
        if parsed.help or parsed.typed & OTHER_OPTIONS:
            return None
        values = {key: parsed.values[key] for key in parsed.values if key not in OTHER_OPTIONS}
        (variant,) = values.pop("variant")
        return request_from_options(variant=variant, **values)
    except (Problem, ValueError):  # such as two variants: a sweep
        return None


OTHER_OPTIONS = {
    *("over", "name", "detach", "as_json"),
    *("command_", "arms", "metric", "better", "pattern", "smoke"),
}
"""Options of `q1lab run` that are not part of a request."""


def command_text(request: Request) -> str:
    """``argv`` as one line for a shell."""
    return shlex.join(argv(request))


def sweep_command(request: Request, variants: Sequence[str]) -> str:
    """The command of the request for several variants, for a shell."""
    return shlex.join(("q1lab", "run", *variants, *argv(request)[3:]))


def resume_command(study: Study) -> str:
    """The command that resumes a study: the engine's own for training by hand, else the one that
    planned it, with more time where the engine's limit ended a run."""
    by_hand = engine_choice.manual_command(study.trainer.engine, study.id)
    command = by_hand or study.design.resume_instead(study.variant)
    return command or study.trainer.resume_command(study) or _command_by_name(study)


def _command_by_name(study: Study) -> str:
    engine = engine_to_resume(study)
    options = {}
    if engine is not None and engine != study.trainer.engine:
        options = engine_options(engine)
    return command_text(Request(study.id, seeds="", **options))


def engine_to_resume(study: Study) -> EngineChoice | None:
    """The engine that resumes a study: its own, with more time where too little ended a run."""
    engine, status = study.trainer.engine, engine_state.read_status(study.files.root)
    cells = status.cells.values() if status is not None else ()
    minutes = max((cell.next_time_limit for cell in cells), default=0)
    if engine is None or not minutes:
        return engine
    return replace(engine, options={**engine.options, "time": str(minutes)})


def engine_options(engine: EngineChoice) -> dict[str, Any]:
    """The fields of a request that name an engine."""
    options = tuple(f"{key}={value}" for key, value in engine.options.items())
    return {"engine": engine.text, "engine_options": options}


def shorter_command(study: Study, iters: int) -> str:
    """The command for a new study of the same question with this number of iters."""
    request = study.trainer.request(study)
    overrides = {**request.overrides, "max_iters": str(iters)}
    for key in ("lr_decay_iters", "warmup_iters", "eval_interval", "log_interval"):
        overrides.pop(key, None)  # they follow the iters
    return command_text(replace(request, overrides=overrides))


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
