"""Lists to choose from. A sign, not color alone, shows the highlighted row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.strip import Strip
from textual.widgets import OptionList
from textual.widgets.option_list import Option

WALK: list[BindingType] = [
    Binding("j", "cursor_down", "step", show=False),
    Binding("k", "cursor_up", "step back", show=False),
]
"""Keys of a list, in addition to Textual's."""


class SingleClick:
    """A list or table in which the second click of a double click does nothing."""

    def on_click(self, event: events.Click) -> None:
        if event.chain > 1:
            event.prevent_default()


class ChoiceList(SingleClick, OptionList):
    """A list. ``j`` and ``k`` go down and up, as on the pages; ``▸`` marks the highlighted row, in
    a margin of two cells that app.tcss leaves free."""

    BINDINGS: ClassVar[list[BindingType]] = WALK

    def render_line(self, y: int) -> Strip:
        strip = super().render_line(y)
        if self.highlighted is None or _option(strip) != self.highlighted:
            return strip
        if y and _option(super().render_line(y - 1)) == self.highlighted:
            return strip  # a later line of the same row
        first = next(iter(strip))
        return Strip([Segment("▸", first.style), *strip.crop(1)], strip.cell_length)


class RefilledList(SingleClick, OptionList):
    """A list whose rows are updated in place. If ``refill`` is set, the list calls it when its
    width changes."""

    refill: Callable[[], None] | None = None

    @property
    def room(self) -> int:
        """The width of a row in cells."""
        return self.scrollable_content_region.width or self.content_size.width

    def on_resize(self) -> None:
        if self.refill is not None:
            self.refill()

    def put(self, rows: Sequence[Option]) -> None:
        """Show these rows; if their ids are the same as before, only changed rows are redrawn."""
        if [row.id for row in rows] != [row.id for row in self.options]:
            self.set_options(rows)
            return
        for index, (row, shown) in enumerate(zip(rows, self.options, strict=True)):
            if _text_and_colors(row) != _text_and_colors(shown):
                self.replace_option_prompt_at_index(index, row.prompt)


def _text_and_colors(row: Option) -> tuple[object, object]:
    """A row's text and colors, to compare: to Textual, texts that differ only in color are
    equal."""
    return row.prompt, getattr(row.prompt, "spans", None)


def _option(strip: Strip) -> int | None:
    """The index of the option that a line belongs to; Textual stores it for the mouse."""
    for segment in strip:
        if segment.style is not None and "option" in segment.style.meta:
            return int(segment.style.meta["option"])
    return None
