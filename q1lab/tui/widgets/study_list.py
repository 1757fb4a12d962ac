"""All studies, newest first, with a filter on top. Beside the lab where there is room, else over it
on ``/``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from q1lab.index.view import StudyLine
from q1lab.tui.widgets.palette import Palette, palette

MARKS = {
    "running": "▶",
    "finished": "✓",
    "stopped": "■",
    "failed": "✗",
    "crashed": "!",
    "planned": "·",
    "unreadable": "✗",
}
TONES = {"running": "foreground", "finished": "success", "stopped": "warning", "planned": "muted"}


MOST = 150
"""Studies listed at most; the filter reaches the others. A long list would take longer to lay out
than to read."""


def matches(line: StudyLine, words: str) -> bool:
    """Whether every typed word occurs in what describes the study."""
    text = " ".join(
        (
            line.id,
            line.variant,
            line.baseline,
            line.preset,
            line.data,
            line.state,
            line.created[:10],
        )
    )
    return all(word in text.casefold() for word in words.casefold().split())


class StudyList(Vertical):
    """Posts ``Chosen`` when a study is picked. Esc clears the filter and gives the focus back."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "back", key_display="esc"),
        Binding("down", "move(1)", show=False),
        Binding("up", "move(-1)", show=False),
    ]

    @dataclass
    class Chosen(Message):
        """Look at this study."""

        study_id: str

    class Left(Message):
        """The list is done with; the focus belongs to the lab again."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 — Textual's own name
        super().__init__(id=id)
        self.lines: Sequence[StudyLine] = ()
        self.current: str | None = None
        self._drawn: tuple[object, ...] = ()
        self._rows: dict[str, Text] = {}

    def compose(self) -> ComposeResult:
        yield Input(placeholder="/ filter", compact=True, id="study-filter")
        yield OptionList(id="study-options", markup=False, compact=True)

    def show(self, lines: Sequence[StudyLine], current: str | None) -> None:
        """Fill the list; drawn again only when something changed."""
        self.lines, self.current = lines, current
        self._fill()

    def _fill(self) -> None:
        words = self.query_one(Input).value
        hits = [line for line in self.lines if matches(line, words)]
        state = (hits, self.current, self.size.width, palette(self.app))
        if state == self._drawn:
            return
        options = self.query_one(OptionList)
        self._drawn = state
        colors = palette(self.app)
        ids = [line.id for line in hits[:MOST]]
        rows = {line.id: self._row(line, colors) for line in hits[:MOST]}
        if ids and list(self._rows) == ids:
            for study_id, row in rows.items():
                if row != self._rows[study_id]:
                    options.replace_option_prompt(study_id, row)
            self._rows = rows
            if self.current in ids and not self.has_focus_within:
                options.highlighted = ids.index(self.current)
            return
        self._rows = rows
        here = options.highlighted_option.id if options.highlighted_option else None
        empty = " nothing has these words" if words else " no study yet"
        nothing = [Option(Text(empty, style=colors.muted), disabled=True)]
        listed = [Option(row, id=study_id) for study_id, row in rows.items()]
        if len(hits) > MOST:
            more = Text(f"  {len(hits) - MOST:,} older: type to find them", style=colors.muted)
            listed.append(Option(more, disabled=True))
        options.set_options(listed or nothing)
        wanted = (
            here
            if here in ids and self.has_focus_within
            else self.current
            if self.current in ids
            else ids[0]
            if ids
            else None
        )
        options.highlighted = ids.index(wanted) if wanted is not None else None

    def _row(self, line: StudyLine, colors: Palette) -> Text:
        tone = getattr(colors, TONES.get(line.state, "error"))
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append("▸" if line.id == self.current else " ", style="bold")
        text.append(f"{MARKS.get(line.state, '?')} ", style=tone)
        text.append(line.id, style="bold" if line.id == self.current else "")
        told = f"{line.done}/{line.total} {line.preset} {line.data}"
        told = "damaged" if line.problem else told
        text.append(f"  {told}", style=colors.muted)
        return text

    @on(Input.Changed)
    def _typed(self) -> None:
        self._fill()

    @on(Input.Submitted)
    def _enter(self) -> None:
        option = self.query_one(OptionList).highlighted_option
        if option is not None and option.id is not None:
            self.post_message(self.Chosen(option.id))

    @on(OptionList.OptionSelected)
    def _picked(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if event.option.id is not None:
            self.post_message(self.Chosen(event.option.id))

    def action_move(self, by: int) -> None:
        options = self.query_one(OptionList)
        (options.action_cursor_down if by > 0 else options.action_cursor_up)()

    def action_leave(self) -> None:
        self.query_one(Input).value = ""
        self.post_message(self.Left())
