"""The app as its screens know it: the week, the snapshot and the thread that reads it, the open
page, and the timer.

The timer counts for the part that `T` started it for, while that part is open. It counts what the
app has seen go by: no second of sleep, none of a closed app. After half an hour without a key it
pauses, and says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from textual import events
from textual.reactive import reactive

from q1lab.app.app_base import BaseApp
from q1lab.app.app_setup import AppSetup
from q1lab.app.snapshot import Snapshot, StoreThread
from q1lab.ground import config, text_formats
from q1lab.ground.config import Config
from q1lab.ground.errors import Problem
from q1lab.journal import learner_tables
from q1lab.journal.store import Store
from q1lab.week import content, progress
from q1lab.week.syllabus import Part, Week

T = TypeVar("T")

GAP, IDLE, KEEP = 30.0, 30 * 60.0, 30.0
"""Seconds: a longer step is no work; so long without a key is none either; between two saves."""

STUDY_ENDED = "The lab (2) shows what came out."
"""The end of the message about a study whose runs have all ended."""


class WeekApp(BaseApp):
    """An app that shows ``snapshot``, with one timer for the parts of the week. What opens a screen
    is in the classes above this one."""

    snapshot: reactive[Snapshot] = reactive(Snapshot, init=False)
    clock_line: reactive[tuple[str, str]] = reactive(("", ""))
    """The open part's time, and its tone: ``on``, ``off`` or ``over``."""
    part_id: reactive[str] = reactive("")
    """The id of the part that is open on the study screen; the timer starts for it."""
    store_thread: StoreThread
    setup: AppSetup
    config: Config
    open_page_id = ""
    """The id of the page of the week that is open."""

    running_part: str | None = None
    _last = _touched = _fresh = _saving = 0.0
    """When it ticked and a key was pressed last; seconds not saved yet and on their way to disk."""

    @property
    def week(self) -> Week:
        """The week narrowed to this learner: their variant, their data, their wrong answers."""
        return progress.learner_week(self.setup.week, self.snapshot.progress)

    @property
    def timed_part(self) -> str | None:
        """The id of the part that the clock counts for now."""
        return self.running_part if self.running_part in (self.part_id, None) else None

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

    # ── pages

    def keep_place(self) -> None:
        """Save which page is open: where the app opens next time."""
        label, place = self.setup.week.label, self.open_page_id
        if place and place != self.snapshot.progress.settings.get("place"):
            self.store_thread.submit(
                lambda store: progress.save_week_setting(store, label, "place", place)
            )

    def show_end(self, study_id: str) -> None:
        """Remove the message that a study has ended, where what came out is on screen."""
        if self.notice[0].startswith(f"{study_id}: ") and STUDY_ENDED in self.notice[0]:
            self.clear_notice()

    def set_course(self, course: bool) -> None:
        """Show the week as part of its course, or on its own, from now on."""
        with self.errors_as_dialogs():
            config.save_setting("course", str(course).lower())
            week = content.load_week(self.setup.week.root, course)
            self.setup = replace(self.setup, week=week)
            self.store_thread.reader.content = week
            self.run_job(lambda store: progress.tick_steps_of_command(store, week, "config"))
            self.mutate_reactive(WeekApp.snapshot)  # redraw: the pages' texts have changed
            reading = "as part of the course" if course else "on its own, without the course"
            self.notify(f"The week now reads {reading}.")

    def action_go(self, page: str) -> None:
        """Show a main screen, and nothing over it."""
        while len(self.screen_stack) > 1:
            self.pop_screen()
        self.switch_mode(page)

    def open_study(self, study_id: str) -> None:
        """Show a study in the lab."""
        self.store_thread.watch_study(study_id)
        self.action_go("lab")

    def action_leave(self) -> None:
        self.screen.action_back()  # type: ignore[attr-defined]

    def action_end(self) -> None:
        """Close the form that is open, with what was typed into it; else the app."""
        if getattr(self.screen, "is_form", False):
            self.action_leave()
        else:
            self.exit()

    # ── the timer

    def action_timer(self) -> None:
        """Start the timer for the open part, or pause it."""
        part = self.timed_part
        self.keep_time()
        self.running_part = None if part else self.part_id or None
        self._last = self._touched = self.setup.clocks()
        self.draw_clock()

    def tick_clock(self) -> None:
        """Count, and redraw; called once a second."""
        now = self.setup.clocks()
        step, self._last = now - self._last, now
        part = self._part(self.timed_part)
        if part is not None and 0 <= step <= GAP:
            before = self._spent(part)
            self._fresh += step
            if before < part.allowance * 60 <= before + step:
                if self.setup.config.bell:
                    self.bell()
                said = f"The {part.allowance} minutes of {part.name} are spent. The clock goes on."
                self.notify(said, timeout=20)
            if self._fresh >= KEEP:
                self.keep_time()
        if part is not None and now - self._touched > IDLE:
            self.action_timer()
            self.notify(f"No key for half an hour: the timer of {part.name} is paused.")
        self.draw_clock()

    def keep_time(self) -> None:
        """Save what was counted."""
        part, seconds = self.running_part, self._fresh
        self._fresh = 0.0
        if part is None or not seconds:
            return
        self._saving += seconds
        label = self.setup.week.label

        def saved(_: None) -> None:
            self._saving -= seconds

        self.run_job(
            lambda store: learner_tables.credit_seconds(store, label, {part: seconds}), saved
        )

    def draw_clock(self) -> None:
        """Show the time of the open part."""
        part = self._part(self.part_id)
        if part is None or not (self.setup.config.week or self.running_part):
            self.clock_line = ("", "")
            return
        left, running = part.allowance * 60 - self._spent(part), self.timed_part == part.id
        if not part.allowance:
            words = f"{text_formats.minutes_seconds(-left)} spent"
        elif left < 0:
            words = f"+{text_formats.minutes_seconds(-left)} over {part.allowance}"
        else:
            words = f"{text_formats.minutes_seconds(left)} left of {part.allowance}"
        tone = "over" if left < 0 < part.allowance else "on" if running else "off"
        self.clock_line = f"{part.name} {'▶' if running else '‖'} {words}", tone

    def _spent(self, part: Part) -> float:
        fresh = self._fresh + self._saving if part.id == self.running_part else 0.0
        return self.snapshot.progress.spent(part.id) + fresh

    def watch_part_id(self) -> None:
        self.draw_clock()

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key | events.MouseDown | events.Paste):
            self._touched = self.setup.clocks()
        await super().on_event(event)

    def _part(self, part_id: str | None) -> Part | None:
        return self.setup.week.find_part(part_id) if part_id else None
