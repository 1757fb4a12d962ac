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
    found: FieldValues = {}
    for one in form.query("Input, TextArea, Select, OptionList"):
        if one.id is None:
            continue
        if isinstance(one, TextArea):
            found[one.id] = one.text
        elif isinstance(one, Input):
            found[one.id] = one.value
        elif isinstance(one, Select):
            found[one.id] = one.value if isinstance(one.value, str) else ""
        elif isinstance(one, OptionList) and one.highlighted_option is not None:
            found[one.id] = one.highlighted_option.id or ""
    return found


def fill_fields(form: DOMNode, values: FieldValues) -> None:
    """Set the fields to ``values``; skips a choice that no longer exists."""
    for name, value in values.items():
        for one in form.query(f"#{name}"):
            if isinstance(one, TextArea):
                one.text = value
            elif isinstance(one, Input):
                one.value = value
            elif isinstance(one, Select):
                with suppress(InvalidSelectValueError):
                    one.value = value or Select.NULL
            elif isinstance(one, OptionList):
                with suppress(OptionDoesNotExist):
                    one.highlighted = one.get_option_index(value)


class DraftForm(AppScreen):
    """A form that saves a draft on Esc, under its ``heading``."""

    is_form = True
    heading: str
    _opened: FieldValues | None = None

    def begin(self) -> None:
        """Note the fields' first values, then fill in the draft; called once all fields exist."""
        form = cast(DOMNode, self)
        self._opened = field_values(form)
        fill_fields(form, self.q1.drafts.get(self.heading, {}))

    def action_back(self) -> None:
        now = field_values(cast(DOMNode, self))
        if self._opened not in (None, now):
            self.q1.drafts[self.heading] = now
            said = f"{self.heading}: kept as a draft. It opens as you left it."
            self.q1.notify(said, markup=False)
        self.dismiss(None)

    def ended(self, result: Any) -> None:
        """Close with a result, and drop the draft."""
        self.q1.drafts.pop(self.heading, None)
        self.dismiss(result)
