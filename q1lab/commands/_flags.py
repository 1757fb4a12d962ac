"""Flags of a command, made of the options that the fields of a record declare."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from q1lab.ground.options import EVERY_DAY, EXPERTS, YOUR_COMMAND, options_of

F = TypeVar("F", bound=Callable[..., Any])


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


def flag(record: type, name: str, help: str = "") -> Callable[[F], F]:  # noqa: A002
    """One flag; ``help`` is what it means in this command."""
    option = options_of(record)[name]
    kind: Any = click.Choice(option.choices) if option.choices else None
    metavar = option.metavar
    if option.is_number:
        kind, metavar = option.whole_number, "INTEGER"
    elif option.may_be_empty:
        kind = click.UNPROCESSED
    return click.option(
        option.flag,
        name,
        cls=GroupedOption,
        group=option.group,
        type=kind,
        is_flag=option.default is False,
        multiple=option.is_list,
        default=option.default or None,
        show_default=bool(option.default),
        metavar=metavar,
        help=help or option.help_text,
    )


def flags(record: type) -> Callable[[F], F]:
    """All flags of a record, in the order of its fields."""

    def with_flags(function: F) -> F:
        for name in reversed(list(options_of(record))):
            function = flag(record, name)(function)
        return function

    return with_flags
