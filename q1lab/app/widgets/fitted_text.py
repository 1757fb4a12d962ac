"""Text that its owner lays out for its width."""

from __future__ import annotations

from collections.abc import Callable

from textual.widgets import Static


class FittedText(Static):
    """Calls ``lay_out`` when its width or the theme has changed; ``lay_out`` sets the text,
    ``room`` cells wide."""

    def __init__(
        self,
        lay_out: Callable[[], None],
        id: str | None = None,  # noqa: A002  (Textual's own name)
    ) -> None:
        super().__init__(markup=False, id=id)
        self.lay_out = lay_out
        self._width = 0

    @property
    def room(self) -> int:
        """The width in cells; the last one while the widget is hidden."""
        return self.size.width or self._width

    def on_mount(self) -> None:
        self.app.theme_changed_signal.subscribe(self, lambda _: self.lay_out())

    def on_resize(self) -> None:
        if self.size.width != self._width:
            self._width = self.size.width
            # once this layout is done: Textual would keep the height that it found in it
            self.call_after_refresh(self.lay_out)
