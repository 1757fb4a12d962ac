"""Forms for acts that ask for more than a key: their fields are those of the act's command."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from q1lab.ground import command_table
from q1lab.ground.command_table import Act, Said
from q1lab.ground.errors import Problem
from q1lab.index.store import Store
from q1lab.tui.screens.form import Field, FieldsScreen
from q1lab.week import progress as domain
from q1lab.week.lists import predictions
from q1lab.week.syllabus import Week

if TYPE_CHECKING:
    import click

    from q1lab.tui.app import Q1Lab
    from q1lab.week.lists.kpis import KpiRow
    from q1lab.week.syllabus import Step

ANOTHER, OTHER = "another", "other"
"""The choice of none that is offered, and the field that then says which."""
FLAG = ("yes", "no")
Values = dict[str, Any]


def form(
    app: Q1Lab,
    name: str,
    given: Mapping[str, str] | None = None,
    title: str = "",
    fixed: Callable[[Values], Values] = lambda values: {},
) -> None:
    """Ask for the fields of the act ``name``, and do it. ``given`` is what they say at first, else
    what the act itself knows; ``fixed`` makes those that aren't asked for of those that are."""
    act, command = command_table.ACTS[name], command_table.command(name)
    prefill: Callable[[Store, Week], Mapping[str, str]] | None
    prefill = getattr(command.callback, "prefill", None)
    if given is None and prefill is not None:
        app.ask(
            lambda store: prefill(store, app.week),
            lambda found: form(app, name, found, title, fixed),
        )
        return
    params = {param.name: param for param in command.params if param.name in act.form}
    fields = [
        field
        for one, label in act.form.items()
        for field in _fields(params[one], label, (given or {}).get(one, ""))
    ]

    entry: Callable[..., Said] | None = getattr(command.callback, "act", None)

    def job(store: Store, typed: dict[str, str]) -> Said | list[str]:
        values = _values(act, params, typed)
        values |= fixed(values)
        if entry is None:
            return ["q1lab", *act.name.split(), *_words(command, values)]
        return entry(store, app.setup.week, **values)

    def says(typed: dict[str, str]) -> str:
        _values(act, params, typed)
        return ""

    _ask(app, title or act.palette, fields, job, says)


def _words(command: click.Command, values: Values) -> Iterator[str]:
    """What is typed after the command's name to give it these values."""
    for param in command.params:
        value = values.get(str(param.name))
        if param.param_type_name == "argument":
            yield from value or ()
        elif value is True:
            yield param.opts[-1]
        elif value:
            yield from (param.opts[-1], str(value))


def _ask(
    app: Q1Lab,
    title: str,
    fields: list[Field],
    job: Callable[[Store, dict[str, str]], Said | list[str]],
    says: Callable[[dict[str, str]], str],
    about: str = "",
) -> None:
    def kept(typed: dict[str, str]) -> None:
        def failed(problem: Problem) -> None:  # what was typed is there again, to be corrected
            app.drafts[title] = typed
            _ask(app, title, fields, job, says, about)
            app.tell(str(problem))

        app.ask(lambda store: job(store, typed), lambda said: _say(app, said), failed)

    app.push_screen(FieldsScreen(title, fields, says, about), kept)


def _say(app: Q1Lab, said: Said | list[str]) -> None:
    """What was done; where there is something to look at, too, it stays until that is read. Any
    other act is done as its command is."""
    from q1lab.tui.screens import command_output

    if isinstance(said, list):
        command_output.run(app, said)
    elif said.notes:
        app.tell(f"{said.line} {'; '.join(said.notes)}", "Kept")
    else:
        app.notify(said.line, markup=False)


def _fields(param: click.Parameter, label: str, value: str) -> Iterator[Field]:
    """A parameter of a command as a field; one that offers some of many has a field for others."""
    import click

    from q1lab.ground.argument_checks import Known

    name = str(param.name)
    address = "URL" in (param.metavar or name.upper())
    field = Field(name, label, value, needed=isinstance(param, click.Argument))
    if isinstance(param.type, click.Choice):
        yield replace(field, choices=tuple(param.type.choices))
    elif isinstance(param.type, Known):
        titles = param.type.titles
        choices = (*titles, ANOTHER)
        yield replace(field, choices=choices, titles=lambda one: titles.get(one, one))
        yield Field(OTHER, f"another {label}", hint="its name, when it is another")
    elif isinstance(param, click.Option) and param.is_flag:
        yield replace(field, value=value or "no", choices=FLAG)
    else:
        said = param.help if isinstance(param, click.Option) else ""
        yield replace(field, hint="https://…" if address else said or "")


def _values(act: Act, params: Mapping[str, click.Parameter], typed: Mapping[str, str]) -> Values:
    """What was typed, as the command gets it. Problem naming the field that can't be read."""
    import click

    values: Values = {}
    for name, param in params.items():
        text = typed[name]
        if isinstance(param, click.Option) and param.is_flag:
            values[name] = text == "yes"
            continue
        if text == ANOTHER:
            values[OTHER], text = True, typed[OTHER]
        try:
            values[name] = param.type.convert(text, param, None) if text else None
        except click.BadParameter as error:
            raise Problem(f"{act.form[name]}: {error.message}") from None
    return values


def export(app: Q1Lab, studies: Sequence[str]) -> None:
    """Write results into files of the current folder, or of another."""
    more = f" and {len(studies) - 4} more" if len(studies) > 4 else ""
    given = {"form": "svg", "output": str(Path.cwd())}
    title = f"Export {', '.join(studies[:4])}{more}"
    form(app, "export", given, title, lambda values: {"study": studies})


def kpi(app: Q1Lab, one: KpiRow) -> None:
    """A KPI's value and target; an empty value is counted again."""
    given = {
        "actual": f"{one.actual:g}" if one.source == "set by hand" else "",
        "target": "" if one.target is None else f"{one.target:g}",
    }
    form(
        app,
        "kpi",
        given,
        one.title,
        lambda values: {"name": one.name, "counted": values["actual"] is None},
    )


def predict(app: Q1Lab, step: Step) -> None:
    """Write down a prediction before the runs, and tick its step; a locked one is amended."""
    week, variant = app.week.label, app.week.variant or "modified"

    def job(store: Store, said: dict[str, str], amend: bool) -> Said:
        values = predictions.parse_prediction(said, PARTS)
        predictions.record_prediction(store, week, variant, **values, amend=amend)
        domain.tick_step(store, week, step.id, True)
        return Said(f"Kept: {_foretold(variant, said)}")

    def opened(found: dict[str, Any] | None) -> None:
        given, about = {}, ""
        if found is not None:
            given = {name: f"{found[name]:g}" for name in ("size", "matters")}
            given["sure"] = (
                f"{found['confidence'] * 100:g}%" if found["confidence"] is not None else ""
            )
            given |= {"direction": found["direction"], "why": found["reasoning"] or ""}
            if found["locked"]:
                about = (
                    f"Locked on {found['locked'][:10]} by {found['locked_by']}. Keeping a change "
                    "adds a dated amendment; studies that began keep the first one."
                )
        _ask(
            app,
            f"Your prediction for {variant}",
            [replace(one, value=given.get(one.name, "")) for one in PREDICTION],
            lambda store, said: job(store, said, bool(about)),
            lambda said: _foretold(variant, said),
            about,
        )

    app.ask(lambda store: predictions.newest_prediction(store, variant, week), opened)


WAYS = {"lower": "lower (better)", "higher": "higher (worse)", "same": "about the same"}
PARTS = {
    "size": "the size",
    "matters": "the smallest difference that matters",
    "sure": "how sure you are",
}
"""How a message calls the fields."""
PREDICTION = (
    Field(
        "direction",
        "the final val loss will be",
        choices=tuple(WAYS),
        titles=lambda one: WAYS[one],
    ),
    Field("size", "by (nats)", hint="such as 0.03"),
    Field("matters", "too small to matter below (nats)", hint="such as 0.01"),
    Field("sure", "how sure of the direction, in %", hint="such as 70"),
    Field("why", "because", lines=True),
)


def _foretold(variant: str, said: Mapping[str, str]) -> str:
    """The prediction as a sentence. Problem naming what is missing or wrong."""
    values = predictions.parse_prediction(said, PARTS)
    way = {"lower": "lower by {:g} nats", "higher": "higher by {:g} nats", "same": "the same"}
    return (
        f"{variant} against the baseline: {way[values['direction']].format(values['size'])}; "
        f"less than {values['matters']:g} would not matter; {values['confidence']:.0%} sure."
    )
