"""Names of Textual that carry no promise, all in one place: a release that drops one fails
tests/tui/test_textual_private.py, and nothing else by surprise."""

from __future__ import annotations

from textual.app import App
from textual.css.stylesheet import Stylesheet
from textual.geometry import Size


class KeptStylesheet(Stylesheet):
    """Keeps what it has parsed while the variables stay the same.

    Textual's own parses every rule anew for each mode that opens, and once more after it: at the
    start the app's CSS was read three times, a tenth of the time to the first paint.
    """

    def __init__(self, variables: dict[str, str]) -> None:
        self._known = variables
        super().__init__(variables=variables)

    def set_variables(self, variables: dict[str, str]) -> None:
        if variables != self._known:
            self._known = variables
            super().set_variables(variables)

    def reparse(self) -> None:
        self.parse()  # takes what it knows from its cache


class PrivateApp(App[None]):
    """The hooks of an app that Textual offers under no public name."""

    def __init__(self) -> None:
        super().__init__()
        self.stylesheet = KeptStylesheet(self.get_css_variables())

    @property
    def paints(self) -> bool:
        """Whether a paint reaches the terminal; those inside a batch (the start) don't yet."""
        return not self._batch_count

    def to_terminal(self, text: str) -> None:
        """Write text to the terminal as it is, if there is one."""
        if self._driver is not None and not self.is_headless:
            self._driver.write(text)

    def end_of_all(self) -> None:
        """What to do about an error that nothing caught, before the app ends."""

    def _refresh_notifications(self) -> None:
        """Make no toast of what is said. A toast sets a timer for the time that is left, and a
        timer for less than nothing never gives the loop back: the app would stand still for good.
        """

    def _fatal_error(self) -> None:
        """Textual would print a traceback with all local values."""
        self.end_of_all()
        self._close_messages_no_wait()


class PrivateScreen:
    """The hooks of a screen that Textual offers under no public name. No widget itself: of several
    bases Textual reads the style rules of the first that is one."""

    least: Size
    """Columns and lines that the screen is laid out for at least, whatever the terminal has. Text
    without a column to be broken into ends Textual's app."""

    def _refresh_layout(self, size: Size | None = None, scroll: bool = False) -> None:
        wanted = self.outer_size if size is None else size  # type: ignore[attr-defined]
        room = Size(max(wanted.width, self.least.width), max(wanted.height, self.least.height))
        super()._refresh_layout(room if wanted else wanted, scroll)  # type: ignore[misc]

    def _compositor_refresh(self) -> None:
        """Draw what changed; not while the app starts, when no paint reaches the terminal."""
        if self.app.paints:  # type: ignore[attr-defined]
            super()._compositor_refresh()  # type: ignore[misc]
