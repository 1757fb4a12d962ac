"""The app's message, shown for a few seconds above the keys."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

TONES = {"warning": "$warning", "error": "$error", "information": "$foreground"}


class MessageLine(Static):
    """Shows the app's ``notice`` (text, severity); hidden while the text is empty."""

    def __init__(self) -> None:
        super().__init__(markup=False)
        self.display = False

    def on_mount(self) -> None:
        self.watch(self.app, "notice", self._show_notice)

    def _show_notice(self, notice: tuple[str, str]) -> None:
        text, severity = notice
        self.display = bool(text)
        self.update(Content.styled(text, TONES.get(severity, "")))
