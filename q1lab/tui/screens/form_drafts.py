"""What was typed into a form and not kept: it is there again when the form opens."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, cast

from textual.dom import DOMNode
from textual.widgets import Input, OptionList, Select, TextArea
from textual.widgets.option_list import OptionDoesNotExist
from textual.widgets.select import InvalidSelectValueError

from q1lab.tui.screens.base import Own

Typed = dict[str, str]
"""The values of a form's fields, by their ids; one of a list by the id of its row."""


def typed(form: DOMNode) -> Typed:
    """What the form's fields say now."""
    found: Typed = {}
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


def retype(form: DOMNode, values: Typed) -> None:
    """Have the fields say that; a choice that is gone stays as it is."""
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


class Drafted(Own):
    """A form that keeps a draft when one goes back. ``heading`` names it."""

    is_form = True
    heading: str
    _opened: Typed | None = None

    def begin(self) -> None:
        """All fields are filled: from here on it is the learner who types."""
        form = cast(DOMNode, self)
        self._opened = typed(form)
        retype(form, self.q1.drafts.get(self.heading, {}))

    def action_back(self) -> None:
        now = typed(cast(DOMNode, self))
        if self._opened not in (None, now):
            self.q1.drafts[self.heading] = now
            said = f"{self.heading}: kept as a draft. It opens as you left it."
            self.q1.notify(said, markup=False)
        self.dismiss(None)

    def ended(self, result: Any) -> None:
        """Close with a result: there is no draft any more."""
        self.q1.drafts.pop(self.heading, None)
        self.dismiss(result)
