"""The values of arguments and options: checks that all commands share, and which were typed."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Mapping
from typing import Any

import click

from q1lab.ground.errors import Problem, not_a_choice
from q1lab.ground.files import expand_user

TOO_LARGE = 1 << 53
"""Whole numbers this large or larger are refused as typing errors."""


class SuggestedText(click.types.StringParamType):
    """A text option for which the app suggests a few values; any other text is accepted, too."""

    def __init__(self, titles: Mapping[str, str]) -> None:
        self.titles = titles


@functools.cache
def add_value_checks(command: click.Command) -> click.Command:
    """Make ``command`` and its subcommands refuse values that are never meant, and return it: an
    empty text (falsy in Python, and the current folder as a path), a number that is not finite or
    too large, a home folder of an unknown user."""
    for param in command.params:
        kind = copy.copy(param.type)
        convert = functools.partial(_converted, param.type)
        kind.convert = convert  # type: ignore[method-assign]
        param.type = kind
    for subcommand in command.commands.values() if isinstance(command, click.Group) else ():
        add_value_checks(subcommand)
    return command


def _converted(
    kind: click.ParamType[Any], value: Any, param: click.Parameter | None, ctx: click.Context | None
) -> Any:
    if isinstance(kind, click.types.StringParamType | click.Path) and not str(value).strip():
        kind.fail("it is empty; give a value, or leave it out", param, ctx)
    if isinstance(kind, click.Path):
        value = str(expand_user(value))
    try:
        converted = kind.convert(value, param, ctx)
    except click.BadParameter:
        if param is None or not isinstance(kind, click.Choice):
            raise
        reason, cure = not_a_choice(str(value), kind.choices)
        name = param.opts[-1] if param.opts[-1].startswith("-") else param.human_readable_name
        raise Problem(f"{name} {reason}", next=cure) from None
    if isinstance(converted, float) and not math.isfinite(converted):
        kind.fail(f"{value!r} is not a finite number", param, ctx)
    if isinstance(converted, int) and abs(converted) >= TOO_LARGE:
        kind.fail("it is too large", param, ctx)
    return converted


def typed_fields(context: click.Context) -> frozenset[str]:
    """The parameters that were typed, with their defaults or with other values."""
    typed = click.core.ParameterSource.COMMANDLINE
    return frozenset(
        field for field in context.params if context.get_parameter_source(field) is typed
    )
