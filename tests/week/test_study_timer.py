"""The study timer: every transition by name, and that no history at all credits what was not
seen."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from q1lab.week.study_timer import (
    Clock,
    ClockReading,
    TimerQuestion,
    TimerRules,
    away_between,
    minutes_ran_out,
    read_clocks,
    restore_clock,
    same_boot,
)

RULES = TimerRules(gap=30, idle=600)


@dataclass
class Machine:
    """A fake machine: its stopwatches, its wall clock, its boots."""

    awake: float = 1000.0
    up: float = 1000.0
    wall: float = 1_700_000_000.0
    boots: int = 1
    ids: bool = True

    def now(self) -> ClockReading:
        return ClockReading(
            self.awake, self.up, self.wall, f"boot-{self.boots}" if self.ids else ""
        )

    def work(self, seconds: float) -> ClockReading:
        self.awake += seconds
        return self.sleep(seconds)

    def sleep(self, seconds: float) -> ClockReading:
        self.up += seconds
        self.wall += seconds
        return self.now()

    def set_wall(self, by: float) -> ClockReading:
        self.wall += by
        return self.now()

    def reboot(self, off: float) -> ClockReading:
        self.boots += 1
        self.awake = self.up = 5.0
        self.wall += off
        return self.now()


def ticked(clock: Clock, machine: Machine, seconds: int) -> Clock:
    for _ in range(seconds):
        clock = clock.tick(machine.work(1))
    return clock


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def running(machine: Machine) -> Clock:
    return Clock(rules=RULES).start(machine.now(), "a2")


def through_disk(clock: Clock, now: ClockReading) -> Clock:
    return restore_clock(json.loads(json.dumps(clock.to_dict())), now, RULES)


# ── transitions


def test_it_counts_while_it_runs_and_not_while_it_is_paused(
    machine: Machine, running: Clock
) -> None:
    clock = ticked(running, machine, 90).pause(machine.work(1))
    assert clock.fresh == {"a2": 91}
    assert not clock.running
    assert ticked(clock, machine, 500).fresh == {"a2": 91}
    resumed = ticked(clock.start(machine.now()), machine, 9)
    assert resumed.fresh == {"a2": 100}


def test_nothing_is_credited_before_a_part_is_started(machine: Machine) -> None:
    clock = Clock(rules=RULES).start(machine.now())
    assert ticked(clock, machine, 10) == Clock(rules=RULES)


def test_starting_another_part_credits_the_first(machine: Machine, running: Clock) -> None:
    clock = running.start(machine.work(20), "b1")
    assert ticked(clock, machine, 3).fresh == {"a2": 20, "b1": 3}


@pytest.mark.parametrize("jump", [86_400, -3_600, 1e9, -1e9])
def test_setting_the_wall_clock_changes_nothing(
    machine: Machine, running: Clock, jump: float
) -> None:
    machine.set_wall(jump)
    clock = ticked(running, machine, 10)
    assert (clock.fresh, clock.running, clock.question) == ({"a2": 10}, True, None)


def test_a_stopped_program_is_a_gap(machine: Machine, running: Clock) -> None:
    clock = ticked(running, machine, 10).tick(machine.work(3_600))
    assert clock.fresh == {"a2": 10}
    assert not clock.running
    assert clock.question == TimerQuestion("away", "a2", 3_600)


def test_a_sleeping_machine_is_a_gap_though_its_stopwatch_stood_still(
    machine: Machine, running: Clock
) -> None:
    machine.sleep(7_200)
    clock = running.tick(machine.work(1))
    assert clock.fresh == {}
    assert clock.question == TimerQuestion("away", "a2", 7_201)


def test_silence_makes_it_ask_and_the_answer_decides(machine: Machine, running: Clock) -> None:
    asking = ticked(running, machine, 600)
    assert asking.question == TimerQuestion("idle", "a2", 600)
    assert asking.fresh == {"a2": 0}, "a question that is overlooked leaves nothing counted"
    longer = ticked(asking, machine, 60)
    assert longer.fresh == {"a2": 0}
    assert longer.answer(machine.now(), math.inf, go_on=True).fresh == {"a2": 660}
    assert longer.answer(machine.now(), 0).fresh == {"a2": 0}
    granted = longer.answer(machine.now(), 300)
    assert (granted.fresh, granted.running, granted.question) == ({"a2": 300}, False, None)


def test_a_sign_of_life_begins_the_silence_anew(machine: Machine, running: Clock) -> None:
    clock = ticked(running, machine, 599).touch(machine.now())
    clock = ticked(clock, machine, 599)
    assert clock.question is None
    assert ticked(clock, machine, 1).question is not None


def test_only_the_silence_is_taken_back(machine: Machine, running: Clock) -> None:
    clock = ticked(running, machine, 100).touch(machine.now())
    _, clock = ticked(clock, machine, 300).settle()
    assert ticked(clock, machine, 300).fresh == {"a2": -300}


def test_nothing_counts_while_another_part_is_open(machine: Machine, running: Clock) -> None:
    clock = ticked(running, machine, 10)
    for _ in range(700):
        clock = clock.tick(machine.work(1), part_is_open=False)
    assert (clock.fresh, clock.running, clock.question) == ({"a2": 10}, True, None)
    clock = ticked(clock, machine, 5)
    assert clock.fresh == {"a2": 15}
    assert clock.tick(machine.work(3_600), part_is_open=False).question == TimerQuestion(
        "away", "a2", 3_600
    )


def test_a_key_answers_no_question_and_nothing_starts_under_one(
    machine: Machine, running: Clock
) -> None:
    asking = running.tick(machine.work(500))
    for then in (
        asking.touch(machine.now()),
        asking.start(machine.now(), "b1"),
        asking.pause(machine.now()),
    ):
        assert then == asking


def test_an_answer_grants_no_more_than_was_asked_about(machine: Machine, running: Clock) -> None:
    asking = running.tick(machine.work(500))
    assert asking.answer(machine.now(), 1e9).fresh == {"a2": 500}
    assert asking.answer(machine.now(), -50).fresh == {"a2": 0}
    assert asking.answer(machine.now(), math.nan).fresh == {"a2": 0}


def test_an_answer_without_a_question_does_nothing(machine: Machine, running: Clock) -> None:
    assert running.answer(machine.now(), 500).fresh.get("a2", 0) == 0


def test_an_answer_to_a_question_that_a_gap_replaced_waits(
    machine: Machine, running: Clock
) -> None:
    asking = ticked(running, machine, 600)
    clock = asking.answer(machine.work(5_000), math.inf)
    assert clock.question == TimerQuestion("away", "a2", 5_600)
    assert clock.fresh == {"a2": 0}
    assert clock.answer(machine.now(), 0).fresh == {"a2": 0}


# ── closing, killing, rebooting


def test_it_comes_back_paused_and_asks_how_much_counts(machine: Machine, running: Clock) -> None:
    before = ticked(running, machine, 20)
    clock = through_disk(before, machine.work(900))
    assert not clock.running
    assert clock.question == TimerQuestion("away", "a2", 900)
    assert clock.fresh == {"a2": 20}
    counted = clock.answer(machine.work(30), 120)
    assert counted.fresh == {"a2": 140}
    assert ticked(counted, machine, 60).fresh == {"a2": 140}


def test_a_restart_within_seconds_asks_nothing_and_counts_nothing(
    machine: Machine, running: Clock
) -> None:
    before = ticked(running, machine, 20)
    clock = through_disk(before, machine.work(4))
    assert clock.running
    assert clock.question is None
    assert ticked(clock, machine, 10).fresh == {"a2": 30}


def test_a_paused_clock_comes_back_without_a_question(machine: Machine, running: Clock) -> None:
    before = ticked(running, machine, 20).pause(machine.now())
    assert through_disk(before, machine.work(900)) == before


def test_an_open_question_survives(machine: Machine, running: Clock) -> None:
    asking = running.tick(machine.work(500))
    assert through_disk(asking, machine.reboot(1_000)).question == asking.question


def test_a_wall_clock_set_while_away_does_not_count(machine: Machine, running: Clock) -> None:
    machine.set_wall(86_400)
    clock = through_disk(running, machine.work(60))
    assert clock.question == TimerQuestion("away", "a2", 60)


@pytest.mark.parametrize("ids", [True, False])
def test_after_a_reboot_the_wall_clock_is_all_there_is(ids: bool) -> None:
    machine = Machine(ids=ids)
    clock = Clock(rules=RULES).start(machine.now(), "a2")
    back = through_disk(clock, machine.reboot(3_600))
    assert back.question == TimerQuestion("away", "a2", 3_600, sure=False)
    machine.set_wall(-1e6)
    assert through_disk(clock, machine.now()).question == TimerQuestion("away", "a2", 0, sure=False)


def test_idle_and_killed_asks_once_about_both(machine: Machine, running: Clock) -> None:
    asking = ticked(ticked(running, machine, 600), machine, 10)
    clock = through_disk(asking, machine.work(1_000))
    assert clock.question == TimerQuestion("away", "a2", 1_610)
    assert clock.answer(machine.now(), math.inf).fresh == {"a2": 1_610}


SOUND: dict[str, object] = {
    "part": "a", "running": True, "fresh": {}, "silent": 0, "last": None, "question": None,
}  # fmt: skip


@pytest.mark.parametrize(
    "data",
    [
        *(None, [], {}, "x", {"part": 3}, {"part": None, "running": True}),
        SOUND | {"fresh": {"a": math.nan}},
        SOUND | {"fresh": [1]},
        SOUND | {"last": {"awake": "x"}},
        SOUND | {"running": False, "question": {"kind": "idle"}},
    ],
)
def test_nonsense_on_the_disk_gives_a_new_clock(data: object, machine: Machine) -> None:
    assert restore_clock(data, machine.now(), RULES) == Clock(rules=RULES)


def test_settling_hands_over_each_second_once(machine: Machine, running: Clock) -> None:
    amounts, clock = ticked(running, machine, 10).settle()
    assert amounts == {"a2": 10}
    amounts, clock = ticked(clock, machine, 5).settle()
    assert amounts == {"a2": 5}
    assert clock.settle()[0] == {}


def test_boots_are_told_apart() -> None:
    reading = ClockReading(10, 10, 1000)
    assert same_boot(reading, ClockReading(70, 70, 1060))
    assert not same_boot(reading, ClockReading(5, 5, 1060))
    assert not same_boot(reading, ClockReading(70, 70, 9000))
    assert not same_boot(replace(reading, boot="x"), ClockReading(70, 70, 1060, "y"))
    assert away_between(reading, ClockReading(5, 5, 900)) == (0.0, False)


def test_the_real_clocks_go_forward() -> None:
    first, second = read_clocks(), read_clocks()
    assert second.awake >= first.awake
    assert second.up >= first.up
    assert same_boot(first, second)


def test_the_bell_rings_once() -> None:
    assert [minutes_ran_out(s, s + 1, 1) for s in (57, 58, 59, 60, 61)] == [
        False,
        False,
        True,
        False,
        False,
    ]
    assert not minutes_ran_out(0, 100, 0)


# ── no history credits what was not seen

DURATION = st.floats(0, 100_000, allow_nan=False) | st.floats(0, 40)
ACTS = st.lists(
    st.tuples(st.sampled_from(["work", "tick", "sleep", "reboot", "restore"]), DURATION)
    | st.tuples(st.just("wall"), st.floats(-1e9, 1e9))
    | st.tuples(st.sampled_from(["start", "pause", "touch", "settle"]), st.sampled_from("abc"))
    | st.tuples(st.just("answer"), st.floats(allow_nan=True)),
    max_size=60,
)


@dataclass
class History:
    """Drives a clock through acts and keeps its own, simpler account of what could be credited at
    most."""

    machine: Machine
    clock: Clock = field(default_factory=lambda: Clock(rules=RULES))
    written: dict[str, float] = field(default_factory=dict)
    watched: float = 0.0
    """Stopwatch seconds between two close looks of one living process in which the clock was
    counting."""
    granted: float = 0.0
    """The most that the answers could add."""
    last_look: ClockReading | None = None

    def look(self) -> ClockReading:
        now = self.machine.now()
        if self.last_look is not None and self.clock.running and now.boot == self.last_look.boot:
            step = now.awake - self.last_look.awake
            self.watched += step if step <= RULES.gap else 0.0
        self.last_look = now
        return now

    def act(self, name: str, value: float | str) -> None:
        machine, clock = self.machine, self.clock
        match name, value:
            case "work", float():
                machine.work(value)
                self.clock = clock.tick(self.look())
            case "tick", float():
                machine.work(value % 2)
                self.clock = clock.tick(self.look())
            case "sleep", float():
                machine.sleep(value)
            case "wall", float():
                machine.set_wall(value)
            case "reboot", float():
                machine.reboot(value)
                self.last_look = None
                self.clock = through_disk(clock, machine.now())
            case "restore", float():
                self.last_look = machine.work(value)  # the new process's first look
                self.clock = through_disk(clock, self.last_look)
            case "start", str():
                machine.work(1.0)  # nobody is at the keys in the moment in which a machine is up
                self.clock = clock.start(self.look(), value)
            case "pause", _:
                self.clock = clock.pause(self.look())
            case "touch", _:
                self.clock = clock.touch(self.look())
            case "settle", _:
                amounts, self.clock = clock.settle()
                for part, seconds in amounts.items():
                    self.written[part] = self.written.get(part, 0.0) + seconds
            case "answer", float():
                now = self.look()
                if question := clock.tick(now).question:
                    self.granted += question.seconds
                self.clock = clock.answer(now, value, go_on=value > 0)

    def totals(self) -> dict[str, float]:
        parts = {*self.written, *self.clock.fresh}
        return {
            part: self.written.get(part, 0.0) + self.clock.fresh.get(part, 0.0) for part in parts
        }


@settings(max_examples=200, deadline=None)
@given(acts=ACTS, ids=st.booleans())
def test_without_an_answer_only_watched_seconds_count(
    acts: list[tuple[str, float | str]], ids: bool
) -> None:
    history = History(Machine(ids=ids))
    for name, value in acts:
        if name == "answer":
            continue
        history.act(name, value)
        totals = history.totals()
        assert sum(totals.values()) <= history.watched * (1 + 1e-9) + 1e-6
        assert all(seconds >= -1e-6 for seconds in totals.values())
        assert not (history.clock.running and history.clock.question)


@settings(max_examples=200, deadline=None)
@given(acts=ACTS, ids=st.booleans())
def test_answers_add_no_more_than_they_were_asked_about(
    acts: list[tuple[str, float | str]], ids: bool
) -> None:
    history = History(Machine(ids=ids))
    for name, value in acts:
        history.act(name, value)
        totals = history.totals()
        most = history.watched + history.granted
        assert sum(totals.values()) <= most * (1 + 1e-9) + 1e-6
        assert all(seconds >= -1e-3 for seconds in totals.values())


@settings(max_examples=200, deadline=None)
@given(acts=ACTS)
def test_each_state_survives_the_disk(acts: list[tuple[str, float | str]]) -> None:
    history = History(Machine())
    for name, value in acts:
        history.act(name, value)
    before, back = history.clock, through_disk(history.clock, history.machine.now())
    assert back.running == (before.running and back.question is None)
    assert (back.part, dict(back.fresh)) == (before.part, dict(before.fresh))
    assert through_disk(back, history.machine.now()) == back
