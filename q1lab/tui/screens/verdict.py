"""The whole comparison in words and bars, as `q1lab compare` prints it; before the end, the pairs
so far."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Footer, Static

from q1lab.compare import text as verdict
from q1lab.compare.record import Comparison
from q1lab.tui.keys import bindings
from q1lab.tui.widgets.forest import Forest, draw
from q1lab.tui.widgets.palette import palette

WIDEST = 116


class VerdictScreen(Screen[None]):
    """Esc goes back; ``c`` copies the text, ``o`` writes it into a file."""

    CSS_PATH = "../lab.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("verdict")]

    def __init__(
        self, study_id: str, record: Comparison | None, so_far: Forest | None = None
    ) -> None:
        super().__init__()
        self.study_id = study_id
        self.record = record
        self.so_far = so_far or Forest()

    def compose(self) -> ComposeResult:
        yield Static(f" {self.study_id}", id="verdict-head", markup=False)
        with VerticalScroll(id="verdict"):
            yield Static(id="verdict-text", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        self.query_one("#verdict").focus()

    def on_resize(self) -> None:
        self.query_one("#verdict-text", Static).update(
            Text("\n").join(self.lines(self.size.width - 4))
        )

    def lines(self, width: int) -> list[Text]:
        """What is shown, for so many cells."""
        colours = palette(self.app)
        if self.record is None:
            return draw(self.so_far, min(width, 72), colours)
        styles = {
            **verdict.STYLES,
            "baseline": colours.baseline, "modified": colours.modified, "helps": f"bold {colours.success}",
            "hurts": f"bold {colours.error}", "cannot tell": f"bold {colours.warning}", "warn": colours.warning,
            "dim": colours.muted, "prediction": colours.accent,
        }  # fmt: skip
        return verdict.rich_lines(self.record, min(width, WIDEST), styles)

    def action_copy(self) -> None:
        text = "\n".join(line.plain for line in self.lines(min(100, self.size.width - 4)))
        self.app.copy_to_clipboard(text + "\n")
        self.notify("Copied the comparison as text.")

    def action_export(self) -> None:
        from q1lab.tui.screens.export import ExportScreen

        self.app.push_screen(ExportScreen([self.study_id]))
