"""Lines that tell a judgment, laid out for the width that there is."""

from __future__ import annotations

from collections.abc import Callable

from rich.text import Text

from q1lab.app.widgets.fitted_text import FittedText
from q1lab.app.widgets.theme_colors import palette
from q1lab.judgment.layout import rich_lines
from q1lab.judgment.lines import Line, plain_lines

WIDEST = 116
Lay = Callable[[int], list[Line]]
"""Lays a text out in lines of so many columns."""


def no_lines(width: int) -> list[Line]:
    return []


class LinesView(FittedText):
    """Shows lines in the theme's colors."""

    def __init__(self, *, id: str) -> None:  # noqa: A002 — Textual's own name
        super().__init__(self._draw, id)
        self.lay: Lay = no_lines
        self._lines: list[Line] | None = None

    def show(self, lay: Lay) -> None:
        """Show these lines; does nothing if they are the same as before."""
        self.lay = lay
        if self.room and lay(min(self.room, WIDEST)) != self._lines:
            self._draw()

    def _draw(self) -> None:
        if self.room:
            self._lines = self.lay(min(self.room, WIDEST))
            lines = rich_lines(self._lines, palette(self.app).styles)
            self.update(Text("\n").join(lines))

    def plain_text(self, width: int) -> str:
        """The lines as plain text."""
        return "\n".join(plain_lines(self.lay(width))) + "\n"
