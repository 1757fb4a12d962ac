"""`q1lab course artifact`: shipped work of the quarter that q1lab can't see by itself."""

from __future__ import annotations

import click

from q1lab.commands._lists import list_command, print_list
from q1lab.commands._options import json_option
from q1lab.commands._store import open_store
from q1lab.ground.errors import OK
from q1lab.ground.files import absolute_path
from q1lab.journal.store import Store
from q1lab.week.lists import artifacts
from q1lab.week.lists.artifacts import ARTIFACT_KINDS
from q1lab.week.lists.change import ListChange
from q1lab.week.syllabus import Week


@click.group(
    invoke_without_command=True,
    epilog="""\b
Examples:
  q1lab course artifact add repo micrograd-minimal --at https://github.com/you/micrograd-minimal
  q1lab course artifact add repo classical-ml --at ~/classical-ml
  q1lab course artifact""",
)
@json_option
@click.pass_context
def artifact(ctx: click.Context, as_json: bool) -> int:
    """Artifacts: repositories, notebooks, talks. Studies and the post come by themselves."""
    if ctx.invoked_subcommand is not None:
        return OK
    with open_store() as store:
        rows = artifacts.all_artifacts(store)
    return print_list(
        "artifacts",
        rows,
        lambda row: f"{row['kind']:<8}  {row['title']}  {row['location'] or ''}".rstrip(),
        empty="No artifact yet. Add one: q1lab course artifact add repo NAME --at URL",
        as_json=as_json,
    )


@artifact.command(
    "add",
    epilog="Example: q1lab course artifact add repo micrograd-minimal --at ~/micrograd-minimal",
)
@click.argument("kind", type=click.Choice(list(ARTIFACT_KINDS)))
@click.argument("title")
@click.option(
    "--at",
    "location",
    metavar="URL or PATH",
    help="Where it is. A repository's notebooks are counted.",
)
@list_command
def add_artifact_command(
    store: Store, week: Week, kind: str, title: str, location: str | None
) -> ListChange:
    """Add the artifact TITLE of KIND."""
    if location and "://" not in location:
        location = str(absolute_path(location))
    number = artifacts.add_artifact(store, kind, title, location=location, week=week.label)
    return ListChange(f"{number}: {title}")


@artifact.command("remove", epilog="Example: q1lab course artifact remove 2")
@click.argument("which")
@list_command
def remove_command(store: Store, week: Week, which: str) -> ListChange:
    """Take an artifact off the list.

    WHICH is its number, or words of its title.
    """
    row = artifacts.remove_artifact(store, which)
    return ListChange(f"removed: {row['title']}")
