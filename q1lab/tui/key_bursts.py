"""Keys and clicks that come faster than the app handles them: which of them are dropped. Pure."""

from __future__ import annotations

from time import monotonic

from textual import events
from textual.geometry import Offset

MOVES = ("move", "next", "zoom", "pan", "focus_next", "focus_previous")
"""What a screen's key does again with every press, also when two come in one burst."""
CHOICES = ("select", "submit", "press")
"""What a key does in a list, in a field or on a button; a screen acts on it."""


class Bursts:
    """What was typed or clicked before the open screen came was not meant for it. A key that was
    pressed again before the app had done what it is for counts once, except those that move.

    Times are those of Textual's events: when they were read, not when they are handled.
    """

    def __init__(self, chain: float) -> None:
        self.chain = chain
        """Seconds within which a second click at one place belongs to the first."""
        self._came = 0.0
        self._first = self._last = float("-inf")
        self._place = Offset()
        self._ran: bool | None = None
        self._done = ("", 0.0)

    def screen_came(self, _: object = None) -> None:
        """Another screen is open from now on."""
        self._came = monotonic()

    def too_early(self, event: events.Event) -> bool:
        """Whether the event is to be dropped."""
        if isinstance(event, events.Key):
            key, done = self._done
            return event.time < self._came or (event.key == key and event.time < done)
        if isinstance(event, events.MouseDown | events.MouseUp) and not event.is_forwarded:
            return self._begun(event) < self._came
        return False

    def _begun(self, event: events.MouseDown | events.MouseUp) -> float:
        """When the first of the clicks in a row was made that this event belongs to."""
        if isinstance(event, events.MouseDown):
            again = event.screen_offset == self._place and event.time - self._last <= self.chain
            self._first = self._first if again else event.time
            self._place, self._last = event.screen_offset, event.time
        return self._first

    def ran(self, action: str, of_screen: bool) -> None:
        """An action was done; ``of_screen`` says that the key is a screen's or the app's own."""
        name = action.partition("(")[0].rpartition(".")[2]
        self._ran = name in CHOICES or (of_screen and name not in MOVES)

    def begin(self) -> None:
        """A key is handled from now on."""
        self._ran = None

    def end(self, key: str) -> None:
        """The key was handled."""
        if self._ran is not None:
            self._done = (key, monotonic()) if self._ran else ("", 0.0)
