"""The week as a tree of sessions and parts, with their progress, and the open part's steps."""

from __future__ import annotations

import textwrap
from functools import partial
from typing import ClassVar

from rich.cells import cell_len
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from q1lab.app.pages import WeekPage, week_pages
from q1lab.app.widgets.bars import bar
from q1lab.app.widgets.choice_list import WALK, RefilledList
from q1lab.ground.files import printable
from q1lab.ground.terminal_cells import cut_cells
from q1lab.ground.text_formats import hours_minutes
from q1lab.week.progress import Progress
from q1lab.week.syllabus import Part, Step, Week


def left_right_line(
    left: str, right: str, width: int, tone: str, right_tone: str = "$muted"
) -> Content:
    """One line: ``right`` flush right, ``left`` cut to the remaining width."""
    room = width - cell_len(right) - (1 if right else 0)
    left = cut_cells(left, room)
    gap = " " * max(0, width - cell_len(left) - cell_len(right))
    return Content.assemble((left, tone), gap, (right, right_tone))


BAR_CELLS = 5
"""Cells of a part's bar."""


def part_columns(part: Part, progress: Progress) -> tuple[str, float, int, str]:
    """A part's sign, the share of its steps that are done, the minutes spent on it, and their
    color."""
    count = progress.count([part])
    sign = "✓" if count.finished else "◦" if count.done else "·"
    spent = round(count.seconds / 60)
    over = "$warning" if spent > part.allowance > 0 else "$muted"
    return sign, count.done / max(1, count.total), spent, over


def spent_of_hours(week: Week, progress: Progress) -> str:
    """``1 h 56 min of 13 h``: the time spent, of the hours to allow; a week may have no plan."""
    allowed = f" of {week.hours} h" if week.hours else ""
    return hours_minutes(progress.count(week.parts()).seconds / 60) + allowed


def minutes_words(part: Part, spent: int) -> str:
    """``104/90``: minutes spent of those to allow; a part may have no plan."""
    return "/".join(str(minutes) for minutes in (spent, part.allowance) if minutes)


def _step(step: Step, progress: Progress, width: int) -> Content:
    is_done = progress.of(step.id).done
    sign = ("    ✓ ", "$success") if is_done else ("    ☐ ", "$muted")
    return Content.assemble(sign, (cut_cells(printable(step.title), width - 6), "$muted"))


class WeekTree(RefilledList):
    """Sessions and parts, and where they have room the open part's steps. Posts ``Chosen`` when the
    learner picks one. ``j`` and ``k`` go down and up, as on the pages."""

    BINDINGS: ClassVar[list[BindingType]] = WALK

    class Chosen(Message):
        """A page, or a step of the open one, was picked."""

        def __init__(self, row_id: str) -> None:
            super().__init__()
            self.row_id = row_id

    def __init__(self) -> None:
        super().__init__(id="tree", classes="pane", markup=False)
        self.border_title = "Week"
        self._open_id = ""
        self._column = 0
        """Cells of the column of minutes."""

    def fill(self, week: Week, progress: Progress, open_id: str, timed: str | None) -> None:
        """Show the week; ``open_id`` is the id of the open page, ``timed`` of the part whose clock
        runs."""
        self.refill = partial(self.fill, week, progress, open_id, timed)
        width = self.room
        if width <= 0:
            return
        self.border_title = week.name
        self.border_subtitle = spent_of_hours(week, progress)
        minutes = (minutes_words(part, part_columns(part, progress)[2]) for part in week.parts())
        self._column = max(map(len, minutes), default=0) + (2 if timed else 0)
        shown = {
            page.id: self._row(page, progress, width, open_id, timed) for page in week_pages(week)
        }
        ids = list(shown)
        part = week.find_part(open_id)
        free = self.size.height - sum(row.plain.count("\n") + 1 for row in shown.values())
        if part is not None and len(part.steps) <= free:
            at = ids.index(part.id) + 1
            ids[at:at] = [step.id for step in part.steps]
            shown |= {step.id: _step(step, progress, width) for step in part.steps}
        self.put([Option(shown[name], id=name) for name in ids])
        if self._open_id != open_id or self.highlighted is None:
            self._open_id, self.highlighted = (
                open_id,
                ids.index(open_id) if open_id in ids else None,
            )

    def _row(
        self, page: WeekPage, progress: Progress, width: int, open_id: str, timed: str | None
    ) -> Content:
        if page.part is not None:
            return self._part(page.part, progress, width, open_id, timed)
        tone = "bold $primary" if page.id == open_id else "bold"
        if page.session is None:
            sign = "▸" if page.id == open_id else " "
            columns = "done" + "min".rjust(self._column + 2)
            tone = "$primary" if page.id == open_id else ""
            return left_right_line(f"{sign} Overview", columns, width, tone)
        sign = "✓" if progress.count(page.session.parts).finished else "▾"
        sign = "▸" if page.id == open_id else sign
        lines = textwrap.wrap(page.title, max(8, width - 5)) or [""]
        heads = [f"{sign} {page.name}  ", *["     "] * len(lines)]
        text = "\n".join(head + line for head, line in zip(heads, lines, strict=False))
        return Content.styled(text, tone)

    def _part(
        self, part: Part, progress: Progress, width: int, open_id: str, timed: str | None
    ) -> Content:
        """``✓ A1 Pick the modification ━━━── 12/15``."""
        sign, share, spent, over = part_columns(part, progress)
        is_open = part.id == open_id
        tone = "$success" if sign == "✓" else "bold $primary" if is_open else ""
        sign = "▸" if is_open and sign != "✓" else sign
        clock = "▶ " if part.id == timed else ""
        head, cells = f" {sign} {part.name} ", width - BAR_CELLS - self._column - 2
        indent = " " * cell_len(head)
        name, *rest = textwrap.wrap(head + part.title, cells, subsequent_indent=indent)
        right = f"{clock}{minutes_words(part, spent)}".rjust(self._column + 1)
        below = "\n".join(["", *rest]), tone
        drawn = bar(share, BAR_CELLS, "$success")
        line = left_right_line(name, "", cells, tone)
        return Content.assemble(line, " ", *drawn, (right, over), below)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.post_message(self.Chosen(event.option_id or ""))
