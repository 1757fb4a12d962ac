"""A document of the learner's repository, to read; ``e`` opens it in $EDITOR."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Markdown, Static

from q1lab.files import open_regular, os_reason, plain
from q1lab.tui import editing
from q1lab.tui.screens.base import Dialog

MOST = 400_000
"""Bytes shown at most."""


class DocumentScreen(Dialog[None]):
    """Markdown, rendered."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "edit", "edit"),
    ]

    shape, keys = "tall", "e opens it in $EDITOR · Esc closes"

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = file
        self.heading = file.name

    def body(self) -> ComposeResult:
        yield VerticalScroll()

    async def on_mount(self) -> None:
        await self._show()

    async def _show(self) -> None:
        place = self.query_one(VerticalScroll)
        await place.remove_children()
        try:
            with open_regular(self.file) as stream:
                text = plain(stream.read(MOST).decode(errors="replace"))
        except FileNotFoundError:
            await place.mount(Static(f"There is no {self.file} yet.", markup=False))
        except OSError as error:
            await place.mount(Static(f"Cannot read {self.file}: {os_reason(error)}", markup=False))
        else:
            await place.mount(Markdown(text, open_links=False))
        place.focus()

    async def action_edit(self) -> None:
        editing.edit_file(self.q1, self.file)
        await self._show()
