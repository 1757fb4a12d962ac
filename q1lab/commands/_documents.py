"""The learner's repository, and the writing and committing of a document."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from q1lab.commands._ask import ask_user
from q1lab.commands._options import WriteOptions
from q1lab.commands._output import print_diff, print_json, remark
from q1lab.documents.change import Change, SavedChange
from q1lab.ground import config
from q1lab.ground.errors import FAILED, OK, Problem
from q1lab.ground.files import absolute_path
from q1lab.ground.git_repository import NeedsYes, NoRepository, Repository, init_repository
from q1lab.journal.store import Store


def repository_folder(typed: Path | None) -> Path:
    """``--repo``, else the configured repository, else the current folder."""
    return absolute_path(typed or config.load_settings().repo or Path.cwd())


def open_repository(write_options: WriteOptions) -> tuple[Path, Repository | None]:
    """The folder to write in, and its repository (None with --no-commit). Where there is no
    repository, the learner is asked whether to make one; Problem if they say no."""
    folder = repository_folder(write_options.repo)
    try:
        repo = Repository.discover(folder)
    except NoRepository:
        if write_options.no_commit or write_options.dry_run:
            return folder, None
        refused = Problem(
            f"{folder} is in no git repository: ",
            next="give one with --repo PATH, make one with `git init`, or write without it with "
            "--no-commit",
            file=folder,
        )
        if ask_user(f"{folder} is in no git repository. Make one there?", refused) != "yes":
            raise refused from None
        repo = init_repository(folder)
    except Problem:
        if write_options.no_commit and folder.is_dir():
            return folder, None
        raise
    return repo.root, (None if write_options.no_commit else repo)


def repository_if_any(typed: Path | None) -> Repository | None:
    """The repository, for commands that only read it; None where there is none. Problem if --repo
    was ``typed`` and is not in one."""
    try:
        return Repository.discover(repository_folder(typed))
    except Problem:
        if typed is not None:
            raise
        return None


def folder_to_read(typed: Path | None) -> Path:
    """The root of that repository, else the folder itself."""
    repo = repository_if_any(typed)
    return repo.root if repo else repository_folder(typed)


def write_document(
    change: Change,
    store: Store,
    write_options: WriteOptions,
    *,
    as_json: bool,
) -> int:
    """Write a proposed document and commit it. Shows the regions that stay as the learner edited
    them, the diff, and the outcome; with ``as_json``, prints all of it as JSON."""
    if change.edited:
        remark(
            f"kept as you edited it: {', '.join(change.edited)} (--overwrite replaces it). "
            "The difference:"
        )
        print_diff(change.edited_diff, err=True)
    if write_options.dry_run and not as_json:
        print_diff(change.diff)
    result = save_and_commit(store, change, write_options, quiet=as_json)
    if as_json:
        regions = {
            "warnings": list(change.warnings),
            "changed": list(change.changed),
            "kept": list(change.edited),
        }
        print_json({**result, **regions, "diff": change.diff})
    return OK


def save_and_commit(
    store: Store, change: Change, write_options: WriteOptions, *, quiet: bool
) -> dict[str, Any]:
    """Save a change, after asking the learner where a yes is missing. Prints the outcome (unless
    ``quiet``) and returns it as JSON types."""
    if not (write_options.dry_run or write_options.yes) and change.repo is not None:
        _ask_first(change)
    try:
        done = change.save(store, confirmed=write_options.yes, dry_run=write_options.dry_run)
    except NeedsYes as problem:
        print_diff(problem.diff, err=True)
        for reason in problem.reasons:
            remark(reason)
        if ask_user("Go on?", problem) != "yes":
            raise Problem("nothing was changed", FAILED) from None
        done = change.save(store, confirmed=True)
    if not quiet:
        _print_outcome(done, change, write_options)
    commit = done.commit if done.sha else None
    return {
        "files": [str(path) for path in change.files],
        "written": [] if write_options.dry_run else [str(path) for path in done.written],
        "commit": done.sha,
        "branch": commit.branch if commit else None,
        "message": change.message,
        "notes": list(done.commit.notes) if done.commit else [],
        **({"copy": str(done.copy)} if done.copy else {}),
    }


def _ask_first(change: Change) -> None:
    """Show the commit before it is made, and ask the learner, unless ``ask_before_commit`` is off.
    Problem if the answer is no, or if no one answers."""
    changing = change.pending()
    for warning in change.warnings if changing else ():
        remark(f"note: {warning}")
    if not (changing and config.load_settings().ask_before_commit):
        return
    assert change.repo is not None
    print_diff(change.diff, err=True)
    branch = change.repo.head().branch or "a detached HEAD"
    names = change.describe_paths(changing)
    remark(f"\nThis would be committed on {branch}, with {names} and nothing else:")
    remark(f"  {change.message}")
    unanswered = Problem(
        "nothing was changed: the question had no answer: ",
        next="--yes commits without asking, --no-commit writes without committing",
    )
    answers = ("yes", "no", "always")
    answer = ask_user("Commit it? (y)es, (n)o, (a)lways: don't ask again", unanswered, answers)
    if answer == "no":
        raise Problem("nothing was changed", FAILED)
    if answer == "always":
        config.save_setting("ask_before_commit", "false")
        remark("Later: `q1lab config ask_before_commit true` asks again.")


def _print_outcome(done: SavedChange, change: Change, write_options: WriteOptions) -> None:
    subject = change.message.splitlines()[0]
    commit = done.commit
    names = change.describe_paths(change.files)
    if write_options.dry_run:
        remark(f"would write {names}" if done.written else f"{names}: nothing would change")
        if change.repo is not None:
            remark(f"would commit: {subject}")
    elif commit and commit.committed:
        branch = commit.branch or "a detached HEAD"
        root = change.repo.root if change.repo else Path()
        committed = change.describe_paths(root / name for name in commit.files)
        remark(f"{committed}: committed {str(commit.sha)[:7]} on {branch}: {subject}")
        for note in commit.notes:
            remark(f"note: {note}")
    elif done.written:
        remark(f"{names}: written, not committed")
    else:
        remark(f"{names}: up to date")
