"""Options that several commands share."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import click

F = TypeVar("F", bound=Callable[..., Any])

repo_option = click.option(
    "--repo",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Your repository. Default: the configured one, else that of the current folder.",
)
overwrite_option = click.option(
    "--overwrite", is_flag=True, help="Replace your edits between q1lab's markers."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def writing_options(command: F) -> F:
    """Add --repo, --dry-run, --yes and --no-commit, as every command that writes into the
    repository has them. The command gets their values as one ``write_options: WriteOptions``."""

    @functools.wraps(command)
    def with_write_options(**values: Any) -> Any:
        names = [item.name for item in dataclasses.fields(WriteOptions)]
        return command(
            write_options=WriteOptions(**{name: values.pop(name) for name in names}), **values
        )

    for option in (
        click.option("--no-commit", is_flag=True, help="Write the file, but don't commit it."),
        click.option(
            "--yes",
            is_flag=True,
            help="Commit without asking, your own uncommitted edits of the file included.",
        ),
        click.option(
            "--dry-run", is_flag=True, help="Show the diff and the message, and change nothing."
        ),
        repo_option,
    ):
        option(with_write_options)
    return cast("F", with_write_options)


@dataclass(frozen=True)
class WriteOptions:
    """The values of ``writing_options``."""

    repo: Path | None
    dry_run: bool = False
    yes: bool = False
    no_commit: bool = False


force_option = click.option(
    "--overwrite", "force", is_flag=True, help="Write over a file that q1lab did not write."
)
