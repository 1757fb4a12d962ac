"""A command's output, as it comes, where the app can't lend its terminal."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import RichLog

from q1lab.files import plain

LINES = 5000

SECONDS = 6 * 3600
"""A command that runs longer ends by its own limit."""


class OutputScreen(ModalScreen[None]):
    """Runs one command without input; Esc ends it if it still runs."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", "close")]

    def __init__(self, shown: str, argv: list[str], folder: Path) -> None:
        super().__init__()
        self.shown = shown
        self.argv = argv
        self.folder = folder

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog tall") as dialog:
            dialog.border_title = self.shown
            dialog.border_subtitle = "running · Esc ends it"
            yield RichLog(max_lines=LINES, wrap=True, markup=False, highlight=False)

    def on_mount(self) -> None:
        self.run_worker(self._run(), exit_on_error=False)

    async def _run(self) -> None:
        from q1lab.study import children

        log = self.query_one(RichLog)
        with children.leashed(self.argv, seconds=SECONDS) as (command, fd):
            try:
                child = await asyncio.create_subprocess_exec(
                    *command,
                    cwd=self.folder,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.STDOUT,
                    pass_fds=[fd],
                )
            except OSError as error:
                log.write(f"cannot run {self.argv[0]}: {error.strerror}")
                return
            assert child.stdout is not None
            try:
                while block := await child.stdout.read(65536):
                    log.write(plain(block.decode(errors="replace")).rstrip("\n"))
                code = await child.wait()
            except asyncio.CancelledError:
                with contextlib.suppress(ProcessLookupError):
                    child.terminate()
                await child.wait()
                raise
        ended = "done" if code == 0 else f"ended with {code}"
        self.query_one(".dialog").border_subtitle = f"{ended} · Esc closes"
