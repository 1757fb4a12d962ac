"""The timer in the app, with clocks that the test moves."""

from __future__ import annotations

from pathlib import Path

from textual.widgets import Button, Input

from q1lab.ground.files import is_locked
from q1lab.index import learner_tables
from q1lab.index.store import Store
from q1lab.tui.app import Q1Lab
from q1lab.tui.screens.confirm import ConfirmScreen
from q1lab.tui.screens.timer_question import TimerQuestionScreen
from q1lab.tui.screens.week_page import WeekScreen
from q1lab.week import progress
from tests.kit.lab_home import words
from tests.kit.tui_home import FakeClocks, prepared, running, settled, until

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
        assert app.clock_line == ("A1 ‖ 15:00 left of 15", "off")
        await pilot.press("T")
        run_for(app, clocks, 61)
        assert app.clock_line == ("A1 ▶ 13:59 left of 15", "on")
        await pilot.press("T")
        await settled(pilot)
        assert app.clock_line == ("A1 ‖ 13:59 left of 15", "off")
        assert seconds() == 61


async def test_it_counts_for_a_part_while_that_part_is_open() -> None:
    """The question whether to count for another part was overlooked, and training landed on the
    part before."""
    clocks = FakeClocks()
    async with running(clocks=clocks, size=(100, 30)) as (app, pilot):
        await pilot.press("T")
        run_for(app, clocks, 61)
        study = app.screen
        assert isinstance(study, WeekScreen)
        study.open_page("a2")
        await pilot.pause()
        run_for(app, clocks, 40)
        for _ in range(20):
            clocks.forward(1)
            await pilot.press("down")
        assert not app.timer_offer, "who looks round is asked nothing"
        study.open_page("a2", "a2-skim")
        await pilot.press("space")
        run_for(app, clocks, 2400)
        assert app.clock_line[0].startswith("A1 ‖ 13:59 left of 15")
        assert "The timer of A1 is paused. Time A2 from now on?" in words(app)
        assert "▶" not in words(app), "the list of pages says what the clock says"
        study.open_page("a1")
        await pilot.pause()
        run_for(app, clocks, 9)
        assert app.clock_line == ("A1 ▶ 13:50 left of 15", "on")
        await pilot.press("T")
        await settled(pilot)
        assert (seconds(), seconds("a2")) == (70, 0)


async def test_past_the_budget_it_goes_on_in_another_tone_and_says_so_once() -> None:
    clocks = FakeClocks()
    app = prepared(
        lambda store, week: learner_tables.credit_seconds(store, week.label, {"a1": 899}),
        clocks=clocks,
    )
    async with app.run_test(size=(100, 30)) as pilot:
        await settled(pilot)
        await pilot.press("T")
        run_for(app, clocks, 6)
        await pilot.pause()
        assert app.clock_line == ("A1 ▶ +0:05 over 15", "over")
        assert sum("are spent" in note.message for note in app._notifications) == 1


async def test_a_killed_app_comes_back_paused_and_asks(home: Path) -> None:
    def was_running(store: Store, week: object) -> None:
        first = FakeClocks()
        from q1lab.week.study_timer import Clock

        clock = Clock().start(first(), "a1")
        progress.save_clock(store, LABEL, {"a1": 30.0}, clock.to_dict())

    clocks = FakeClocks()
    clocks.forward(3600)
    app = prepared(was_running, clocks=clocks)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, TimerQuestionScreen))
        assert app.clock_line[1] == "ask"
        assert seconds() == 30
        await pilot.press("escape")
        run_for(app, clocks, 20)
        assert seconds() == 30, "nothing counts while the question is open"
        key = app.clock_line[0].removesuffix(" answers")[-1]
        await pilot.press(key)
        await until(pilot, lambda: isinstance(app.screen, TimerQuestionScreen))
        app.screen.query_one(Input).value = "90"
        app.screen.query_one(Input).focus()
        await pilot.press("enter")
        await until(pilot, lambda: words(app).count("went by.") == 1)  # once, over the foot
        assert isinstance(app.screen, TimerQuestionScreen), "more than went by is not taken"
        app.screen.query_one(Input).value = "10"
        await pilot.press("enter")
        await settled(pilot)
        assert seconds() == 30 + 600
        assert not app.time.clock.running


async def test_a_jump_of_the_machine_is_not_credited() -> None:
    clocks = FakeClocks()
    async with running(clocks=clocks, size=(100, 30)) as (app, pilot):
        await pilot.press("T")
        run_for(app, clocks, 10)
        clocks.forward(7200)
        app.tick_clock()
        await until(pilot, lambda: isinstance(app.screen, TimerQuestionScreen))
        await settled(pilot)
        app.screen.query_one("#none", Button).press()
        await settled(pilot)
        assert seconds() == 10


async def test_leaving_keeps_the_time_and_frees_the_timer(home: Path) -> None:
    clocks = FakeClocks()
    async with running(clocks=clocks, size=(100, 30)) as (app, pilot):
        await pilot.press("T")
        run_for(app, clocks, 3)
        assert is_locked(home / "timer.lock")
        await pilot.press("q", "tab", "enter")
    assert seconds() == 3


async def test_a_clock_that_waits_for_its_part_is_nothing_to_ask_about() -> None:
    clocks = FakeClocks()
    async with running(clocks=clocks, size=(100, 30)) as (app, pilot):
        await pilot.press("T")
        run_for(app, clocks, 61)
        app.screen.open_page("a2")  # type: ignore[attr-defined]
        await pilot.pause()
        clocks.forward(20)
        await pilot.press("q")
    assert seconds() == 61
    clocks.forward(3600)
    async with running(clocks=clocks, size=(100, 30)) as (app, _):
        assert app.clock_line == ("A2 ‖ 90:00 left of 90", "off")
        assert isinstance(app.screen, WeekScreen)


async def test_the_key_that_asks_whether_to_leave_is_an_answer_too() -> None:
    """It did nothing in its own question, and Esc and q stay: the app could not be left."""
    async with running(size=(100, 30)) as (app, pilot):
        await pilot.press("T", "ctrl+q")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen) and app.screen.is_mounted)
        await settled(pilot)
        assert app.is_running
        await pilot.press("ctrl+q")
        await until(pilot, lambda: not app.is_running)


async def test_a_second_window_leaves_the_timer_alone() -> None:
    first_app = prepared()
    async with first_app.run_test(size=(100, 30)) as pilot:
        await settled(pilot)
        second_app = prepared()
        async with second_app.run_test(size=(100, 30)) as other:
            await settled(other)
            await other.press("T")
            assert second_app.timed_part is None
            assert "other window" in second_app.clock_line[0]
            assert "‖" not in second_app.clock_line[0]  # it runs there
