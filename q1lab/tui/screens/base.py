"""What all screens share; and what the main ones do: the line at the top, a body, the footer, and
the snapshot that fills them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical, VerticalScroll
from textual.geometry import Size
from textual.screen import ModalScreen, Screen
from textual.widget import Widget
from textual.widgets import Button, Static

from q1lab.ground.files import plain
from q1lab.tui.keys import bindings
from q1lab.tui.snapshot import Snapshot
from q1lab.tui.textual_private import PrivateScreen
from q1lab.tui.widgets.key_line import KeyLine
from q1lab.tui.widgets.message_line import SayLine
from q1lab.tui.widgets.top_line import TopLine

if TYPE_CHECKING:
    from q1lab.tui.app import Q1Lab


T = TypeVar("T")


LEAST = Size(60, 20)
"""Columns and lines that a screen needs."""


class Own(PrivateScreen):
    """A screen of this app: it closes once, and nothing but itself. While another one is over it,
    it waits for that.

    No widget itself: of several bases Textual reads the style rules of the first that is one.
    """

    app: Any
    least = LEAST
    page: ClassVar[str] = ""
    """Its place in the table of keys, which gives it its own."""
    _late: tuple[Any] | None = None
    """What it gives as soon as nothing is over it any more."""

    def __init_subclass__(cls, **given: Any) -> None:
        if "page" in vars(cls):
            cls.BINDINGS = bindings(cls.page)  # type: ignore[attr-defined]
        super().__init_subclass__(**given)

    @property
    def q1(self) -> Q1Lab:
        """The app, by its own type."""
        return cast("Q1Lab", self.app)

    def body(self) -> ComposeResult:
        """What it shows."""
        yield from ()

    def dismiss(self, result: Any = None) -> AwaitComplete:
        """Close and give ``result``; nothing happens when it is closed already."""
        closing = AwaitComplete()
        if self.app.screen is self:
            closing = super().dismiss(result)  # type: ignore[misc]
        elif self in self.app.screen_stack:
            self._late = (result,)
        return closing

    def action_back(self) -> None:
        """What Esc and q do: close, and lose nothing that was typed."""
        self.dismiss()

    def on_screen_resume(self) -> None:
        if self._late is not None:
            self.dismiss(*self._late)


class OwnScreen(Own, Screen[T]):
    """A screen over a page, as large as that: ``body`` above the keys."""

    def compose(self) -> ComposeResult:
        yield from self.body()
        yield KeyLine()
        yield SayLine()


class Scroll(VerticalScroll, can_focus=False):
    """A box that scrolls where the terminal is small; its fields have the focus."""


class Dialog(Own, ModalScreen[T]):
    """A box over a page: ``heading`` in its border, ``keys`` below, and ``body`` in it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "back"),
        Binding("q", "back", "leave"),
        Binding("left", "button(-1)", show=False),
        Binding("right", "button(1)", show=False),
    ]
    heading = ""
    keys = "Esc closes"
    shape = ""
    """Its style classes."""
    kind: ClassVar[type[Widget]] = Vertical
    box: Widget

    def compose(self) -> ComposeResult:
        with self.kind(classes=f"dialog {self.shape}") as self.box:
            self.box.border_title, self.box.border_subtitle = self.heading, self.keys
            yield from self.body()

    def action_button(self, by: int) -> None:
        """From one button to another; a field has the arrow keys for itself."""
        if isinstance(self.focused, Button):
            (self.focus_next if by > 0 else self.focus_previous)(Button)

    def tell(self, text: str, bad: bool = False) -> None:
        """Say it in the box, where that has a place for it."""
        said = self.query_one("#said", Static)
        said.update(plain(text))
        said.set_class(bad, "bad")


class Page(OwnScreen[None]):
    """A main screen. Subclasses give ``page``, ``body()`` and ``show(snapshot)``."""

    AUTO_FOCUS: ClassVar[str | None] = "#body *"

    def show(self, snapshot: Snapshot) -> None:
        """Fill the widgets from the snapshot. Called when it is new, and when the screen comes
        back."""

    def compose(self) -> ComposeResult:
        yield TopLine(self.page)
        with Container(id="body"):
            yield from self.body()
        yield KeyLine()
        yield SayLine()

    def action_back(self) -> None:
        self.q1.action_end()

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
