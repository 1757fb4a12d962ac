"""`q1lab paper`: the reading log."""

from __future__ import annotations

from typing import Any

import click

from q1lab.commands import _documents as shared
from q1lab.commands._opening import opened
from q1lab.errors import OK
from q1lab.journal.reading import DEPTHS


@click.group(
    epilog="""\b
Examples:
  q1lab paper add "RoFormer" --link https://arxiv.org/abs/2104.09864
  q1lab paper done RoFormer
  q1lab paper list"""
)
def paper() -> None:
    """Papers: what you read, and how deeply. The deep ones count towards the KPI."""


@paper.command(
    "add",
    epilog='Example: q1lab paper add "RoFormer" --link https://arxiv.org/abs/2104.09864 --done',
)
@click.argument("title")
@click.option("--link", metavar="URL", help="Where it is.")
@click.option("--depth", type=click.Choice(list(DEPTHS)), default="deep", show_default=True)
@click.option("--notes", metavar="TEXT", help="A line about it.")
@click.option("--done", is_flag=True, help="You have read it already.")
def add_command(title: str, link: str | None, depth: str, notes: str | None, done: bool) -> int:
    """Add the paper TITLE to the log."""
    from q1lab.journal import reading

    with opened() as store:
        number = reading.add(
            store, title, link=link, week=shared.week().label, depth=depth, notes=notes or ""
        )
        if done:
            reading.finish(store, str(number))
    shared.remark(f"{number}: {title}" + (", read" if done else ""))
    return OK


@paper.command("done", epilog="Example: q1lab paper done RoFormer --depth skim")
@click.argument("which")
@click.option("--depth", type=click.Choice(list(DEPTHS)), help="How you read it in the end.")
@click.option("--notes", metavar="TEXT", help="A line about it.")
def done_command(which: str, depth: str | None, notes: str | None) -> int:
    """Mark the paper WHICH (a number, or words of its title) as read."""
    from q1lab.journal import reading

    with opened() as store:
        row = reading.finish(store, which, depth=depth, notes=notes)
    shared.remark(f"{row['id']}: {row['title']}, read ({row['depth']})")
    return OK


@paper.command("list", epilog="Example: q1lab paper list --json")
@shared.json_option
def list_command(as_json: bool) -> int:
    """All papers, oldest first."""
    from q1lab.journal import reading

    with opened() as store:
        rows = reading.papers(store)
    return shared.show_list(
        "papers",
        rows,
        _line,
        empty='No paper yet. Add one: q1lab paper add "Title" --link URL',
        as_json=as_json,
    )


def _line(row: dict[str, Any]) -> str:
    state = f"read {row['done'][:10]}" if row["done"] else "to read"
    return f"{state:<15}  {row['depth']:<4}  {row['title']}  {row['link'] or ''}".rstrip()
