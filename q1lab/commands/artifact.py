"""`q1lab artifact`: what was shipped in the quarter, beyond what q1lab sees by itself."""

from __future__ import annotations

import click

from q1lab.commands import _documents as shared
from q1lab.commands._opening import opened
from q1lab.errors import OK
from q1lab.files import expanded
from q1lab.journal.artifacts import ARTIFACT_KINDS


@click.group(
    epilog="""\b
Examples:
  q1lab artifact add repo micrograd-minimal --at https://github.com/you/micrograd-minimal
  q1lab artifact add repo classical-ml --at ~/classical-ml
  q1lab artifact list"""
)
def artifact() -> None:
    """Artifacts: repositories, notebooks, talks. Studies and the post come by themselves."""


@artifact.command(
    "add", epilog="Example: q1lab artifact add repo micrograd-minimal --at ~/micrograd-minimal"
)
@click.argument("kind", type=click.Choice(list(ARTIFACT_KINDS)))
@click.argument("title")
@click.option(
    "--at",
    "location",
    metavar="URL or PATH",
    help="Where it is. A repository's notebooks are counted.",
)
def add_command(kind: str, title: str, location: str | None) -> int:
    """Add the artifact TITLE of KIND."""
    from q1lab.journal import artifacts

    if location and "://" not in location:
        location = str(expanded(location).absolute())
    with opened() as store:
        number = artifacts.add(store, kind, title, location=location, week=shared.week().label)
    shared.remark(f"{number}: {title}")
    return OK


@artifact.command("remove", epilog="Example: q1lab artifact remove 2")
@click.argument("which")
def remove_command(which: str) -> int:
    """Take the artifact WHICH (a number, or words of its title) off the list."""
    from q1lab.journal import artifacts

    with opened() as store:
        row = artifacts.remove(store, which)
    shared.remark(f"removed: {row['title']}")
    return OK


@artifact.command("list", epilog="Example: q1lab artifact list --json")
@shared.json_option
def list_command(as_json: bool) -> int:
    """All artifacts, oldest first."""
    from q1lab.journal import artifacts

    with opened() as store:
        rows = artifacts.every(store)
    return shared.show_list(
        "artifacts",
        rows,
        lambda row: f"{row['kind']:<8}  {row['title']}  {row['location'] or ''}".rstrip(),
        empty="No artifact yet. Add one: q1lab artifact add repo NAME --at URL",
        as_json=as_json,
    )
