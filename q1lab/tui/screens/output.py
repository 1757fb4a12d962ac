"""A command's output, as it comes, in a pane over the page: one never leaves the app."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shlex
from codecs import getincrementaldecoder
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import RichLog

from q1lab.errors import FAILED
from q1lab.files import plain
from q1lab.study import children
from q1lab.tui.desktop import copy
from q1lab.tui.editing import folder
from q1lab.tui.screens.base import Dialog

if TYPE_CHECKING:
    from q1lab.tui.app import Q1Lab

LINES = 5000
AROUND = 5
"""Lines of the box besides its text."""
_REFUSED = re.compile(r"^q1lab: ", re.MULTILINE)
"""How q1lab says what went wrong; without it a command that fails has said what it found."""

SECONDS = 6 * 3600
"""A command that runs longer ends by its own limit."""


def run(app: Q1Lab, argv: list[str], look: tuple[str, ...] = ()) -> None:
    """Run a command in a pane, in the folder that is the learner's."""
    real = [*children.python_module("q1lab"), *argv[1:]] if argv[0] == "q1lab" else argv
    app.push_screen(OutputScreen(shlex.join(argv), real, folder(app), look))


class OutputScreen(Dialog[None]):
    """Runs one command without input; Esc ends it if it still runs, but not what it trains. Where
    the command asks for ``--yes``, ``y`` gives it. With ``look`` the command runs with these
    options first, to show what it would do, and ``y`` does it. One reads from the top; at its end
    the pane follows."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "back", "back"),
        Binding("c", "copy", "copy"),
        Binding("y", "yes", "yes"),
    ]

    shape = "tall fits"

    def __init__(
        self, shown: str, argv: list[str], folder: Path, look: tuple[str, ...] = ()
    ) -> None:
        super().__init__()
        self.shown = self.heading = shown
        self.argv = argv
        self.look = look
        self.folder = folder
        self.answered: dict[str, str] = {}
        """What tells the command that its commit was shown here, and answered."""
        self.said = ""
        self.code: int | None = None

    def body(self) -> ComposeResult:
        self.box.border_subtitle = self.running
        log = RichLog(max_lines=LINES, min_width=20, wrap=True, markup=False, highlight=False)
        log.auto_scroll = False
        yield log

    def on_mount(self) -> None:
        self.call_after_refresh(self._start)

    def _start(self) -> None:
        self.run_worker(self._run(), exit_on_error=False)

    async def _run(self) -> None:
        log = self.query_one(RichLog)
        self.code, self.said = None, ""
        self.box.border_subtitle = self.running
        try:
            child = await asyncio.create_subprocess_exec(
                *self.argv,
                *self.look,
                cwd=self.folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env={
                    **children.environment(),
                    **self.answered,
                    "COLUMNS": str(log.scrollable_content_region.width),
                },
            )
        except OSError as error:
            self._write(f"cannot run {self.argv[0]}: {error.strerror}", False)
            return
        assert child.stdout is not None
        try:
            letters, begun, block = getincrementaldecoder("utf-8")("replace"), "", b"-"
            while block:  # it may end amid a line, and amid a letter
                block = await child.stdout.read(65536)
                text = plain(letters.decode(block, final=not block))
                self.said += text
                whole, newline, begun = (begun + text).rpartition("\n")
                follow = log.max_scroll_y > 0 and log.is_vertical_scroll_end
                if newline:
                    self._write(whole, follow)
            if begun:
                self._write(begun, False)
            self.code = await child.wait()
        except asyncio.CancelledError:
            with contextlib.suppress(ProcessLookupError):
                child.terminate()
            await child.wait()
            raise
        self._ended(self.code)

    def _ended(self, code: int) -> None:
        words = "done" if code == 0 else f"it did not work (status {code})"
        if code == FAILED and self.shown.startswith("q1lab ") and not _REFUSED.search(self.said):
            words = "done: it found something"  # as ``post lint`` does
        if not self.said.strip():
            self._write("It printed nothing.", False)
        asks = " · y does it" if self.would else " · y runs it with --yes" if self.asks else ""
        self.box.border_subtitle = f"{words} · Esc closes · c copies{asks}"

    def _write(self, text: str, follow: bool) -> None:
        """Show lines; the box is as tall as they need, up to the screen's height."""
        log = self.query_one(RichLog)
        log.write(text, scroll_end=follow)
        log.styles.height = max(1, min(len(log.lines), self.size.height * 9 // 10 - AROUND))

    def on_resize(self) -> None:
        """Lines that were wrapped for another width."""
        if self.said:
            self.call_after_refresh(self._rewrap)

    def _rewrap(self) -> None:
        log = self.query_one(RichLog)
        place = log.scroll_y
        whole, newline, begun = self.said.rpartition("\n")
        log.clear()
        if newline:
            self._write(whole, False)
        if begun and self.code is not None:  # while it runs, the rest of the line is to come
            self._write(begun, False)
        log.scroll_to(y=place, animate=False)

    @property
    def running(self) -> str:
        """What Esc does meanwhile. `q1lab run` only watches what it has started."""
        trains = self.shown.startswith("q1lab run ")
        return f"running · Esc {'closes; what trains goes on' if trains else 'ends it'}"

    @property
    def would(self) -> bool:
        """Whether what the command would do is shown, and can be done."""
        return bool(self.look) and self.code == 0

    @property
    def asks(self) -> bool:
        """Whether the command ended because it wants a yes."""
        return bool(self.code) and "--yes" in self.said and "--yes" not in self.argv

    def action_copy(self) -> None:
        copy(self.app, self.said, "what it printed")

    def action_yes(self) -> None:
        if self.would or self.asks:
            if self.would:
                self.answered = {"Q1LAB_ASK_BEFORE_COMMIT": "false"}
            else:
                self.argv = [*self.argv, "--yes"]
            self.look = ()
            self.query_one(RichLog).clear()
            self._start()
