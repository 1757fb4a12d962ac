"""A form: a few named fields, what is wrong with them or what they say below, and two buttons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Button, Input, Label, Select, Static, TextArea

from q1lab.ground.errors import Problem
from q1lab.tui.screens.base import Dialog, Scroll
from q1lab.tui.screens.form_drafts import Drafted, Typed, typed
from q1lab.tui.widgets.text_box import TextBox


@dataclass(frozen=True)
class Field:
    """One line of the form. With ``choices`` it is one of these, else text."""

    name: str
    label: str
    value: str = ""
    hint: str = ""
    choices: tuple[str, ...] = ()
    titles: Callable[[str], str] = str
    """What a choice is called."""
    needed: bool = False
    most: int = 400
    """Characters that can be typed."""
    lines: bool = False
    """Whether it is a text of several lines."""


class FieldsScreen(Drafted, Dialog[Typed | None]):
    """Gives the values by name, or None when it was closed. ``says`` tells what they say, as they
    are typed; its Problem keeps the form open."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+s", "keep", "keep")]

    kind, shape = Scroll, "form"

    def __init__(
        self,
        title: str,
        fields: Sequence[Field],
        says: Callable[[Typed], str] = lambda _: "",
        about: str = "",
    ) -> None:
        super().__init__()
        self.heading, self.fields = title, tuple(fields)
        self.says, self.about = says, about

    def body(self) -> ComposeResult:
        self.box.set_class(self.app.size.height < 24, "-tight")
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
                        [(field.titles(one), one) for one in field.choices],
                        value=field.value or field.choices[0],
                        allow_blank=False,
                        id=field.name,
                        compact=True,
                    )
                else:
                    yield Input(
                        field.value,
                        placeholder=field.hint,
                        id=field.name,
                        max_length=field.most,
                    )
        yield Static(id="said", markup=False)
        with Horizontal(classes="buttons"):
            yield Button("Keep", variant="primary", id="keep")
            yield Button("Discard", id="discard")

    def on_descendant_focus(self) -> None:
        """Enter is a line of a text, and opens a list."""
        own = isinstance(self.focused, Select | TextArea)
        key = "^s" if own else "Enter"
        self.box.border_subtitle = f"{key} keeps it · Esc leaves a draft"

    def on_mount(self) -> None:
        self.begin()
        self._say()

    def values(self) -> Typed:
        found = typed(self)
        return {field.name: found[field.name].strip() for field in self.fields}

    @on(Input.Changed)
    @on(Select.Changed)
    def _say(self) -> None:
        """What they say, or what is wrong with them, as they are typed; a form that one has not
        begun to fill in is not wrong yet."""
        try:
            text, bad = self.says(self.values()), False
        except Problem as problem:
            text, bad = _sentence(problem), True
        begun = any(field.value for field in self.query(Input))
        said = self.query_one("#said", Static)
        said.update(text if begun or not bad else "")
        said.set_class(bad, "bad")

    @on(Button.Pressed, "#discard")
    def _discard(self) -> None:
        self.ended(None)

    @on(Input.Submitted)
    @on(Button.Pressed, "#keep")
    def action_keep(self) -> None:
        """Give the values, when nothing is missing or wrong."""
        values = self.values()
        for field in self.fields:
            if field.needed and not values[field.name]:
                self.notify(f"{field.label} is missing.", severity="warning", markup=False)
                self.query_one(f"#{field.name}").focus()
                return
        try:
            self.says(values)
        except Problem as problem:
            self.notify(_sentence(problem), severity="warning", markup=False)
            return
        self.ended(values)


def _sentence(problem: Problem) -> str:
    text = str(problem)
    return f"{text[:1].upper()}{text[1:]}" if text[:1].isascii() else text  # δ is not Δ
