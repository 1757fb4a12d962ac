"""Choose one of the week's variants: the guides in the text follow the choice."""

from __future__ import annotations

from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from q1lab.tui.screens.base import Dialog
from q1lab.tui.widgets.listing import Listing
from q1lab.tui.widgets.palette import palette
from q1lab.week import progress as domain
from q1lab.week.model import Variant, Week


class ChooseScreen(Dialog[None]):
    """One row per variant; Enter takes it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", "close")]

    def __init__(self, week: Week, step_id: str) -> None:
        super().__init__()
        self.week = week
        self.step_id = step_id

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "Which modification?"
            dialog.border_subtitle = "Enter chooses · Esc closes"
            if not self.week.variants:
                yield Static("This week offers no variants.", markup=False)
            yield Listing(*(Option(self._row(one)) for one in self.week.variants), markup=False)

    def on_mount(self) -> None:
        names = [one.name for one in self.week.variants]
        chosen = self.q1.snapshot.progress.chosen or self.week.default
        self.query_one(OptionList).highlighted = names.index(chosen) if chosen in names else 0

    def _row(self, one: Variant) -> Table:
        chosen = self.q1.snapshot.progress.chosen == one.name
        facts = [one.difficulty, f"used in {one.used_in}" if one.used_in else "", one.paper]
        muted = palette(self.app).muted
        row = Table.grid(padding=(0, 1, 0, 0))
        row.add_row("●" if chosen else "○", Text(one.title, style="bold"))
        for fact in facts:
            if fact:
                row.add_row("", Text(fact, style=muted))
        return row

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        app = self.q1
        name = self.week.variants[event.option_index].name
        app.desk.ask(lambda store: domain.choose(store, self.week.label, name, self.step_id))
        self.dismiss()
