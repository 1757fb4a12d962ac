"""The table of all acts of q1lab: name, description, code, and where the app and the week use it.

From this table come `q1lab --help`, the app's palette and its forms, the fields that an action of a
week's text may have, the commands that a week's check accepts, and the conditions by which a step
ticks itself. An act's fields are the parameters of its command (``load_command``); a
subcommand is listed here only if the app or the week uses it. The code of an act is imported when
it is first used.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from q1lab.ground.act import AROUND, MODEL, STUDIES, WEEK, Act
from q1lab.ground.errors import FAILED, INTERRUPTED, OK, USAGE, Problem, nearest

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    import click


class ParsedCommand(NamedTuple):
    """A typed command: its act, the values of all its fields, and the names of those typed."""

    act: Act
    values: Mapping[str, Any]
    typed: frozenset[str]
    help: bool = False
    """True if --help or -h was typed."""


class ActReport(NamedTuple):
    """The result of an act on one of the learner's lists: one line, a few more for a terminal, a
    record for programs, and notes."""

    line: str
    board: Sequence[str] = ()
    record: Mapping[str, Any] | None = None
    notes: Sequence[str] = ()


REFUSED_BUNDLE, NOT_CHECKED = 20, 21
"""Exit statuses of `q1lab verify`."""

ACTS = (
    Act(
        "demo",
        "A first verdict in a minute: eight pairs of runs, replayed.",
        STUDIES,
        "demo.demo_command:demo",
        is_frequent=True,
    ),
    Act(
        "run",
        "Train variants against a baseline over seeds, then compare.",
        STUDIES,
        form_labels={
            "variant": "variant",
            "seeds": "seeds",
            "baseline": "against",
            "preset": "preset",
            "data": "data",
            "max_iters": "iters",
            "overrides": "set",
            "device": "device",
            "dtype": "dtype",
            "jobs": "at once",
            "wandb": "W&B",
            "launcher": "launcher",
        },
        form_button="Plan",
        action_fields=("variant", "baseline", "seeds", "preset", "data", "max_iters"),
        done_when=("runs ended",),
        is_frequent=True,
    ),
    Act("plan", "The designs that a study may have, and the chance of each verdict.", STUDIES),
    Act("attach", "Watch a study that is running.", STUDIES, "run:attach", is_frequent=True),
    Act("stop", "Stop a study so that it can go on later.", STUDIES, "run:stop", is_frequent=True),
    Act(
        "status", "Your studies with their verdicts, and the next step.", STUDIES, is_frequent=True
    ),
    Act(
        "compare",
        "The comparison of a study, with its verdict.",
        STUDIES,
        palette="See the newest comparison",
        done_when=("comparison seen",),
        is_frequent=True,
    ),
    Act(
        "diff",
        "The difference between a variant and its baseline.",
        STUDIES,
        done_when=("diff seen", "diff committed"),
    ),
    Act(
        "export",
        "A study as a folder or an archive, or results as CSV, JSON or a page.",
        STUDIES,
        form_labels={"target": "file or folder", "curves": "curves (CSV or JSON)"},
        form_button="Export",
        is_frequent=True,
    ),
    Act(
        "judge",
        "The verdict on final numbers that you have, from anywhere.",
        STUDIES,
        "q1lab.commands.judge:judge",
        is_frequent=True,
    ),
    Act(
        "sync",
        "Upload to W&B what is still offline.",
        STUDIES,
        "q1lab.commands.sync:sync",
        palette="Upload to W&B what is still offline",
    ),
    Act(
        "restore",
        "Bring a study back from its folder or archive, or from the trash.",
        STUDIES,
        "upkeep:restore",
    ),
    Act(
        "sample",
        "Text that both models of a study write from one prompt.",
        STUDIES,
        "sample.sample_command:sample",
        done_when=("seen",),
    ),
    Act(
        "verify",
        "Check a study that someone else gives you.",
        STUDIES,
        "verify.verify_command:verify",
        is_frequent=True,
        statuses={
            OK: "what was checked holds",
            FAILED: "not a bundle",
            USAGE: "usage",
            REFUSED_BUNDLE: "refused",
            NOT_CHECKED: "not checked completely",
            INTERRUPTED: "interrupted",
        },
    ),
    Act(
        "delete",
        "Move studies to the trash, or empty it.",
        STUDIES,
        "upkeep:delete",
    ),
    Act(
        "new",
        "Put a model file of your own into your repo.",
        MODEL,
        "own_model:new",
        done_when=("file made",),
        is_frequent=True,
    ),
    Act(
        "check",
        "Check that a model file does what its idea says.",
        MODEL,
        action_fields=("file", "for"),
        done_when=("checks passed",),
        is_frequent=True,
    ),
    Act("hint", "The next hint for your modification.", MODEL, "own_model:hint", is_frequent=True),
    Act(
        "merge",
        "Merge the modification into your model.py.",
        MODEL,
        "own_model:merge",
        done_when=("modification merged",),
        commits=True,
        is_frequent=True,
    ),
    Act(
        "data",
        "Choose the text that the week's runs train on.",
        WEEK,
        palette="Choose the text that runs train on",
        form_labels={"corpus": "text file"},
    ),
    Act("take", "Copy one of the week's files beside your model.", WEEK),
    Act(
        "predict",
        "Record what you expect, before the runs.",
        WEEK,
        done_when=("prediction made",),
        is_frequent=True,
    ),
    Act(
        "modification",
        "Write or refresh MODIFICATION.md.",
        WEEK,
        palette="Write MODIFICATION.md, and see the commit first",
        done_when=("modification written", "modification committed"),
        commits=True,
        is_frequent=True,
    ),
    Act(
        "post",
        "Write or refresh the blog post; check, export, share and publish it.",
        WEEK,
        palette="Write the post, and see the commit first",
        done_when=("post drafted",),
        commits=True,
        is_frequent=True,
    ),
    Act(
        "retro",
        "Write or refresh Q1_RETRO.md.",
        WEEK,
        palette="Write Q1_RETRO.md, and see the commit first",
        done_when=("retro written", "retro committed"),
        commits=True,
        is_frequent=True,
    ),
    Act("post lint", palette="Count the post's words, and check its claims", done_when=("seen",)),
    Act(
        "course kpi",
        form_labels={"actual": "actual", "target": "target"},
    ),
    Act("paper", "The papers you read.", WEEK),
    Act(
        "course",
        "The lists of the course: KPIs, artifacts, its roadmap.",
        WEEK,
        in_course_only=True,
    ),
    Act(
        "paper add",
        palette="Log a paper",
        form_labels={"title": "title", "link": "link", "depth": "read", "done": "finished"},
        done_when=("paper read",),
        adds_item=True,
    ),
    Act(
        "course artifact add",
        palette="Add an artifact",
        form_labels={"title": "title", "kind": "kind", "location": "address or path"},
        done_when=("artifact added",),
        adds_item=True,
    ),
    Act(
        "post publish",
        palette="Record where the post is published",
        form_labels={"url": "address"},
        done_when=("post published",),
        adds_item=True,
    ),
    Act(
        "post share",
        palette="Record where the post was shared",
        form_labels={"channel": "channel", "url": "address there"},
        done_when=("post shared",),
        adds_item=True,
    ),
    Act(
        "course roadmap",
        palette="List this week's open boxes of the roadmap",
        done_when=("roadmap ticked",),
        commits=True,
    ),
    Act("config", "Settings, and where they are.", AROUND, is_frequent=True),
    Act(
        "doctor",
        "Versions, device, disk, and where the files are.",
        AROUND,
        palette="Check versions, device, disk and files",
        is_frequent=True,
    ),
)


GROUP = "q1lab.commands"
"""The group of entry points by which another package adds a click command, under its own name."""


@cache
def acts() -> Mapping[str, Act]:
    """Every act by its name."""
    return {act.name: act for act in ACTS}


@cache
def outside_commands() -> Mapping[str, EntryPoint]:
    """The commands of other packages by name. Finding them takes a tenth of a second, so only
    `q1lab --help-all` and a name that q1lab doesn't have look for them."""
    from importlib import metadata

    found = sorted(metadata.entry_points(group=GROUP), key=lambda entry: entry.name)
    return {entry.name: entry for entry in found if entry.name not in acts()}


def find_act(words: Sequence[str]) -> Act | None:
    """The act at the beginning of a command; ``words`` exclude ``q1lab``."""
    heads = (" ".join(words[:count]) for count in (3, 2, 1))
    acts_by_name = acts()
    return next((acts_by_name[head] for head in heads if head in acts_by_name), None)


def listed_acts() -> dict[str, Act]:
    """The acts that are commands of one word."""
    return {name: act for name, act in acts().items() if act.section}


def fields_by_action() -> dict[str, tuple[str, ...]]:
    """The fields of each kind of action that a week's text may hold: acts, an address or a document
    to open, and any other command."""
    kinds = {
        act.name: ("title", *act.action_fields) for act in acts().values() if act.action_fields
    }
    return {**kinds, "open": ("title", "document", "url"), "command": ("title", "command")}


def step_conditions() -> list[str]:
    """All conditions that a step of a week may name."""
    return list(dict.fromkeys(condition for act in acts().values() for condition in act.done_when))


def acts_for_condition(condition: str) -> list[Act]:
    """The acts that fulfill a condition."""
    return [act for act in acts().values() if condition in act.done_when]


USE_INSTEAD = {
    **dict.fromkeys(("list", "ls", "history"), "`q1lab status` lists the studies"),
    "results": "`q1lab status` lists the verdicts",
    "show": "`q1lab compare STUDY` shows a study",
    **dict.fromkeys(("log", "logs"), "`q1lab attach STUDY --log` follows the output of a run"),
    **{name: f"it is `q1lab course {name}`" for name in ("kpi", "artifact", "roadmap")},
    "rm": "`q1lab delete STUDY` moves a study to the trash",
}
"""Commands that people type from habit, with the command that does it."""


def unknown_command(name: str) -> Problem:
    """The Problem for an unknown command, with the one that does it or the nearest name."""
    near = nearest(name, listed_acts(), "`q1lab --help-all` lists them")
    return Problem(f"no command called {name!r}", next=USE_INSTEAD.get(name, near))


def load_command(name: str) -> click.Command:
    """The command of this name, of one to three words; its parameters are the act's fields."""
    import click

    from q1lab.ground.argument_checks import add_value_checks

    family, *subcommands = name.split(" ")
    listed = listed_acts().get(family)
    if listed is None:
        command = _load_outside(family)
    else:
        module, _, attribute = (listed.code or f"{family}:{family}").partition(":")
        place = module if module.startswith("q1lab.") else f"q1lab.commands.{module}"
        command = getattr(importlib.import_module(place), attribute)
        assert isinstance(command, click.Command)
    command = add_value_checks(command)
    for subcommand in subcommands:
        if not isinstance(command, click.Group) or subcommand not in command.commands:
            raise Problem(f"no command called {name!r}", next=f"`q1lab {family} --help` lists them")
        command = command.commands[subcommand]
    return command


def _load_outside(name: str) -> click.Command:
    """The command of another package. Problem where it can't be used."""
    import click

    if name not in outside_commands():
        raise unknown_command(name)
    entry = outside_commands()[name]
    try:
        command = entry.load()
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise Problem(f"{name} ({entry.value}) can't be loaded: {reason}", FAILED) from error
    if not isinstance(command, click.Command):
        raise Problem(f"{name} ({entry.value}) is not a click command", FAILED)
    return command


def parse_command(words: Sequence[str]) -> ParsedCommand:
    """Parse a command with its own click parser; ``words`` exclude ``q1lab``. Problem where the
    command would refuse them."""
    import click

    if not words:
        raise Problem("`q1lab` alone is the app, no command")
    name, rest = words[0], list(words[1:])
    command = load_command(name)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        name = f"{name} {rest.pop(0)}"
        command = load_command(name)
    act = acts().get(name) or Act(name)
    if {"--help", "-h"} & set(rest):
        return ParsedCommand(act, {}, frozenset(), help=True)
    try:
        context = command.make_context(name, rest)
    except click.ClickException as error:
        raise Problem(error.format_message()) from error
    return ParsedCommand(act, dict(context.params), typed_fields(context))


def typed_fields(context: click.Context) -> frozenset[str]:
    """The parameters that were typed, with their defaults or with other values."""
    from click.core import ParameterSource

    typed = ParameterSource.COMMANDLINE
    return frozenset(
        field for field in context.params if context.get_parameter_source(field) is typed
    )
