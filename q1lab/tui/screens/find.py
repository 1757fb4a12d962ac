"""Find a part or a step by its words: type, choose, go."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from q1lab.tui.screens.base import Dialog
from q1lab.tui.sheets import part_name
from q1lab.tui.widgets.listing import Listing
from q1lab.week.model import Week
from q1lab.week.progress import Progress

Found = tuple[str, str | None]


class FindScreen(Dialog[Found | None]):
    """Every word typed must be in the part's or the step's title; gives (part id, step id or
    None)."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "move(1)", show=False, priority=True),
        Binding("up", "move(-1)", show=False, priority=True),
    ]

    heading, keys = "Find a part or a step", "Enter goes there · Esc closes"

    def __init__(self, week: Week, progress: Progress) -> None:
        super().__init__()
        self.rows: list[tuple[Found, str, Content]] = []
        for part in week.parts():
            name = f"{part_name(part)} {part.title}"
            self.rows.append(((part.id, None), name, Content.styled(name, "bold")))
            for step in part.steps:
                mark = "✓" if progress.of(step.id).done else "☐"
                text = Content.assemble((f"   {mark} ", "$muted"), step.title)
                self.rows.append(((part.id, step.id), f"{name} {step.title} {step.id}", text))
        self.shown: list[Found] = []

    def body(self) -> ComposeResult:
        yield Input(placeholder="words of its title")
        yield Listing(markup=False)

    def on_mount(self) -> None:
        self._filter("")

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        self._filter(event.value)

    def _filter(self, typed: str) -> None:
        words = typed.casefold().split()
        hits = [row for row in self.rows if all(word in row[1].casefold() for word in words)]
        self.shown = [row[0] for row in hits]
        listing = self.query_one(OptionList)
        nothing = [Option(Content.styled("nothing has these words", "$muted"), disabled=True)]
        listing.set_options([Option(row[2]) for row in hits] or nothing)
        listing.highlighted = 0 if hits else None

    def action_move(self, by: int) -> None:
        listing = self.query_one(OptionList)
        (listing.action_cursor_down if by > 0 else listing.action_cursor_up)()

    @on(Input.Submitted)
    def _submitted(self) -> None:
        index = self.query_one(OptionList).highlighted
        self.dismiss(self.shown[index] if self.shown and index is not None else None)

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self.shown[event.option_index])
