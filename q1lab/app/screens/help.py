"""All keys of the focused widget, the screen and the app, and the meaning of the signs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from q1lab.app.keys import all_keys, key_names
from q1lab.app.screens.base import Dialog
from q1lab.app.widgets.theme_colors import palette

CHANGED = "Keys are changed in the file that `q1lab config` names."
SCREEN, APP, HERE = "This screen", "Everywhere", "Where the focus is"
UNSAID = ("Scroll Left", "Scroll Right", "Page Left", "Page Right", "Copy selected text")
"""Bindings that Textual adds everywhere, even with nothing to scroll or copy; help omits them."""
PLAIN = {
    "Scroll Up": "Up a line",
    "Scroll Down": "Down a line",
    "Scroll Home": "To the beginning",
    "Scroll End": "To the end",
    "Page Up": "Up a page",
    "Page Down": "Down a page",
    "Up": "To the row above",
    "Down": "To the row below",
    "First": "To the first row",
    "Last": "To the last row",
    "Select": "Choose the row",
    "Show menu": "Show the choices",
    "Submit": "Take what is typed",
    "Focus Next": "To the next field or pane",
    "Focus Previous": "To the one before",
    "back": "Go back",
    "leave": "Go back",
    "step": "To the row below",
    "step back": "To the row above",
}
"""Textual's descriptions of its widgets' actions → this app's."""
MARKS = (
    ("✓", "done"),
    ("☐", "open"),
    ("→", "something to start"),
    ("▶", "runs"),
    ("‖", "paused"),
    ("■", "stopped"),
    ("✗", "failed"),
    ("!", "crashed, or worth a look"),
    ("∞", "diverged"),
    ("·", "not begun"),
    ("◦", "begun"),
)


class HelpScreen(Dialog[None]):
    """A table of the bindings that are active now, remapped keys included."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("question_mark,f1", "back", "help")]

    heading, shape, kind = "Keys", "help", VerticalScroll

    def __init__(self, screen: Screen[object], focused: Widget | None) -> None:
        super().__init__()
        self.tables = _tables(screen, focused)

    def body(self) -> ComposeResult:
        for title, rows in self.tables:
            yield Static(title, classes="heading", markup=False)
            yield Static(self._table(rows), classes="keys")
        yield Static("Marks", classes="heading")
        yield Static(self._table(MARKS), classes="keys")
        yield Static(CHANGED, classes="muted last", markup=False)

    def on_mount(self) -> None:
        self.q1.theme_changed_signal.subscribe(self, lambda _: self._recolor())

    def _recolor(self) -> None:
        all_rows = [*(rows for _, rows in self.tables), MARKS]
        for place, rows in zip(self.query(".keys").results(Static), all_rows, strict=True):
            place.update(self._table(rows))

    def _table(self, rows: Iterable[tuple[str, str]]) -> Table:
        """Keys on the left, their descriptions on the right."""
        table = Table.grid(padding=(0, 2), expand=True)
        table.add_column(width=16, justify="right", style=palette(self.app).warning)
        table.add_column(ratio=1)
        for keys, words in rows:
            table.add_row(Text(keys), Text(words))
        return table


def _tables(
    screen: Screen[object], focused: Widget | None
) -> list[tuple[str, list[tuple[str, str]]]]:
    """(title, [(keys, words)]) for the focused widget, the screen and the app."""
    groups: dict[str, dict[str, tuple[list[str], str]]] = {SCREEN: {}, APP: {}, HERE: {}}
    for key, active in screen.active_bindings.items():
        binding = active.binding
        key_info = all_keys().get(binding.id or "")
        words = (
            (key_info.more or key_info.words)
            if key_info
            else (binding.tooltip or binding.description)
        )
        words = words if key_info else PLAIN.get(words, words)
        if not words or not active.enabled or words in UNSAID:
            continue
        node = active.node
        group = SCREEN if node is screen else APP if node is screen.app else HERE
        if binding.id and binding.id.startswith("app."):
            group = APP
        groups[group].setdefault(binding.id or binding.action, ([], words))[0].append(key)
    tables = []
    for title, rows in groups.items():
        if rows:
            order = {name: index for index, name in enumerate(all_keys())}
            names = sorted(rows, key=lambda name: order.get(name, len(order)))
            tables.append(
                (title, [(key_names(",".join(rows[name][0])), rows[name][1]) for name in names])
            )
    return tables
