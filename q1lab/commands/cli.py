"""The command line: a click group that imports a command's module only when it is called.

`COMMANDS` has all that `q1lab --help` prints of them. Another package adds a click command by an
entry point of the group `q1lab.commands`.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import click

from q1lab import __version__
from q1lab.commands._values import add_value_checks
from q1lab.commands.error_boundary import run_guarded
from q1lab.ground.config import Config, load_settings
from q1lab.ground.errors import EXIT_STATUS, FAILED, USAGE, Problem, nearest

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

THE_WEEK = "The week"
COMMANDS: Mapping[str, Mapping[str, str]] = {
    "Studies": {
        "demo": "A first verdict in a minute: eight pairs of runs, replayed.",
        "run": "Train variants against a baseline over seeds, then compare.",
        "plan": "The designs that a study may have, and the chance of each verdict.",
        "attach": "Watch a study that is running.",
        "stop": "Stop a study so that it can go on later.",
        "status": "Your studies with their verdicts, and the next step.",
        "compare": "The comparison of a study, with its verdict.",
        "diff": "The difference between a variant and its baseline.",
        "export": "A study as a folder or an archive, or results as CSV, JSON or a page.",
        "judge": "The verdict on final numbers that you have, from anywhere.",
        "sync": "Upload to W&B what is still offline.",
        "restore": "Bring a study back from its folder or archive, or from the trash.",
        "sample": "Text that both models of a study write from one prompt.",
        "verify": "Check a study that someone else gives you.",
        "delete": "Move studies to the trash, or empty it.",
    },
    THE_WEEK: {
        "data": "Choose the text that the week's runs train on.",
        "take": "Copy one of the week's files beside your model.",
        "predict": "Record what you expect, before the runs.",
        "modification": "Write or refresh MODIFICATION.md.",
        "post": "Write or refresh the blog post; check, export, share and publish it.",
        "retro": "Write or refresh Q1_RETRO.md.",
        "paper": "The papers you read.",
        "course": "The lists of the course: KPIs, artifacts, its roadmap.",
    },
    "Your model": {
        "new": "Put a model file of your own into your repo.",
        "check": "Check that a model file does what its idea says.",
        "hint": "The next hint for your modification.",
        "speak": "A pretrained model writes with your part in it.",
        "merge": "Merge the modification into your model.py.",
    },
    "Around it": {
        "config": "Settings, and where they are.",
        "doctor": "Versions, device, disk, and where the files are.",
    },
}
"""The commands under their headings in `q1lab --help`, each with its line there."""

MODULES = {name: f"q1lab.commands.{name}" for rows in COMMANDS.values() for name in rows} | {
    "demo": "q1lab.commands.demo.demo_command",
    "sample": "q1lab.commands.sample.sample_command",
    "verify": "q1lab.commands.verify.verify_command",
}
"""The module of each command, which has it under its own name."""

LATER = frozenset(
    {
        "plan",
        "diff",
        "sync",
        "restore",
        "sample",
        "delete",
        "data",
        "take",
        "paper",
        "course",
        "speak",
    }
)
"""The commands that --help-all shows, and --help, which has twenty at most, does not."""

USE_INSTEAD = {
    **dict.fromkeys(("list", "ls", "history"), "`q1lab status` lists the studies"),
    "results": "`q1lab status` lists the verdicts",
    "show": "`q1lab compare STUDY` shows a study",
    **dict.fromkeys(("log", "logs"), "`q1lab attach STUDY --log` follows the output of a run"),
    **{name: f"it is `q1lab course {name}`" for name in ("kpi", "artifact", "roadmap")},
    "rm": "`q1lab delete STUDY` moves a study to the trash",
}
"""Commands that people type from habit, with the command that does it."""


@cache
def outside_commands() -> Mapping[str, EntryPoint]:
    """The commands of other packages by name. Finding them takes a tenth of a second, so only
    `q1lab --help-all` and a name that q1lab doesn't have look for them."""
    from importlib import metadata

    found = sorted(metadata.entry_points(group="q1lab.commands"), key=lambda entry: entry.name)
    return {entry.name: entry for entry in found if entry.name not in MODULES}


class Commands(click.Group):
    """A click group that imports a command's module only when that command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*MODULES, *outside_commands()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in MODULES:
            module = importlib.import_module(MODULES[cmd_name])
            command = getattr(module, cmd_name)
        elif cmd_name in outside_commands():
            command = _load_outside(cmd_name, outside_commands()[cmd_name])
        else:
            return None
        return add_value_checks(command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            near = nearest(name, MODULES, "`q1lab --help-all` lists them")
            raise Problem(f"no command called {name!r}", next=USE_INSTEAD.get(name, near))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        settings = Config()
        with contextlib.suppress(Problem):  # settings that can't be read hide no help
            settings = load_settings()
        everything = ALL_HELP in ctx.meta
        hidden = set() if everything else set(LATER)
        if not (settings.week and settings.course):
            hidden.add("course")
        sections = [
            (title, [(name, about) for name, about in rows.items() if name not in hidden])
            for title, rows in COMMANDS.items()
            if settings.week or title != THE_WEEK
        ]
        if everything and (outside := outside_commands()):
            rows = [(name, f"({entry.value})") for name, entry in outside.items()]
            sections.append(("Other packages", rows))
        for title, rows in sections:
            with formatter.section(title):
                formatter.write_dl(rows)
        if not everything:
            formatter.write_paragraph()
            formatter.write_text("More commands, in the same groups: q1lab --help-all")


def _load_outside(name: str, entry: EntryPoint) -> click.Command:
    """The command of another package. Problem where it can't be used."""
    try:
        command = entry.load()
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise Problem(f"{name} ({entry.value}) can't be loaded: {reason}", FAILED) from error
    if not isinstance(command, click.Command):
        raise Problem(f"{name} ({entry.value}) is not a click command", FAILED)
    return command


def load_command(words: str) -> click.Command:
    """The command of these words, such as ``paper add``; they name one."""
    command: click.Command | None = cli
    for word in words.split():
        assert isinstance(command, click.Group), words
        command = command.get_command(click.Context(command), word)
    assert command is not None, words
    return command


def _print_all_help(ctx: click.Context, param: click.Parameter, typed: bool) -> None:
    if typed and not ctx.resilient_parsing:
        ctx.meta[ALL_HELP] = True
        click.echo(ctx.get_help())
        ctx.exit()


ALL_HELP = "q1lab.all_help"
"""The mark of a context whose page of help has all commands."""


@click.group(
    cls=Commands,
    invoke_without_command=True,
    epilog=f"Example: q1lab run rope --seeds 3\n\n{EXIT_STATUS}",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "--version", message="q1lab %(version)s")
@click.option("--session", metavar="ID", help="Open the app at this session (A, B or C).")
@click.option(
    "--content", type=click.Path(path_type=Path), metavar="DIR", help="Open another week's content."
)
@click.option(
    "--help-all",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_all_help,
    help="Show all commands, and exit.",
)
@click.pass_context
def cli(ctx: click.Context, session: str | None, content: Path | None) -> None:
    """One honest week of changing a transformer.

    With no command, opens the app where you left off.
    """
    if ctx.invoked_subcommand is None:
        from q1lab.commands.app import start_app

        start_app(session, content)


add_value_checks(cli)


def run_command_line(args: list[str] | None = None) -> int:
    """Run the command line; returns the exit status. Problems become one line on stderr, never a
    traceback."""
    arguments = sys.argv[1:] if args is None else args
    return run_guarded(lambda: _run_words(arguments), as_json="--json" in arguments)


def _run_words(arguments: list[str]) -> int:
    for word in arguments:
        if any("\ud800" <= letter <= "\udfff" for letter in word):
            raise Problem(f"not UTF-8 text: {word!r}", next="q1lab takes names in UTF-8 only")
    try:
        result = cli.main(args=arguments, prog_name="q1lab", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)  # a page, not a line
        return USAGE
    except click.ClickException as error:
        raise Problem(error.format_message()) from error
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.Abort:
        raise KeyboardInterrupt from None
    except SystemExit as leave:  # click exits with 1 when the reader of stdout has gone
        if leave.code in (0, None):  # a shell that asked for completions has them
            return 0
        raise BrokenPipeError from leave
