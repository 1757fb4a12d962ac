"""The keys at the foot of a screen."""

from __future__ import annotations

from collections.abc import Iterable

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.widgets import Footer

from q1lab.tui.textual_private import FooterKey

HELP = "app.help"
AROUND = 3
"""Cells around a key and its words, as app.tcss has them."""
PALETTE_AROUND = 5
"""The same for the palette's key, with the line before it."""


class KeyLine(Footer):
    """Where the keys don't all fit, those further right are left out, but never the way back, nor
    help, which lists the others."""

    offered: object = None
    """The keys that it shows; None before it shows any."""

    async def recompose(self) -> None:
        """Make the keys again where they are others. Textual asks for it at every move of the
        focus, two to four times for each key that is pressed; nearly always they are the same."""
        if not self.is_attached:  # its screen has closed since it was asked for
            return
        offered = [
            (one.binding.key, one.binding.description, one.enabled, one.tooltip)
            for one in self.screen.active_bindings.values()
            if one.binding.show or one.binding.key == self.app.COMMAND_PALETTE_BINDING
        ]
        if offered != self.offered:
            self.offered = offered
            await super().recompose()

    def compose(self) -> ComposeResult:
        keys = [one for one in super().compose() if isinstance(one, FooterKey)]
        for key in keys:
            if key.key == "f1":  # a field with the focus takes ? as a letter
                key.key_display = "F1"
            if key.description == "Dismiss menu":  # Textual's words, of an open list of choices
                key.description = "close"
        self._fit(keys)
        yield from keys

    def on_resize(self) -> None:
        self._fit(self.query(FooterKey))

    def _fit(self, keys: Iterable[FooterKey]) -> None:
        first = [one for one in keys if _kept(one)]
        room = self.app.size.width - sum(map(_cells, first))
        for key in keys:
            if key not in first:
                key.display = _cells(key) <= room
                room -= _cells(key) if key.display else 0


def _kept(key: FooterKey) -> bool:
    return key.action == HELP or "escape" in key.key or key.has_class("-command-palette")


def _cells(key: FooterKey) -> int:
    around = PALETTE_AROUND if key.has_class("-command-palette") else AROUND
    return cell_len(key.key_display) + cell_len(key.description) + around
