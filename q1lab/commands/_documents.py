"""Shared by the commands: options, the week, the learner's repository, questions that a person
answers, and the writing and committing of a document."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from q1lab.commands._output import print_diff, print_json, print_text, remark
from q1lab.commands._store import open_store
from q1lab.ground import command_table
from q1lab.ground.errors import FAILED, OK, Problem
from q1lab.ground.files import absolute_path, printable
from q1lab.ground.git_repository import NoRepository, Repository
from q1lab.week.syllabus import Week

if TYPE_CHECKING:
    from q1lab.compare.comparison import Comparison
    from q1lab.documents.change import Change, SavedChange
    from q1lab.journal.store import Store

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


def current_week() -> Week:
    """The week named by ``--content``, else by the settings, else the one that ships."""
    from q1lab.ground import config, paths
    from q1lab.week import content

    context = click.get_current_context(silent=True)
    typed_folder = context.find_root().params.get("content") if context else None
    settings = config.load_settings()
    folder = typed_folder or settings.content or paths.content_dir()
    return content.load_week(Path(folder), settings.course)


def note_viewed(act: str, viewed: object, variant: str = "") -> None:
    """Note in the journal that the learner has seen ``viewed``: a step of the week may wait for it.
    What is printed as JSON, a program reads, and nobody has seen it.
    A command that has shown its result does not fail because the note can't be written."""
    from q1lab.week import evidence

    with contextlib.suppress(Problem), open_store() as store:
        evidence.note_viewed(store, current_week().label, act, str(viewed), variant)


def note_comparison_read(store: Store, comparison: Comparison) -> None:
    """Note in the journal that the learner has read a comparison, as ``note_viewed``."""
    from q1lab.week import evidence

    with contextlib.suppress(Problem):
        evidence.note_comparison_read(store, current_week().label, comparison)


def repository_folder(typed: Path | None) -> Path:
    """``--repo``, else the configured repository, else the current folder."""
    from q1lab.ground import config

    return absolute_path(typed or config.load_settings().repo or Path.cwd())


def open_repository(write_options: WriteOptions) -> tuple[Path, Repository | None]:
    """The folder to write in, and its repository (None with --no-commit). Where there is no
    repository, the learner is asked whether to make one; Problem if they say no."""
    from q1lab.ground.git_repository import init_repository

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


MAX_ATTEMPTS, MAX_ANSWER = 3, 100
"""Times that one question is put, and characters read of an answer: input may be endless."""


def ask_user(question: str, unanswered: Problem, answers: Sequence[str] = ("no", "yes")) -> str:
    """Put a question on stderr and read the answer, one of ``answers`` or its first letter, from
    stdin, which need not be a terminal. An empty line means the first of ``answers``.

    Raises ``unanswered`` where no answer can come: stdin has ended or can't be read, or the learner
    sits at a terminal where they don't see the question.
    """
    in_order = sorted(answers, key=lambda word: word != "yes")  # y/N, as everywhere
    choices = "/".join(word[0].upper() if word == answers[0] else word[0] for word in in_order)
    for _ in range(MAX_ATTEMPTS):
        at_terminal = is_at_terminal()
        if at_terminal and not sys.stderr.isatty():
            raise unanswered
        click.echo(printable(f"{question} [{choices}] "), nl=False, err=True)
        line = ""
        with contextlib.suppress(AttributeError, OSError, ValueError):  # closed, or not text
            line = sys.stdin.readline(MAX_ANSWER)
        if not at_terminal:
            click.echo(printable(line.strip()), err=True)
        if not line:
            raise unanswered
        typed = line.strip().lower()
        for word in answers:
            if typed in ("", word, word[0]):
                return word
    raise Problem(f"nothing was changed: the answer is one of {', '.join(answers)}")


def is_at_terminal() -> bool:
    """True if what a person types in a terminal is read from stdin."""
    return sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()


def agrees_to_run(commands: str, otherwise: str, yes: bool = False) -> bool:
    """True if the learner lets the command of another person's study run; ``yes`` answers for them.
    The command is shown in any case. Where no one answers, Problem with ``otherwise`` as next."""
    remark(f"The study's command {commands}")
    unanswered = Problem("its command was not run: ", next=otherwise)
    return yes or ask_user("Run it?", unanswered) == "yes"


def write_document(
    change: Change,
    store: Store,
    write_options: WriteOptions,
    *,
    as_json: bool,
    extra: Mapping[str, Any] | None = None,
) -> int:
    """Write a proposed document and commit it. Shows the regions that stay as the learner edited
    them, the diff, and the outcome; with ``as_json``, prints all of it as JSON, with ``extra``."""
    if change.edited:
        remark(
            f"kept as you edited it: {', '.join(change.edited)} (--overwrite replaces it). "
            "The difference:"
        )
        print_diff(change.edited_diff, err=True)
    if write_options.dry_run and not as_json:
        print_diff(change.diff)
    result = save_and_commit(
        functools.partial(change.save, store), change, write_options, quiet=as_json
    )
    if as_json:
        regions = {
            "claims": list(change.claims),
            "changed": list(change.changed),
            "kept": list(change.edited),
        }
        print_json({**result, **regions, "diff": change.diff, **(extra or {})})
    return OK


def save_and_commit(
    save: Callable[..., SavedChange],
    change: Change,
    write_options: WriteOptions,
    *,
    quiet: bool = False,
) -> dict[str, Any]:
    """Call ``save``, after asking the learner where a yes is missing. Prints the outcome (unless
    ``quiet``) and returns it as JSON types."""
    from q1lab.ground.git_repository import NeedsYes

    if not (write_options.dry_run or write_options.yes) and change.repo is not None:
        _ask_first(change)
    try:
        done = save(confirmed=write_options.yes, dry_run=write_options.dry_run)
    except NeedsYes as problem:
        print_diff(problem.diff, err=True)
        for reason in problem.reasons:
            remark(reason)
        if ask_user("Go on?", problem) != "yes":
            raise Problem("nothing was changed", FAILED) from None
        done = save(confirmed=True)
    commit = done.commit
    result = {
        "files": [str(path) for path in change.files],
        "written": [] if write_options.dry_run else [str(path) for path in done.written],
        "commit": done.sha,
        "branch": commit.branch if commit and commit.committed else None,
        "message": change.message,
        "notes": list(commit.notes) if commit else [],
        **({"copy": str(done.copy)} if done.copy else {}),
    }
    if not quiet:
        _print_outcome(done, change, write_options)
    return result


def _ask_first(change: Change) -> None:
    """Show the commit before it is made, and ask the learner, unless ``ask_before_commit`` is off.
    Problem if the answer is no, or if no one answers."""
    from q1lab.ground import config

    changing = change.pending()
    if change.claims and changing:
        remark(f"What {next(iter(change.files)).name} will say:")
        for claim in change.claims:
            remark(f"  · {claim}")
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


def list_command(
    act: Callable[..., command_table.ActReport],
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
