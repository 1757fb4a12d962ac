"""Text that is laid out for its width by whoever made it."""

from __future__ import annotations

from collections.abc import Callable

from textual.widgets import Static


class FittedText(Static):
    """Calls ``lay_out`` when its width has changed; that updates the text, for ``room`` cells."""

    def __init__(self, lay_out: Callable[[], None], id: str) -> None:  # noqa: A002  (Textual's own name)
        super().__init__(markup=False, id=id)
        self.lay_out = lay_out
        self._width = 0

    @property
    def room(self) -> int:
        """The cells across; those it had last, while something else has its place."""
        return self.size.width or self._width

    def on_resize(self) -> None:
        if self.size.width != self._width:
            self._width = self.size.width
            self.lay_out()
