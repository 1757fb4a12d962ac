"""The line below a page: how far down one is, what comes next out of sight, and what is asked."""

from __future__ import annotations

from rich.cells import cell_len
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from q1lab.tui.widgets.prose import cut


class PlaceLine(Widget):
    """``ask`` is a question with its keys; while there is one it takes the line."""

    place: reactive[tuple[str, str]] = reactive(("", ""))
    """What to the left, and how far down (``41%``)."""
    ask: reactive[str] = reactive("")

    def render(self) -> Content:
        width = self.content_size.width
        if self.ask:
            return Content.styled(cut(self.ask, width), "$warning")
        words, share = self.place
        words = cut(f" {words} ", width - 8) if words else ""
        rest = width - cell_len(words) - cell_len(share) - 5
        return Content.assemble(
            ("───", "$border-blurred"),
            (words, "$muted"),
            ("─" * max(0, rest), "$border-blurred"),
            (f" {share} ", "$muted"),
        )
