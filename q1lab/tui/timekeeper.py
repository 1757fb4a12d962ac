"""The timer in the app: drives the pure clock, keeps it on disk, and says what the top line shows.

One viewer at a time keeps the time: it holds ``timer.lock``. A second window shows the clock and
leaves it alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from q1lab.ground import text_formats
from q1lab.ground.files import try_lock
from q1lab.week import study_timer as clocks
from q1lab.week.progress import Progress
from q1lab.week.study_timer import Clock, ClockReading, TimerQuestion
from q1lab.week.syllabus import Part

HEARTBEAT = 5.0
"""Seconds between two saves while the clock runs: at most this much is lost to a kill."""


class Timekeeper:
    """Holds the newest clock. ``save(credited, state)`` must credit the seconds for good and then
    keep the state; a heartbeat credits nothing."""

    def __init__(
        self,
        read: Callable[[], ClockReading],
        save: Callable[[Mapping[str, float], Mapping[str, Any]], object],
        lock: Path,
    ) -> None:
        self.read = read
        self.save = save
        self.lock = lock
        self.clock = Clock()
        self._fd: int | None = None
        self._asked = False
        self._written: dict[str, float] = {}
        """Settled, but not in a snapshot yet."""
        self._saved_at = float("-inf")

    @property
    def mine(self) -> bool:
        """Whether this window keeps the time (before it asked: nobody else is known to)."""
        return self._fd is not None or not self._asked

    def open(self, saved: object) -> TimerQuestion | None:
        """Take the timer over, from what was kept on disk; a question when time passed that nobody
        saw."""
        self._asked = True
        if self._fd is None:
            self._fd = try_lock(self.lock)
            if self._fd is None:
                return None
            self.clock = clocks.restore_clock(saved, self.read()) if saved else Clock()
            if self.clock.question is not None:
                self._keep()
        return self.clock.question

    def leave(self, here: bool = True) -> None:
        """Keep what was counted; ``here`` as in ``tick``. A clock that counted asks at the next
        start how much of the time since counts; one that waited is paused."""
        if self._fd is not None:
            now = self.read()
            ticked = self.clock.tick(now, here)
            self.clock = ticked if here else ticked.pause(now)
            self._keep()

    def release(self) -> None:
        """Let another window keep the time. Call it when everything is on disk."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def tick(self, here: bool = True) -> bool:
        """Once a second. ``here``: the part that the clock runs for is the one that is open. True
        when the clock asks something that it did not ask before."""
        if self._fd is None:
            return False
        before = self.clock
        self.clock = before.tick(self.read(), here)
        asks = self.clock.question is not None and before.question is None
        if asks:
            self._keep()
        elif self.clock.running and self.read().awake - self._saved_at >= HEARTBEAT:
            self._keep(credit=False)
        return asks

    def touch(self, here: bool = True) -> None:
        """A sign of life; ``here`` as in ``tick``."""
        if self._fd is not None and self.clock.running:
            now = self.read()
            self.clock = self.clock.tick(now, here).touch(now)

    def press(self, part: str) -> None:
        """Start for ``part``, or pause what runs."""
        now = self.read()
        self.clock = self.clock.pause(now) if self.clock.running else self.clock.start(now, part)
        self._keep()

    def move(self, part: str) -> None:
        """Count for another part from now on."""
        self.clock = self.clock.start(self.read(), part)
        self._keep()

    def answer(self, seconds: float, go_on: bool) -> None:
        self.clock = self.clock.answer(self.read(), seconds, go_on)
        self._keep()

    def in_snapshot(self) -> None:
        """A snapshot holds everything that was written before it was asked for."""
        self._written = {}

    def spent(self, part: str, progress: Progress) -> float:
        """Seconds on ``part``: credited, written, and counted since."""
        if not self.mine:
            return progress.spent(part)
        credited = progress.seconds.get(part, 0.0) + self._written.get(part, 0.0)
        return credited + self.clock.fresh.get(part, 0.0)

    def _keep(self, credit: bool = True) -> None:
        credited: dict[str, float] = {}
        if credit:
            credited, self.clock = self.clock.settle()
        for part, seconds in credited.items():
            self._written[part] = self._written.get(part, 0.0) + seconds
        self._saved_at = self.read().awake
        self.save(credited, self.clock.to_dict())


def line(
    name: str, part: Part, spent: float, clock: Clock, mine: bool, here: bool = True
) -> tuple[str, str]:
    """What the top line shows of a part's time: the text, and its tone (``on``, ``off``, ``over``,
    ``ask``). A clock that is not ``here`` waits."""
    left = part.minutes * 60 - max(0.0, spent)
    over = part.minutes > 0 and left < 0
    running = clock.running and clock.part == part.id and here
    if clock.question is not None and clock.question.part == part.id:
        return (
            f"{name} ? {text_formats.clock(abs(left))} {'over' if over else 'left'} · T answers",
            "ask",
        )
    mark = ("▶ " if running else "‖ ") if mine else ""  # the other window's may run
    if part.minutes <= 0:
        text = f"{text_formats.clock(max(0.0, spent))} spent"
    elif over:
        text = f"+{text_formats.clock(-left)} over {part.minutes}"
    else:
        text = f"{text_formats.clock(left)} left of {part.minutes}"
    where = "" if mine else " (other window)"
    return f"{name} {mark}{text}{where}", "over" if over else "on" if running else "off"
