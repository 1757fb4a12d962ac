"""The companion: screens, bindings, theme, and the desk that feeds them. Nothing else is decided here."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.reactive import reactive
from textual.screen import Screen

from q1lab.errors import Problem
from q1lab.tui import keys, theme
from q1lab.tui.messages import Failed, SnapshotTaken
from q1lab.tui.setup import Setup
from q1lab.tui.snapshot import Desk, Snapshot, Taker

if TYPE_CHECKING:
    from q1lab.content import Week


def _page(module: str, name: str) -> Callable[[], Screen[Any]]:
    """A screen that is imported when it is first opened: the first paint pays for one screen only."""

    def make() -> Screen[Any]:
        from importlib import import_module

        screen: Screen[Any] = getattr(import_module(f"q1lab.tui.screens.{module}"), name)()
        return screen

    return make


class Q1Lab(App[None]):
    """The app. ``desk`` does all reading and writing; ``snapshot`` is what every widget shows."""

    TITLE = "q1lab"
    CSS_PATH = "app.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]
    BINDINGS: ClassVar[list[BindingType]] = [
        *keys.bindings("app"),
        Binding("ctrl+c", "leave", show=False, system=True),
    ]
    MODES: ClassVar = {
        "study": _page("study", "StudyScreen"),
        "lab": _page("lab", "LabScreen"),
        "results": _page("results", "ResultsScreen"),
        "progress": _page("progress", "ProgressScreen"),
    }
    DEFAULT_MODE = "study"
    COMMANDS: ClassVar = set()

    snapshot: reactive[Snapshot] = reactive(Snapshot, init=False)
    clock_line: reactive[tuple[str, str]] = reactive(("", ""))

    def __init__(self, setup: Setup) -> None:
        super().__init__()
        self.setup = setup
        for one in theme.THEMES:
            self.register_theme(one)
        known = setup.config.theme in self.available_themes
        self.set_reactive(App.theme, setup.config.theme if known else theme.DARK.name)
        self.stylesheet.set_variables(self.get_css_variables())  # parsed once, with the right colours
        self.set_reactive(Q1Lab.snapshot, setup.first or Snapshot())
        self.desk = Desk(
            Taker(setup.week.label),
            lambda snapshot: self.post_message(SnapshotTaken(snapshot)),
            lambda title, text: self.post_message(Failed(text, title)),
            file=setup.database,
        )

    @property
    def week(self) -> Week:
        """The week as the learner who chose a variant meets it."""
        return self.setup.week.for_variant(self.snapshot.progress.chosen)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """The arm colours, and the tones of the top line, for every theme."""
        return theme.variables(self.current_theme.dark)

    def on_mount(self) -> None:
        self.set_keymap(dict(self.setup.config.keymap))
        self.run_worker(self.desk.work, thread=True, name="desk", exit_on_error=False)

    def on_unmount(self) -> None:
        self.desk.stop()

    def on_snapshot_taken(self, message: SnapshotTaken) -> None:
        self.snapshot = message.snapshot

    def on_failed(self, message: Failed) -> None:
        from q1lab.tui.screens.error import ErrorScreen

        if not isinstance(self.screen, ErrorScreen):
            self.push_screen(ErrorScreen(message.title, message.text))

    @contextlib.contextmanager
    def careful(self) -> Iterator[None]:
        """Turn an error inside the block into a modal; the app goes on."""
        try:
            yield
        except Problem as problem:
            self.post_message(Failed(str(problem)))

    def action_go(self, page: str) -> None:
        self.switch_mode(page)

    def action_leave(self) -> None:
        self.exit()
