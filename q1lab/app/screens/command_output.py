"""Runs a command inside the app and shows its output in a dialog, as it comes."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shlex
from codecs import getincrementaldecoder
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.timer import Timer
from textual.widgets import Static
from textual.worker import Worker, WorkerError

from q1lab.app.editing import learner_folder
from q1lab.app.screens.base import Dialog
from q1lab.app.week_app import WeekApp
from q1lab.ground import config
from q1lab.ground.errors import FAILED
from q1lab.ground.files import printable
from q1lab.ground.text_formats import IN_PANE
from q1lab.journal.journal_tables import DOCUMENTS
from q1lab.study import child_processes
from q1lab.week.step_commands import command_named

LINES = 5000
"""At most this many of the last lines are shown."""
PAUSE = 0.1
"""Seconds between two updates: laying out thousands of lines takes longer than printing them."""
_REFUSED = re.compile(r"^q1lab: ", re.MULTILINE)
"""The start of q1lab's error messages; a failed command without one has reported findings."""


def run_in_pane(
    app: WeekApp,
    argv: list[str],
    preview: Sequence[str] = (),
    *,
    on_failure: Callable[[], None] | None = None,
) -> None:
    """Run a command in the learner's folder, with its output in a dialog. A commit is shown before
    it is made. ``on_failure`` is called when the dialog closes and the command has failed."""
    is_document = command_named(argv[1:]).removeprefix("course ") in DOCUMENTS
    commits = argv[0] == "q1lab" and is_document and not {"--dry-run", "--no-commit"} & {*argv}
    if commits and not preview and config.load_settings().ask_before_commit:
        preview = [*argv, "--dry-run"]
    app.push_screen(CommandOutputScreen(argv, learner_folder(app), preview, on_failure))


ENDS_WITHIN = 5.0
"""Seconds that a command has to undo what it began, when its pane closes."""


class CommandOutputScreen(Dialog[Any]):
    """Runs one command without input. Esc ends the command, but not a training that it started;
    Enter, often pressed twice, closes only what has ended. If the command asks for ``--yes``, ``y``
    runs it again with that. A ``preview`` is a command that runs first and shows what this one
    would do, and ``y`` then does it. The output starts at its top; once scrolled to the end, the
    dialog follows it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "leave", "back"),
        Binding("c", "copy", "copy"),
        Binding("y", "yes", "yes"),
    ]

    shape = "tall fits"

    def __init__(
        self,
        argv: list[str],
        folder: Path,
        preview: Sequence[str] = (),
        on_failure: Callable[[], None] | None = None,
    ) -> None:
        super().__init__()
        self.shown = self.heading = shlex.join(argv)
        self.argv = argv
        self.preview = preview
        self.folder = folder
        self.on_failure = on_failure
        self.answered: dict[str, str] = {}
        """Environment that tells the command that the learner has confirmed its commit here."""
        self.printed = ""
        self.code: int | None = None
        self.has_ended = False
        self._due: Timer | None = None
        self._command: Worker[None] | None = None

    def body(self) -> ComposeResult:
        self.box.border_subtitle = self.running
        with VerticalScroll():
            yield Static(id="printed", markup=False)

    def on_mount(self) -> None:
        self.call_after_refresh(self._start)

    def _start(self) -> None:
        self._command = self.run_worker(self._run(), exit_on_error=False)

    async def on_unmount(self) -> None:
        """Wait until a command that was ended has undone what it began."""
        if self._due is not None:  # what it would show is gone
            self._due.stop()
        if self._command is not None:
            self._command.cancel()
            with contextlib.suppress(WorkerError):
                await self._command.wait()
        if self.on_failure is not None and self.code and not self.found:
            self.on_failure()

    async def _run(self) -> None:
        self.code, self.printed, self.has_ended = None, "", False
        self.show_output("It has printed nothing yet.")
        self.box.border_subtitle = self.running
        program, *words = self.preview or self.argv
        begin = child_processes.python_module("q1lab") if program == "q1lab" else [program]
        try:
            child = await asyncio.create_subprocess_exec(
                *begin,
                *words,
                cwd=self.folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env={
                    **child_processes.child_environment(),
                    **self.answered,
                    IN_PANE: "1",
                    "COLUMNS": str(self.query_one("#printed").content_size.width),
                },
            )
        except OSError as error:
            self.has_ended = True
            self.show_output(f"cannot run {program}: {error.strerror}")
            return
        assert child.stdout is not None
        try:
            letters, block = getincrementaldecoder("utf-8")("replace"), b"-"
            while block:  # a block may end inside a UTF-8 sequence
                block = await child.stdout.read(65536)
                self.printed += printable(letters.decode(block, final=not block))
                if self._due is None:
                    self._due = self.set_timer(PAUSE, self.show_output)
            self.code = await child.wait()
        except asyncio.CancelledError:
            with contextlib.suppress(ProcessLookupError):
                child.terminate()
            try:
                await asyncio.wait_for(child.wait(), ENDS_WITHIN)
            except TimeoutError:
                child.kill()
                await child.wait()
            raise
        self.ended(self.code)

    def ended(self, code: int) -> None:
        """Say how it ended, and what may come next."""
        self.has_ended = True
        words = "done" if code == 0 else f"it did not work (status {code})"
        if self.asks:
            words = "it asks first"
        elif self.would:
            words = "not done yet"
        if self.found:
            words = "done: it found something"
        self.show_output("" if self.printed.strip() else "It printed nothing.")
        asks = " · y does it" if self.would else " · y runs it with --yes" if self.asks else ""
        self.box.border_subtitle = f"{words} · Esc closes · c copies{asks}"

    def action_leave(self) -> None:
        if self.has_ended:
            self.action_back()

    @property
    def text(self) -> str:
        """What is shown of the output."""
        return self.printed

    def show_output(self, instead: str = "") -> None:
        """Show the output so far (or ``instead``); at its end, keep following."""
        self._due = None
        place = self.query_one(VerticalScroll)
        follow = place.max_scroll_y > 0 and place.is_vertical_scroll_end
        lines = (instead or self.text).rstrip("\n").rsplit("\n", LINES)[-LINES:]
        self.query_one("#printed", Static).update("\n".join(lines))
        if follow:
            place.scroll_end(animate=False)

    @property
    def running(self) -> str:
        """The key line while the command runs. Ending `q1lab run` does not end its training."""
        trains = self.shown.startswith("q1lab run ") and not self.preview
        return f"running · Esc {'closes; what trains goes on' if trains else 'ends it'}"

    @property
    def would(self) -> bool:
        """True if the dialog shows a preview that ``y`` can carry out."""
        return bool(self.preview) and self.code == 0

    @property
    def found(self) -> bool:
        """True if the command worked and reports findings, as ``post lint`` does."""
        is_ours = self.shown.startswith("q1lab ")
        return self.code == FAILED and is_ours and not _REFUSED.search(self.printed)

    @property
    def asks(self) -> bool:
        """True if the command ended because it needs ``--yes``."""
        return bool(self.code) and "--yes" in self.printed and "--yes" not in self.argv

    def action_copy(self) -> None:
        self.q1.copy_text(self.printed, "what it printed")

    def action_yes(self) -> None:
        if self.would or self.asks:
            if self.would:
                self.answered = {"Q1LAB_ASK_BEFORE_COMMIT": "false"}
            else:
                self.argv = [*self.argv, "--yes"]
            self.preview = ()
            self._start()
