"""The app: its screens, bindings and theme, and the store thread that feeds them."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from textual import events
from textual.app import App
from textual.binding import Binding, BindingType
from textual.command import Provider
from textual.screen import Screen

from q1lab.app import keys, theme
from q1lab.app.app_setup import AppSetup
from q1lab.app.pages import OVERVIEW
from q1lab.app.screens.step_actions import open_url, run_command
from q1lab.app.screens.too_small import TooSmallScreen, is_large_enough
from q1lab.app.screens.week_page import WeekScreen
from q1lab.app.snapshot import Snapshot, StoreThread, studies_ended_between
from q1lab.app.timer_app import TimerApp
from q1lab.app.widgets.markdown_layout import glossary_word
from q1lab.ground.errors import Problem
from q1lab.ground.text_formats import plural
from q1lab.week import progress

ENDED = "The lab (2) shows what came out."


def _late(module: str, name: str) -> Callable[[], Any]:
    """A function that imports ``name`` when it is called: the first paint pays for one screen
    only."""

    def get() -> Any:
        from importlib import import_module

        return getattr(import_module(f"q1lab.app.{module}"), name)

    return get


def _page(module: str, name: str) -> Callable[[], Screen[Any]]:
    return lambda: _late(f"screens.{module}", name)()()


def _commands() -> type[Provider]:
    provider: type[Provider] = _late("command_palette", "CommandProvider")()
    return provider


class Q1Lab(TimerApp):
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
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {_commands}

    def __init__(self, setup: AppSetup) -> None:
        if setup.starts_in_lab:
            vars(self)["DEFAULT_MODE"] = "lab"  # Textual reads it once, here
        super().__init__()
        self.setup = setup
        self.open_page_id = ""
        """The id of the page of the week that is open."""
        self.exit_signal = 0
        """The number of the signal that ended the app; 0 if none did."""
        self.config = setup.config
        for app_theme in theme.own_themes(self.console.color_system if setup.in_terminal else None):
            self.register_theme(app_theme)
        is_own = setup.config.theme in theme.NAMES
        self.set_reactive(App.theme, setup.config.theme if is_own else theme.DARK.name)
        self.stylesheet.set_variables(self.get_css_variables())
        self.animation_level = setup.config.animation  # type: ignore[assignment]
        self.set_keymap(dict(setup.config.keymap))
        self.set_reactive(Q1Lab.snapshot, setup.first or Snapshot())
        self.store_thread = StoreThread(
            lambda: _late("snapshot_taker", "SnapshotReader")()(setup.week.label, setup.week),
            lambda snapshot: self.call_later(self.receive_snapshot, snapshot),
            lambda title, text: self.call_later(self.show_error, text, title),
            file=setup.database,
        )

    def on_mount(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP):
            loop.add_signal_handler(number, self.exit_on_signal, number)
        self.keep_one_input_thread()
        self.call_after_refresh(self._begin)

    def exit_on_signal(self, number: int) -> None:
        """Close because of a signal: restore the terminal's screen and save the timer."""
        self.exit_signal = number
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
            self.push_screen(_late("screens.welcome", "WelcomeScreen")()(), self._welcomed)

    def _welcomed(self, _: bool) -> None:
        """Open the week's overview on a first start."""
        if isinstance(self.screen, WeekScreen) and not self.snapshot.progress.records:
            self.screen.open_page(OVERVIEW)

    def keep_place(self) -> None:
        """Save which page is open: where the app opens next time."""
        label, place = self.setup.week.label, self.open_page_id
        if place and place != self.snapshot.progress.settings.get("place"):
            self.store_thread.submit(
                lambda store: progress.save_week_setting(store, label, "place", place)
            )

    def on_unmount(self) -> None:
        self.keep_place()
        self.keep_time()
        self.store_thread.stop()

    def on_resize(self, event: events.Resize) -> None:
        if not is_large_enough(event.size):
            self.push_screen(TooSmallScreen())

    def receive_snapshot(self, snapshot: Snapshot) -> None:
        """Show a new snapshot from the store thread, and announce its news and the studies that
        have ended since the last one."""
        before, self.snapshot = self.snapshot, snapshot
        self.draw_clock()
        ended = [
            f"{row.id}: {row.done} of {plural(row.total, 'run')} done. {ENDED}"
            for row in studies_ended_between(before, snapshot)
        ]
        for text in (*snapshot.news, *ended):
            if self.config.bell:
                self.bell()
            self.announce(text)
        if self.current_mode == "lab" and snapshot.focus is not None:
            self.show_end(snapshot.focus.row.id)

    def show_end(self, study_id: str) -> None:
        """Remove the message that a study has ended, where what came out is on screen."""
        if self.notice[0].startswith(f"{study_id}: ") and ENDED in self.notice[0]:
            self.clear_notice()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Disable the digits that switch screens while a form or the welcome is open: a digit typed
        beside a field must not close it."""
        return action != "go" or not any(
            getattr(screen, "keeps_digits", False) for screen in self.screen_stack
        )

    def run_command(self, argv: Sequence[str]) -> None:
        """Carry out a command line inside the app."""
        run_command(self, list(argv))

    def set_course(self, course: bool) -> None:
        """Show the week as part of its course, or on its own, from now on."""
        from q1lab.ground import config
        from q1lab.week import content

        with self.errors_as_dialogs():
            config.save_setting("course", str(course).lower())
            week = content.load_week(self.setup.week.root, course)
            self.setup = replace(self.setup, week=week)
            self.store_thread.reader.content = week
            self.run_job(lambda store: progress.tick_steps_of_command(store, week, "config"))
            self.mutate_reactive(Q1Lab.snapshot)  # redraw: the pages' texts have changed
            reading = "as part of the course" if course else "on its own, without the course"
            self.notify(f"The week now reads {reading}.")

    def action_go(self, page: str) -> None:
        while len(self.screen_stack) > 1:
            self.pop_screen()
        self.switch_mode(page)
        if page == "study" and self.setup.starts_in_lab and self.config.week:
            self._welcome()

    def open_study(self, study_id: str) -> None:
        """Show a study in the lab."""
        self.store_thread.watch_study(study_id)
        self.action_go("lab")

    def action_command_palette(self) -> None:
        self.push_screen(_late("command_palette", "AppCommandPalette")()())

    def action_help(self) -> None:
        screen = self.screen
        self.push_screen(_late("screens.help", "HelpScreen")()(screen, screen.focused))

    def action_open_link(self, url: str) -> None:
        """Open the glossary for a link to a word in it; open any other address in a browser."""
        if word := glossary_word(url):
            terms = sorted(self.week.terms, key=lambda term: term.address.endswith(f"#{word}"))
            self.push_screen(_late("screens.glossary", "GlossaryScreen")()(terms[-1:] + terms[:-1]))
        else:
            open_url(self, url)

    def action_leave(self) -> None:
        self.screen.action_back()  # type: ignore[attr-defined]

    def action_end(self) -> None:
        """Close the form that is open, with what was typed into it; else the app."""
        if getattr(self.screen, "is_form", False):
            self.action_leave()
        else:
            self.exit()
