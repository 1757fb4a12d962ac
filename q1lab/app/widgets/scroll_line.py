"""The line below a page: the scroll position, and the title of a step out of sight."""

from __future__ import annotations

from rich.cells import cell_len
from textual.content import Content
from textual.geometry import Size
from textual.reactive import reactive
from textual.widget import Widget

from q1lab.ground.text_formats import cut_cells


class ScrollLine(Widget):
    place: reactive[tuple[str, str]] = reactive(("", ""))
    """(text at the left, scroll position such as ``41% · PgDn``)."""

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        # not measured from ``render``, which still uses the width before a resize
        return 1

    def render(self) -> Content:
        width = self.content_size.width
        words, share = self.place
        words = cut_cells(f" {words} ", width - cell_len(share) - 5) if words else ""
        rest = width - cell_len(words) - cell_len(share) - 5
        return Content.assemble(
            ("───", "$border-blurred"),
            (words, "$muted"),
            ("─" * max(0, rest), "$border-blurred"),
            (f" {share} ", "$muted"),
        )
