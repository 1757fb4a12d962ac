"""Drops keys and clicks that arrived faster than the app could handle them. Pure.

Works around Textual: it delivers a queued key or click to whatever screen is open when it is
handled, not to the one that was open when it was typed.
"""

from __future__ import annotations

from time import monotonic

from textual import events
from textual.geometry import Offset

MOVES = ("move", "next", "zoom", "pan", "focus_next", "focus_previous")
"""Actions of a screen that repeat with every press, also when two presses come in one burst."""
CHOICES = ("select", "submit", "press")
"""Actions of a list, a field or a button to which the screen reacts."""


class BurstFilter:
    """Decides which events to drop: those typed or clicked before the open screen appeared, and a
    key pressed again before its action had finished, unless it moves the cursor.

    Times are those of Textual's events: when they were read, not when they are handled.
    """

    def __init__(self, chain: float) -> None:
        self.chain = chain
        """Textual counts clicks at one place within this many seconds as one chain."""
        self._came = 0.0
        self._first = self._last = float("-inf")
        self._place = Offset()
        self._ran: bool | None = None
        self._done = ("", 0.0)

    def screen_came(self) -> None:
        """Note the time at which another screen opened."""
        self._came = monotonic()

    def too_early(self, event: events.Event) -> bool:
        """True if the event is to be dropped."""
        if isinstance(event, events.Key):
            key, done = self._done
            return event.time < self._came or (event.key == key and event.time < done)
        if isinstance(event, events.MouseDown | events.MouseUp) and not event.is_forwarded:
            return self._begun(event) < self._came
        return False

    def _begun(self, event: events.MouseDown | events.MouseUp) -> float:
        """The time of the first click in the chain that this event belongs to."""
        if isinstance(event, events.MouseDown):
            continues_chain = (
                event.screen_offset == self._place and event.time - self._last <= self.chain
            )
            self._first = self._first if continues_chain else event.time
            self._place, self._last = event.screen_offset, event.time
        return self._first

    def ran(self, action: str, of_screen: bool) -> None:
        """Note that the key's action ran; ``of_screen``: the screen or the app has bound the key,
        not a widget."""
        name = action.partition("(")[0].rpartition(".")[2]
        self._ran = name in CHOICES or (of_screen and name not in MOVES)

    def begin(self) -> None:
        """Note that the app begins to handle a key."""
        self._ran = None

    def end(self, key: str) -> None:
        """Note that the app has handled ``key``."""
        if self._ran is not None:
            self._done = (key, monotonic()) if self._ran else ("", 0.0)
