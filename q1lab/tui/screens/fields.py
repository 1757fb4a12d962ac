"""A small form: a few named fields, one line each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Button, Input, Label, Select

from q1lab.tui.screens.base import Dialog, Scroll


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


class FieldsScreen(Dialog[dict[str, str] | None]):
    """Gives the values by name, or None when it was closed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "keep", "keep", priority=True),
    ]

    kind, keys = Scroll, "Enter keeps it · Esc closes"

    def __init__(self, title: str, fields: Sequence[Field]) -> None:
        super().__init__()
        self.heading = title
        self.fields = tuple(fields)

    def body(self) -> ComposeResult:
        for field in self.fields:
            with Horizontal(classes="field"):
                yield Label(f"{field.label:<18}", markup=False)
                if field.choices:
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
        with Horizontal(classes="buttons"):
            yield Button("Keep", variant="primary", id="keep")
            yield Button("Cancel", id="cancel")

    @on(Button.Pressed, "#cancel")
    def _cancel(self) -> None:
        self.dismiss(None)

    @on(Input.Submitted)
    @on(Button.Pressed, "#keep")
    def action_keep(self) -> None:
        """Give the values, when nothing is missing."""
        values = {}
        for field in self.fields:
            if field.choices:
                values[field.name] = str(self.query_one(f"#{field.name}", Select).value)
            else:
                values[field.name] = self.query_one(f"#{field.name}", Input).value.strip()
            if field.needed and not values[field.name]:
                self.notify(f"{field.label} is missing.", severity="warning", markup=False)
                self.query_one(f"#{field.name}").focus()
                return
        self.dismiss(values)
