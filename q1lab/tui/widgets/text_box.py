"""A text of several lines in a form."""

from __future__ import annotations

from typing import Any

from textual.widgets import TextArea


class TextBox(TextArea):
    """Tab leaves it. Its lines are drawn anew whenever its width changes: Textual breaks them anew
    then, and kept the picture of the ones before where their number stayed the same."""

    def __init__(self, text: str, **given: Any) -> None:
        super().__init__(text, tab_behavior="focus", highlight_cursor_line=False, **given)

    def on_resize(self) -> None:
        self.refresh()
