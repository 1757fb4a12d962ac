"""What no argument or option of any command takes, whatever it is for."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Mapping
from typing import Any

import click

from q1lab.ground.files import expand_user

LARGEST = 1 << 53
"""Whole numbers from here on are none that a person means."""


class SuggestedText(click.types.StringParamType):
    """A text that is mostly one of a few, which the app offers; others are texts, too."""

    def __init__(self, titles: Mapping[str, str]) -> None:
        self.titles = titles


@functools.cache
def add_value_checks(command: click.Command) -> click.Command:
    """``command`` itself, and those below it, made to refuse what nobody can mean by any argument
    or option: an empty text (which Python takes for none, and a path for this folder), a number
    that is not finite, a folder of somebody who is not here."""
    for param in command.params:
        kind = copy.copy(param.type)
        convert = functools.partial(_converted, param.type)
        kind.convert = convert  # type: ignore[method-assign]
        param.type = kind
    for below in command.commands.values() if isinstance(command, click.Group) else ():
        add_value_checks(below)
    return command


def _converted(
    kind: click.ParamType[Any], value: Any, param: click.Parameter | None, ctx: click.Context | None
) -> Any:
    if isinstance(kind, click.types.StringParamType | click.Path) and not str(value).strip():
        kind.fail("it is empty; give a value, or leave it out", param, ctx)
    if isinstance(kind, click.Path):
        value = str(expand_user(value))
    found = kind.convert(value, param, ctx)
    if isinstance(found, float) and not math.isfinite(found):
        kind.fail(f"{value!r} is not a finite number", param, ctx)
    if isinstance(found, int) and abs(found) >= LARGEST:
        kind.fail("it is too large", param, ctx)
    return found
