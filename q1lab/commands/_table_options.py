"""The options that say where runs are read, and what is what there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from q1lab.commands._flags import flags
from q1lab.ground.errors import Problem
from q1lab.judgment.tables.found_runs import TableOptions

F = TypeVar("F", bound=Callable[..., Any])


def source_options(function: F) -> F:
    """Add the sources, and the options that name arms, seeds and the metric."""
    sources = click.argument(
        "sources", nargs=-1, type=click.Path(readable=False), metavar="[SOURCE...]"
    )
    return sources(flags(TableOptions)(function))


def table_options(arms: tuple[str, ...], **typed: str | None) -> TableOptions:
    """The options as typed. Problem for an --arm without a name or a pattern."""
    pairs = []
    for item in arms:
        name, _, pattern = item.partition("=")
        if not name.strip() or not pattern:
            raise Problem(
                f"--arm {item!r}", next="give NAME=PATTERN, such as base='logs/base*.txt'"
            )
        pairs.append((name, pattern))
    return TableOptions(**typed, arms=tuple(pairs))
