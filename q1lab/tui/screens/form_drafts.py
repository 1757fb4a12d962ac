"""Drafts: values typed into a form and not saved come back when the form opens again."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, cast

from textual.dom import DOMNode
from textual.widgets import Input, OptionList, Select, TextArea
from textual.widgets.option_list import OptionDoesNotExist
from textual.widgets.select import InvalidSelectValueError

from q1lab.tui.screens.base import AppScreen

FieldValues = dict[str, str]
"""A form's values by field id; a list's value is the id of its highlighted row."""


def field_values(form: DOMNode) -> FieldValues:
    """The current values of the form's fields."""
    values: FieldValues = {}
    for field in form.query("Input, TextArea, Select, OptionList"):
        if field.id is None:
            continue
        if isinstance(field, TextArea):
            values[field.id] = field.text
        elif isinstance(field, Input):
            values[field.id] = field.value
        elif isinstance(field, Select):
            values[field.id] = field.value if isinstance(field.value, str) else ""
        elif isinstance(field, OptionList) and field.highlighted_option is not None:
            values[field.id] = field.highlighted_option.id or ""
    return values


def fill_fields(form: DOMNode, values: FieldValues) -> None:
    """Set the fields to ``values``; skips a choice that no longer exists."""
    for name, value in values.items():
        for field in form.query(f"#{name}"):
            if isinstance(field, TextArea):
                field.text = value
            elif isinstance(field, Input):
                field.value = value
            elif isinstance(field, Select):
                with suppress(InvalidSelectValueError):
                    field.value = value or Select.NULL
            elif isinstance(field, OptionList):
                with suppress(OptionDoesNotExist):
                    field.highlighted = field.get_option_index(value)


class DraftForm(AppScreen):
    """A form that saves a draft on Esc, under its ``heading``."""

    is_form = keeps_digits = True
    heading: str
    _opened: FieldValues | None = None

    def begin(self) -> None:
        """Note the fields' first values, then fill in the draft; called once all fields exist."""
        form = cast(DOMNode, self)
        self._opened = field_values(form)
        fill_fields(form, self.q1.drafts.get(self.heading, {}))

    def action_back(self) -> None:
        values = field_values(cast(DOMNode, self))
        self.dismiss(None)
        if self._opened not in (None, values):
            self.q1.drafts[self.heading] = values
            message = f"{self.heading}: kept as a draft until you leave q1lab."
            self.q1.notify(message, markup=False)

    def ended(self, result: Any) -> None:
        """Close with a result, and drop the draft."""
        self.q1.drafts.pop(self.heading, None)
        self.dismiss(result)
