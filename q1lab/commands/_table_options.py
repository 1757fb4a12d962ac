"""The options that say which column of a table holds what; `judge` and `import` share them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def table_options(function: F) -> F:
    """Add the options that name columns."""
    for option in reversed(
        (
            click.option("--modified", metavar="ARM", help="The arm to compare with it."),
            click.option("--arm-key", metavar="COLUMN", help="The column with the arm's name."),
            click.option("--seed-key", metavar="COLUMN", help="The column with the seed."),
            click.option("--metric", metavar="COLUMN", help="The column with the final number."),
            click.option(
                "--better",
                type=click.Choice(["lower", "higher"]),
                help="The better direction, if the metric's name doesn't tell.",
            ),
        )
    ):
        function = option(function)
    return function
