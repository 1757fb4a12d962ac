"""What all main screens share: the line at the top, a body, the footer, and the snapshot that fills
them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.containers import Container
from textual.screen import Screen

from q1lab.tui.snapshot import Snapshot
from q1lab.tui.widgets.keyline import KeyLine
from q1lab.tui.widgets.sayline import SayLine
from q1lab.tui.widgets.topline import TopLine

if TYPE_CHECKING:
    from q1lab.tui.app import Q1Lab


class Page(Screen[None]):
    """A main screen. Subclasses give ``page``, ``BINDINGS = bindings(page)``, ``body()`` and
    ``show(snapshot)``."""

    page: ClassVar[str] = ""
    AUTO_FOCUS: ClassVar[str | None] = "#body *"

    @property
    def q1(self) -> Q1Lab:
        """The app, by its own type."""
        return cast("Q1Lab", self.app)

    def body(self) -> ComposeResult:
        """The widgets between the top line and the footer."""
        yield from ()

    def show(self, snapshot: Snapshot) -> None:
        """Fill the widgets from the snapshot. Called when it is new, and when the screen comes
        back."""

    def compose(self) -> ComposeResult:
        yield TopLine(self.page)
        with Container(id="body"):
            yield from self.body()
        yield KeyLine()
        yield SayLine()

    def on_mount(self) -> None:
        self.watch(self.q1, "snapshot", self._arrived, init=False)
        self.watch(self.q1, "clock_line", self._tick)

    def on_screen_resume(self) -> None:
        self._arrived(self.q1.snapshot)

    def _tick(self, clock_line: tuple[str, str]) -> None:
        self.query_one(TopLine).clock = clock_line

    def _arrived(self, snapshot: Snapshot) -> None:
        if self.q1.current_mode != self.page or not self.is_mounted:
            return
        self.query_one(TopLine).training = snapshot.training
        self.query_one(TopLine).looked = snapshot.looked
        with self.q1.careful():
            self.show(snapshot)
