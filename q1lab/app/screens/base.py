"""Base classes of the screens: main screens (top line, body, footer, filled from the snapshot),
full screens over them, and dialogs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, TypeVar, cast

from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import Container, Vertical, VerticalScroll
from textual.geometry import Size
from textual.screen import ModalScreen, Screen
from textual.widget import Widget
from textual.widgets import Button, Footer, Static

from q1lab.app.keys import bindings
from q1lab.app.snapshot import Snapshot
from q1lab.app.textual_private import ScreenHooks
from q1lab.app.week_app import WeekApp
from q1lab.app.widgets.message_line import MessageLine
from q1lab.app.widgets.top_line import TopLine
from q1lab.ground.files import printable
from q1lab.ground.terminal_cells import cut_cells

T = TypeVar("T")


ROOMY = 24
"""From this height in lines, blank lines stand between a screen's parts."""
SLIM = 78
"""Below this width in cells, a chart and a figure are not beside each other."""
OTHER_KEYS = 50
"""Cells of the footer that the other keys of the study screen take."""
LEAST = Size(60, 20)
"""The smallest terminal, in columns and lines."""


class AppScreen(ScreenHooks):
    """Base of all screens. ``dismiss`` closes only this screen, and only once; while another screen
    is open above it, it closes after that one.

    Not a widget: of several base classes, Textual applies the style rules of the first one that is
    a widget.
    """

    app: Any
    least = LEAST
    keeps_digits: ClassVar[bool] = False
    """True while no digit may lead to a main screen: it would close this one unanswered."""
    screen_name: ClassVar[str] = ""
    """The screen's prefix in the table of keys, from which it gets its bindings; a main screen's
    mode, too."""
    is_ready = False
    """True once it was shown, with the focus on a widget: then it takes keys."""
    _late: tuple[Any] | None = None
    """The result (in a tuple) to dismiss with once no screen is open above this one."""

    def __init_subclass__(cls, **options: Any) -> None:
        if "screen_name" in vars(cls):
            cls.BINDINGS = bindings(cls.screen_name)  # type: ignore[attr-defined]
        super().__init_subclass__(**options)

    @property
    def q1(self) -> WeekApp:
        """The app, typed."""
        return cast(WeekApp, self.app)

    @property
    def enter_words(self) -> str:
        """Enter's effect at this moment, for the foot; "" where its binding says it."""
        return ""

    @property
    def active_bindings(self) -> dict[str, ActiveBinding]:
        """The screen's bindings, the app's own before Textual's; in them Enter has the words of its
        effect at this moment."""
        active: dict[str, ActiveBinding] = super().active_bindings  # type: ignore[misc]
        found = dict(sorted(active.items(), key=lambda key: key[1].binding.id is None))
        if self.enter_words and "enter" in found:
            words = cut_cells(self.enter_words, max(8, self.app.size.width - OTHER_KEYS))
            binding = replace(found["enter"].binding, description=words)
            found["enter"] = found["enter"]._replace(binding=binding)
        return found

    def body(self) -> ComposeResult:
        """The screen's own widgets."""
        yield from ()

    def dismiss(self, result: Any = None) -> AwaitComplete:
        """Close with ``result``; does nothing if the screen is closed already."""
        closing = AwaitComplete()
        if self.app.screen is self:
            closing = super().dismiss(result)  # type: ignore[misc]
        elif self in self.app.screen_stack:
            self._late = (result,)
        return closing

    def action_back(self) -> None:
        """Close on Esc or q; subclasses save what was typed first."""
        self.dismiss()

    def on_screen_resume(self) -> None:
        self.is_ready = True
        if self._late is not None:
            self.dismiss(*self._late)


class FullScreen(AppScreen, Screen[T]):
    """A screen as large as the terminal, opened over a main screen: ``body`` above the keys."""

    def compose(self) -> ComposeResult:
        yield from self.body()
        yield Footer(compact=True)
        yield MessageLine()


class ScrollingBox(VerticalScroll, can_focus=False):
    """A box that scrolls if the terminal is small; it takes no focus, its fields do."""


class Dialog(AppScreen, ModalScreen[T]):
    """A box over another screen: ``heading`` in its upper border, ``keys`` in the lower, ``body``
    inside."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "back"),
        Binding("q", "back", "leave"),
        Binding("left", "button(-1)", show=False),
        Binding("right", "button(1)", show=False),
    ]
    heading = ""
    keys = "Esc closes"
    shape = ""
    """CSS classes of the box: ``tall`` for a long text, ``fits`` if it is only as tall as that;
    ``form`` for fields."""
    kind: ClassVar[type[Widget]] = Vertical
    box: Widget

    def compose(self) -> ComposeResult:
        with self.kind(classes=f"dialog {self.shape}") as self.box:
            self.box.border_title, self.box.border_subtitle = self.heading, self.keys
            yield from self.body()

    def action_button(self, by: int) -> None:
        """Move the focus from one button to another; in a field, arrow keys move its cursor."""
        if isinstance(self.focused, Button):
            (self.focus_next if by > 0 else self.focus_previous)(Button)

    def show_message(self, text: str, bad: bool = False) -> None:
        """Show a message in the dialog's ``#said`` line."""
        message = self.query_one("#said", Static)
        message.update(printable(text))
        message.set_class(bad, "bad")


def card(title: str, text: str, id: str) -> Static:  # noqa: A002  (Textual's own name)
    """The text in the middle of an empty main screen."""
    words = Static(text, id=id, classes="pane card")
    words.border_title = title
    return words


MARKS = """\
✓ done · ☐ open · → something to start · ▶ runs · ‖ paused · ■ stopped · ✗ failed ·
! crashed, or worth a look · ∞ diverged · ◦ begun. `q1lab config --keys` names every key, and
`q1lab config keymap.study.tick x` moves one."""
"""What the help says beside the keys."""


class MainScreen(FullScreen[None]):
    """A main screen. Subclasses define ``screen_name``, ``body()`` and ``show(snapshot)``."""

    AUTO_FOCUS: ClassVar[str | None] = "#body *"
    BINDING_GROUP_TITLE = "This screen"
    HELP = MARKS

    def show(self, snapshot: Snapshot) -> None:
        """Fill the widgets from the snapshot. Called for each new snapshot, and when the screen
        becomes visible again."""

    def compose(self) -> ComposeResult:
        yield TopLine(self.screen_name)
        with Container(id="body"):
            yield from self.body()
        yield Footer(compact=True)
        yield MessageLine()

    def action_back(self) -> None:
        self.q1.action_end()

    def key_escape(self) -> None:
        """Close the keys that ? shows."""
        if self.query("HelpPanel"):
            self.app.action_help()

    def on_resize(self) -> None:
        self.set_class(self.size.height < ROOMY, "-dense")
        self.set_class(self.size.width < SLIM, "-slim")

    def on_mount(self) -> None:
        self.watch(self.q1, "snapshot", self._arrived, init=False)
        self.watch(self.q1, "clock_line", self._tick)

    def on_screen_resume(self) -> None:
        self._arrived(self.q1.snapshot)

    def _tick(self, clock_line: tuple[str, str]) -> None:
        self.query_one(TopLine).clock = clock_line

    def _arrived(self, snapshot: Snapshot) -> None:
        if self.q1.current_mode != self.screen_name or not self.is_mounted:
            return
        self.query_one(TopLine).training = snapshot.training
        with self.q1.errors_as_dialogs():
            self.show(snapshot)
