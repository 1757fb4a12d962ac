"""The options that say where runs are read, and what is what there; `judge` and `import` share
them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from q1lab.tables.found_runs import TableOptions

F = TypeVar("F", bound=Callable[..., Any])


def source_options(function: F) -> F:
    """Add the sources, and the options that name arms, seeds and the metric."""
    for option in reversed(
        (
            click.argument("sources", nargs=-1, type=click.Path(), metavar="[SOURCE...]"),
            click.option(
                "--baseline",
                metavar="NUMBERS|ARM",
                help="The baseline's name (default: baseline, else the first --arm), or its "
                "numbers.",
            ),
            click.option(
                "--modified",
                metavar="NUMBERS|ARM",
                help="The arm to compare with it, or its numbers.",
            ),
            click.option(
                "--arm",
                "arms",
                multiple=True,
                metavar="NAME=PATTERN",
                help="An arm with its files: base='logs/base*.txt'. Repeatable.",
            ),
            click.option(
                "--arm-key", metavar="KEY", help="The column or the setting with the arm's name."
            ),
            click.option(
                "--seed-key", metavar="KEY", help="The column or the setting with the seed."
            ),
            click.option("--metric", metavar="NAME", help="The name of the number to compare."),
            click.option(
                "--metric-pattern",
                "pattern",
                metavar="PATTERN",
                help="Read the number from printed lines: nanogpt, nanochat, or a pattern with "
                "(?P<value>…).",
            ),
            click.option(
                "--better",
                type=click.Choice(["lower", "higher"]),
                help="The better direction, if the metric's name doesn't tell.",
            ),
        )
    ):
        function = option(function)
    return function


def table_options(arms: tuple[str, ...], **named: str | None) -> TableOptions:
    """The options as typed. Problem for an --arm without a name or a pattern."""
    from q1lab.ground.errors import Problem
    from q1lab.tables.found_runs import TableOptions

    pairs = []
    for item in arms:
        name, _, pattern = item.partition("=")
        if not name.strip() or not pattern:
            raise Problem(
                f"--arm {item!r}", next="give NAME=PATTERN, such as base='logs/base*.txt'"
            )
        pairs.append((name, pattern))
    return TableOptions(**named, arms=tuple(pairs))
