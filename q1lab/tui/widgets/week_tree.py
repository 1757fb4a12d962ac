"""The week as a tree of sessions and parts: done, minutes spent of minutes planned, and where one
is."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from rich.cells import cell_len, set_cell_size
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from q1lab.week.model import Part, Session, Week
from q1lab.week.progress import Progress


def part_name(part: Part) -> str:
    """How a part is called on screen: ``A1``; an id that is a word keeps its form."""
    return part.id.upper() if len(part.id) <= 3 else part.id


def cut(text: str, width: int) -> str:
    """``text`` in at most ``width`` cells, the cut marked with an ellipsis."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(0, width - 1)).rstrip() + "…"


def line(left: str, right: str, width: int, tone: str, right_tone: str = "$muted") -> Content:
    """One line: ``left`` cut to what ``right`` leaves, ``right`` flush with the edge."""
    room = width - cell_len(right) - (1 if right else 0)
    left = cut(left, room)
    gap = " " * max(0, width - cell_len(left) - cell_len(right))
    return Content.assemble((left, tone), gap, (right, right_tone))


class Filled(OptionList):
    """A list whose rows are laid out for its width: filled again when that changes."""

    refill: Callable[[], None] | None = None

    @property
    def room(self) -> int:
        """Cells that a row has."""
        return self.scrollable_content_region.width or self.content_size.width

    def on_resize(self) -> None:
        if self.refill is not None:
            self.refill()


class WeekTree(Filled):
    """Sessions and parts. Posts ``Chosen`` when the learner picks one."""

    class Chosen(Message):
        """A part was picked."""

        def __init__(self, part_id: str) -> None:
            super().__init__()
            self.part_id = part_id

    def __init__(self) -> None:
        super().__init__(id="tree", classes="pane", markup=False)
        self.border_title = "Week"
        self._shown: tuple[object, ...] = ()

    def fill(self, week: Week, progress: Progress, here: str, timed: str | None) -> None:
        """Show the week; ``here`` is the open part, ``timed`` the part whose clock runs."""
        self.refill = partial(self.fill, week, progress, here, timed)
        width = self.room
        if width <= 0:
            return
        rows: list[tuple[str, Content]] = []
        for session in week.sessions:
            rows.append(
                (
                    session.parts[0].id if session.parts else "",
                    self._session(session, progress, width),
                )
            )
            rows.extend(
                (part.id, self._part(part, progress, width, here, timed)) for part in session.parts
            )
        total = progress.count(week.parts())
        self.border_title = week.label
        self.border_subtitle = f"{hours(total.seconds)} of {hours(total.minutes * 60)}"
        shown = (here, width, *rows)
        if shown == self._shown:
            return
        same = [row[0] for row in rows] == [row[0] for row in self._shown[2:]]  # type: ignore[index]
        moved = not self._shown or self._shown[0] != here
        self._shown = shown
        if same:
            for index, (_, prompt) in enumerate(rows):
                self.replace_option_prompt_at_index(index, prompt)
        else:
            self.set_options([Option(prompt, disabled=not part_id) for part_id, prompt in rows])
        if moved:
            self.highlighted = [i for i, row in enumerate(rows) if row[0] == here][-1]

    def part_at(self, index: int) -> str:
        """The part that a row stands for; a session's row stands for its first part."""
        return str(self._shown[index + 2][0])  # type: ignore[index]

    def _session(self, session: Session, progress: Progress, width: int) -> Content:
        count = progress.count(session.parts)
        mark = "✓" if count.finished else "▾"
        return line(f"{mark} {session.id.upper()}  {session.title}", "", width, "bold")

    def _part(
        self, part: Part, progress: Progress, width: int, here: str, timed: str | None
    ) -> Content:
        count = progress.count([part])
        spent = round(count.seconds / 60)
        right = f"{spent}/{part.minutes}" if spent else f"{part.minutes}"
        mark = (
            "✓" if count.finished else "▸" if part.id == here else "·" if count.done == 0 else "◦"
        )
        tone = "$success" if count.finished else "bold $primary" if part.id == here else ""
        over = "$warning" if spent > part.minutes else "$muted"
        clock = "▶ " if part.id == timed else ""
        return line(f"  {mark} {part_name(part)} {part.title}", clock + right, width, tone, over)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.post_message(self.Chosen(self.part_at(event.option_index)))


def hours(seconds: float) -> str:
    """``5 h 12``, ``45 min``, ``10 h``."""
    whole = round(seconds / 60)
    if whole < 60:
        return f"{whole} min"
    return f"{whole // 60} h" + (f" {whole % 60:02d}" if whole % 60 else "")
