"""A titled list of rows: text at the left, a value at the right, and a key for each row."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from rich.cells import cell_len
from textual.content import Content
from textual.widgets.option_list import Option

from q1lab.ground.text_formats import cut_cells
from q1lab.tui.widgets.choice_list import RefilledList
from q1lab.tui.widgets.week_tree import left_right_line

SHORTEST, LONGEST = 12, 60
"""Least and most width of a bar beside its row's texts, in cells; with less room it is below."""
DONE, OPEN = "█", "░"


@dataclass(frozen=True)
class ListRow:
    """One row. ``key`` identifies it to the screen."""

    left: str
    right: str = ""
    tone: str = ""
    right_tone: str = "$muted"
    key: Any = None
    bar: tuple[float, float, float] | None = None
    """(done, planned, the longest bar's length), in one unit: drawn where there is room."""


def progress_bar(
    done: float, planned: float, longest: float, cells: int, tone: str, over_tone: str
) -> list[tuple[str, str]]:
    """``done`` against ``planned`` in ``cells`` cells: the done part in ``tone``, the open part,
    and the excess over ``planned``, which gets at least one cell."""
    scale = cells / max(longest, planned, done, 1e-9)
    over = max(1, round(done * scale) - round(planned * scale)) if done > planned else 0
    full_cells = min(round(planned * scale), cells - over)
    inside = min(max(round(done * scale), 1 if done > 0 else 0), full_cells)
    return [
        (DONE * inside, tone),
        (OPEN * (full_cells - inside), "$muted"),
        (DONE * over, over_tone),
        (" " * max(0, cells - full_cells - over), ""),
    ]


def render_row(row: ListRow, width: int, names: int, numbers: int) -> Content:
    """A row in ``width`` cells; ``names`` and ``numbers`` are the widths of the widest left and
    right texts, so that all bars begin in one column."""
    if row.bar is None and not row.right:
        text = "\n".join(textwrap.wrap(row.left, max(8, width), subsequent_indent="  "))
        return Content.styled(text, row.tone)
    if row.bar is None:
        right = cut_cells(row.right, max(width - cell_len(row.left) - 2, 2 * width // 5))
        room = max(8, width - cell_len(right) - 2)
        first, *rest = textwrap.wrap(row.left, room, subsequent_indent="  ") or [""]
        below = (Content.styled(line, row.tone) for line in rest)
        return Content("\n").join(
            [left_right_line(first, right, width, row.tone, row.right_tone), *below]
        )
    tones = row.tone or "$primary", "$warning"
    cells = min(LONGEST, width - names - numbers - 2)
    if cells < SHORTEST:
        right = cut_cells(row.right, width - 2)
        texts = left_right_line(row.left, right, width, row.tone, row.right_tone)
        return Content.assemble(texts, "\n  ", *progress_bar(*row.bar, max(4, width - 2), *tones))
    left = left_right_line(row.left, "", width - cells - numbers - 2, row.tone)
    right = row.right.rjust(numbers)
    return Content.assemble(
        left, " ", *progress_bar(*row.bar, cells, *tones), " ", (right, row.right_tone)
    )


class TitledRows(RefilledList):
    """A pane of rows. ``empty`` is its text while there are no rows."""

    def __init__(self, title: str, empty: str, *, id: str) -> None:  # noqa: A002  (Textual's name)
        super().__init__(id=id, classes="pane", markup=False)
        self.border_title = title
        self.empty = empty
        self.rows: tuple[ListRow, ...] = ()

    @property
    def current(self) -> ListRow | None:
        index = self.highlighted
        return self.rows[index] if index is not None and index < len(self.rows) else None

    def fill(self, rows: Sequence[ListRow]) -> None:
        """Show these rows; the cursor stays on its line."""
        self.refill = partial(self.fill, rows)
        width = self.room
        if width <= 0:
            return
        at = self.highlighted or 0
        self.rows = tuple(rows)
        numbers = max((cell_len(row.right) for row in rows), default=0)
        names = max((cell_len(row.left) for row in rows), default=0)
        shown = [
            Option(render_row(row, width, names, numbers), id=str(k)) for k, row in enumerate(rows)
        ]
        self.put(shown or [Option(Content.styled(self.empty, "$muted"), disabled=True)])
        self.highlighted = min(at, len(rows) - 1) if rows else None
