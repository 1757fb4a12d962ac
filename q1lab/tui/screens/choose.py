"""Choose one of the week's variants: the guides in the text follow the choice."""

from __future__ import annotations

from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, OptionList, Static
from textual.widgets.option_list import Option

from q1lab.index.store import Store
from q1lab.journal import choice
from q1lab.tui.screens.base import Dialog
from q1lab.tui.widgets.listing import Listing
from q1lab.tui.widgets.palette import palette
from q1lab.week import progress as domain
from q1lab.week.model import Variant, Week


class ChooseScreen(Dialog[None]):
    """One row per variant; Enter takes it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", "close")]

    def __init__(self, week: Week) -> None:
        super().__init__()
        self.week = week

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
        one, week = self.week.variants[event.option_index], app.setup.week

        def choose(store: Store) -> str:
            """Choose it, or say what is to be asked first."""
            question = choice.question(store, week.label, one.name)
            if not question:
                domain.choose(store, week, one.name)
            return question

        def asked(question: str) -> None:
            if question:
                app.push_screen(ChangeScreen(question), answered)

        def answered(yes: bool | None) -> None:
            if yes:
                app.desk.ask(lambda store: domain.choose(store, week, one.name))

        app.desk.ask(choose, lambda question: app.call_later(asked, question))
        self.dismiss()


class ChangeScreen(Dialog[bool]):
    """Asks before another modification is chosen than the one that was trained; Esc keeps it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "keep", "keep")]
    AUTO_FOCUS = "#keep"

    def __init__(self, question: str) -> None:
        super().__init__()
        self.question = question

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "Change the modification?"
            dialog.border_subtitle = "Esc keeps it"
            yield Static(self.question, markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Keep it", id="keep", variant="primary")
                yield Button("Change it", id="change")

    @on(Button.Pressed, "#keep")
    def action_keep(self) -> None:
        self.dismiss(False)

    @on(Button.Pressed, "#change")
    def action_change(self) -> None:
        self.dismiss(True)
