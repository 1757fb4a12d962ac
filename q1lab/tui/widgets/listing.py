"""What a dialog offers to choose from: a sign, not color alone, says which one is meant."""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.strip import Strip
from textual.widgets import OptionList

WALK: list[BindingType] = [
    Binding("j", "cursor_down", "step", show=False),
    Binding("k", "cursor_up", "step back", show=False),
]
"""A list's keys, besides those that Textual gives it."""


class OneClick:
    """A list or table in which the second click of a double click does nothing."""

    def on_click(self, event: events.Click) -> None:
        if event.chain > 1:
            event.prevent_default()


class Listing(OneClick, OptionList):
    """A list. ``j`` and ``k`` go down and up, as on the pages; ``▸`` stands before the row that
    Enter takes, in a margin of two cells that app.tcss leaves free."""

    BINDINGS: ClassVar[list[BindingType]] = WALK

    def render_line(self, y: int) -> Strip:
        strip = super().render_line(y)
        if self.highlighted is None or _option(strip) != self.highlighted:
            return strip
        if y and _option(super().render_line(y - 1)) == self.highlighted:
            return strip  # a later line of the same row
        first = next(iter(strip))
        return Strip([Segment("▸", first.style), *strip.crop(1)], strip.cell_length)


def _option(strip: Strip) -> int | None:
    """Which option a line belongs to: Textual notes it for the mouse."""
    for segment in strip:
        if segment.style is not None and "option" in segment.style.meta:
            return int(segment.style.meta["option"])
    return None
