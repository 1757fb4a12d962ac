"""The companion: screens, bindings, theme, and the desk that feeds them. Nothing else is decided
here."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

from textual import events
from textual.app import App
from textual.binding import Binding, BindingType
from textual.command import Provider
from textual.screen import Screen

from q1lab.ground import paths
from q1lab.tui import keys, theme
from q1lab.tui.app_setup import Setup
from q1lab.tui.pages import OVERVIEW, part_name
from q1lab.tui.screens.step_actions import open_url
from q1lab.tui.screens.study_page import StudyScreen
from q1lab.tui.screens.too_small import TooSmallScreen, fits
from q1lab.tui.snapshot import Desk, Snapshot, ended_since
from q1lab.tui.timer_app import TimedApp
from q1lab.tui.widgets.markdown_layout import word_of
from q1lab.week import progress


def _late(module: str, name: str) -> Callable[[], Any]:
    """What is imported when it is first opened: the first paint pays for one screen only."""

    def get() -> Any:
        from importlib import import_module

        return getattr(import_module(f"q1lab.tui.{module}"), name)

    return get


def _page(module: str, name: str) -> Callable[[], Screen[Any]]:
    return lambda: _late(f"screens.{module}", name)()()


def _commands() -> type[Provider]:
    found: type[Provider] = _late("command_palette", "Commands")()
    return found


class Q1Lab(TimedApp):
    """The app. ``desk`` does all reading and writing; ``snapshot`` is what every widget shows."""

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
        "study": _page("study_page", "StudyScreen"),
        "lab": _page("lab", "LabScreen"),
        "results": _page("results", "ResultsScreen"),
        "progress": _page("progress", "ProgressScreen"),
    }
    DEFAULT_MODE = "study"
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {_commands}

    def __init__(self, setup: Setup) -> None:
        super().__init__()
        self.setup = setup
        self.drafts: dict[str, dict[str, str]] = {}
        """What was typed into forms and not kept, by their headings."""
        self.place = ""
        """The page of the week that is open, by its id."""
        self._leaving: Screen[Any] | None = None
        """The question whether to leave, once it was asked."""
        self.ended_by = 0
        """The signal that ended it."""
        self.config = setup.config
        for one in theme.THEMES:
            self.register_theme(one)
        known = setup.config.theme in self.available_themes
        self.set_reactive(App.theme, setup.config.theme if known else theme.DARK.name)
        # parsed once, with the right colors
        self.stylesheet.set_variables(self.get_css_variables())
        self.animation_level = setup.config.animation  # type: ignore[assignment]
        self.set_keymap(dict(setup.config.keymap))
        self.set_reactive(Q1Lab.snapshot, setup.first or Snapshot())
        self.desk = Desk(
            lambda: _late("snapshot_taker", "Taker")()(setup.week.label, setup.week),
            lambda snapshot: self.call_later(self.take, snapshot),
            lambda title, text: self.call_later(self.tell, text, title),
            file=setup.database,
        )
        self.init_timer()

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """The arm colors, for every theme."""
        return theme.variables(self.current_theme.dark)

    def on_mount(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP):
            loop.add_signal_handler(number, self.end_by, number)
        self.after_first_paint(self._begin)

    def end_by(self, number: int) -> None:
        """Close because of a signal: the terminal gets its screen back, and what the timer counted
        is kept."""
        self.ended_by = number
        self.exit()

    def _begin(self) -> None:
        """What can wait until something is on screen: the desk, the timer, the welcome."""
        gc.freeze()
        gc.enable()
        self.run_worker(self.desk.work, thread=True, name="desk", exit_on_error=False)
        self.open_timer()
        if self.setup.first is None or "welcomed" not in self.snapshot.progress.settings:
            self.push_screen(_late("screens.welcome", "WelcomeScreen")()(), self._welcomed)
        if self.setup.config.theme not in self.available_themes:
            with self.careful():
                theme.check(self.setup.config.theme, str(paths.config_file()))
        if self.setup.notice:
            self.tell(self.setup.notice, "Your records")

    def _welcomed(self, _: bool) -> None:
        """A first start begins with what the week is about."""
        if isinstance(self.screen, StudyScreen) and not self.snapshot.progress.records:
            self.screen.open_sheet(OVERVIEW)

    def on_unmount(self) -> None:
        label, place = self.setup.week.label, self.place
        if place and place != self.snapshot.progress.settings.get("place"):
            self.desk.ask(lambda store: progress.save_setting(store, label, "place", place))
        self.time.leave(self._timed_here)
        self.desk.ask(lambda _: self.time.release())
        self.desk.stop()

    def on_resize(self, event: events.Resize) -> None:
        if not fits(event.size):
            self.push_screen(TooSmallScreen())

    def take(self, snapshot: Snapshot) -> None:
        """The desk looked: here is everything as it stands now."""
        before, self.snapshot = self.snapshot, snapshot
        self.draw_clock()
        ended = [
            f"{line.id}: {line.done} of {line.total} runs have ended. "
            "The lab (2) shows what came out."
            for line in ended_since(before, snapshot)
        ]
        for text in (*snapshot.news, *ended):
            if self.config.bell:
                self.bell()
            self.announce(text)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A form has digits of its own: typed beside a field, they must not leave what was set."""
        return not (action == "go" and getattr(self.screen, "is_form", False))

    def follow(self, course: bool) -> None:
        """Tell the week as part of its course, or alone, from now on."""
        from q1lab.ground import config
        from q1lab.week import content

        with self.careful():
            config.put("course", str(course).lower())
            week = content.load_week(self.setup.week.root, course)
            self.setup = replace(self.setup, week=week)
            self.desk.taker.content = week
            self.ask(lambda store: progress.tick_steps_of_command(store, week, "config"))
            self.mutate_reactive(Q1Lab.snapshot)  # the pages are other ones
            told = "as part of the course" if course else "on its own, without the course"
            self.notify(f"The week now reads {told}.")

    def action_go(self, page: str) -> None:
        while len(self.screen_stack) > 1:
            self.pop_screen()
        self.switch_mode(page)

    def action_command_palette(self) -> None:
        self.push_screen(_late("command_palette", "Palette")()())

    def action_help(self) -> None:
        screen = self.screen
        self.push_screen(_late("screens.help", "HelpScreen")()(screen, screen.focused))

    def action_open_link(self, url: str) -> None:
        """A word of the glossary opens that, any other address a browser."""
        if word := word_of(url):
            terms = sorted(self.week.terms, key=lambda term: term.address.endswith(f"#{word}"))
            self.push_screen(_late("screens.glossary", "GlossaryScreen")()(terms[-1:] + terms[:-1]))
        else:
            open_url(self, url)

    def action_leave(self) -> None:
        self.screen.action_back()  # type: ignore[attr-defined]

    def action_end(self) -> None:
        """Close; where that ends or loses something, ask first. The same key again is the answer:
        who pressed nothing else could never leave."""
        if self.screen is self._leaving:
            self.exit()
            return
        if getattr(self.screen, "is_form", False):  # what is typed there becomes a draft first
            self.action_leave()
            return
        ends = [f"{name} is a draft, and it is lost." for name in self.drafts]
        part = self.time.mine and self._part(self.timed_part)
        if part:
            ends.insert(0, f"The timer of {part_name(part)} runs, and it stops.")
        if not ends:
            self.exit()
            return
        ask = _late("screens.confirm", "AskScreen")()(
            "Leave q1lab?", "\n".join(ends), "Stay", "Leave"
        )
        ask.keys += " · ^q: leave"
        self._leaving = ask
        self.push_screen(ask, lambda _: self.exit())
