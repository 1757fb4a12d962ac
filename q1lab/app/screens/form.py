"""A form: a few named fields, below them a sentence about their values or the first error, and two
buttons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Button, Input, Label, Select, Static, TextArea

from q1lab.app.screens.base import Dialog, ScrollingBox
from q1lab.app.widgets.text_box import TextBox
from q1lab.ground.errors import Problem

FieldValues = dict[str, str]
"""A form's values by field name."""


@dataclass(frozen=True)
class Field:
    """One field of the form: a choice if it has ``choices``, else text."""

    name: str
    label: str
    value: str = ""
    hint: str = ""
    choices: tuple[str, ...] = ()
    titles: Callable[[str], str] = str
    """The label of a choice."""
    about: str = ""
    """A sentence that the mouse over the field shows."""
    needed: bool = False
    most: int = 400
    """The largest number of characters."""
    lines: bool = False
    """True for a text of several lines."""


class FormScreen(Dialog[FieldValues | None]):
    """The result is the values, or None if the form was closed. ``says`` words the
    values while they are typed; a Problem from it keeps the form open."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+s", "keep", "keep")]

    kind, shape = ScrollingBox, "form"
    is_form = keeps_digits = True
    other = "Discard"
    """The label of the second button."""

    def __init__(
        self,
        title: str,
        fields: Sequence[Field],
        says: Callable[[FieldValues], str] = lambda _: "",
        about: str = "",
        do: str = "Keep",
    ) -> None:
        super().__init__()
        self.heading, self.fields = title, tuple(fields)
        self.says, self.about, self.do = says, about, do

    def body(self) -> ComposeResult:
        self.box.set_class(self.app.size.height < max(24, 2 * len(self.fields) + 8), "-tight")
        if self.about:
            yield Static(self.about, classes="warn", markup=False)
        width = max(len(field.label) for field in self.fields)
        for field in self.fields:
            with Horizontal(classes="field lines" if field.lines else "field"):
                yield Label(f"{field.label:<{width}}", markup=False)
                if field.lines:
                    yield TextBox(field.value, id=field.name)
                elif field.choices:
                    yield Select(
                        [(field.titles(choice), choice) for choice in field.choices],
                        value=field.value or field.choices[0],
                        allow_blank=False,
                        id=field.name,
                        compact=True,
                    )
                else:
                    yield Input(
                        field.value,
                        placeholder=field.hint,
                        tooltip=field.about or None,
                        id=field.name,
                        max_length=field.most,
                    )
        yield Static(id="said", markup=False)
        with Horizontal(classes="buttons"):
            yield Button(self.do, variant="primary", id="keep")
            yield Button(self.other, id="other")

    def on_descendant_focus(self) -> None:
        """Show the key that saves: not Enter in a text of several lines or in a list."""
        takes_enter = isinstance(self.focused, Select | TextArea)
        key = "^s" if takes_enter else "Enter"
        self.box.border_subtitle = f"{key} {self.do.lower()}s it · Esc drops it"

    def on_mount(self) -> None:
        self._say()

    def values(self) -> FieldValues:
        return {field.name: self._value(field.name).strip() for field in self.fields}

    def _value(self, name: str) -> str:
        widget = self.query_one(f"#{name}")
        if isinstance(widget, TextArea):
            return widget.text
        assert isinstance(widget, Input | Select)
        return str(widget.value)

    @on(Input.Changed)
    @on(Select.Changed)
    def _say(self) -> None:
        """Show the sentence about the values, or the first error; no error while all fields are
        empty."""
        try:
            text, bad = self.says(self.values()), False
        except Problem as problem:
            text, bad = _sentence(problem), True
        begun = any(field.value for field in self.query(Input))
        self.show_message(text if begun or not bad else "", bad)

    @on(Button.Pressed, "#other")
    def _press_other(self) -> None:
        self.do_other()  # Textual calls this one whatever a subclass overrides

    def do_other(self) -> None:
        """What the second button does: close without the values."""
        self.dismiss(None)

    @on(Input.Submitted)
    @on(Button.Pressed, "#keep")
    def action_keep(self) -> None:
        """Close with the values; if one is missing or wrong, go to its field."""
        values = self.values()
        try:
            for field in self.fields:
                if field.needed and not values[field.name]:
                    raise Problem(f"{field.label} is missing", field=field.name)
            self.says(values)
        except Problem as problem:
            self.show_message(_sentence(problem), bad=True)
            if problem.field:
                self.query_one(f"#{problem.field}").focus()
            return
        self.dismiss(values)


def _sentence(problem: Problem) -> str:
    text = str(problem)
    return f"{text[:1].upper()}{text[1:]}" if text[:1].isascii() else text  # keep δ, not Δ
