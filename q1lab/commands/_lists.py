"""The learner's lists: papers, artifacts, KPIs, channels."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import click

from q1lab.commands._output import print_json, print_text, remark
from q1lab.commands._store import open_store
from q1lab.commands._week import current_week
from q1lab.ground.errors import OK
from q1lab.journal.store import Store
from q1lab.week.lists.change import ListChange
from q1lab.week.syllabus import Week


def list_command(
    act: Callable[..., ListChange],
    *,
    prefill: Callable[[Store, Week], Mapping[str, str]] | None = None,
) -> Callable[..., int]:
    """Turn ``act(store, week, **fields)``, such as an addition to one of the learner's lists, into
    a command that prints the outcome. The app's form calls the act itself (its attribute
    ``act``), and begins with the values that ``prefill`` gives."""

    @functools.wraps(act)
    def command(as_json: bool = False, **values: Any) -> int:
        with open_store() as store:
            outcome = act(store, current_week(), **values)
        if as_json:
            print_json(outcome.record or {})
            return OK
        if outcome.board:
            print_text("\n".join(outcome.board))
        else:
            remark(outcome.line)
        for note in outcome.notes:
            remark(f"note: {note}")
        return OK

    command.act, command.prefill = act, prefill  # type: ignore[attr-defined]
    return command


def print_list(
    name: str,
    rows: list[dict[str, Any]],
    row_text: Callable[[dict[str, Any]], str],
    *,
    empty: str,
    as_json: bool,
) -> int:
    """Print one of the learner's lists, a numbered line per row, or as JSON under ``name``.
    ``empty`` is printed instead of an empty list and says how to add the first item."""
    if as_json:
        print_json({name: rows})
        return OK
    if not rows:
        click.echo(empty)
    for row in rows:
        print_text(f"{row['id']:>3}  {row_text(row)}")
    return OK
