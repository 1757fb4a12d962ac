"""Choose a row from a list, with a search field if it is long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content
from textual.visual import VisualType
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from q1lab.app.screens.base import Dialog
from q1lab.app.widgets.choice_list import ChoiceList

MOST = 150
"""At most this many rows are shown: laying out a long list takes longer than reading it."""


class PickScreen(Dialog[str | None]):
    """The result is the id of the chosen row; None if the dialog was closed. The cursor starts at
    the row ``first``; ``empty`` is shown if there are no rows. With ``find`` (row id → text to
    search), there is a search field."""

    BINDINGS = [  # noqa: RUF012  (as Textual has it)
        Binding("down", "move(1)", show=False, priority=True),
        Binding("up", "move(-1)", show=False, priority=True),
    ]
    keys = "Enter chooses · Esc closes"

    def __init__(
        self,
        title: str,
        rows: Sequence[tuple[str, VisualType]],
        first: str = "",
        empty: str = "nothing matches",
        find: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        self.heading = title
        self.rows = list(rows)
        self.first, self.empty, self.find = first, empty, find
        self.shape = "find" if find else ""

    def body(self) -> ComposeResult:
        if self.find:
            yield Input(placeholder="words of its title")
        yield ChoiceList(markup=False)

    def on_mount(self) -> None:
        self._fill("")
        names = [name for name, _ in self.rows]
        if self.first in names:
            self.query_one(OptionList).highlighted = names.index(self.first)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._fill(event.value)

    def _fill(self, typed: str) -> None:
        words = typed.casefold().split()
        about = self.find or {}
        hits = [
            Option(shown, id=name)
            for name, shown in self.rows
            if all(word in about[name].casefold() for word in words)
        ]
        phrase = " ".join(words)
        hits.sort(key=lambda row: phrase not in about.get(row.id or "", "").casefold())
        listing = self.query_one(OptionList)
        more = f"{len(hits) - MOST:,} more: type to find them"
        note = more if len(hits) > MOST else "" if hits else self.empty
        rest = [Option(Content.styled(note, "$muted"), disabled=True)] if note else []
        listing.set_options([*hits[:MOST], *rest])
        listing.highlighted = 0 if hits else None

    def action_move(self, by: int) -> None:
        listing = self.query_one(OptionList)
        (listing.action_cursor_down if by > 0 else listing.action_cursor_up)()

    @on(Input.Submitted)
    @on(OptionList.OptionSelected)
    def _chosen(self, event: Input.Submitted | OptionList.OptionSelected) -> None:
        event.stop()
        option = self.query_one(OptionList).highlighted_option
        self.dismiss(option.id if option is not None else None)
