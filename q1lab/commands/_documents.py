"""What the commands that write documents share: options, the repository, the week, and asking for a
yes."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from q1lab.commands._store import opened
from q1lab.ground import command_table
from q1lab.ground.errors import FAILED, OK, Problem
from q1lab.ground.files import plain, whole
from q1lab.ground.git_repository import NoRepository, Repository
from q1lab.week.syllabus import Week

if TYPE_CHECKING:
    from q1lab.documents.change import Change, Saved
    from q1lab.index.store import Store

F = TypeVar("F", bound=Callable[..., Any])

repo_option = click.option(
    "--repo",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Your repository. Default: the configured one, else that of the current folder.",
)
overwrite_option = click.option(
    "--overwrite", is_flag=True, help="Replace what you edited between q1lab's marks."
)
force_option = click.option(
    "--force", is_flag=True, help="Write over a file that q1lab did not write."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def writing_options(command: F) -> F:
    """--repo, --dry-run, --yes, --no-commit, --init: the same on every command that writes into the
    repository. The command gets their values as one ``how: Writing``."""

    @functools.wraps(command)
    def gathered(**values: Any) -> Any:
        names = [item.name for item in dataclasses.fields(Writing)]
        return command(how=Writing(**{name: values.pop(name) for name in names}), **values)

    for option in (
        click.option("--init", is_flag=True, help="Make a git repository when there is none."),
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
        option(gathered)
    return cast("F", gathered)


def region_options(command: F) -> F:
    """--overwrite, --add-missing: on the commands that keep regions of a document."""
    for option in (
        click.option(
            "--add-missing", is_flag=True, help="Put back regions that you took out of the file."
        ),
        overwrite_option,
    ):
        command = option(command)
    return command


@dataclass(frozen=True)
class Writing:
    """The values of ``writing_options``."""

    repo: Path | None
    dry_run: bool = False
    yes: bool = False
    no_commit: bool = False
    init: bool = False


def week() -> Week:
    """The week of ``--content``, of the settings, or the one that ships."""
    from q1lab.ground import config, paths
    from q1lab.week import content

    context = click.get_current_context(silent=True)
    given = context.find_root().params.get("content") if context else None
    settings = config.load()
    folder = given or settings.content or paths.content_dir()
    return content.load(Path(folder), settings.course)


def looked(act: str, what: object, variant: str = "") -> None:
    """Note that what a command was asked to show has been shown: a step of the week may wait for
    it. What can't be noted is no reason to fail."""
    from q1lab.week import evidence

    with contextlib.suppress(Problem), opened() as store:
        evidence.note_looked(store, week().label, act, str(what), variant)


def folder_of(given: Path | None) -> Path:
    """``--repo``, else the configured repository, else where one stands."""
    from q1lab.ground import config

    return whole(given or config.load().repo or Path.cwd())


def repository(how: Writing) -> tuple[Path, Repository | None]:
    """(the folder to write in, its repository or None with --no-commit). Offers ``git init`` where
    there is none."""
    from q1lab.ground.git_repository import init

    folder = folder_of(how.repo)
    try:
        repo = Repository.discover(folder)
    except NoRepository:
        if how.init and not how.dry_run:
            repo = init(folder)
        elif how.no_commit or how.dry_run:
            return folder, None
        else:
            refused = Problem(
                f"{folder} is in no git repository: ",
                next="give one with --repo PATH, make one with --init, or write without it with "
                "--no-commit",
                file=folder,
            )
            if ask(f"{folder} is in no git repository. Make one there?", refused) != "yes":
                raise refused from None
            repo = init(folder)
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


TRIES, LONGEST_ANSWER = 3, 100
"""How often a question is asked again, and characters of an answer: input may be endless."""


def ask(question: str, unanswered: Problem, words: Sequence[str] = ("no", "yes")) -> str:
    """The answer to a question: one of ``words``, of which an empty line means the first.

    It is asked on standard error and waited for on standard input, be that a terminal or not.
    Raises ``unanswered`` where no answer comes: input has ended or can't be read, or it is a
    terminal at which the question can't be seen.
    """
    shown = "/".join(word[0].upper() if word == words[0] else word[0] for word in words)
    for _ in range(TRIES):
        typed = sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()
        if typed and not sys.stderr.isatty():
            raise unanswered
        click.echo(plain(f"{question} [{shown}] "), nl=False, err=True)
        line = ""
        with contextlib.suppress(AttributeError, OSError, ValueError):  # closed, or no text
            line = sys.stdin.readline(LONGEST_ANSWER)
        if not typed:
            click.echo(plain(line.strip()), err=True)
        if not line:
            raise unanswered
        given = line.strip().lower()
        for word in words:
            if given in ("", word, word[0]):
                return word
    raise Problem(f"nothing was changed: the answer is one of {', '.join(words)}")


def show(text: str) -> None:
    """Print a text of others: as text, never as terminal control."""
    click.echo(plain(text), nl=not text.endswith("\n"))


def agrees_to_run(commands: str, otherwise: str, yes: bool = False) -> bool:
    """Whether the learner lets somebody else's command run; it is shown in any case. Problem that
    says what to do ``otherwise`` where nobody answers."""
    remark(f"The study's command {commands}")
    unanswered = Problem("its command was not run: ", next=otherwise)
    return yes or ask("Run it?", unanswered) == "yes"


def remark(text: str) -> None:
    """A line beside the result, on stderr."""
    click.echo(plain(text), err=True)


def show_diff(text: str, *, err: bool = False) -> None:
    """A diff; on a terminal it has colors, and a long line goes on in the next one."""
    stream = sys.stderr if err else sys.stdout
    if text and stream.isatty():
        from rich.console import Console
        from rich.syntax import Syntax

        Console(file=stream).print(
            Syntax(
                plain(text),
                "diff",
                theme="ansi_dark",
                background_color="default",
                word_wrap=True,
            )
        )
    elif text:
        click.echo(plain(text), nl=False, err=err)


def emit(record: Mapping[str, Any]) -> None:
    """Print a record as JSON."""
    click.echo(json.dumps(record, indent=2, ensure_ascii=False, default=str))


def carry_out(
    proposal: Change,
    store: Store,
    how: Writing,
    *,
    as_json: bool,
    extra: Mapping[str, Any] | None = None,
) -> int:
    """What every command that writes a document does with it: say what was kept, show the diff,
    write, commit, and say what happened, or print all of it as JSON with ``extra``."""
    if proposal.edited:
        remark(
            f"kept as you edited it: {', '.join(proposal.edited)} (--overwrite replaces it). "
            "The difference:"
        )
        show_diff(proposal.edited_diff, err=True)
    if how.dry_run and not as_json:
        show_diff(proposal.diff)
    result = act(functools.partial(proposal.save, store), proposal, how, quiet=as_json)
    if as_json:
        kept = {
            "claims": list(proposal.claims),
            "changed": list(proposal.changed),
            "kept": list(proposal.edited),
        }
        emit({**result, **kept, "diff": proposal.diff, **(extra or {})})
    return OK


def act(
    saving: Callable[..., Saved], proposal: Change, how: Writing, *, quiet: bool = False
) -> dict[str, Any]:
    """Write and commit, asking for a yes where one is missing. Says what happened (unless
    ``quiet``) and returns it as plain types."""
    from q1lab.ground.git_repository import NeedsYes

    if not (how.dry_run or how.yes) and proposal.repo is not None:
        _ask_first(proposal)
    try:
        done = saving(confirmed=how.yes, dry_run=how.dry_run)
    except NeedsYes as problem:
        show_diff(problem.diff, err=True)
        for reason in problem.reasons:
            remark(reason)
        if ask("Go on?", problem) != "yes":
            raise Problem("nothing was changed", FAILED) from None
        done = saving(confirmed=True)
    commit = done.commit
    result = {
        "files": [str(path) for path in proposal.files],
        "written": [] if how.dry_run else [str(path) for path in done.written],
        "commit": done.sha,
        "branch": commit.branch if commit and commit.committed else None,
        "message": proposal.message,
        "notes": list(commit.notes) if commit else [],
        **({"copy": str(done.copy)} if done.copy else {}),
    }
    if not quiet:
        _tell(done, proposal, how)
    return result


def _ask_first(proposal: Change) -> None:
    """Show the commit before it is made, and ask, unless the learner has said that they don't want
    to be asked. Problem when the answer is no, and when none comes."""
    from q1lab.ground import config

    changing = proposal.pending()
    if proposal.claims and changing:
        remark(f"What {next(iter(proposal.files)).name} will say:")
        for claim in proposal.claims:
            remark(f"  · {claim}")
    if not (changing and config.load().ask_before_commit):
        return
    assert proposal.repo is not None
    show_diff(proposal.diff, err=True)
    branch = proposal.repo.head().branch or "a detached HEAD"
    names = proposal.named(changing)
    remark(f"\nThis would be committed on {branch}, with {names} and nothing else:")
    remark(f"  {proposal.message}")
    unanswered = Problem(
        "nothing was changed, as nobody answered: ",
        next="--yes commits without asking, --no-commit writes without committing",
    )
    words = ("yes", "no", "always")
    answer = ask("Commit it? (y)es, (n)o, (a)lways: don't ask again", unanswered, words)
    if answer == "no":
        raise Problem("nothing was changed", FAILED)
    if answer == "always":
        config.put("ask_before_commit", "false")
        remark("Later: `q1lab config ask_before_commit true` asks again.")


def _tell(done: Saved, proposal: Change, how: Writing) -> None:
    subject = proposal.message.splitlines()[0]
    commit = done.commit
    names = proposal.named(proposal.files)
    if how.dry_run:
        remark(f"would write {names}" if done.written else f"{names}: nothing would change")
        if proposal.repo is not None:
            remark(f"would commit: {subject}")
    elif commit and commit.committed:
        branch = commit.branch or "a detached HEAD"
        root = proposal.repo.root if proposal.repo else Path()
        held = proposal.named(root / name for name in commit.files)
        remark(f"{held}: committed {str(commit.sha)[:7]} on {branch}: {subject}")
        for note in commit.notes:
            remark(f"note: {note}")
    elif done.written:
        remark(f"{names}: written, not committed")
    else:
        remark(f"{names}: up to date")


def entry(
    act: Callable[..., command_table.Said],
    *,
    known: Callable[[Store, Week], Mapping[str, str]] | None = None,
) -> Callable[..., int]:
    """An act on the learner's lists, ``act(store, week, **fields)``, as a command that says what it
    did. The app's forms call ``entry``, the act itself, and say at first what is ``known``."""

    @functools.wraps(act)
    def command(as_json: bool = False, **values: Any) -> int:
        with opened() as store:
            said = act(store, week(), **values)
        if as_json:
            emit(said.record or {})
            return OK
        if said.board:
            show("\n".join(said.board))
        else:
            remark(said.line)
        for note in said.notes:
            remark(f"note: {note}")
        return OK

    command.entry, command.known = act, known  # type: ignore[attr-defined]
    return command


def show_list(
    name: str,
    rows: list[dict[str, Any]],
    line: Callable[[dict[str, Any]], str],
    *,
    empty: str,
    as_json: bool,
) -> int:
    """One of the learner's lists: a numbered line per row, or JSON under ``name``. ``empty`` says
    how to add the first."""
    if as_json:
        emit({name: rows})
        return OK
    if not rows:
        click.echo(empty)
    for row in rows:
        show(f"{row['id']:>3}  {line(row)}")
    return OK
