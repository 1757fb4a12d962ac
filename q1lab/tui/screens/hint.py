"""One hint, to read; or, after passing, how right files differ from the reference, and how this one
does."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Markdown, Static

from q1lab.files import plain
from q1lab.model.learner import STAGES, Hint
from q1lab.tui.widgets.diff_view import diff_text
from q1lab.tui.widgets.palette import palette


class HintScreen(ModalScreen[None]):
    """Markdown, and below it a diff, where there is one."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,h,c", "dismiss", "close")]

    def __init__(self, title: str, text: str = "", diff: str = "", more: str = "") -> None:
        super().__init__()
        self.heading, self.text, self.diff, self.more = title, text, diff, more

    @classmethod
    def of(cls, hint: Hint) -> HintScreen:
        """A question, a place, an idea; the last stage is a diff."""
        last = hint.stage == len(STAGES)
        title = f"{hint.variant}, hint {hint.stage} of {len(STAGES)}: {hint.title.lower()}"
        if last:
            return cls(title, diff=hint.text)
        return cls(title, hint.text, more=" · h again, later, gives the next")

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog tall" if self.diff else "dialog hint") as dialog:
            dialog.border_title = self.heading
            dialog.border_subtitle = "Esc closes" + self.more
            with VerticalScroll():
                if self.text:
                    yield Markdown(plain(self.text), open_links=False)
                if self.diff:
                    text = diff_text(
                        plain(self.diff), palette(self.app), dark=self.app.current_theme.dark
                    )
                    yield Static(text, markup=False)
