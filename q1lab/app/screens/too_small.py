"""The screen of a terminal below 60×20: one sentence."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.geometry import Size
from textual.widgets import Static

from q1lab.app.screens.base import LEAST, FullScreen


def is_large_enough(size: Size) -> bool:
    return size.width >= LEAST.width and size.height >= LEAST.height


class TooSmallScreen(FullScreen[None]):
    """Closes by itself when the terminal is large enough."""

    least = Size(1, 1)

    def compose(self) -> ComposeResult:
        yield Static(id="sentence", markup=False)

    def action_back(self) -> None:
        """Leave the app without a question: there is no room for one."""
        self.q1.exit()

    def on_screen_resume(self) -> None:
        self.on_resize()

    def on_resize(self) -> None:
        width, height = self.app.size
        if is_large_enough(self.app.size):
            self.dismiss()
        self.query_one(Static).update(
            f"q1lab needs {LEAST.width}×{LEAST.height}; this terminal is {width}×{height}. "
            "Make it larger, or press q."
        )
