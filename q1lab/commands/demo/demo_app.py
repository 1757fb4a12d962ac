"""The demo's screen in an app of its own, for `q1lab demo` in a terminal: no store, no home."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path
from typing import ClassVar

from textual.app import App
from textual.binding import Binding, BindingType

import q1lab.tui
from q1lab.commands.demo.demo_screen import DemoScreen
from q1lab.ground.config import Config, load_settings
from q1lab.ground.errors import INTERRUPTED, OK, Problem
from q1lab.judgment.records import Judgment
from q1lab.tui import theme
from q1lab.tui.app_base import BaseApp


class DemoApp(BaseApp):
    """Shows the screen; ``judgment`` is the verdict, once the reader has seen it."""

    TITLE = "q1lab demo"
    CSS_PATH = Path(q1lab.tui.__file__).with_name("app.tcss")
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012  (Textual's own form)
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]  # noqa: RUF012
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c,ctrl+q", "interrupt", show=False, priority=True)
    ]

    def __init__(self) -> None:
        super().__init__()
        settings = Config()
        with contextlib.suppress(Problem):  # settings that can't be read stop no demo
            settings = load_settings()
        for app_theme in theme.own_themes(self.console.color_system):
            self.register_theme(app_theme)
        name = settings.theme if settings.theme in theme.NAMES else theme.DARK.name
        self.set_reactive(App.theme, name)
        self.stylesheet.set_variables(self.get_css_variables())
        self.animation_level = settings.animation  # type: ignore[assignment]
        self.judgment: Judgment | None = None
        self.status = OK

    def on_mount(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._end, 128 + number)
        self.push_screen(DemoScreen(), self._left)

    def _left(self, seen: tuple[Judgment | None]) -> None:
        (self.judgment,) = seen
        self.exit()

    def action_interrupt(self) -> None:
        self._end(INTERRUPTED)

    def _end(self, status: int) -> None:
        self.status = status
        self.exit()
