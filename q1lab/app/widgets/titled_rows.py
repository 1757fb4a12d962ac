"""A titled list of rows: text at the left, a value at the right, and a key for each row."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets.option_list import Option

from q1lab.app.widgets.bars import bar
from q1lab.app.widgets.choice_list import RefilledList
from q1lab.app.widgets.week_tree import left_right_line
from q1lab.ground.terminal_cells import cut_cells

SHORTEST, LONGEST = 12, 60
"""Least and most width of a bar beside its row's texts, in cells; with less room it is below."""


@dataclass(frozen=True)
class ListRow:
    """One row. ``key`` identifies it to the screen."""

    left: str
    right: str = ""
    tone: str = ""
    right_tone: str = "$muted"
    key: Any = None
    bar: tuple[float, float] | None = None
    """(the share that is done, the bar's length as a share of the longest one)."""


def render_row(row: ListRow, width: int, names: int, numbers: int) -> Content:
    """A row in ``width`` cells; ``names`` and ``numbers`` are the widths of the widest left and
    right texts, so that all bars begin in one column."""
    if row.bar is None:
        right = cut_cells(row.right, max(width - cell_len(row.left) - 2, 2 * width // 5))
        room = max(8, width - cell_len(right) - 2 * bool(right))
        first, *rest = textwrap.wrap(row.left, room, subsequent_indent="  ") or [""]
        below = (Content.styled(line, row.tone) for line in rest)
        return Content("\n").join(
            [left_right_line(first, right, width, row.tone, row.right_tone), *below]
        )
    share, length = row.bar
    counts, dot, last = cut_cells(row.right, width - 2).rpartition(" · ")
    values = (counts + dot, "$muted"), (last, row.right_tone)
    cells = min(LONGEST, width - names - numbers - 2)
    is_below = cells < SHORTEST
    full = max(1, round(length * (width - 2 if is_below else cells)))
    drawn = bar(share, full, row.tone or "$primary")
    if is_below:
        left = left_right_line(row.left, "", width - 1 - cell_len(counts + dot + last), row.tone)
        return Content.assemble(left, " ", *values, "\n  ", *drawn)
    left = left_right_line(row.left, "", width - cells - numbers - 2, row.tone)
    gap = " " * (numbers + cells - full + 1 - cell_len(row.right))
    return Content.assemble(left, " ", *drawn, gap, *values)


class TitledRows(RefilledList):
    """A pane of rows. ``empty`` is its text while there are no rows; ``enter`` is what Enter does
    to one, in a word or two: nothing if it is empty."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "select", "do it")]

    def __init__(
        self,
        title: str,
        empty: str,
        enter: str = "",
        *,
        id: str,  # noqa: A002  (Textual's name)
    ) -> None:
        super().__init__(id=id, classes="pane", markup=False)
        self.border_title = title
        self.empty, self.enter = empty, enter
        self.rows: tuple[ListRow, ...] = ()

    @property
    def current(self) -> ListRow | None:
        index = self.highlighted
        return self.rows[index] if index is not None and index < len(self.rows) else None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "select" or bool(self.enter and self.rows)

    def fill(self, rows: Sequence[ListRow]) -> None:
        """Show these rows; the cursor stays on its line."""
        self.refill = partial(self.fill, rows)
        width = self.room
        if width <= 0:
            return
        at = self.highlighted or 0
        self.rows = tuple(rows)
        barred = [row for row in rows if row.bar is not None]
        numbers = max((cell_len(row.right) for row in barred), default=0)
        names = max((cell_len(row.left) for row in barred), default=0)
        shown = [
            Option(render_row(row, width, names, numbers), id=str(k)) for k, row in enumerate(rows)
        ]
        self.put(shown or [Option(Content.styled(self.empty, "$muted"), disabled=True)])
        self.highlighted = min(at, len(rows) - 1) if rows else None
