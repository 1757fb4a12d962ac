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
from textual.containers import VerticalScroll
from textual.timer import Timer
from textual.widgets import Static

from q1lab.ground.errors import FAILED
from q1lab.ground.files import plain
from q1lab.runner import child_processes
from q1lab.tui.desktop import copy
from q1lab.tui.editing import folder
from q1lab.tui.screens.base import Dialog

if TYPE_CHECKING:
    from q1lab.tui.app import Q1Lab

LINES = 5000
"""Lines shown, the last ones."""
PAUSE = 0.1
"""Seconds between two looks at what is printed: to lay thousands of lines out takes longer than to
print them."""
_REFUSED = re.compile(r"^q1lab: ", re.MULTILINE)
"""How q1lab says what went wrong; without it a command that fails has said what it found."""

SECONDS = 6 * 3600
"""A command that runs longer ends by its own limit."""


def run(app: Q1Lab, argv: list[str], look: tuple[str, ...] = ()) -> None:
    """Run a command in a pane, in the folder that is the learner's."""
    real = [*child_processes.python_module("q1lab"), *argv[1:]] if argv[0] == "q1lab" else argv
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
        self._due: Timer | None = None

    def body(self) -> ComposeResult:
        self.box.border_subtitle = self.running
        with VerticalScroll():
            yield Static(id="printed", markup=False)

    def on_mount(self) -> None:
        self.call_after_refresh(self._start)

    def _start(self) -> None:
        self.run_worker(self._run(), exit_on_error=False)

    async def _run(self) -> None:
        self.code, self.said = None, ""
        self._show()
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
                    **child_processes.child_environment(),
                    **self.answered,
                    "COLUMNS": str(self.query_one("#printed").content_size.width),
                },
            )
        except OSError as error:
            self._show(f"cannot run {self.argv[0]}: {error.strerror}")
            return
        assert child.stdout is not None
        try:
            letters, block = getincrementaldecoder("utf-8")("replace"), b"-"
            while block:  # it may end amid a letter
                block = await child.stdout.read(65536)
                self.said += plain(letters.decode(block, final=not block))
                if self._due is None:
                    self._due = self.set_timer(PAUSE, self._show)
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
        self._show("" if self.said.strip() else "It printed nothing.")
        asks = " · y does it" if self.would else " · y runs it with --yes" if self.asks else ""
        self.box.border_subtitle = f"{words} · Esc closes · c copies{asks}"

    def _show(self, instead: str = "") -> None:
        """What it has printed; who reads its end stays there."""
        self._due = None
        place = self.query_one(VerticalScroll)
        follow = place.max_scroll_y > 0 and place.is_vertical_scroll_end
        lines = (instead or self.said).rstrip("\n").rsplit("\n", LINES)[-LINES:]
        self.query_one("#printed", Static).update("\n".join(lines))
        if follow:
            place.scroll_end(animate=False)

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
            self._start()
