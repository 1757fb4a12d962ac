"""What the app has to say, for a few seconds, in lines of its own above the keys."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

TONES = {"warning": "$warning", "error": "$error", "information": "$foreground"}


class MessageLine(Static):
    """Shows the app's ``notice``, (text, severity); without a text there is nothing to see."""

    def __init__(self) -> None:
        super().__init__(markup=False)
        self.display = False

    def on_mount(self) -> None:
        self.watch(self.app, "notice", self._said)

    def _said(self, notice: tuple[str, str]) -> None:
        text, severity = notice
        self.display = bool(text)
        self.update(Content.styled(text, TONES.get(severity, "")))
