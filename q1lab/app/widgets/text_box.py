"""A form's field for a text of several lines."""

from __future__ import annotations

from typing import Any

from textual.widgets import TextArea


class TextBox(TextArea):
    """A text area that Tab leaves. Works around Textual: when a new width breaks the lines
    differently but into the same number, Textual goes on showing the old ones; this redraws them on
    every resize."""

    def __init__(self, text: str, **options: Any) -> None:
        super().__init__(text, tab_behavior="focus", highlight_cursor_line=False, **options)

    def on_resize(self) -> None:
        self.refresh()
