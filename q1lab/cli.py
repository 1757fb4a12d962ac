"""The command line: one table of commands, each imported only when it is called."""

from __future__ import annotations

import copy
import difflib
import functools
import importlib
import math
import sys
from pathlib import Path
from typing import Any

import click

from q1lab import __version__
from q1lab.errors import EXIT_STATUS, INTERRUPTED, USAGE, Problem
from q1lab.files import expanded
from q1lab.guard import guarded, say

COMMANDS: dict[str, tuple[str, str]] = {
    # name: (module:attribute, one line for `q1lab --help`)
    "run": ("run:run", "Train a variant against a baseline over seeds, then compare."),
    "sweep": ("sweep:sweep", "Several modifications against one baseline, in one table."),
    "plan": ("plan:plan", "How many pairs a difference needs, before anything trains."),
    "attach": ("run:attach", "Watch a study that is running."),
    "stop": ("run:stop", "Stop a study so that it can go on later."),
    "status": ("status:status", "What runs, what is done, what is next."),
    "compare": ("compare:compare", "The comparison of a study, with its verdict."),
    "diff": ("diff:diff", "The difference between a variant and its baseline."),
    "keep": ("keep:keep", "Keep a study's files in your repo, so that it can be trained again."),
    "export": ("export:export", "Studies as JSON, CSV, SVG or PNG."),
    "import": ("import_:import_", "Take in runs that were trained elsewhere, from files."),
    "pull": ("pull:pull", "Take in runs that were trained elsewhere, from W&B."),
    "sync": ("sync:sync", "Upload to W&B what is still offline."),
    "note": ("upkeep:note", "A note of yours on a study."),
    "tag": ("upkeep:tag", "Tags on studies; `status --tag` filters by them."),
    "archive": ("upkeep:archive", "A study as one file."),
    "restore": ("upkeep:restore", "Bring a study back from such a file."),
    "delete": ("upkeep:delete", "Delete studies; what was asked stays on record."),
    "prune": ("upkeep:prune", "Free the room of checkpoints and leftovers."),
    "new": ("learner:new", "Put a model file of your own into your repo."),
    "check": ("check:check", "Check that a model file does what its idea says."),
    "hint": ("learner:hint", "The next hint for your modification."),
    "merge": ("learner:merge", "Merge the modification into your model.py."),
    "data": ("data:data", "Choose the text that the week's runs train on."),
    "take": ("take:take", "Copy one of the week's files beside your model."),
    "predict": ("predict:predict", "Record what you expect, before the runs."),
    "modification": ("modification:modification", "Write or refresh MODIFICATION.md."),
    "post": ("post:post", "The blog post: draft, words, claims, preview, sharing."),
    "retro": ("retro:retro", "Write or refresh Q1_RETRO.md."),
    "kpi": ("kpi:kpi", "KPIs against their targets."),
    "paper": ("paper:paper", "The papers you read."),
    "artifact": ("artifact:artifact", "What you shipped."),
    "roadmap": ("roadmap:roadmap", "Tick this week's boxes in AI_EXPERT_ROADMAP.md."),
    "card": ("card:card", "A progress card to share."),
    "content": ("content:content", "Check another week's content, or start one."),
    "config": ("config:config", "Settings, and where they are."),
    "completion": ("completion:completion", "Shell completion for bash, zsh and fish."),
    "doctor": ("doctor:doctor", "Versions, device, disk, and where the files are."),
}

SECTIONS = {
    "Studies": [
        "run",
        "sweep",
        "plan",
        "attach",
        "stop",
        "status",
        "compare",
        "diff",
        "keep",
        "export",
        "import",
        "pull",
        "sync",
    ],
    "Upkeep": ["note", "tag", "archive", "restore", "delete", "prune"],
    "Your model": ["new", "check", "hint", "merge"],
    "The week": [
        "data",
        "take",
        "predict",
        "modification",
        "post",
        "retro",
        "kpi",
        "paper",
        "artifact",
        "roadmap",
        "card",
    ],
    "Around it": ["content", "config", "completion", "doctor"],
}


GONE = {
    "serve": "for the app in a browser: pip install textual-dev, then `textual serve q1lab`",
}
"""What to do instead of a command that an earlier version had."""

LARGEST = 1 << 53
"""Whole numbers from here on are none that a person means."""


@functools.cache
def careful(command: click.Command) -> click.Command:
    """``command`` itself, and those below it, made to refuse what nobody can mean by any argument
    or option: an empty text (which Python takes for none, and a path for this folder), a number
    that is not finite, a folder of somebody who is not here."""
    for param in command.params:
        kind = copy.copy(param.type)
        convert = functools.partial(_converted, param.type)
        kind.convert = convert  # type: ignore[method-assign]
        param.type = kind
    for below in command.commands.values() if isinstance(command, click.Group) else ():
        careful(below)
    return command


def _converted(
    kind: click.ParamType[Any], value: Any, param: click.Parameter | None, ctx: click.Context | None
) -> Any:
    if isinstance(kind, click.types.StringParamType | click.Path) and not str(value).strip():
        kind.fail("it is empty; give a value, or leave it out", param, ctx)
    if isinstance(kind, click.Path):
        value = str(expanded(value))
    found = kind.convert(value, param, ctx)
    if isinstance(found, float) and not math.isfinite(found):
        kind.fail(f"{value!r} is not a finite number", param, ctx)
    if isinstance(found, int) and abs(found) >= LARGEST:
        kind.fail("it is too large", param, ctx)
    return found


class Commands(click.Group):
    """A group that imports a command's module when that command is called, and no sooner."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name][0].split(":")
        found = getattr(importlib.import_module(f"q1lab.commands.{module}"), attribute)
        assert isinstance(found, click.Command)
        return careful(found)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0] if args else ""
        if name in GONE:
            raise Problem(f"`q1lab {name}` is gone; {GONE[name]}")
        if name not in COMMANDS and not name.startswith("-"):
            near = difflib.get_close_matches(name, COMMANDS, 1, 0.5)
            hint = f"did you mean `q1lab {near[0]}`?" if near else "`q1lab --help` lists them"
            raise Problem(f"no command called {name!r}; {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, names in SECTIONS.items():
            rows = [(name, COMMANDS[name][1]) for name in names if name in COMMANDS]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


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
@click.pass_context
def cli(ctx: click.Context, session: str | None, content: Path | None) -> None:
    """One honest week of changing a transformer.

    With no command, opens the app where you left off.
    """
    if ctx.invoked_subcommand is None:
        from q1lab.commands.app import start_app

        start_app(session, content)


careful(cli)


def run(args: list[str] | None = None) -> int:
    """Run the command line; returns the exit status. Problems become one line on stderr, never a
    traceback."""
    return guarded(lambda: _run(args))


def _run(args: list[str] | None) -> int:
    for word in sys.argv[1:] if args is None else args:
        if any("\ud800" <= letter <= "\udfff" for letter in word):
            raise Problem(f"not UTF-8 text: {word!r}; q1lab takes names in UTF-8 only")
    try:
        result = cli.main(args=args, prog_name="q1lab", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)  # a page, not a line
        return USAGE
    except click.ClickException as error:
        say(error.format_message())
        return USAGE
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.Abort:
        return INTERRUPTED
