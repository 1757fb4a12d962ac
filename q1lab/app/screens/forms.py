"""Forms for acts that need more than a key; the fields are the parameters of the act's command."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import click

from q1lab.app.commands import FORMS, TITLES
from q1lab.app.screens.command_output import run_in_pane
from q1lab.app.screens.form import Field, FormScreen
from q1lab.app.week_app import WeekApp
from q1lab.ground.errors import Problem
from q1lab.journal import predictions
from q1lab.journal.predictions import Expected
from q1lab.journal.store import Store
from q1lab.week import progress as domain
from q1lab.week.lists.change import ListChange
from q1lab.week.lists.kpis import KpiRow
from q1lab.week.syllabus import Step, Week

OTHER = "other"
"""The choice for a value that is not in the list, and the name of the field for that value."""
FLAG = ("yes", "no")
BY_ITSELF = "by itself"
"""The title of the choice to type nothing."""
Values = dict[str, Any]


def open_form(
    app: WeekApp,
    name: str,
    initial: Mapping[str, str] | None = None,
    title: str = "",
    fixed: Callable[[Values], Values] = lambda values: {},
    about: Callable[[Values], str] = lambda values: "",
    carry_out: Callable[[list[str], Values], object] | None = None,
) -> None:
    """Open the form of the command ``name``, and carry it out. ``initial`` are the fields' first
    values (default: those that the act proposes); ``fixed`` computes the parameters that the form
    doesn't show from those that it does; ``about`` is a sentence on the values, or a Problem with
    them; ``carry_out`` gets the words of a command and its values (default: run it in a pane)."""
    form, command = FORMS[name], app.setup.command(name)
    prefill: Callable[[Store, Week], Mapping[str, str]] | None
    prefill = getattr(command.callback, "prefill", None)
    if initial is None and prefill is not None:
        app.hold_keys()
        app.run_job(
            lambda store: prefill(store, app.week),
            lambda values: open_form(app, name, values, title, fixed, about, carry_out),
        )
        return
    params = {param.name: param for param in command.params if param.name in form.labels}
    fields = [
        field
        for param_name, label in form.labels.items()
        for field in _fields(params[param_name], label, (initial or {}).get(param_name, ""))
    ]

    entry: Callable[..., ListChange] | None = getattr(command.callback, "act", None)

    def job(store: Store, typed: dict[str, str]) -> ListChange | Callable[[], object]:
        values = _values(form.labels, params, typed)
        values |= fixed(values)
        if entry is not None:
            return entry(store, app.setup.week, **values)
        words = ["q1lab", *name.split(), *_words(command, values)]
        return partial(carry_out, words, values) if carry_out else partial(run_in_pane, app, words)

    def says(typed: dict[str, str]) -> str:
        return about(_values(form.labels, params, typed))

    _ask(app, title or TITLES[name], fields, job, says, do=form.button)


def _words(command: click.Command, values: Values) -> Iterator[str]:
    """The command-line words that pass these values to the command."""
    for param in command.params:
        value = values.get(str(param.name))
        if param.param_type_name == "argument":
            if isinstance(value, list | tuple):
                yield from value
            elif value:
                yield str(value)
        elif value is True:
            yield param.opts[-1]
        elif value and value != param.default:
            for item in value if param.multiple else (value,):
                yield from (param.opts[-1], str(item))


def _ask(
    app: WeekApp,
    title: str,
    fields: list[Field],
    job: Callable[[Store, dict[str, str]], ListChange | Callable[[], object]],
    says: Callable[[dict[str, str]], str],
    about: str = "",
    do: str = "Keep",
) -> None:
    def submit(typed: dict[str, str]) -> None:
        def failed(problem: Problem) -> None:  # open the form again with what was typed
            again = [replace(field, value=typed[field.name]) for field in fields]
            _ask(app, title, again, job, says, about, do)
            app.show_error(str(problem))

        app.run_job(lambda store: job(store, typed), lambda outcome: _say(app, outcome), failed)

    app.push_screen(FormScreen(title, fields, says, about, do), submit)


def _say(app: WeekApp, outcome: ListChange | Callable[[], object]) -> None:
    """Show the act's message; one with notes stays until it is closed. What is no message opens the
    screen that carries the act out."""
    if not isinstance(outcome, ListChange):
        outcome()
    elif outcome.notes:
        app.show_error(f"{outcome.line} {'; '.join(outcome.notes)}", "Kept")
    else:
        app.notify(outcome.line, markup=False)


def _fields(param: click.Parameter, label: str, value: str) -> Iterator[Field]:
    """A command's parameter as a field; a list of common values has a second field for others."""
    name = str(param.name)
    address = "URL" in (param.metavar or name.upper())
    about = (param.help or "") if isinstance(param, click.Option) else ""
    field = Field(name, label, value, about=about, needed=isinstance(param, click.Argument))
    if isinstance(param.type, click.Choice):
        choices = tuple(map(str, param.type.choices))
        if isinstance(param, click.Option) and _default(param) is None:
            choices = ("", *choices)
        first = value or _default(param) or choices[0]
        yield replace(field, value=first, choices=choices, titles=lambda name: name or BY_ITSELF)
    elif titles := getattr(param.type, "titles", None):
        yield replace(field, choices=tuple(titles), titles=titles.__getitem__)
        yield Field(OTHER, f"another {label}", hint="its name, if it is not listed")
    elif isinstance(param, click.Option) and param.is_flag:
        yield replace(field, value=value or "no", choices=FLAG)
    else:
        hint = "https://…" if address else ""
        yield replace(field, value=value or _default(param) or "", hint=hint)


def _default(param: click.Parameter) -> str | None:
    """The parameter's default as it would be typed; None without one, for which click has a value
    of its own."""
    return param.default if isinstance(param.default, str) else None


def _values(
    labels: Mapping[str, str], params: Mapping[str, click.Parameter], typed: Mapping[str, str]
) -> Values:
    """The typed texts converted to the command's values. Problem naming a field that is invalid."""
    values: Values = {}
    for name, param in params.items():
        text = typed[name]
        if isinstance(param, click.Option) and param.is_flag:
            values[name] = text == "yes"
            continue
        if hasattr(param.type, "titles") and typed[OTHER]:
            values[OTHER], text = True, typed[OTHER]
        is_list = param.nargs == -1 or param.multiple
        try:
            items = shlex.split(text) if is_list else [text] if text else []
            converted = tuple(param.type.convert(item, param, None) for item in items)
        except (ValueError, click.BadParameter) as error:  # a quote is open; a wrong value
            message = f"{labels[name]}: {getattr(error, 'message', error)}"
            raise Problem(message, field=name) from None
        values[name] = converted if is_list else converted[0] if converted else None
    return values


def open_export_form(app: WeekApp, study: str) -> None:
    """Open the form that exports a study's results into files."""
    open_form(
        app,
        "export",
        {"target": str((app.config.repo or app.setup.cwd) / f"{study}.csv")},
        f"Export {study}",
        lambda values: {"study": (study,)},
    )


def open_kpi_form(app: WeekApp, kpi: KpiRow) -> None:
    """Open the form for a KPI's value and target; an empty value means q1lab counts it."""
    initial = {
        "actual": f"{kpi.actual:g}" if kpi.source == "set by hand" else "",
        "target": "" if kpi.target is None else f"{kpi.target:g}",
    }
    open_form(
        app,
        "course kpi",
        initial,
        kpi.title,
        lambda values: {"name": kpi.name, "counted": values["actual"] is None},
    )


def open_prediction_form(app: WeekApp, step: Step) -> None:
    """Open the form for a prediction; saving ticks its step. A locked prediction gets an
    amendment."""
    week, variant = app.week.label, app.week.variant or "modified"

    def job(store: Store, typed: dict[str, str], amend: bool) -> ListChange:
        expected = predictions.parse_prediction(typed, PARTS)
        predictions.record_prediction(store, week, variant, expected, amend=amend)
        domain.tick_step(store, week, step.id, True)
        return ListChange(f"Kept: {_prediction_sentence(variant, expected)}")

    def open_with(newest: dict[str, Any] | None) -> None:
        initial, about = {}, ""
        if newest is not None:
            initial = {name: f"{newest[name]:g}" for name in ("size", "matters")}
            initial["sure"] = (
                f"{newest['confidence'] * 100:g}%" if newest["confidence"] is not None else ""
            )
            initial |= {"direction": newest["direction"], "why": newest["reasoning"] or ""}
            if newest["locked"]:
                about = (
                    f"Locked on {newest['locked'][:10]} by {newest['locked_by']}. A change "
                    "is added as a dated amendment; started studies keep the first one."
                )
        _ask(
            app,
            f"Your prediction for {variant}",
            [replace(field, value=initial.get(field.name, "")) for field in PREDICTION],
            lambda store, typed: job(store, typed, bool(about)),
            lambda typed: _prediction_sentence(variant, predictions.parse_prediction(typed, PARTS)),
            about,
        )

    app.hold_keys()
    app.run_job(lambda store: predictions.newest_prediction(store, variant, week), open_with)


WAYS = {"lower": "lower (better)", "higher": "higher (worse)", "same": "about the same"}
PARTS = {
    "size": "the size",
    "matters": "the smallest difference that matters",
    "sure": "how sure you are",
}
"""The fields' names in messages."""
PREDICTION = (
    Field(
        "direction",
        "the final val loss will be",
        choices=tuple(WAYS),
        titles=lambda way: WAYS[way],
    ),
    Field("size", "by (nats)", hint="such as 0.03"),
    Field("matters", "smallest that matters (nats)", hint="such as 0.01"),
    Field("sure", "how sure of the direction, in %", hint="such as 70"),
    Field("why", "because", lines=True),
)


COUNTS = {
    "lower": "Right with HELPS, wrong with HURTS.",
    "higher": "Right with HURTS, wrong with HELPS.",
    "same": "Right with TOO SMALL TO MATTER, wrong with HELPS or HURTS.",
}


def _prediction_sentence(variant: str, said: Expected) -> str:
    """The prediction as a sentence."""
    way = {"lower": "lower by {:g} nats", "higher": "higher by {:g} nats", "same": "the same"}
    return (
        f"{variant} against the baseline: {way[said.direction].format(said.size)}; "
        f"less than {said.matters:g} would not matter; {said.confidence:.0%} sure. "
        f"{COUNTS[said.direction]}"
    )
