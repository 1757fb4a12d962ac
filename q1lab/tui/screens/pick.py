"""One of several, by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.visual import VisualType
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from q1lab.tui.screens.base import Dialog
from q1lab.tui.widgets.listing import Listing


class PickScreen(Dialog[str | None]):
    """Gives the id of the row that was chosen, None when it was closed. The cursor begins at the
    row of ``first``; ``empty`` is said where there is no row."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "dismiss", "close")]
    keys = "Enter chooses · Esc closes"

    def __init__(
        self, title: str, rows: Sequence[tuple[str, VisualType]], first: str = "", empty: str = ""
    ) -> None:
        super().__init__()
        self.heading = title
        self.rows = list(rows)
        self.first, self.empty = first, empty

    def body(self) -> ComposeResult:
        if not self.rows:
            yield Static(self.empty, markup=False)
        yield Listing(*(Option(shown, id=name) for name, shown in self.rows), markup=False)

    def on_mount(self) -> None:
        names = [name for name, _ in self.rows]
        if self.first and self.first in names:
            self.query_one(OptionList).highlighted = names.index(self.first)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(self.rows[event.option_index][0])
