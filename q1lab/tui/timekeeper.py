"""The app's timer: drives the pure clock, saves it to disk, and words it for the top line.

One window at a time keeps the time: it holds ``timer.lock``. A second window shows the clock and
does not change it.
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
"""Seconds between two saves while the clock runs: a kill loses at most this much."""


class Timekeeper:
    """Holds the current clock. ``save(credited, state)`` must add the credited seconds to the
    parts and store the state; a heartbeat credits nothing."""

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
        self._tried_lock = False
        self._written: dict[str, float] = {}
        """Seconds by part that were saved but are not in a snapshot yet."""
        self._saved_at = float("-inf")

    @property
    def keeps_time(self) -> bool:
        """True if this window holds the lock, or has not tried to take it yet."""
        return self._fd is not None or not self._tried_lock

    def restore(self, saved: object) -> TimerQuestion | None:
        """Take the lock and restore the clock from its saved state. Returns the clock's question if
        time passed while no window was open."""
        self._tried_lock = True
        if self._fd is None:
            self._fd = try_lock(self.lock)
            if self._fd is None:
                return None
            self.clock = clocks.restore_clock(saved, self.read()) if saved else Clock()
            if self.clock.question is not None:
                self._keep()
        return self.clock.question

    def leave(self, part_is_open: bool = True) -> None:
        """Save the clock before the app closes; ``part_is_open`` as in ``tick``. A clock that was
        counting asks at the next start how much of the time in between counts; one that waited is
        paused."""
        if self._fd is not None:
            now = self.read()
            ticked = self.clock.tick(now, part_is_open)
            self.clock = ticked if part_is_open else ticked.pause(now)
            self._keep()

    def release(self) -> None:
        """Release the lock for another window. Call it when everything is on disk."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def tick(self, part_is_open: bool = True) -> bool:
        """Advance the clock; called once a second. ``part_is_open``: True if the open part is the
        one that the clock runs for. Returns True if the clock has a new question."""
        if self._fd is None:
            return False
        before = self.clock
        self.clock = before.tick(self.read(), part_is_open)
        asks = self.clock.question is not None and before.question is None
        if asks:
            self._keep()
        elif self.clock.running and self.read().awake - self._saved_at >= HEARTBEAT:
            self._keep(credit=False)
        return asks

    def touch(self, part_is_open: bool = True) -> None:
        """Note that the learner pressed something; ``part_is_open`` as in ``tick``."""
        if self._fd is not None and self.clock.running:
            now = self.read()
            self.clock = self.clock.tick(now, part_is_open).touch(now)

    def press(self, part: str) -> None:
        """Start the clock for ``part``, or pause it if it runs."""
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
        """Note that a snapshot now holds all seconds that were saved."""
        self._written = {}

    def spent(self, part: str, progress: Progress) -> float:
        """Seconds spent on ``part``: in the snapshot, saved since then, and counted since then."""
        if not self.keeps_time:
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


def clock_text(
    name: str, part: Part, spent: float, clock: Clock, keeps_time: bool, part_is_open: bool = True
) -> tuple[str, str]:
    """A part's time for the top line: its text and its tone (``on``, ``off``, ``over``, ``ask``).
    While another part is open (``part_is_open`` is false), the clock waits."""
    left = part.minutes * 60 - max(0.0, spent)
    over = part.minutes > 0 and left < 0
    running = clock.running and clock.part == part.id and part_is_open
    if clock.question is not None and clock.question.part == part.id:
        return (
            f"{name} ? {text_formats.minutes_seconds(abs(left))} "
            f"{'over' if over else 'left'} · T answers",
            "ask",
        )
    sign = ("▶ " if running else "‖ ") if keeps_time else ""  # the other window's may run
    if part.minutes <= 0:
        text = f"{text_formats.minutes_seconds(max(0.0, spent))} spent"
    elif over:
        text = f"+{text_formats.minutes_seconds(-left)} over {part.minutes}"
    else:
        text = f"{text_formats.minutes_seconds(left)} left of {part.minutes}"
    where = "" if keeps_time else " (other window)"
    return f"{name} {sign}{text}{where}", "over" if over else "on" if running else "off"
