"""What the commands that write documents share: options, the repository, the week, and asking for a
yes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from q1lab.errors import Problem
from q1lab.files import plain
from q1lab.repository import NeedsYes, NoRepository, Repository
from q1lab.week.model import Week

F = TypeVar("F", bound=Callable[..., Any])

repo_option = click.option(
    "--repo",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Your repository. Default: the configured one, else the one you stand in.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def writing_options(command: F) -> F:
    """--repo, --dry-run, --yes, --no-commit, --init: the same on every command that writes into the
    repository."""
    for option in (
        click.option("--init", is_flag=True, help="Make a git repository when there is none."),
        click.option("--no-commit", is_flag=True, help="Write the file, but don't commit it."),
        click.option(
            "--yes", is_flag=True, help="Commit along with your own uncommitted edits of the file."
        ),
        click.option(
            "--dry-run", is_flag=True, help="Show the diff and the message, and change nothing."
        ),
        repo_option,
    ):
        command = option(command)
    return command


@dataclass(frozen=True)
class Writing:
    """The values of ``writing_options``."""

    repo: Path | None
    dry_run: bool
    yes: bool
    no_commit: bool
    init: bool


def week() -> Week:
    """The week of ``--content``, of the settings, or the one that ships."""
    from q1lab import config, paths
    from q1lab.week import content

    context = click.get_current_context(silent=True)
    given = context.find_root().params.get("content") if context else None
    folder = given or config.load().content or paths.content_dir()
    return content.load(Path(folder))


def folder_of(given: Path | None) -> Path:
    """``--repo``, else the configured repository, else where one stands."""
    from q1lab import config

    return (given or config.load().repo or Path.cwd()).expanduser().absolute()


def repository(how: Writing) -> tuple[Path, Repository | None]:
    """(the folder to write in, its repository or None with --no-commit). Offers ``git init`` where
    there is none."""
    from q1lab.repository import init

    folder = folder_of(how.repo)
    try:
        repo = Repository.discover(folder)
    except NoRepository:
        if how.init and not how.dry_run:
            repo = init(folder)
        elif how.no_commit or how.dry_run:
            return folder, None
        elif may_ask() and click.confirm(
            f"{folder} is in no git repository. Make one there?", err=True
        ):
            repo = init(folder)
        else:
            raise Problem(
                f"{folder} is in no git repository: give one with --repo PATH, make one with --init, "
                "or write without it with --no-commit"
            ) from None
    except Problem:
        if how.init and not folder.exists() and not how.dry_run:
            repo = init(folder)
        elif how.no_commit and folder.is_dir():
            return folder, None
        else:
            raise
    return repo.root, (None if how.no_commit else repo)


def maybe_repository(given: Path | None) -> Repository | None:
    """The repository for looking only; None where there is none. A --repo that is wrong is a
    Problem."""
    try:
        return Repository.discover(folder_of(given))
    except Problem:
        if given is not None:
            raise
        return None


def may_ask() -> bool:
    """Whether a person is there to answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def show(text: str) -> None:
    """Print a text of others: as text, never as terminal control."""
    click.echo(plain(text), nl=not text.endswith("\n"))


def remark(text: str) -> None:
    """A line beside the result, on stderr."""
    click.echo(plain(text), err=True)


def show_diff(text: str, *, err: bool = False) -> None:
    """A diff, coloured on a terminal."""
    stream = sys.stderr if err else sys.stdout
    if text and stream.isatty():
        from rich.console import Console
        from rich.syntax import Syntax

        Console(file=stream).print(
            Syntax(plain(text), "diff", theme="ansi_dark", background_color="default")
        )
    elif text:
        click.echo(plain(text), nl=False, err=err)


def emit(record: Mapping[str, Any]) -> None:
    """Print a record as JSON."""
    click.echo(json.dumps(record, indent=2, ensure_ascii=False, default=str))


def save(
    files: Mapping[Path, bytes],
    message: str,
    repo: Repository | None,
    how: Writing,
    *,
    quiet: bool = False,
) -> dict[str, Any]:
    """Write and commit, asking for a yes where one is missing and somebody is there. Says what
    happened (unless ``quiet``) and returns it as plain types."""
    from q1lab.documents.save import save as act

    try:
        done = act(files, message, repo, confirmed=how.yes, dry_run=how.dry_run)
    except NeedsYes as problem:
        show_diff(problem.diff, err=True)
        if not may_ask():
            raise
        for reason in problem.reasons:
            remark(reason)
        if not click.confirm("Go on?", err=True):
            raise Problem("nothing was changed", 1) from None
        done = act(files, message, repo, confirmed=True)
    commit = done.commit
    result = {
        "files": [str(path) for path in files],
        "written": [] if how.dry_run else [str(path) for path in done.written],
        "commit": commit.sha if commit and commit.committed else None,
        "branch": commit.branch if commit and commit.committed else None,
        "message": message,
        "notes": list(commit.notes) if commit else [],
    }
    if quiet:
        return result
    names = ", ".join(path.name for path in files)
    if how.dry_run:
        remark(f"would write {names}" if done.written else f"{names}: nothing would change")
        if repo is not None:
            remark(f"would commit: {message.splitlines()[0]}")
    elif commit and commit.committed:
        remark(
            f"{names}: committed {str(commit.sha)[:7]} on {commit.branch or 'a detached HEAD'}: "
            f"{message.splitlines()[0]}"
        )
        for note in commit.notes:
            remark(f"note: {note}")
    elif done.written:
        remark(f"{names}: written, not committed")
    else:
        remark(f"{names}: up to date")
    return result
