"""One hint, to read."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Markdown, Static

from q1lab.files import plain
from q1lab.learner import STAGES, Hint
from q1lab.tui.widgets.diff_view import diff_text
from q1lab.tui.widgets.palette import palette


class HintScreen(ModalScreen[None]):
    """A question, a place, an idea; the last stage is a diff."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,h", "dismiss", "close")]

    def __init__(self, hint: Hint) -> None:
        super().__init__()
        self.hint = hint

    def compose(self) -> ComposeResult:
        hint = self.hint
        last = hint.stage == len(STAGES)
        with Vertical(classes="dialog tall" if last else "dialog hint") as dialog:
            dialog.border_title = f"{hint.variant}, hint {hint.stage} of {len(STAGES)}: {hint.title.lower()}"
            dialog.border_subtitle = "Esc closes" if last else "Esc closes · h again, later, gives the next"
            with VerticalScroll():
                if last:
                    text = diff_text(hint.text, palette(self.app), dark=self.app.current_theme.dark)
                    yield Static(text, markup=False)
                else:
                    yield Markdown(plain(hint.text), open_links=False)
