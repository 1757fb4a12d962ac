"""An app that keeps calm: it paints before it works, and an error is a message, not the end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from textual import events
from textual.app import App
from textual.await_complete import AwaitComplete
from textual.dom import DOMNode
from textual.message import Message
from textual.reactive import reactive
from textual.screen import Screen
from textual.timer import Timer

from q1lab.ground.errors import Problem
from q1lab.tui.key_bursts import Bursts
from q1lab.tui.snapshot import log_error
from q1lab.tui.textual_private import PrivateApp

READY = 2.0
"""Seconds that a key waits for a screen at most."""

READ = 0.5
"""Seconds that a key waits at most until the one before it was read."""


class CalmApp(PrivateApp):
    """What every screen may rely on: ``tell``, ``careful``, ``after_first_paint``."""

    notice: reactive[tuple[str, str]] = reactive(("", ""))
    """What ``notify`` said last, and how serious it is; empty after a few seconds."""

    def __init__(self) -> None:
        super().__init__()
        self._quiet: Timer | None = None
        self._waiting: list[Callable[[], Any]] | None = []
        self._bursts = Bursts(self.CLICK_CHAIN_TIME_THRESHOLD)
        self._key: Message | None = None
        self._came_back = False

    def on_mount(self) -> None:
        self.screen_change_signal.subscribe(self, self._bursts.screen_came, immediate=True)

    async def on_event(self, event: events.Event) -> None:
        if self._bursts.too_early(event):
            return
        if not isinstance(event, events.Key):
            await super().on_event(event)
            return
        self._bursts.begin()
        first, focused = not event.is_forwarded, self.focused or self.screen
        self._key, self._came_back = event, False
        await super().on_event(event)
        if first and event.is_forwarded:
            await self._read_by(focused)
        self._key = None
        if self._came_back:
            await super().on_event(event)
        self._bursts.end(event.key)

    async def _read_by(self, node: DOMNode | None) -> None:
        """Wait until a key was read by ``node`` and by all around it. Textual hands on the next one
        before: what was typed after Tab went to the field before, and Ctrl+S kept a form without
        the words that were typed before it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(READ):
                while node is not None and node is not self:
                    read = asyncio.Event()
                    if not node.call_later(read.set):
                        return
                    await read.wait()
                    node = node.parent

    def post_message(self, message: Message) -> bool:
        """A key that nobody wanted comes back to the app: it stays before those typed after it."""
        if message is self._key:
            self._came_back = True
            return True
        return super().post_message(message)

    def push_screen(self, screen: Any, callback: Any = None, *args: Any, **given: Any) -> Any:
        """Open a screen; ``callback`` gets its answer, if there is one. None opens over another of
        its kind, so that what asks twice for one gets one."""

        def answered(answer: Any) -> None:
            if answer and callback is not None:
                callback(answer)

        if type(screen) is type(self.screen):
            return AwaitComplete()
        return super().push_screen(screen, answered, *args, **given)

    def tell(self, text: str, title: str = "That did not work") -> None:
        """Say what went wrong in a modal, once; the app goes on."""
        from q1lab.tui.screens.error import ErrorScreen

        self.push_screen(ErrorScreen(title, text))

    def notify(self, message: str, **given: Any) -> None:
        """Say something for a while, in a line at the foot: never over what one reads."""
        from q1lab.tui.widgets.message_line import SayLine

        super().notify(message, **given)
        if self.screen.is_mounted and not self.screen.query(SayLine):
            self.screen.mount(SayLine())
        severity = str(given.get("severity", "information"))
        if self._quiet is not None:
            self._quiet.stop()
        self.notice = (message, severity)
        seconds = given.get("timeout") or 4.0 + len(message) / 25
        self._quiet = self.set_timer(seconds, self.hush)

    def announce(self, text: str) -> None:
        """Say it here, and on the desktop where the terminal can."""
        from q1lab.tui.desktop import desktop_note

        self.notify(text, markup=False, timeout=30)
        self.to_terminal(desktop_note(text))

    def hush(self) -> None:
        """Take away what was said."""
        self.notice = ("", "")

    @contextlib.contextmanager
    def careful(self) -> Iterator[None]:
        """Turn an error inside the block into a modal; the app goes on."""
        try:
            yield
        except Problem as problem:
            self.tell(str(problem))
        except Exception:
            self.tell(log_error())

    async def run_action(
        self, action: Any, default_namespace: DOMNode | None = None, *args: Any, **kwargs: Any
    ) -> bool:
        """Do what a key is for once the screen it meets is complete: keys can be typed faster than
        a screen is put together, and one that closed it half done would end the app."""
        done = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(READY):
                while not self.screen.is_mounted:
                    await asyncio.sleep(0.005)
        with self.careful():
            done = await super().run_action(action, default_namespace, *args, **kwargs)
        if done:
            self._bursts.ran(str(action), isinstance(default_namespace, Screen | App))
        return done

    def after_first_paint(self, work: Callable[[], Any]) -> None:
        """Do ``work`` when something is on screen: at once, if something is already."""
        if self._waiting is None:
            self.call_later(work)
        else:
            self._waiting.append(work)

    def post_display_hook(self) -> None:
        """Textual calls this after every paint; those inside a batch (the start) reach no terminal
        yet."""
        if self._waiting is not None and self.paints:
            waiting, self._waiting = self._waiting, None
            for work in waiting:
                self.call_later(work)

    def end_of_all(self) -> None:
        """The last resort: the traceback goes into app.log."""
        log_error()
