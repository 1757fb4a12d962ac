"""The line at the top of every main screen: tabs, the running study, the timer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.content import Content
from textual.reactive import reactive
from textual.style import Style
from textual.widget import Widget

if TYPE_CHECKING:
    from q1lab.journal.study_view import StudyRow

TABS = (
    ("1", "study", "Study"),
    ("2", "lab", "Lab"),
    ("3", "results", "Results"),
    ("4", "progress", "Progress"),
)
HERE = "bold $text on $primary-muted"
TONES = {"on": "bold $success", "off": "$muted", "over": "bold $warning"}
ROOM = 78
"""From this width in cells, all tabs show their names; below it, only the open one does."""


class TopLine(Widget):
    """Tabs to the left, the running study in the middle, the clock to the right."""

    training: reactive[StudyRow | None] = reactive(None)
    clock: reactive[tuple[str, str]] = reactive(("", ""))
    """The clock's text, and its tone: ``on``, ``off``, ``over`` or nothing."""

    def __init__(self, open_screen: str) -> None:
        super().__init__()
        self.open_screen = open_screen

    def render(self) -> Content:
        width = self.size.width
        tabs = self._tabs(width >= ROOM)
        clock = Content.styled(self.clock[0], TONES.get(self.clock[1], ""))
        middle = self._middle(width - len(tabs) - cell_len(self.clock[0]) - 4)
        gap = max(1, width - tabs.cell_length - middle.cell_length - clock.cell_length - 2)
        return Content.assemble(tabs, " " * gap, middle, clock, "  ")

    def _tabs(self, named_all: bool) -> Content:
        cells = []
        for key, name, title in TABS:
            open_ = name == self.open_screen
            with_title = named_all or open_
            text = Content(f" {key} {title} " if with_title else f" {key} ")
            style = Style.from_meta({"@click": f"app.go('{name}')"})
            cells.append(text.stylize(HERE) if open_ else text.stylize(style).stylize("$muted"))
        return Content("").join(cells)

    def _middle(self, room: int) -> Content:
        row = self.training
        if row is None:
            return Content("")
        left = row.time_left
        full = f"{row.variant} {row.done}/{row.total} runs" + (f" · {left}" if left else "")
        short = f"{row.variant} {row.done}/{row.total}"
        for text in (full, short, f"{row.done}/{row.total}"):
            if cell_len(text) + 2 <= room:
                link = Style.from_meta({"@click": "app.go('lab')"})
                return Content.assemble(("● ", "$success"), Content(text).stylize(link), "  ")
        return Content("")
