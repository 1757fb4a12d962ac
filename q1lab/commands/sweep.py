"""`q1lab sweep`: several modifications against one baseline, declared together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from q1lab import declaring
from q1lab.commands._asking import asking
from q1lab.commands._opening import opened
from q1lab.commands._saying import tell
from q1lab.commands._series import finish, train
from q1lab.errors import EXIT_STATUS
from q1lab.study import command, series, turns, variants


@click.command(
    epilog="""\b
Examples:
  q1lab sweep --seeds 3..8
  q1lab sweep rmsnorm rope swiglu --seeds 3..8 --preset quick
  q1lab sweep rope ./my_rope.py --seeds 5
  q1lab sweep sweep-1

The same command again trains only what is missing, and with nothing missing prints the table.

"""
    + EXIT_STATUS
)
@click.argument("modifications", nargs=-1)
@asking
@click.option("--detach", is_flag=True, help="Start it and return at once.")
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON.")
def sweep(modifications: tuple[str, ...], detach: bool, as_json: bool, **asked: Any) -> int:
    """Train several MODIFICATIONS against one baseline, and rank them in one table.

    MODIFICATIONS are names and files as `q1lab run` takes them; without any, all that ship.

    They share the baseline's runs, are declared together before the first one begins, and share the
    5% of false verdicts between them. With the name of a sweep its table is printed again.
    """
    with opened() as store:
        if len(modifications) == 1 and modifications[0] in turns.newest_first(series.SWEEP):
            return finish(store, modifications[0], as_json)
        wish = command.wish_of(variant="", **asked)
        _ = command.parse_range(wish.seeds) or command.parse_seeds(wish.seeds)
        given = tuple(name for one in modifications for name in _split(one))
        names = given or tuple(name for name in variants.names() if name != "baseline")
        tell("Looking at the model files and this machine …", as_json)
        return train(store, declaring.sweep(wish, names, store), detach, as_json)


def _split(given: str) -> list[str]:
    """``rope,swiglu`` is two names, as in --seeds and --over; a file's name may have a comma."""
    if Path(given).exists():
        return [given]
    return [name for one in given.split(",") if (name := one.strip())]
