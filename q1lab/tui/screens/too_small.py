"""What a terminal below 60×20 shows: one sentence, and nothing that could be misread."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.geometry import Size
from textual.widgets import Static

from q1lab.tui.screens.base import LEAST, OwnScreen


def fits(size: Size) -> bool:
    return size.width >= LEAST.width and size.height >= LEAST.height


class TooSmallScreen(OwnScreen[None]):
    """Goes away by itself when the terminal grows."""

    least = Size(1, 1)

    def compose(self) -> ComposeResult:
        yield Static(id="sentence", markup=False)

    def action_back(self) -> None:
        """There is no room for a question."""
        self.q1.exit()

    def on_screen_resume(self) -> None:
        self.on_resize()

    def on_resize(self) -> None:
        width, height = self.app.size
        if fits(self.app.size):
            self.dismiss()
        self.query_one(Static).update(
            f"q1lab needs {LEAST.width}×{LEAST.height}; this terminal is {width}×{height}. "
            "Make it larger, or press q."
        )
