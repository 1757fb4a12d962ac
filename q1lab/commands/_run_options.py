"""The options of `q1lab run` that name a training command of the learner's own."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from q1lab.commands._flags import flags
from q1lab.ground.errors import Problem
from q1lab.ground.files import expand_user
from q1lab.study import command_arms as loops
from q1lab.study import two_commands
from q1lab.study.command_arms import COMMAND_OPTIONS, CommandSpec

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class TypedCommand:
    """The options that name a training command, which replaces q1lab's own loop; ``settings`` are
    those that say where its metric is read, as far as they were typed."""

    command_: str | None
    arms: tuple[str, ...]
    settings: Mapping[str, str]

    @property
    def corrections(self) -> Mapping[str, str]:
        """The typed settings. A metric that is read by its name needs no pattern."""
        return {"pattern": "", **self.settings} if "metric" in self.settings else self.settings

    def of_two(self, commands: Sequence[str]) -> CommandSpec:
        """The training command of two commands that were typed whole. Problem for options that
        don't go together."""
        if self.command_ is not None or self.arms:
            raise Problem(
                "the two commands are already the arms: ",
                next=f"leave {'--arm' if self.arms else '--command'} out",
            )
        return two_commands.parse_two_commands(commands, **self.settings)

    def loop(self, file: Path | None, floor_of: str | None = None) -> CommandSpec | None:
        """The training command as typed, or the one of a study.toml with the typed arms added; None
        where neither is given. The arm ``floor_of`` is compared with itself. Problem for options
        that don't go together."""
        if self.command_ is not None:
            if file is not None:
                raise Problem(
                    f"{file}: ", file=file, next="leave it out, or --command; each names the arms"
                )
            return loops.parse_command_arms(self.command_, self.arms, floor_of, **self.settings)
        if self.settings:
            flags = " and ".join(COMMAND_OPTIONS[name].flag for name in self.settings)
            raise Problem(
                f"{flags} can only go with --command, or with the name of a study whose command "
                "has shown no number yet"
            )
        if file is not None:
            return loops.read_study_toml(expand_user(file), loops.parse_arms(self.arms), floor_of)
        if self.arms:
            raise Problem("--arm goes with --command, or with a study.toml")
        return None


def command_options(function: F) -> F:
    """Add the options of ``CommandSpec`` to a command, which gets their values as one
    ``typed_command: TypedCommand``."""

    @functools.wraps(function)
    def with_typed_command(**values: Any) -> Any:
        typed = {name: values.pop(name) for name in COMMAND_OPTIONS}
        command, arms = typed.pop("command_"), typed.pop("arms")
        settings = {name: value for name, value in typed.items() if value is not None}
        return function(typed_command=TypedCommand(command, arms, settings), **values)

    return cast("F", flags(CommandSpec)(with_typed_command))
