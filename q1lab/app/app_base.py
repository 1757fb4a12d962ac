"""The app's base: it paints before it does slow work, shows errors as dialogs, and delivers fast
typing to the screen that it was typed for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

from textual import events
from textual.await_complete import AwaitComplete
from textual.dom import DOMNode
from textual.message import Message
from textual.reactive import reactive
from textual.screen import Screen
from textual.timer import Timer

from q1lab.app.snapshot import log_error
from q1lab.app.textual_private import AppHooks
from q1lab.app.widgets.message_line import MessageLine
from q1lab.ground.errors import Problem

SCREEN_READY_SECONDS = 2.0
"""A key waits at most this long for the screen to be mounted."""

KEY_READ_SECONDS = 0.5
"""A key waits at most this long until the widget has handled the key before it."""


class BaseApp(AppHooks):
    """Gives every screen ``show_error`` and ``errors_as_dialogs``."""

    notice: reactive[tuple[str, str]] = reactive(("", ""))
    """(text, severity) of the last ``notify``; empty again after a few seconds."""

    def __init__(self) -> None:
        super().__init__()
        self._quiet: Timer | None = None
        self._notice_page: Screen[Any] | None = None
        """The page that the notice is about; None for one about no page."""
        self._key: Message | None = None
        self._came_back = False
        self._held: list[events.Key] | None = None
        """Keys typed while a form is made ready; None while none is."""
        self._released: list[events.Key] = []

    def on_mount(self) -> None:
        self.screen_change_signal.subscribe(self, self._screen_came, immediate=True)

    def _screen_came(self, _: object) -> None:
        if self._notice_page not in (None, self._page):
            self.clear_notice()
        self._release_keys()

    def hold_keys(self) -> None:
        """Hold keys back until a form has opened, whose values are read first: they were typed for
        it."""
        self._held = []
        self.set_timer(SCREEN_READY_SECONDS, self._release_keys)

    def _release_keys(self) -> None:
        if self._held is not None:
            self._released, self._held = self._held, None
            self.call_next(self._deliver_released)

    async def _deliver_released(self) -> None:
        released, self._released = self._released, []
        for key in released:
            await self._on_key_event(key)

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key):
            if self._held is not None:
                self._held.append(event)
                return
            await self._deliver_released()
            await self._on_key_event(event)
        else:
            await super().on_event(event)

    async def _on_key_event(self, event: events.Key) -> None:
        await self._screen_is_ready()
        first, focused = not event.is_forwarded, self.focused or self.screen
        self._key, self._came_back = event, False
        await super().on_event(event)
        if first and event.is_forwarded:
            await self._read_by(focused)
        self._key = None
        if self._came_back:
            await super().on_event(event)

    async def _read_by(self, node: DOMNode | None) -> None:
        """Wait until ``node`` and its ancestors have handled a key.

        Works around Textual: it dispatches the next key before the widget has handled this one.
        Without the wait, text typed right after Tab went into the previous field, and Ctrl+S saved
        a form without the words typed just before it.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(KEY_READ_SECONDS):
                while node is not None and node is not self:
                    read = asyncio.Event()
                    if not node.call_later(read.set):
                        return
                    await read.wait()
                    node = node.parent

    async def _screen_is_ready(self) -> None:
        """Wait until a screen that has just opened is mounted, and has given a widget the focus.

        Works around Textual: keys can arrive before that. Enter chose nothing from a list that was
        on screen, and an action that closes a half-mounted screen crashes the app.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SCREEN_READY_SECONDS):
                while not (self.screen.is_mounted and getattr(self.screen, "is_ready", True)):
                    await asyncio.sleep(0.005)

    def post_message(self, message: Message) -> bool:
        """Intercept a key that no widget handled: Textual posts it back to the app, behind the keys
        typed after it. ``on_event`` handles it at once instead, which keeps the order."""
        if message is self._key:
            self._came_back = True
            return True
        return super().post_message(message)

    def push_screen(self, screen: Any, callback: Any = None, *args: Any, **options: Any) -> Any:
        """Open a screen; ``callback`` gets its answer, if there is one. A screen never opens over
        another of its class, so two requests in a row open one."""

        def answered(answer: Any) -> None:
            if answer and callback is not None:
                callback(answer)

        if type(screen) is type(self.screen):
            return AwaitComplete()
        return super().push_screen(screen, answered, *args, **options)

    def show_error(self, text: str, title: str = "That did not work") -> None:
        """Show an error in a dialog. The app goes on."""
        raise NotImplementedError

    def notify(self, message: str, **options: Any) -> None:
        """Show a message for a few seconds in a line at the foot, never over the text."""
        super().notify(message, **options)
        if self.screen.is_mounted and not self.screen.query(MessageLine):
            self.screen.mount(MessageLine())
        severity = str(options.get("severity", "information"))
        if self._quiet is not None:
            self._quiet.stop()
        self.notice = (message, severity)
        seconds = options.get("timeout") or 4.0 + len(message) / 25
        self._quiet = self.set_timer(seconds, self.clear_notice)
        self._notice_page = self._page

    @property
    def _page(self) -> Screen[Any]:
        """The uppermost screen that is no dialog."""
        return next(screen for screen in reversed(self.screen_stack) if not screen.is_modal)

    def page_turned(self) -> None:
        """Remove the message about what the open screen showed until now."""
        if self._notice_page is not None:
            self.clear_notice()

    def announce(self, text: str) -> None:
        """Show a message, whichever page is open."""
        self.notify(text, markup=False, timeout=30)
        self._notice_page = None

    def copy_text(self, text: str, name: str) -> None:
        """Copy ``text`` to the clipboard, and say so; the message calls it ``name`` (``the
        path``)."""
        self.copy_to_clipboard(text)
        self.notify(f"Copied {name}.", markup=False)

    def clear_notice(self) -> None:
        """Remove the message at the foot."""
        self.notice, self._notice_page = ("", ""), None

    @contextlib.contextmanager
    def errors_as_dialogs(self) -> Iterator[None]:
        """Show an error raised inside the block in a dialog; the app goes on."""
        try:
            yield
        except Problem as problem:
            self.show_error(str(problem))
        except Exception:
            self.show_error(log_error())

    async def run_action(
        self, action: Any, default_namespace: DOMNode | None = None, *args: Any, **kwargs: Any
    ) -> bool:
        """Run a key's action once the screen is ready; an error is shown."""
        done = True
        await self._screen_is_ready()
        with self.errors_as_dialogs():
            done = await super().run_action(action, default_namespace, *args, **kwargs)
        return done

    def log_fatal_error(self) -> None:
        """Write the traceback into app.log before the app ends."""
        log_error()
