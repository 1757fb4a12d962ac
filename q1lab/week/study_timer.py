"""The study timer: a pure state machine that counts only the time that it has seen.

A `Clock` is a frozen state; each method takes a `Reading` of the machine's clocks and returns the
next state. Nothing here reads a clock, a file or a screen (`read_clocks` apart, which the app
calls), so that tests can drive it with any times at all. The rules:

- Time is credited by ticks alone, and a tick credits what the machine's own stopwatch moved since
  the one before. The wall clock is never looked at for that: setting it changes nothing.
- A step of the stopwatch above `TimerRules.gap` is no tick: the program was stopped, or the machine
  slept. Nothing of it is credited. The clock pauses and asks.
- After `TimerRules.idle` seconds without a sign of life it asks "still working?". The silence, and
  the time until the learner answers, counts only if the learner says so.
- While the learner reads another part than the one that it runs for, nothing is credited.
- A clock that was running when the app was closed or killed comes back paused, and asks how much of
  the time away counts. So does one from before a reboot. A few seconds (`TimerRules.gap`) are a
  restart and nothing to ask about: the clock goes on, and they don't count.
- The learner's answer can't grant more than the stretch that was asked about.

What was credited gathers in `fresh` until the app has written it down (`settle`). The app saves
`to_dict()` in the same transaction, every few seconds; `restore` makes a state of it again.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from q1lab.ground.json_records import from_json
from q1lab.ground.json_rules import one_of

_DRIFT = 120.0
"""Seconds by which the wall clock may drift from the uptime before two readings without a boot id
count as readings of two different boots."""


@dataclass(frozen=True, slots=True)
class ClockReading:
    """The machine's clocks at one moment, all in seconds."""

    awake: float
    """A stopwatch that can't be set. It may stand still while the machine sleeps."""
    up: float
    """A stopwatch that goes on during sleep, where the system has one; else the same as `awake`."""
    wall: float
    """Seconds since the epoch: can be set to anything at any time."""
    boot: str = ""
    """An id of this boot, or "" where the system has none."""


@dataclass(frozen=True, slots=True)
class TimerRules:
    """The limits beyond which the timer doubts that someone works, in seconds."""

    gap: float = 30.0
    """A longer step between two ticks is a gap, not work."""
    idle: float = 30 * 60.0
    """This long without a sign of life, and the clock asks."""


@dataclass(frozen=True, slots=True)
class TimerQuestion:
    """A stretch of time that only the learner can judge."""

    kind: Annotated[str, one_of("away", "idle")]
    """`away`: the program or the machine was not running. `idle`: it was, and no key was hit."""
    part: str
    seconds: float
    """Length of the stretch: the most that can be granted. Nothing of it is counted meanwhile."""
    sure: bool = True
    """False when the length comes from the wall clock, after a reboot: say "about"."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The timer's state. Build the first one with `Clock()`; keep the newest one and forget the
    others."""

    part: str | None = None
    running: bool = False
    fresh: Mapping[str, float] = field(default_factory=dict)
    """Seconds credited to each part and not settled yet. Negative where a silence took some
    back."""
    silent: float = 0.0
    """Counted seconds since the last sign of life."""
    last: ClockReading | None = None
    """The newest reading seen while counting."""
    question: TimerQuestion | None = None
    """While one is open, nothing is credited, and `start` and `pause` wait for its answer."""
    rules: TimerRules = TimerRules()

    # ── what time does

    def tick(self, now: ClockReading, part_is_open: bool = True) -> Clock:
        """Time went by; nothing of it is credited unless ``part_is_open``: the part that it runs
        for is the one on the screen.

        running, small step      → running, credited; asks (idle) after `TimerRules.idle` seconds
        running, gap or reboot   → asks (away); nothing is credited
        asks (idle), small step  → asks (idle), the stretch in question grows
        asks (idle), gap         → asks (away), the stretch and the gap together
        paused, asks (away)      → the same
        """
        asking_idle = self.question is not None and self.question.kind == "idle"
        if self.part is None or not (self.running or asking_idle):
            return self
        if self.last is None:
            return replace(self, last=now)
        step = now.awake - self.last.awake
        slept = (now.up - self.last.up) - step
        if (
            not same_boot(self.last, now)
            or not 0 <= step <= self.rules.gap
            or slept > self.rules.gap
        ):
            return self._left_alone(now)
        if self.question is not None:
            return replace(self, last=now, question=_longer(self.question, step))
        if not part_is_open:
            return replace(self, last=now)
        silent = self.silent + step
        ticked = replace(self, last=now, silent=silent, fresh=_plus(self.fresh, self.part, step))
        if silent < self.rules.idle:
            return ticked
        without = _plus(ticked.fresh, self.part, -silent)
        question = TimerQuestion("idle", self.part, seconds=silent)
        return replace(ticked, running=False, question=question, fresh=without)

    def _left_alone(self, now: ClockReading) -> Clock:
        """Pause and ask about the time between `last` and `now`, of which nothing was seen."""
        assert self.part is not None
        assert self.last is not None
        gap, sure = away_between(self.last, now)
        question = self.question or TimerQuestion("away", self.part, 0.0)
        question = replace(_longer(question, gap), kind="away", sure=question.sure and sure)
        return replace(self, running=False, question=question, last=None, silent=0.0)

    # ── what the learner does

    def start(self, now: ClockReading, part: str | None = None) -> Clock:
        """Count for `part` (left out: go on with the current one). A clock that runs for another
        part credits that one first. Unchanged while a question is open, or without any part."""
        ticked = self.tick(now)
        target = part or ticked.part
        if ticked.question is not None or target is None:
            return ticked
        return replace(ticked, part=target, running=True, last=now, silent=0.0)

    def pause(self, now: ClockReading) -> Clock:
        """Credit up to now and stop counting."""
        ticked = self.tick(now)
        if ticked.question is not None:
            return ticked
        return replace(ticked, running=False, last=None, silent=0.0)

    def touch(self, now: ClockReading) -> Clock:
        """A sign of life: a key, the mouse, a saved file. Credits up to now; silence begins anew.
        It answers no question."""
        ticked = self.tick(now)
        return ticked if ticked.question is not None else replace(ticked, silent=0.0)

    def answer(self, now: ClockReading, seconds: float, go_on: bool = False) -> Clock:
        """The learner says that `seconds` of the stretch count (0: none, math.inf: all of it).

        `go_on` starts counting again from now; else the clock is paused. If a gap made another
        question of the open one in the meantime, nothing is answered: the learner has not seen that
        one yet.
        """
        ticked = self.tick(now)
        question = ticked.question
        if self.question is None or question is None or question.kind != self.question.kind:
            return ticked
        granted = 0.0 if math.isnan(seconds) else min(max(seconds, 0.0), question.seconds)
        return replace(
            ticked,
            question=None,
            running=go_on,
            last=now if go_on else None,
            silent=0.0,
            fresh=_plus(ticked.fresh, question.part, granted),
        )

    # ── to the disk and back

    def settle(self) -> tuple[dict[str, float], Clock]:
        """The seconds credited since the last call, by part, and the clock without them. Write the
        amounts and the new clock's `to_dict()` in one transaction."""
        return dict(self.fresh), replace(self, fresh={})

    def to_dict(self) -> dict[str, Any]:
        """The state as plain JSON types: the heartbeat."""
        state = asdict(self)
        del state["rules"]
        return state


def restore_clock(data: object, now: ClockReading, rules: TimerRules | None = None) -> Clock:
    """The clock of an earlier process, from its `to_dict`.

    If it was counting and no gap lies between, it goes on from now. Else it comes back paused, and
    asks about the time since the last heartbeat: measured by the uptime within one
    boot, else by the wall clock (`sure` is False then, and a wall clock that was set back gives 0).
    Data that make no sense give a new clock: the settled seconds
    are not in here to be lost.
    """
    rules = rules or TimerRules()
    try:
        saved = _parsed(data, rules)
    except ValueError:
        return Clock(rules=rules)
    counting = saved.running or (saved.question is not None and saved.question.kind == "idle")
    if not counting or saved.last is None:
        return replace(saved, running=False, last=None, silent=0.0)
    gap, sure = away_between(saved.last, now)
    if sure and gap <= rules.gap:
        return replace(saved, last=now)
    return saved._left_alone(now)


def open_question(data: object) -> TimerQuestion | None:
    """The question that a saved clock (`to_dict`) still asks, if any."""
    with contextlib.suppress(ValueError):
        return _parsed(data, TimerRules()).question
    return None


def same_boot(earlier: ClockReading, later: ClockReading) -> bool:
    """True if both readings are from one run of the machine, so that their stopwatches can be
    compared.

    By the boot id where both have one. Else the uptime must have grown, and as much as the wall
    clock did.
    """
    if earlier.boot and later.boot:
        return earlier.boot == later.boot
    grown = later.up - earlier.up
    return grown >= 0 and abs((later.wall - earlier.wall) - grown) < _DRIFT


def away_between(earlier: ClockReading, later: ClockReading) -> tuple[float, bool]:
    """Seconds between two readings (never negative), and True if no settable clock was needed for
    it."""
    if same_boot(earlier, later):
        return max(0.0, later.up - earlier.up), True
    return max(0.0, later.wall - earlier.wall), False


def read_clocks() -> ClockReading:
    """The machine's clocks now. No other function here reads anything outside its arguments."""
    return ClockReading(awake=time.monotonic(), up=_uptime(), wall=time.time(), boot=_boot_id())


def _uptime() -> float:
    # Which clock counts through sleep: CLOCK_BOOTTIME on Linux; on macOS CLOCK_MONOTONIC, while
    # Python's time.monotonic() stands still there.
    for name in ("CLOCK_BOOTTIME", "CLOCK_MONOTONIC"):
        number = getattr(time, name, None)
        if number is not None:
            return time.clock_gettime(number)
    return time.monotonic()


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except (OSError, ValueError):
        return ""


def minutes_ran_out(before: float, after: float, minutes: int) -> bool:
    """True if a part's minutes ran out between two amounts of seconds: the moment for the bell."""
    return minutes > 0 and before < minutes * 60 <= after


# ── small helpers


def _plus(fresh: Mapping[str, float], part: str, seconds: float) -> dict[str, float]:
    return {**fresh, part: fresh.get(part, 0.0) + seconds}


def _longer(question: TimerQuestion, seconds: float) -> TimerQuestion:
    return replace(question, seconds=question.seconds + seconds)


def _parsed(data: object, rules: TimerRules) -> Clock:
    """A heartbeat as a Clock. ValueError when it makes no sense."""
    clock = replace(from_json(Clock, data), rules=rules)
    if (clock.running or clock.question) and not clock.part:
        raise ValueError("running without a part")
    return clock
