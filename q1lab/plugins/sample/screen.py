"""The passages that both models of a study write from one prompt, as `q1lab sample` prints them."""

from __future__ import annotations

from threading import get_ident

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from q1lab.ground.errors import Problem
from q1lab.judgment.terminal_text import STYLES
from q1lab.plugins.sample import passages
from q1lab.plugins.sample.passage_text import TOKENS, pair_lines
from q1lab.plugins.sample.passages import PassagePair
from q1lab.runner import child_processes
from q1lab.study.studies import Study
from q1lab.tui.background import run_in_background
from q1lab.tui.desktop import copy_text
from q1lab.tui.screens.base import FullScreen
from q1lab.tui.widgets.fitted_text import FittedText
from q1lab.tui.widgets.theme_colors import palette
from q1lab.week import evidence


class SampleScreen(FullScreen[None]):
    """Esc goes back; ``n`` and ``p`` have another passage written, ``c`` copies the text."""

    CSS_PATH = "sample.tcss"
    screen_name = "sample"

    def __init__(self, study: Study) -> None:
        super().__init__()
        self.study = study
        self.number = 1
        """The number of the passage."""
        self.pair: PassagePair | None = None
        self.message = ""
        """Shown while there is no pair."""
        self._writer: int | None = None
        """The thread that waits for the models."""

    def body(self) -> ComposeResult:
        yield Static(id="sample-head", markup=False)
        with VerticalScroll(id="sample"):
            yield FittedText(self._draw, id="sample-text")

    def on_mount(self) -> None:
        self.query_one("#sample").focus()
        self._write()

    def on_unmount(self) -> None:
        self._stop_writing()

    def _stop_writing(self) -> None:
        if self._writer is not None:
            child_processes.kill_child_of_thread(self._writer)

    def _write(self) -> None:
        """Have both models write the passage of this number."""
        self._stop_writing()
        number, study = self.number, self.study
        self._show(None, "Both models write …")

        def write() -> tuple[int, PassagePair]:
            self._writer = me = get_ident()
            try:
                seed = passages.choose_seed(study, None)
                passages.prove_trained_here(study)
                (pair,) = passages.write_passages(study, seed, tokens=TOKENS, first=number)
                return seed, pair
            finally:
                if self._writer == me:
                    self._writer = None

        def written(result: tuple[int, PassagePair]) -> None:
            if number == self.number:
                seed, pair = result
                self._show(pair, f"seed {seed}")
                self._note()

        def failed(problem: Problem) -> None:
            if number == self.number:
                self._show(None, str(problem))

        run_in_background(self, write, written, failed)

    def _note(self) -> None:
        """Record that the learner has read what both wrote: it may complete a step."""
        label, study = self.q1.week.label, self.study
        self.q1.store_thread.submit(
            lambda store: evidence.note_viewed(store, label, "sample", study.id, study.variant)
        )

    def _show(self, pair: PassagePair | None, message: str) -> None:
        self.pair, self.message = pair, message
        of_seed = f", {message}" if pair is not None else ""
        head = f" {self.study.id}{of_seed}, passage {self.number}"
        self.query_one("#sample-head", Static).update(head)
        self.query_one("#sample", VerticalScroll).scroll_home(animate=False)
        self._draw()

    def _draw(self) -> None:
        text = self.query_one(FittedText)
        text.update(Text("\n").join(self.lines(text.room)))

    def lines(self, width: int) -> list[Text]:
        """The screen's text, laid out for ``width`` cells."""
        if self.pair is None:
            return [Text(self.message)]
        colors = palette(self.app)
        styles = {
            **STYLES,
            "baseline": colors.baseline,
            "modified": colors.modified,
            "dim": colors.muted,
        }
        return list(pair_lines(self.study, self.pair, width, styles))

    def action_next(self, by: int) -> None:
        if self.number + by >= 1:
            self.number += by
            self._write()

    def action_copy(self) -> None:
        text = "\n".join(line.plain.rstrip() for line in self.lines(min(100, self.size.width - 6)))
        copy_text(self.app, text + "\n", "both passages as text")
