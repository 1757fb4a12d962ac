"""The options of `q1lab run`: those of a `Request`, and those of a training
command of the learner's own."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from q1lab.ground.errors import Problem
from q1lab.ground.files import expand_user
from q1lab.study import command_arms as loops
from q1lab.study import two_commands
from q1lab.study.command_arms import CommandSpec
from q1lab.study.command_line import CHOICES
from q1lab.study.engine_choice import engine_usages, option_examples

F = TypeVar("F", bound=Callable[..., Any])

EVERY_DAY, YOUR_COMMAND, EXPERTS = "Every day", "Your command", "Experts"
"""The groups of options in `q1lab run --help`, in their order."""


class GroupedOption(click.Option):
    """An option that stands in a group of its command's help."""

    def __init__(self, *args: Any, group: str, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.group = group


class GroupedCommand(click.Command):
    """A command whose help has its options in groups; one without a group is of every day."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for group in (EVERY_DAY, YOUR_COMMAND, EXPERTS):
            in_group = (
                param
                for param in self.get_params(ctx)
                if isinstance(param, click.Option) and getattr(param, "group", EVERY_DAY) == group
            )
            records = filter(None, (param.get_help_record(ctx) for param in in_group))
            with formatter.section(group):
                formatter.write_dl(list(records))


every_day = functools.partial(click.option, cls=GroupedOption, group=EVERY_DAY)
of_command = functools.partial(click.option, cls=GroupedOption, group=YOUR_COMMAND)
expert = functools.partial(click.option, cls=GroupedOption, group=EXPERTS)

REQUEST_OPTIONS = (
    every_day(
        "--seeds",
        default="3",
        show_default=True,
        help="A number (3), a range that stops when the answer is known or out of reach (3..12; "
        "full:3..12 stops only when known), a list (0,1,2,7), or a number of new seeds, drawn for "
        "you (fresh:8).",
    ),
    expert(
        "--side",
        type=click.Choice(["better"]),
        help="For a range: ask only whether VARIANT helps, and stop as soon as it can't be shown. "
        "It never says HURTS.",
    ),
    every_day(
        "--baseline",
        help="The model to compare with: a name or a file. Default: the one that VARIANT was made "
        "from.",
    ),
    every_day(
        "--preset",
        type=click.Choice(CHOICES["preset"]),
        help="Size and budget. Default: by device.",
    ),
    every_day(
        "--data",
        help="stdlib, shakespeare, or a UTF-8 text file. Default: as `q1lab data` says, else "
        "stdlib.",
    ),
    every_day("--max-iters", type=int, help="Optimizer updates per run."),
    expert(
        "--set",
        "overrides",
        multiple=True,
        metavar="KEY=VALUE",
        help="Any other hyperparameter; repeatable.",
    ),
    expert(
        "--device",
        type=click.Choice(CHOICES["device"]),
        default="auto",
        show_default=True,
    ),
    expert("--dtype", type=click.Choice(CHOICES["dtype"]), default="auto", show_default=True),
    expert(
        "--jobs",
        type=int,
        help="Runs that train at once. Default: one per core, or one per GPU; on an engine all "
        "runs, or those of a range's first look.",
    ),
    expert(
        "--headline",
        type=click.Choice(["paired", "welch"]),
        help="The interval that decides, declared before the first run. Default: paired; for a "
        "command welch, unless its --smoke runs show that a seed repeats to the bit.",
    ),
    expert(
        "--wandb",
        type=click.Choice(CHOICES["wandb"]),
        default="auto",
        show_default=True,
        help="Weights & Biases; auto is online where a key is configured, else offline.",
    ),
    expert(
        "--engine",
        metavar="ENGINE",
        help=f"Where it trains: {', '.join(engine_usages())}, or a name from config.toml.",
    ),
    expert(
        "--engine-option",
        "engine_options",
        multiple=True,
        metavar="NAME=VALUE",
        help=f"For the engine{option_examples()}.",
    ),
    expert(
        "--match",
        type=click.Choice(["params"]),
        help="Give your file the width at which both arms have the same number of parameters.",
    ),
    expert("--fresh", is_flag=True, help="Start a new study even if this one exists."),
    expert(
        "--unchecked",
        is_flag=True,
        help="Train your own file without its checks; the verdict says so.",
    ),
    expert("--yes", is_flag=True, help="Run the command of another person's study without asking."),
)
"""The options of a `Request`: the seeds, the baseline, the data, the machine that trains."""


def request_options(function: F) -> F:
    """Add ``REQUEST_OPTIONS`` to a command."""
    for option in reversed(REQUEST_OPTIONS):
        function = option(function)
    return function


COMMAND_OPTIONS = (
    of_command(
        "--command",
        "command_",
        metavar="WORDS",
        help="Train with your own command; {seed}, {out} and {args} are filled in for each run.",
    ),
    of_command(
        "--arm",
        "arms",
        multiple=True,
        metavar="NAME=ARGS",
        help="An arm of the command, and its arguments; the first, or baseline, is the baseline.",
    ),
    of_command(
        "--metric",
        help="The number to compare, by the name that the command reports. Default: read off what "
        "the first run prints.",
    ),
    of_command(
        "--better",
        type=click.Choice(["lower", "higher"]),
        help="Default: by the metric's name, else lower.",
    ),
    of_command(
        "--metric-pattern",
        "pattern",
        metavar="REGEX",
        help="Read the number from the output: nanogpt, nanochat, or a pattern with (?P<value>…).",
    ),
    of_command(
        "--smoke",
        metavar="ARGS",
        type=click.UNPROCESSED,  # '' is a value: the command is short already
        help="Arguments that make a run short, to try each arm before the study; '' if the "
        "command is short already.",
    ),
)
"""The options that name a training command, which replaces q1lab's own loop."""
SETTINGS = ("metric", "better", "pattern", "smoke")
"""Those that say where the metric of the command is read."""


@dataclass(frozen=True)
class TypedCommand:
    """The values of ``COMMAND_OPTIONS``."""

    command_: str | None
    arms: tuple[str, ...]
    metric: str | None
    better: str | None
    pattern: str | None
    smoke: str | None

    @property
    def corrections(self) -> dict[str, Any]:
        """The typed options that say where the metric is read. One that is read by its name needs
        no pattern."""
        typed = {name: getattr(self, name) for name in SETTINGS if getattr(self, name) is not None}
        return {"pattern": "", **typed} if "metric" in typed else typed

    def of_two(self, commands: Sequence[str]) -> CommandSpec:
        """The training command of two commands that were typed whole. Problem for options that
        don't go together."""
        if self.command_ is not None or self.arms:
            raise Problem(
                "the two commands are already the arms: ",
                next=f"leave {'--arm' if self.arms else '--command'} out",
            )
        settings = {name: getattr(self, name) for name in SETTINGS}
        return two_commands.parse_two_commands(commands, **settings)

    def loop(self, file: Path | None, floor_of: str | None = None) -> CommandSpec | None:
        """The training command as typed, or the one of a study.toml with the typed arms added; None
        where neither is given. The arm ``floor_of`` is compared with itself. Problem for options
        that don't go together."""
        settings = {name: getattr(self, name) for name in SETTINGS}
        if self.command_ is not None:
            if file is not None:
                raise Problem(
                    f"{file}: ", file=file, next="leave it out, or --command; each names the arms"
                )
            return loops.parse_command_arms(self.command_, self.arms, floor_of, **settings)
        if any(value is not None for value in settings.values()):
            raise Problem(
                "--metric, --better, --metric-pattern and --smoke go with --command, or with the "
                "name of a study whose command has shown no number yet"
            )
        if file is not None:
            return loops.read_study_toml(expand_user(file), loops.parse_arms(self.arms), floor_of)
        if self.arms:
            raise Problem("--arm goes with --command, or with a study.toml")
        return None


def command_options(function: F) -> F:
    """Add ``COMMAND_OPTIONS`` to a command, which gets their values as one ``typed_command:
    TypedCommand``."""

    @functools.wraps(function)
    def with_typed_command(**values: Any) -> Any:
        names = [item.name for item in dataclasses.fields(TypedCommand)]
        typed_command = TypedCommand(**{name: values.pop(name) for name in names})
        return function(typed_command=typed_command, **values)

    for option in reversed(COMMAND_OPTIONS):
        option(with_typed_command)
    return cast("F", with_typed_command)
