"""Lines that tell a judgment, laid out for the width that there is."""

from __future__ import annotations

from collections.abc import Callable

from rich.text import Text

from q1lab.app.widgets.fitted_text import FittedText
from q1lab.app.widgets.theme_colors import palette
from q1lab.judgment.layout import rich_lines
from q1lab.judgment.lines import Line

Lay = Callable[[int], list[Line]]
"""Lays a text out in lines of so many columns."""


def no_lines(width: int) -> list[Line]:
    return []


class LinesView(FittedText):
    """Shows lines in the theme's colors."""

    def __init__(self) -> None:
        super().__init__(self._draw)
        self.lay: Lay = no_lines
        self._lines: list[Line] | None = None

    def show(self, lay: Lay) -> None:
        """Show these lines; does nothing if they are the same as before."""
        self.lay = lay
        if self.room and (lines := lay(self.room)) != self._lines:
            self._lines = lines
            self.update(Text("\n").join(rich_lines(lines, palette(self.app).styles)))

    def _draw(self) -> None:
        """Show them anew, for another width or theme."""
        self._lines = None
        self.show(self.lay)
