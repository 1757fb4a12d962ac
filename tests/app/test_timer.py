"""The timer in the app, with a stopwatch that the test moves."""

from __future__ import annotations

from q1lab.app.app import Q1Lab
from q1lab.app.screens.week_page import WeekScreen
from q1lab.journal import learner_tables
from q1lab.journal.store import Store
from q1lab.week import progress
from tests.kit.lab_home import words
from tests.kit.tui_home import FakeClocks, running, settled

LABEL = "M03-W04"


def seconds(part: str = "a1") -> float:
    with Store() as store:
        return progress.recorded_progress(store, LABEL).seconds.get(part, 0.0)


def run_for(app: Q1Lab, clocks: FakeClocks, total: int) -> None:
    for _ in range(total):
        clocks.forward(1)
        app.tick_clock()


async def test_it_counts_down_pauses_and_keeps_the_time() -> None:
    clocks = FakeClocks()
    async with running(clocks=clocks, size=(100, 30)) as (app, pilot):
        assert app.clock_line == ("A1 ‖ 30:00 left of 30", "off")
        await pilot.press("T")
        run_for(app, clocks, 61)
        assert app.clock_line == ("A1 ▶ 28:59 left of 30", "on")
        await pilot.press("T")
        await settled(pilot)
        assert app.clock_line == ("A1 ‖ 28:59 left of 30", "off")
        assert seconds() == 61


async def test_it_counts_for_a_part_while_that_part_is_open() -> None:
    clocks = FakeClocks()
    async with running(clocks=clocks, size=(100, 30)) as (app, pilot):
        await pilot.press("T")
        run_for(app, clocks, 61)
        study = app.screen
        assert isinstance(study, WeekScreen)
        study.open_page("a2")
        await pilot.pause()
        run_for(app, clocks, 40)
        study.open_page("a1")
        await pilot.pause()
        run_for(app, clocks, 9)
        await pilot.press("T")
        await settled(pilot)
        assert (seconds(), seconds("a2")) == (70, 0)


async def test_past_the_budget_it_goes_on_in_another_tone_and_says_so_once() -> None:
    clocks = FakeClocks()
    fill = lambda store, week: learner_tables.credit_seconds(store, week.label, {"a1": 1799})  # noqa: E731
    async with running(fill, clocks=clocks, size=(100, 30)) as (app, pilot):
        await pilot.press("T")
        run_for(app, clocks, 6)
        await pilot.pause()
        assert app.clock_line == ("A1 ▶ +0:05 over 30", "over")
        assert "are spent" in words(app)


async def test_a_jump_is_not_credited_and_silence_pauses_it() -> None:
    clocks = FakeClocks()
    async with running(clocks=clocks, size=(100, 30)) as (app, pilot):
        await pilot.press("T")
        run_for(app, clocks, 10)
        clocks.forward(4000)
        app.tick_clock()
        assert app.timed_part is None, "no key for half an hour"
        await settled(pilot)
        assert seconds() == 10


async def test_leaving_keeps_the_time() -> None:
    clocks = FakeClocks()
    async with running(clocks=clocks, size=(100, 30)) as (app, pilot):
        await pilot.press("T")
        run_for(app, clocks, 7)
    assert seconds() == 7
