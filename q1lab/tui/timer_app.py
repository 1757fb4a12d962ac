"""The app's handling of the timer: its tick, key, question and bell."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from textual import events
from textual.reactive import reactive

from q1lab.ground import paths
from q1lab.ground.errors import Problem
from q1lab.index.store import Store
from q1lab.tui.app_base import BaseApp
from q1lab.tui.app_setup import AppSetup
from q1lab.tui.pages import part_name
from q1lab.tui.snapshot import Snapshot, StoreThread
from q1lab.tui.timekeeper import Timekeeper, clock_text
from q1lab.week import progress
from q1lab.week import study_timer as clocks
from q1lab.week.syllabus import Part, Week

T = TypeVar("T")

ONCE = 4 * 3600.0
"""The app offers the timer for a part at most once in this many seconds, across restarts."""


class TimerApp(BaseApp):
    """An app with one timer for the parts of the week."""

    snapshot: reactive[Snapshot] = reactive(Snapshot, init=False)
    clock_line: reactive[tuple[str, str]] = reactive(("", ""))
    part_id: reactive[str] = reactive("")
    """The id of the part that is open on the study screen; the timer starts for it."""
    timer_offer: reactive[str] = reactive("")
    """The offer to start the timer, with its keys; empty while there is no offer."""
    store_thread: StoreThread
    setup: AppSetup

    def init_timer(self) -> None:
        """Create the timekeeper; called before the app runs."""
        self._offered: dict[str, float] = {}
        self.time = Timekeeper(self.setup.clocks, self._save_clock, paths.home() / "timer.lock")

    @property
    def week(self) -> Week:
        """The week narrowed to this learner: their variant, their data, their wrong answers."""
        return progress.learner_week(self.setup.week, self.snapshot.progress)

    @property
    def timed_part(self) -> str | None:
        """The id of the part that the clock counts for now."""
        return self.time.clock.part if self.time.clock.running and self._timed_here else None

    @property
    def _timed_here(self) -> bool:
        """True if the clock may count: the part it runs for is open, or no part is."""
        return self.time.clock.part in (self.part_id, None) or not self.part_id

    def open_timer(self) -> None:
        """Restore the timer, ask about time that passed while the app was closed, and start its
        tick."""
        if self.time.restore(self.snapshot.progress.settings.get("clock")) is not None:
            self.ask_time()
        self.set_interval(1.0, self.tick_clock)
        self.draw_clock()

    def run_job(
        self,
        job: Callable[[Store], T],
        then: Callable[[T], object] | None = None,
        failed: Callable[[Problem], object] | None = None,
    ) -> None:
        """Run ``job(store)`` in the store thread, then call ``then(result)`` in the app's. A
        Problem goes to ``failed``, or is shown if there is no ``failed``."""

        def guarded_job(store: Store) -> None:
            try:
                result = job(store)
            except Problem as problem:
                if failed is None:
                    raise
                self.call_later(failed, problem)
            else:
                if then is not None:
                    self.call_later(then, result)

        self.store_thread.submit(guarded_job)

    def tick_clock(self) -> None:
        """Advance the timer and redraw it; called once a second."""
        part = self._part(self.time.clock.part)
        done = self.snapshot.progress
        before = self.time.spent(part.id, done) if part else 0.0
        if self.time.tick(self._timed_here):
            self.ask_time()
        if part and clocks.minutes_ran_out(before, self.time.spent(part.id, done), part.minutes):
            if self.setup.config.bell:
                self.bell()
            self.notify(
                f"The {part.minutes} minutes of {part_name(part)} are spent. The clock goes on, "
                "in another color.",
                timeout=20,
            )
        self.draw_clock()

    def draw_clock(self) -> None:
        """Show the time of the part that the clock runs for, else of the open part."""
        clock = self.time.clock
        if not self.setup.config.week and not clock.running:
            return
        question_part = clock.question.part if clock.question else None
        part = self._part(question_part or (clock.part if clock.running else None) or self.part_id)
        if part is None:
            self.clock_line = ("", "")
            return
        spent = self.time.spent(part.id, self.snapshot.progress)
        part_is_open = self._timed_here
        self.clock_line = clock_text(
            part_name(part), part, spent, clock, self.time.keeps_time, part_is_open
        )

    def watch_part_id(self) -> None:
        self.timer_offer = ""
        self.draw_clock()

    def offer_timer(self) -> None:
        """Offer to start the timer for the open part, unless it counts for that already; once in
        ``ONCE`` seconds. Called when a step is worked on: who looks round is asked nothing."""
        if not self.setup.config.week:
            return
        part, clock = self._part(self.part_id), self.time.clock
        timed = clock.running and clock.part == self.part_id
        if part is None or timed or not self.time.keeps_time or clock.question is not None:
            return
        now = self.time.read().wall
        saved = self.snapshot.progress.settings.get("offered")
        offered_at = {**(saved if isinstance(saved, Mapping) else {}), **self._offered}
        fresh = abs(now - offered_at.get(part.id, -math.inf)) < ONCE
        if fresh or self.snapshot.progress.count([part]).finished:
            return
        label, offered = self.setup.week.label, {**offered_at, part.id: now}
        self._offered = offered
        self.store_thread.submit(
            lambda store: progress.save_week_setting(store, label, "offered", offered)
        )
        other = self._part(clock.part) if clock.running else None
        asks = (
            f"The timer of {part_name(other)} is paused. Time {part_name(part)} from now on?"
            if other
            else f"Start the timer for {part_name(part)}?"
        )
        self.timer_offer = f"{asks}   y starts it · x not now"

    def action_timer(self) -> None:
        """Start the timer for the open part, pause it, or show its open question again."""
        if not self.time.keeps_time:
            self.time.restore(self.snapshot.progress.settings.get("clock"))
        if not self.time.keeps_time:
            self.notify("The timer runs in another q1lab window.", severity="warning")
            return
        if self.time.clock.question is not None:
            self.ask_time()
        elif part := self._part(self.part_id):
            self.time.press(part.id)
            self.timer_offer = ""
        self.draw_clock()

    def action_timer_here(self, pause: bool = True) -> None:
        """Count for the open part from now on; if the timer does already, pause it."""
        part, clock = self._part(self.part_id), self.time.clock
        moves = part is not None and clock.running and clock.part != part.id
        if (
            part is not None
            and self.time.keeps_time
            and clock.question is None
            and (moves or not pause)
        ):
            self.time.move(part.id)
            self.timer_offer = ""
            self.draw_clock()
        else:
            self.action_timer()

    def ask_time(self) -> None:
        from q1lab.tui.screens.timer_question import TimerAnswer, TimerQuestionScreen

        question = self.time.clock.question
        if question is None or isinstance(self.screen, TimerQuestionScreen):
            return
        part = self._part(question.part)

        def answered(answer: TimerAnswer) -> None:
            self.time.answer(*answer)
            self.draw_clock()

        self.push_screen(
            TimerQuestionScreen(question, part_name(part) if part else question.part), answered
        )

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key | events.MouseDown | events.Paste):
            self.time.touch(self._timed_here)
        await super().on_event(event)

    def _part(self, part_id: str | None) -> Part | None:
        match = self.setup.week.find_part(part_id) if part_id else None
        return match[1] if match else None

    def _save_clock(self, credited: Mapping[str, float], state: Mapping[str, Any]) -> None:
        label, clock, amounts = self.setup.week.label, dict(state), dict(credited)
        self.run_job(
            lambda store: progress.save_clock(store, label, amounts, clock),
            lambda _: self.time.in_snapshot(),
        )
