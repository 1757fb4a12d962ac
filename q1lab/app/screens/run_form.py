"""The form of a new study: what `q1lab run` is told. Then `q1lab plan` shows what the study can
find, and ``y`` starts it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from click import ClickException
from click.core import ParameterSource

from q1lab.app import editing
from q1lab.app.commands import FORMS
from q1lab.app.screens import forms
from q1lab.app.screens.command_output import CommandOutputScreen, run_in_pane
from q1lab.app.week_app import WeekApp
from q1lab.ground.errors import Problem
from q1lab.judgment.intervals import MIN_FOR_VERDICT
from q1lab.study import kinds, studies, variants
from q1lab.study.command_line import OPTIONS, request_from_options
from q1lab.study.studies import Study

Values = Mapping[str, Any]
"""The values of a command's parameters."""


def open_run_form(app: WeekApp, words: Sequence[str] = ()) -> None:
    """Open the form, filled in with the ``words`` of a `q1lab run` command. A command that trains
    several studies, or prints a record for a program, is run as it is."""

    def read(_: object) -> Values | None:
        return _typed(app, words[2:]) if words else {"variant": (_default_variant(app),)}

    def opened(values: Values | None) -> None:
        if values is None:
            run_in_pane(app, list(words))
        else:
            _open(app, values)

    app.hold_keys()
    app.run_job(read, opened)  # in a thread: the command's module takes a while to import


def open_form_with_more_seeds(app: WeekApp, study: Study, n: int | None) -> None:
    """Open the form for the same study with ``n`` seeds per arm; None: twice as many, and as many
    as a verdict needs."""
    more = n or max(2 * len(study.seeds), MIN_FOR_VERDICT)
    open_run_form(app, [*shlex.split(kinds.resume_command(study)), "--seeds", str(more)])


def _default_variant(app: WeekApp) -> str:
    """The week's modification: the learner's own file, once it is there."""
    app.setup.command("run")  # imported here, in this thread
    chosen = app.snapshot.progress.chosen or app.week.default or ""
    own_file = editing.learner_folder(app) / f"{chosen}.py"
    return f"./{own_file.name}" if chosen and own_file.is_file() else chosen


def _typed(app: WeekApp, words: Sequence[str]) -> Values | None:
    """The values that the words after `q1lab run` give. None for several variants, for options that
    are not of the study, and for a command that is refused: it says why itself."""
    if {"--help", "-h"} & {*words}:
        return None
    try:
        context = app.setup.command("run").make_context("run", list(words))
    except (ClickException, Problem):
        return None
    typed = {
        name: value
        for name, value in context.params.items()
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }
    if typed.keys() - {"variant", *OPTIONS} or len(context.params["variant"]) != 1:
        return None
    return typed


def _open(app: WeekApp, values: Values) -> None:
    """Open the form with these values; those that it does not show are kept."""
    labels = FORMS["run"].labels
    hidden = {name: value for name, value in values.items() if name not in labels}
    initial = {name: _text(value) for name, value in values.items() if name in labels}

    def plan(argv: list[str], typed: forms.Values) -> None:
        name = str(typed["variant"][0])
        is_study = studies.is_id(name) and name in studies.ids()
        preview = ["q1lab", "plan", studies.load(name).variant if is_study else name]
        if typed.get("preset"):
            preview += ["--preset", str(typed["preset"])]
        folder = editing.learner_folder(app)
        screen = StartScreen(argv, folder, preview, again=lambda: _open(app, typed))
        app.push_screen(screen, app.open_study)

    forms.open_form(
        app, "run", initial, "A new study", lambda _: hidden, about=_about, carry_out=plan
    )


def _text(value: object) -> str:
    """A value as it is typed into a field."""
    if isinstance(value, tuple):
        return shlex.join(map(str, value))
    return "" if value is None else str(value)


def _about(values: forms.Values) -> str:
    """What the form's variant is. Problem for seeds that no study takes."""
    names = values["variant"] or ()
    options = {name: value for name, value in values.items() if name in OPTIONS}
    _ = request_from_options(variant=" ".join(names), **options).parsed_seeds
    known = [variants.find_variant(name) for name in names if name in variants.variant_names()]
    if len(known) == len(names) == 1:
        return f"{known[0].name}: {known[0].title}"
    if names and all(variants.is_path(name) for name in names):
        return ""
    return f"It is one of {', '.join(variants.variant_names())}, or a file such as ./rope.py."


class StartScreen(CommandOutputScreen):
    """Shows the plan of a study; ``y`` starts it, and the lab then shows it. Esc goes back to the
    form. The result is the study's name."""

    def __init__(
        self, argv: list[str], folder: Any, preview: list[str], again: Callable[[], None]
    ) -> None:
        super().__init__(argv, folder, preview)
        self.again = again

    @property
    def would(self) -> bool:
        """True once the plan was shown; a study may train that has no figures to plan with."""
        return bool(self.preview) and self.has_ended

    def action_yes(self) -> None:
        if self.would:
            self.argv = [*self.argv, "--detach"]
        super().action_yes()

    def action_back(self) -> None:
        super().action_back()
        self.app.call_later(self.again)

    def ended(self, code: int) -> None:
        super().ended(code)
        if self.would:
            self.box.border_subtitle = "y starts it · Esc goes back to the form · c copies"
        elif code == 0:
            ids = studies.ids()
            words = re.findall(r"[\w-]+", self.printed)
            self.dismiss(next((word for word in words if word in ids), None))
