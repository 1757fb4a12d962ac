"""A short list in the terminal, below what is printed: arrows move, Enter takes, Escape leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from q1lab.ground.files import printable


class ShortList(App[int]):
    """Returns the place of the line that was taken, None if a person left."""

    CSS = """
    Screen { height: auto; border: none }
    OptionList { height: auto; max-height: 12; border: none; padding: 0 }
    """
    BINDINGS: ClassVar = [("escape,ctrl+c", "exit", "Leave")]
    INLINE_PADDING = 0

    def __init__(self, question: str, lines: Sequence[str]) -> None:
        super().__init__()
        self.question, self.lines = question, lines

    def compose(self) -> ComposeResult:
        yield Static(f"{self.question} (↑ ↓ and Enter)", markup=False)
        yield OptionList(*(Option(line) for line in self.lines), markup=False)

    def action_exit(self) -> None:
        self.exit(None)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.exit(event.option_index)


def choose(question: str, looks: Mapping[str, str]) -> str | None:
    """The name that a person takes, each shown with what it looks like; None for none."""
    width = max(map(len, looks))
    lines = [f"{name:<{width}}  {look}" for name, look in looks.items()]
    place = ShortList(question, [printable(line) for line in lines]).run(inline=True)
    return None if place is None else list(looks)[place]
