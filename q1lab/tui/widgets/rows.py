"""A titled list of rows with one value each: text to the left, value to the right, a key kept per
row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from textual.content import Content
from textual.widgets.option_list import Option

from q1lab.tui.widgets.week_tree import Filled, line


@dataclass(frozen=True)
class ListRow:
    """One row. ``key`` is what the screen gets back."""

    left: str
    right: str = ""
    tone: str = ""
    right_tone: str = "$muted"
    key: Any = None


class Rows(Filled):
    """A pane. ``empty`` says what to do while there is nothing."""

    def __init__(self, title: str, empty: str, *, id: str) -> None:  # noqa: A002  (Textual's name)
        super().__init__(id=id, classes="pane", markup=False)
        self.border_title = title
        self.empty = empty
        self.rows: tuple[ListRow, ...] = ()
        self._drawn: tuple[object, ...] = ()

    @property
    def current(self) -> ListRow | None:
        """The row under the cursor."""
        index = self.highlighted
        return self.rows[index] if index is not None and index < len(self.rows) else None

    def fill(self, rows: Sequence[ListRow]) -> None:
        """Show these rows; the cursor stays on its line."""
        self.refill = partial(self.fill, rows)
        width = self.room
        drawn = (width, *rows)
        if width <= 0 or (drawn == self._drawn and self.option_count):
            return
        at = self.highlighted or 0
        self.rows, self._drawn = tuple(rows), drawn
        shown = [Option(line(row.left, row.right, width, row.tone, row.right_tone)) for row in rows]
        self.set_options(shown or [Option(Content.styled(self.empty, "$muted"), disabled=True)])
        self.highlighted = min(at, len(rows) - 1) if rows else None
