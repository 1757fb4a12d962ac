"""The app: its screens, bindings and theme, and the store thread that feeds them."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, ClassVar

from textual import events
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.command import CommandPalette
from textual.screen import Screen
from textual.widget import Widget

from q1lab.app import keys, theme
from q1lab.app.app_setup import AppSetup
from q1lab.app.commands import FORMS, palette_titles
from q1lab.app.pages import OVERVIEW
from q1lab.app.screens.base import AppScreen
from q1lab.app.screens.step_actions import open_link, run_command
from q1lab.app.screens.too_small import TooSmallScreen, is_large_enough
from q1lab.app.screens.week_page import WeekScreen
from q1lab.app.snapshot import Snapshot, StoreThread, studies_ended_between
from q1lab.app.week_app import STUDY_ENDED, WeekApp
from q1lab.ground import config
from q1lab.ground.errors import Problem
from q1lab.ground.text_formats import plural
from q1lab.journal.database import WAIT_SECONDS


def _late(module: str, name: str) -> Callable[[], Any]:
    """A function that imports ``name`` when it is called: the first paint pays for one screen
    only."""

    def get() -> Any:
        from importlib import import_module

        return getattr(import_module(f"q1lab.app.{module}"), name)

    return get


def _page(module: str, name: str) -> Callable[[], Screen[Any]]:
    return lambda: _late(f"screens.{module}", name)()()


class AppCommandPalette(AppScreen, CommandPalette):
    """Textual's palette, without its fixed id: a second palette may open while the first one still
    closes."""


class Q1Lab(WeekApp):
    """The app. ``store_thread`` does all reading and writing; every widget shows ``snapshot``."""

    TITLE = "q1lab"
    CSS_PATH = "app.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012  (Textual's own form)
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        *keys.bindings("app"),
        Binding("ctrl+c", "end", show=False, system=True),
        Binding("ctrl+q", "end", show=False, system=True, priority=True),  # Textual's would not ask
    ]
    MODES: ClassVar[dict[str, str | Callable[[], Screen[Any]]]] = {
        "study": _page("week_page", "WeekScreen"),
        "lab": _page("lab", "LabScreen"),
        "results": _page("results", "ResultsScreen"),
        "progress": _page("progress", "ProgressScreen"),
    }
    DEFAULT_MODE = "study"
    BINDING_GROUP_TITLE = "Everywhere"

    def __init__(self, setup: AppSetup) -> None:
        if setup.starts_in_lab:
            vars(self)["DEFAULT_MODE"] = "lab"  # Textual reads it once, here
        super().__init__()
        self.setup = setup
        self._before_help: Widget | None = None
        """What had the focus before the keys were shown."""
        self.exit_signal = 0
        """The number of the signal that ended the app; 0 if none did."""
        self.config = setup.config
        for app_theme in theme.THEMES:
            self.register_theme(app_theme)
        is_own = setup.config.theme in theme.NAMES
        self.begin_with_theme(setup.config.theme if is_own else theme.DARK.name)
        self.animation_level = setup.config.animation  # type: ignore[assignment]
        self.set_keymap(dict(setup.config.keymap))
        self.set_reactive(Q1Lab.snapshot, setup.first or Snapshot())
        self.store_thread = StoreThread(
            lambda: _late("snapshot_taker", "SnapshotReader")()(setup.week.label, setup.week),
            lambda snapshot: self.call_later(self.receive_snapshot, snapshot),
            lambda title, text: self.call_later(self.show_error, text, title),
            say=lambda text: self.call_later(self.notify, text, markup=False, timeout=WAIT_SECONDS),
            file=setup.database,
        )

    def on_mount(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP):
            loop.add_signal_handler(number, self.exit_on_signal, number)
        self.call_after_refresh(self._begin)

    def exit_on_signal(self, number: int) -> None:
        """Close because of a signal: restore the terminal's screen and save the timer."""
        self.exit_signal = number
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # it may end in the background
        self.exit()

    def _begin(self) -> None:
        """Start the store thread and the timer, and show the welcome: after the first paint."""
        gc.freeze()
        gc.enable()
        self.run_worker(self.store_thread.run, thread=True, name="store", exit_on_error=False)
        self.set_interval(1.0, self.tick_clock)
        self.draw_clock()
        if not self.setup.starts_in_lab:
            self._welcome()
        elif self.config.week:
            self.notify("Press 1 for the week; `q1lab config week off` hides it.", markup=False)
        try:
            source = self.config.sources.get("theme", "theme")
            theme.check_theme_name(self.config.theme, source.rpartition("/")[2])
        except Problem as problem:
            self.notify(str(problem), severity="warning", markup=False)

    def _welcome(self) -> None:
        """Show the welcome at the first sight of the week."""
        if self.setup.first is None or "welcomed" not in self.snapshot.progress.settings:
            if isinstance(self.screen, WeekScreen) and not self.snapshot.progress.records:
                self.screen.open_page(OVERVIEW)
            self.show_welcome()

    def show_welcome(self) -> None:
        """Open the welcome."""
        self.push_screen(_late("screens.welcome", "WelcomeScreen")()(self))

    def on_unmount(self) -> None:
        self.keep_place()
        self.keep_time()
        self.store_thread.stop()

    def on_resize(self, event: events.Resize) -> None:
        if not is_large_enough(event.size):
            self.push_screen(TooSmallScreen())

    def receive_snapshot(self, snapshot: Snapshot) -> None:
        """Show a new snapshot from the store thread, and announce the studies that have ended since
        the last one."""
        before, self.snapshot = self.snapshot, snapshot
        self.draw_clock()
        for row in studies_ended_between(before, snapshot):
            if self.config.bell:
                self.bell()
            self.announce(f"{row.id}: {row.done} of {plural(row.total, 'run')} done. {STUDY_ENDED}")
        if self.current_mode == "lab" and snapshot.focus is not None:
            self.show_end(snapshot.focus.row.id)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Disable the digits that switch screens while a form or the welcome is open: a digit typed
        beside a field must not close it."""
        return action != "go" or not any(
            getattr(screen, "keeps_digits", False) for screen in self.screen_stack
        )

    def action_go(self, page: str) -> None:
        super().action_go(page)
        if page == "study" and self.setup.starts_in_lab and self.config.week:
            self._welcome()

    def action_command_palette(self) -> None:
        self.push_screen(AppCommandPalette())

    def get_system_commands(self, screen: Screen[Any]) -> Iterator[SystemCommand]:
        """The commands and forms of q1lab, and what has no key."""
        week, course = self.config.week, self.week.course
        for name, title in palette_titles(week=week, course=course):
            do = partial(run_command, self, ["q1lab", *name.split()])
            yield SystemCommand(title, "a form" if name in FORMS else f"q1lab {name}", do)
        for name in theme.NAMES:
            set_theme = partial(self.set_theme, name)
            yield SystemCommand(f"Theme: {name}", "kept in config.toml", set_theme)
        yield SystemCommand(
            "Show the welcome again",
            "the week at a glance, your repository",
            self.show_welcome,
        )

    def set_theme(self, name: str) -> None:
        """Show a theme, and save it as the setting; a dialog where it can't be saved."""
        self.theme = name
        with self.errors_as_dialogs():
            config.save_setting("theme", name)

    def action_help(self) -> None:
        """Show the keys over the right of the text, to be scrolled; or hide them. The text stays
        where it was."""
        if self.screen.query("HelpPanel"):
            self.action_hide_help_panel()
            self.screen.set_focus(self._before_help, scroll_visible=False)
            return
        self._before_help = self.screen.focused
        self.action_show_help_panel()
        self.call_after_refresh(self._scroll_help)

    def _scroll_help(self) -> None:
        for panel in self.screen.query("KeyPanel"):  # Textual gives it no focus
            panel.can_focus = True
            panel.focus()

    def action_open_link(self, url: str) -> None:
        open_link(self, url)

    def show_error(self, text: str, title: str = "That did not work") -> None:
        self.push_screen(_late("screens.error", "ErrorScreen")()(title, text))
