"""`q1lab demo`: real runs, judged by the judge, and nothing put on record."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.widgets import OptionList

from q1lab.commands.demo import demo_screen, demo_text, shipped_runs
from q1lab.commands.demo.demo_app import DemoApp
from q1lab.commands.demo.demo_screen import DemoScreen
from q1lab.commands.demo.shipped_runs import ShippedRuns, read_runs
from q1lab.ground.paths import content_dir
from q1lab.index.store import Store
from q1lab.study.corpora import SHAKESPEARE_SHA256
from q1lab.study.run_states import RunState
from q1lab.study.studies import ARMS, run_name
from q1lab.tui.screens.welcome import WelcomeScreen
from q1lab.tui.widgets.loss_chart import LossChart
from q1lab.week.content import load_week
from tests.kit.commands import q1lab
from tests.kit.lab_home import words
from tests.kit.places import ROOT
from tests.kit.tui_home import prepared, until
from tests.tui.test_terminal import Terminal, start

__all__ = ["start"]
pytestmark = pytest.mark.sample


@pytest.fixture
def shipped() -> ShippedRuns:
    return read_runs()


def differences(shipped: ShippedRuns) -> list[float]:
    old, new = ([shipped.ends[run_name(arm, k)] for k in shipped.study.seeds] for arm in ARMS)
    return [b - a for a, b in zip(old, new, strict=True)]


# ── the runs


def test_the_runs_are_eight_declared_pairs_with_their_origin(shipped: ShippedRuns) -> None:
    study, record = shipped.study, json.loads(shipped_runs.FILE.read_text())
    assert study.seeds == tuple(range(8)), "the first eight: none is picked"
    assert study.data.sha256 == SHAKESPEARE_SHA256
    assert set(study.trainer.versions) >= {"q1lab", "python", "torch", "trainer"}
    assert "q1lab run relu_squared --preset quick --seeds 8" in record["about"]
    assert study.trainer.recipe == "quick"
    assert study.variant == "relu_squared"
    assert shipped_runs.FILE.stat().st_size < 100_000


def test_each_curve_falls_to_the_exact_loss_of_its_run(shipped: ShippedRuns) -> None:
    assert set(shipped.losses) == set(shipped.ends) == {run.name for run in shipped.study.runs}
    assert shipped.iters[-1] == shipped.study.max_iters
    for name, losses in shipped.losses.items():
        assert losses[-1] == pytest.approx(shipped.ends[name], abs=1e-4)
        assert losses[0] > losses[-1] + 0.3


def test_a_moment_shows_what_was_known_then(shipped: ShippedRuns) -> None:
    runs = {run.name: run for run in shipped.at(2.5)}
    done, half, queued = (runs[run_name("modified", seed)] for seed in (1, 2, 3))
    assert (done.state, done.val_loss) == (RunState.FINISHED, shipped.ends["modified-seed1"])
    assert (half.state, half.iter, half.val_loss) == (RunState.RUNNING, 500, None)
    assert half.curve("val_loss")[-1] == (500, shipped.losses["modified-seed2"][9])
    assert (queued.state, queued.curve("val_loss")) == (RunState.QUEUED, ())


def test_the_looks_share_5_percent_and_the_verdict_has_their_level(shipped: ShippedRuns) -> None:
    design, judgment = shipped.study.design, shipped.judge()
    assert design.pairs == (3, 8)
    assert design.limits_hold(1e-3), "interim_analyses computes the limits again"
    assert judgment.level == pytest.approx(1 - (design.level or 0))
    values = differences(shipped)
    ends = design.interval_at(values)
    assert judgment.interval == pytest.approx(ends)
    mean, error = statistics.fmean(values), statistics.stdev(values) / math.sqrt(8)
    from scipy.stats import t

    assert ends == pytest.approx(t.interval(judgment.level, 7, mean, error), rel=1e-3)
    assert judgment.verdict in ("helps", "hurts", "cannot tell")


# ── as text


def flat(text: str) -> str:
    return " ".join(text.split())


def test_in_a_pipe_it_is_plain_text_without_a_question(shipped: ShippedRuns) -> None:
    done = q1lab("demo")
    assert "\x1b" not in done.stdout
    assert done.stderr == ""
    for sentence in (*demo_text.explanations(shipped), demo_text.looks_sentence(shipped)):
        assert sentence in flat(done.stdout)
    assert done.stdout.count("pair of seed") == 8
    assert re.findall(r"after (\d) pairs:", done.stdout) == list("345678")
    assert shipped.judge().short() in done.stdout
    assert done.stdout.endswith(f"{demo_text.NEXT}\n")
    assert "Predicted" not in done.stdout
    full = q1lab("demo", "--full").stdout
    assert "each of 8 pairs" in full
    assert "Scope: " in full


def test_its_help_has_an_example() -> None:
    assert "q1lab demo --full" in q1lab("demo", "--help").stdout


def test_nothing_is_put_on_record(tmp_path: Path) -> None:
    home, folder = tmp_path / "home", tmp_path / "here"
    folder.mkdir()
    env = {**os.environ, "Q1LAB_HOME": str(home), "HOME": str(folder), "PYTHONPATH": str(ROOT)}
    for options in ((), ("--full",)):
        command = [sys.executable, "-m", "q1lab", "demo", *options]
        subprocess.run(command, cwd=folder, env=env, check=True, stdout=subprocess.DEVNULL)
    assert not home.exists()
    assert list(folder.iterdir()) == []


def test_the_words_that_it_explains_are_in_the_glossary(shipped: ShippedRuns) -> None:
    terms = {term.name for term in load_week(content_dir()).terms}
    assert set(demo_text.WORDS) <= terms
    for word, sentence in zip(demo_text.WORDS, demo_text.explanations(shipped), strict=True):
        assert word in sentence


def test_what_to_do_next_names_commands_that_are_there() -> None:
    named = re.findall(r"`q1lab (\w+)", demo_text.NEXT)
    assert named == ["judge", "run"]
    assert all(q1lab(name, "--help").stdout for name in named)


def test_a_study_that_would_have_stopped_is_said_to(shipped: ShippedRuns) -> None:
    after, design, values = shipped.known_after, shipped.study.design, differences(shipped)
    assert after is not None
    low, high = design.interval_at(values[:after]) or (0, 0)
    assert low > 0 or high < 0
    assert f"would have stopped after {after} pairs" in demo_text.stop_sentence(shipped)


# ── as a screen


def left(app: DemoApp) -> bool:
    return not app.is_running or app._exit


async def test_it_asks_explains_replays_and_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_screen, "PAIR_SECONDS", 0.05)
    app = DemoApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "What does the change do?" in flat(words(app)))
        await pilot.press("enter")
        await until(pilot, lambda: "By how much?" in flat(words(app)))
        await pilot.press("down", "down", "enter")
        await until(pilot, lambda: "The val loss says" in flat(words(app)))
        await pilot.press("w")
        await until(pilot, lambda: "Words" in words(app))
        await pilot.press("escape", "x")
        await until(pilot, lambda: "Predicted: the val loss falls by 0.1 nats" in flat(words(app)))
        shown = flat(words(app))
        assert "HELPS relu_squared − baseline" in shown
        assert "after 8 pairs" in shown
        assert "Next: `q1lab` opens the week" in shown
        await pilot.press("enter")
        await until(pilot, lambda: left(app))
    assert app.judgment is not None
    assert app.judgment.subject.prediction == {"direction": "lower", "size": 0.1}


async def test_any_key_skips_ahead_and_no_guess_is_scored_where_none_was_made() -> None:
    app = DemoApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.screen.query(OptionList))
        await pilot.press("up", "enter")
        await until(pilot, lambda: "any key skips ahead" in words(app))
        await pilot.press("2")
        await until(pilot, lambda: not app.screen.query_one(LossChart).data.empty)
        await pilot.press("a")
        await until(pilot, lambda: "HELPS" in words(app))
        assert "Predicted" not in words(app)
        await pilot.press("q")
        await until(pilot, lambda: left(app))
    assert app.judgment is not None


async def test_who_leaves_early_gets_no_verdict() -> None:
    app = DemoApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.screen.query(OptionList))
        await pilot.press("escape")
        await until(pilot, lambda: left(app))
    assert (app.judgment, app.status) == (None, 0)


async def test_the_welcome_opens_it_and_it_writes_nothing(home: Path) -> None:
    app = prepared(lambda store, week: store.set_setting(f"welcomed:{week.label}", None))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, WelcomeScreen))
        await until(pilot, lambda: "A first verdict in a minute" in words(app))
        await pilot.pause()
        before = record(home)
        await pilot.press("right", "enter")
        await until(pilot, lambda: isinstance(app.screen, DemoScreen))
        await until(pilot, lambda: app.screen.query(OptionList))
        await pilot.press("2")
        assert isinstance(app.screen, DemoScreen), "the lab is empty, and the welcome was lost"
        await pilot.press("enter", "enter", "x", "x")
        await until(pilot, lambda: "HELPS" in words(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, WelcomeScreen))
        assert record(home) == before
    with Store() as store:
        assert store.db.execute("SELECT COUNT(*) FROM studies").fetchone()[0] == 0


def record(home: Path) -> dict[str, bytes]:
    """What is kept: every file but the database's own logs."""
    kept = (file for file in home.rglob("*") if file.is_file() and "q1lab.db" not in file.name)
    return {str(file): file.read_bytes() for file in kept}


def test_its_default_pace_is_a_minute_with_the_readers_answers() -> None:
    by_itself = demo_screen.READING_SECONDS + 8 * demo_screen.PAIR_SECONDS
    assert 45 <= by_itself <= 52, "two answers take the rest"


# ── in a terminal


PAGES = {
    "asks": (),
    "explains": (("k\r", "It goes on by itself"),),
    "replays": (("k\r", "It goes on by itself"), (" ", "From pair 3 on")),
    "tells": (("k\r", "It goes on by itself"), (" ", "From pair 3 on"), (" ", "HELPS")),
}
"""A page of the demo → the keys that lead to it, each with words that then are seen."""


def walk(terminal: Terminal, page: str) -> None:
    terminal.sees("What does the change do?")
    for keys, seen in PAGES[page]:
        terminal.press(keys)
        terminal.sees(seen)


@pytest.mark.parametrize("page", PAGES)
def test_ctrl_c_leaves_cleanly_at_any_moment(start: Callable[..., Terminal], page: str) -> None:
    terminal = start("demo", columns=80, lines=24)
    walk(terminal, page)
    terminal.press("\x03")
    terminal.drain()
    assert os.waitstatus_to_exitcode(terminal.end(0)) == 130
    assert not terminal.screen.cursor.hidden, "the terminal is given back"
    assert "Traceback" not in terminal.text


def test_a_verdict_stays_in_the_terminal(start: Callable[..., Terminal]) -> None:
    terminal = start("demo", columns=80, lines=24)
    walk(terminal, "tells")
    terminal.press("\r")
    terminal.drain()
    assert os.waitstatus_to_exitcode(terminal.end(0)) == 0
    assert re.search(r"^sd +0\.", terminal.text, re.M), "which is below the verdict in print"
    assert "trains your own program." in flat(terminal.text)


def test_a_signal_ends_it(start: Callable[..., Terminal]) -> None:
    terminal = start("demo", columns=80, lines=24)
    terminal.sees("What does the change do?")
    assert os.waitstatus_to_exitcode(terminal.end(signal.SIGTERM)) == 128 + signal.SIGTERM


def test_a_terminal_that_is_too_small_gets_the_text(start: Callable[..., Terminal]) -> None:
    terminal = start("demo", columns=50, lines=30)
    terminal.drain()
    assert os.waitstatus_to_exitcode(terminal.end(0)) == 0
    assert "trains your own program." in flat(terminal.text)
