"""Write results into a file: which format, into which folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.widgets import Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from q1lab.study import children
from q1lab.tui.beside import beside
from q1lab.tui.screens.base import Dialog
from q1lab.tui.widgets.listing import Listing

FORMATS: tuple[tuple[str, list[str], str], ...] = (
    ("svg", [], "SVG   curves and forest plot, for a post"),
    ("png", [], "PNG   the same picture as pixels"),
    ("json", [], "JSON  the whole comparison"),
    ("csv", [], "CSV   a row per run"),
    ("curves", ["--curves"], "CSV   a row per point of the curves"),
)


class ExportScreen(Dialog[None]):
    """Runs ``q1lab export`` in a child, since drawing needs matplotlib, and says what was
    written."""

    CSS_PATH = "../lab.tcss"
    keys = "Enter writes · Tab folder · Esc closes"

    def __init__(self, ids: Sequence[str]) -> None:
        super().__init__()
        self.ids = list(ids)
        more = f" and {len(self.ids) - 4} more" if len(self.ids) > 4 else ""
        self.heading = f"Export {', '.join(self.ids[:4])}{more}"
        self.writing = False

    def body(self) -> ComposeResult:
        yield Listing(
            *(Option(words, id=form) for form, _, words in FORMATS), markup=False, id="format"
        )
        yield Label("into the folder")
        yield Input(str(Path.cwd()), id="folder", compact=True)
        yield Static(id="said", markup=False)

    @on(OptionList.OptionSelected)
    def _picked(self, event: OptionList.OptionSelected) -> None:
        self._write(str(event.option.id))

    @on(Input.Submitted)
    def _entered(self) -> None:
        option = self.query_one(OptionList).highlighted_option
        self._write(str(option.id) if option is not None else "svg")

    def _write(self, choice: str) -> None:
        if self.writing:
            return
        folder = Path(self.query_one(Input).value.strip() or ".").expanduser()
        if not folder.is_dir():
            self.tell(f"{folder} is no folder.", bad=True)
            return
        extra = next(extra for form, extra, _ in FORMATS if form == choice)
        form = "csv" if choice == "curves" else choice
        command = ["export", *self.ids, "--format", form, "--output", str(folder), *extra]
        self.tell("Writing …")
        self.writing = True
        beside(
            self,
            lambda: children.run_q1lab(command).strip(),
            self._written,
            lambda problem: self._written(str(problem), bad=True),
        )

    def _written(self, text: str, bad: bool = False) -> None:
        self.writing = False
        self.tell(text, bad)
