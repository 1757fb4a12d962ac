"""The log of one run (the output of trainer and model file) as plain text, followed as it grows."""

from __future__ import annotations

from rich.cells import cell_len
from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import Log, Static

from q1lab.app.screens.base import FullScreen
from q1lab.app.snapshot import Snapshot
from q1lab.app.widgets.lab_numbers import loss_words, state_words
from q1lab.app.widgets.theme_colors import palette
from q1lab.ground import paths
from q1lab.ground.log_tail import LogTail
from q1lab.journal.study_view import RunView
from q1lab.judgment.run_states import ENDED, STATE_SYMBOLS, RunState
from q1lab.judgment.subject import run_label
from q1lab.study.studies import Study

EVERY = 0.5
MOST_LINES = 5_000


class RunLogScreen(FullScreen[None]):
    """Esc goes back. The log stops following when scrolled up, and follows again at its end (key
    ``end``)."""

    CSS_PATH = "../lab.tcss"
    screen_name = "log"

    def __init__(self, study: Study, run: RunView) -> None:
        super().__init__()
        self.study = study
        self.run_view = run
        self.file = study.files.run(run.name).log
        self.tail = LogTail(self.file)
        self.empty = True

    def body(self) -> ComposeResult:
        yield Static(id="log-head", markup=False)
        yield Log(id="log", max_lines=MOST_LINES, auto_scroll=True)
        yield Static(id="log-empty", markup=False)

    def on_mount(self) -> None:
        self.poll()
        self.set_interval(EVERY, self.poll)
        self.watch(self.app, "snapshot", self._snapshot)
        self.q1.theme_changed_signal.subscribe(self, lambda _: self._snapshot(self.q1.snapshot))

    def poll(self) -> None:
        """Append the log's new text; if the file can't be read, show why in its place."""
        log = self.query_one(Log)
        try:
            text, anew = self.tail.read_new()
        except OSError as error:
            self._say(f"{self.file} can't be read: {error.strerror}")
            return
        if anew:
            log.clear()
        if text:
            follow = log.scroll_offset.y >= log.max_scroll_y
            log.write(text, scroll_end=follow)
            self.empty = False
        self._say(
            "There is no log of this run. The grid and the chart have its losses."
            if self.run_view.state in ENDED
            else "Nothing printed yet. The first lines come when the training starts."
            if self.run_view.state is RunState.QUEUED
            else "Nothing printed yet."
        )

    def _say(self, text: str) -> None:
        note = self.query_one("#log-empty", Static)
        note.update(text)
        note.display = self.empty
        self.query_one(Log).display = not self.empty

    def _snapshot(self, snapshot: Snapshot) -> None:
        view = snapshot.focus
        if view is not None and view.row.id == self.study.id:
            self.run_view = next(
                (run for run in view.runs if run.name == self.run_view.name), self.run_view
            )
        run, colors = self.run_view, palette(self.app)
        head = Text(no_wrap=True, overflow="ellipsis")
        head.append(f" {run.variant}", style=f"bold {colors.arm(run.arm)}")
        seed = self.study.trainer.drawn_seed(run.arm, run.seed)
        head.append(f" {run_label(seed)}", style="bold")
        head.append(f"  {state_words(run)}", style=colors.state(run.state))
        if run.attempt > 1:
            head.append(f"  attempt {run.attempt}", style=colors.warning)
        metric = self.study.metric
        value = loss_words(run, metric)
        head.append(f"  iter {run.iter_text}" + (f"  {metric.name} {value}" if value else ""))
        if run.message:
            head.append(f"\n {STATE_SYMBOLS[run.state]} {run.message}", style=colors.warning)
        for fault in run.why:
            head.append(f"\n ! {fault}", style=colors.warning)
        head.append(f"\n {self._place()}", style=colors.muted)
        self.query_one("#log-head", Static).update(head)

    def _place(self) -> str:
        """The log's path: in full if it fits, else relative to q1lab's home. ``c`` copies the full
        path."""
        full = str(self.file)
        if cell_len(full) < self.app.size.width - 1:
            return full
        return str(self.file.relative_to(paths.home()))

    def action_top(self) -> None:
        self.query_one(Log).scroll_home(animate=False)

    def action_bottom(self) -> None:
        self.query_one(Log).scroll_end(animate=False)

    def action_copy(self) -> None:
        self.q1.copy_text(str(self.file), "the log's path")
