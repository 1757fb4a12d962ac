"""All uses of Textual's private names. A Textual release that drops one fails
tests/app/test_textual_private.py."""

from __future__ import annotations

import asyncio
import os
import signal
from types import FrameType
from typing import Any

from textual.app import App
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.geometry import Size


def _stop_in_loop(app: AppHooks, driver: LinuxDriver) -> None:
    loop = asyncio.get_running_loop()
    is_planned = False

    def reads() -> bool:
        return driver._key_thread is not None and driver._key_thread.is_alive()

    def stop() -> None:
        if reads():
            driver._sigtstp_application()

    def stop_signal(number: int, frame: FrameType | None) -> None:
        if driver._auto_restart and not loop.is_closed():
            loop.call_soon_threadsafe(stop)
        else:  # an editor has the terminal, and the loop waits for it
            os.kill(os.getpid(), signal.SIGSTOP)

    def go_on_signal() -> None:
        """Go on once for a burst, and later: `kill %1` sends SIGTERM and SIGCONT in no order."""
        nonlocal is_planned
        if not is_planned:
            is_planned = True
            loop.call_soon(go_on)

    def go_on() -> None:
        nonlocal is_planned
        is_planned = False
        if app._exit and not reads():
            driver.attrs_before = None  # the shell has its terminal already
        if app._exit or not (reads() or driver._must_signal_resume):
            return
        if reads():  # it was stopped from outside; a second thread would take keys from the first
            driver.suspend_application_mode()
        driver.resume_application_mode()
        app.refresh(layout=True)

    signal.signal(signal.SIGTSTP, stop_signal)
    loop.add_signal_handler(signal.SIGCONT, go_on_signal)


class AppHooks(App[None]):
    """Hooks of Textual's App that have no public name."""

    def _build_driver(self, *args: Any, **options: Any) -> Driver:
        """The driver; it stops and continues from the event loop.

        Works around Textual: it writes to its queue inside the handlers of both signals. One that
        comes while another is handled, or while the app draws, waits for that queue forever.
        """
        driver = super()._build_driver(*args, **options)
        if isinstance(driver, LinuxDriver):
            _stop_in_loop(self, driver)
        return driver

    def begin_with_theme(self, name: str) -> None:
        """Show a theme from the first frame on. Works around Textual: a theme that is set later
        parses all rules again, and the terminal's own colors are mapped to others until then."""
        self.set_reactive(App.theme, name)
        self.stylesheet.set_variables(self.get_css_variables())
        self._refresh_truecolor_filter(self.ansi_theme)

    def log_fatal_error(self) -> None:
        """Record an uncaught error before the app ends; subclasses say where."""

    def _refresh_notifications(self) -> None:
        """Show no toasts. Works around Textual: a toast that is already overdue sets a timer with a
        negative interval, which never yields to the event loop, and the app hangs."""

    def _fatal_error(self) -> None:
        """End without Textual's traceback, which prints the values of all local variables."""
        self.log_fatal_error()
        self._close_messages_no_wait()


class ScreenHooks:
    """Hooks of Textual's Screen that have no public name. Not a widget: of several base classes,
    Textual applies the style rules of the first one that is a widget."""

    least: Size
    """The smallest size for which the screen is laid out. Works around Textual: wrapping text into
    zero columns crashes the app."""

    def _refresh_layout(self, size: Size | None = None, scroll: bool = False) -> None:
        new_size = self.outer_size if size is None else size  # type: ignore[attr-defined]
        room = Size(max(new_size.width, self.least.width), max(new_size.height, self.least.height))
        super()._refresh_layout(room if new_size else new_size, scroll)  # type: ignore[misc]
