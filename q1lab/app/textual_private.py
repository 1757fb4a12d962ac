"""All uses of Textual's private names. A Textual release that drops one fails
tests/app/test_textual_private.py."""

from __future__ import annotations

import signal
from types import FrameType

from textual.app import App
from textual.geometry import Size


class AppHooks(App[None]):
    """Hooks of Textual's App that have no public name."""

    def keep_one_input_thread(self) -> None:
        """Let a SIGCONT start no second thread that reads the terminal.

        Works around Textual: it starts one whether the app was suspended or not. Two threads share
        the keys between them, and one that starts while the app ends never stops: a terminal that
        closes sends SIGHUP and SIGCONT, and the process stayed, busy, without a terminal.
        """
        driver = self._driver
        if driver is None or self.is_headless:
            return
        from textual.drivers.linux_driver import LinuxDriver

        resume = signal.getsignal(signal.SIGCONT)
        if not isinstance(driver, LinuxDriver) or not callable(resume):
            return

        def continued(number: int, frame: FrameType | None) -> None:
            reads = driver._key_thread is not None and driver._key_thread.is_alive()
            if reads and not driver.exit_event.is_set():  # it was stopped from outside
                driver.suspend_application_mode()
            elif not driver._must_signal_resume:  # it ends, or lent the terminal to an editor
                return
            resume(number, frame)

        signal.signal(signal.SIGCONT, continued)

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
