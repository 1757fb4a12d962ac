"""The command line: a click group that imports each command only when it is called."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import click

from q1lab import __version__
from q1lab.commands.error_boundary import run_guarded
from q1lab.ground import command_table
from q1lab.ground.act import SECTIONS
from q1lab.ground.argument_checks import add_value_checks
from q1lab.ground.errors import EXIT_STATUS, USAGE, Problem


class Commands(click.Group):
    """A click group that imports a command's module only when that command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*command_table.listed_acts(), *command_table.outside_commands()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return command_table.load_command(cmd_name) if _is_command(cmd_name) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0] if args else ""
        if not name.startswith("-") and not _is_command(name):
            raise command_table.unknown_command(name)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from q1lab.ground.config import Config, load_settings

        settings = Config()
        with contextlib.suppress(Problem):  # settings that can't be read hide no help
            settings = load_settings()
        everything = ALL_HELP in ctx.meta
        sections: dict[str, list[tuple[str, str]]] = {title: [] for title in SECTIONS}
        for name, act in command_table.listed_acts().items():
            on_page = everything or act.is_frequent
            if on_page and act.is_shown(week=settings.week, course=settings.course):
                sections[act.section].append((name, act.about))
        if everything:
            sections["Other packages"] = [
                (name, f"({entry.value})")
                for name, entry in command_table.outside_commands().items()
            ]
        for title, rows in sections.items():
            if not rows:
                continue
            with formatter.section(title):
                formatter.write_dl(rows)
        if not everything:
            formatter.write_paragraph()
            formatter.write_text("More commands, in the same groups: q1lab --help-all")


def _is_command(name: str) -> bool:
    return name in command_table.listed_acts() or name in command_table.outside_commands()


def _print_all_help(ctx: click.Context, param: click.Parameter, typed: bool) -> None:
    if typed and not ctx.resilient_parsing:
        ctx.meta[ALL_HELP] = True
        click.echo(ctx.get_help())
        ctx.exit()


ALL_HELP = "q1lab.all_help"
"""The mark of a context whose page of help has all commands."""
EPILOG = f"Example: q1lab run rope --seeds 3\n\n{EXIT_STATUS}"


@click.group(
    cls=Commands,
    invoke_without_command=True,
    epilog=EPILOG,
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
