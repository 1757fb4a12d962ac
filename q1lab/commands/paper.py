"""`q1lab paper`: the reading log."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import click

from q1lab.commands._lists import list_command, print_list
from q1lab.commands._options import json_option
from q1lab.commands._store import open_store
from q1lab.ground.errors import OK
from q1lab.journal.store import Store
from q1lab.week.lists import papers
from q1lab.week.lists.change import ListChange
from q1lab.week.lists.papers import DEPTHS
from q1lab.week.syllabus import ARXIV, Week


@click.group(
    invoke_without_command=True,
    epilog="""\b
Examples:
  q1lab paper add "RoFormer" --link https://arxiv.org/abs/2104.09864
  q1lab paper done RoFormer
  q1lab paper""",
)
@json_option
@click.pass_context
def paper(ctx: click.Context, as_json: bool) -> int:
    """Papers: what you read, and how deeply, oldest first. The deep ones count towards the KPI."""
    if ctx.invoked_subcommand is not None:
        return OK
    with open_store() as store:
        rows = papers.all_papers(store)
    return print_list(
        "papers",
        rows,
        _paper_row,
        empty='No paper yet. Add one: q1lab paper add "Title" --link URL',
        as_json=as_json,
    )


def _chosen_paper(store: Store, week: Week) -> Mapping[str, str]:
    """The form's first values: the chosen modification's paper, if the week names it and the log
    doesn't have it yet."""
    chosen = week.chosen
    arxiv_id = ARXIV.search(chosen.paper) if chosen else None
    if chosen is None or arxiv_id is None:
        return {"done": "yes"}
    link = f"https://arxiv.org/abs/{arxiv_id[1]}"
    if link in {paper["link"] for paper in papers.all_papers(store)}:
        return {"done": "yes"}
    title_in_week = chosen.paper[: arxiv_id.start()].strip(" ,:")
    title = title_in_week or f"{chosen.title.partition(':')[0]} (arXiv {arxiv_id[1]})"
    return {"title": title, "link": link, "done": "yes"}


@paper.command(
    "add",
    epilog='Example: q1lab paper add "RoFormer" --link https://arxiv.org/abs/2104.09864 --done',
)
@click.argument("title")
@click.option("--link", metavar="URL", help="Where it is.")
@click.option("--depth", type=click.Choice(list(DEPTHS)), default="deep", show_default=True)
@click.option("--notes", metavar="TEXT", help="A line about it.")
@click.option("--done", is_flag=True, help="You have read it already.")
@partial(list_command, prefill=_chosen_paper)
def add_paper_command(
    store: Store,
    week: Week,
    title: str,
    link: str | None,
    depth: str,
    done: bool,
    notes: str | None = None,
) -> ListChange:
    """Add the paper TITLE to the log. With the link of one that is there, correct its title."""
    number = papers.add_paper(
        store, title, link=link, week=week.label, depth=depth, notes=notes or ""
    )
    if done:
        papers.finish_paper(store, str(number))
    return ListChange(f"{number}: {title}" + (", read" if done else ""))


@paper.command("done", epilog="Example: q1lab paper done RoFormer --depth skim")
@click.argument("which")
@click.option("--depth", type=click.Choice(list(DEPTHS)), help="How you read it in the end.")
@click.option("--notes", metavar="TEXT", help="A line about it.")
@list_command
def done_command(
    store: Store, week: Week, which: str, depth: str | None, notes: str | None
) -> ListChange:
    """Mark the paper WHICH (a number, or words of its title) as read."""
    row = papers.finish_paper(store, which, depth=depth, notes=notes)
    return ListChange(f"{row['id']}: {row['title']}, read ({row['depth']})")


def _paper_row(row: dict[str, Any]) -> str:
    state = f"read {row['done'][:10]}" if row["done"] else "to read"
    return f"{state:<15}  {row['depth']:<4}  {row['title']}  {row['link'] or ''}".rstrip()
