"""A file of the learner's, read only, with line numbers and the colors of its syntax."""

from __future__ import annotations

import re
from pathlib import Path

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from q1lab.ground.files import printable
from q1lab.tui.background import run_in_background
from q1lab.tui.editing import shown_text
from q1lab.tui.widgets.diff_view import painted_python
from q1lab.tui.widgets.theme_colors import Palette, palette


class CodeView(VerticalScroll):
    """Shows ``file`` as it is when the view opens, from its first class on."""

    _first: int | None = None
    """The line to scroll to, from 0, once there is room for text; 0 from then on."""

    def __init__(self, file: Path) -> None:
        super().__init__(id="code", classes="pane")
        self.file = file
        self.border_title = f"{printable(file.name)}, read only"

    def compose(self) -> ComposeResult:
        yield Static(id="code-text", markup=False)

    def on_mount(self) -> None:
        self._read()
        self.app.theme_changed_signal.subscribe(self, lambda _: self._read())

    def on_resize(self) -> None:
        if self._first and self.max_scroll_y:
            self.scroll_to(y=self._first, animate=False)
            self._first = 0

    def _read(self) -> None:
        colors = palette(self.app)
        text = self.query_one("#code-text", Static)

        def show(code: Text) -> None:
            text.update(code)
            if self._first is None:
                found = re.search(r"^ *\d+ class ", code.plain, re.MULTILINE)
                self._first = code.plain.count("\n", 0, found.start()) if found else 0
                self.call_after_refresh(self.on_resize)

        run_in_background(
            self,
            lambda: numbered_python(self.file, colors),
            show,
            lambda problem: text.update(printable(str(problem))),
        )


def numbered_python(file: Path, colors: Palette) -> Text:
    """The file's lines, colored, each behind its number. Problem if it can't be read."""
    code = shown_text(file).expandtabs(4)
    out = Text(no_wrap=True, overflow="crop")
    for number, line in enumerate(painted_python(code.rstrip("\n"), colors), 1):
        line.style = colors.foreground
        line.stylize(f"on {colors.background}")  # the syntax's own is that of the terminal
        out.append(f"{number:>4} ", style=colors.muted).append_text(line).append("\n")
    return out
