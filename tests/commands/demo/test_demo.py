"""`q1lab demo`: real runs, judged by the judge, and nothing put on record."""

from __future__ import annotations

import json
import math
import os
import re
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from q1lab.app.screens.command_output import CommandOutputScreen
from q1lab.app.screens.welcome import WelcomeScreen
from q1lab.commands.demo import demo_text, shipped_runs
from q1lab.commands.demo.shipped_runs import ShippedRuns, read_runs
from q1lab.ground.config import Config
from q1lab.ground.paths import content_dir
from q1lab.journal.store import Store
from q1lab.judgment.face import Face
from q1lab.study import seed_range
from q1lab.study.corpora import SHAKESPEARE_SHA256
from q1lab.week.content import load_week
from tests.app.test_terminal import Terminal, start
from tests.kit.commands import q1lab
from tests.kit.lab_home import words
from tests.kit.places import ROOT
from tests.kit.tui_home import prepared, until

__all__ = ["start"]
pytestmark = pytest.mark.sample


@pytest.fixture
def shipped() -> ShippedRuns:
    return read_runs()


# ── the runs


def test_the_runs_are_eight_declared_pairs_with_their_origin(shipped: ShippedRuns) -> None:
    study, record = shipped.study, json.loads(shipped_runs.FILE.read_text())
    assert study.seeds == tuple(range(8)), "the first eight: none is picked"
    assert study.data.sha256 == SHAKESPEARE_SHA256
    assert set(study.trainer.versions) >= {"q1lab", "python", "torch", "trainer"}
    assert "q1lab run ./qk_norm.py" in record["about"]
    assert study.trainer.preset == "quick"
    assert str(ROOT) not in shipped_runs.FILE.read_text(), "a folder of somebody's machine ships"
    told = [ROOT / "README.md", *(ROOT / "content").rglob("*.md")]
    assert not [file for file in told if "qk_norm" in file.read_text()], "the answer is given away"
    assert set(shipped.ends) == {run.name for run in study.runs}


def test_the_looks_share_5_percent_and_the_verdict_has_their_level(shipped: ShippedRuns) -> None:
    design, judgment = shipped.study.design, Face(shipped.judge())
    assert design.pairs == (3, 8)
    assert design.levels is not None
    again = seed_range.limits_hold(design.levels, 1e-3)
    assert again, "interim_analyses computes the limits again"
    assert judgment.level == pytest.approx(1 - (design.level or 0))
    values = shipped.differences
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
    assert done.stdout.count("●") == 6, "an interval after each pair from the third on"
    assert "the 6 looks (interim analyses)" in flat(done.stdout)
    assert max(len(line) for line in done.stdout.splitlines() if "pair of seed" in line) <= 80
    verdict, *_ = Face(shipped.judge()).short().partition("\nEverything else")
    assert verdict in done.stdout
    assert done.stdout.endswith(f"{demo_text.NEXT}\n")
    assert "Predicted" not in done.stdout
    full = q1lab("demo", "--full").stdout
    assert "each of 8 pairs" in full
    assert "This holds after 400 iters on shakespeare" in full


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
    after, design, values = shipped.known_after, shipped.study.design, shipped.differences
    assert after is not None
    low, high = design.interval_at(values[:after]) or (0, 0)
    assert low > 0 or high < 0
    assert f"would have stopped after {after} pairs" in demo_text.stop_sentence(shipped)
    vars(shipped)["known_after"] = design.pairs[1]
    assert demo_text.stop_sentence(shipped) == "", "it needed them all"


async def test_the_welcome_shows_it_and_it_writes_nothing(tmp_path: Path) -> None:
    app = prepared(
        lambda store, week: store.set_setting(f"welcomed:{week.label}", None),
        config=Config(repo=tmp_path),
    )
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, WelcomeScreen))
        await until(pilot, lambda: "A first verdict in a minute" in words(app))
        await pilot.pause()
        await pilot.press("right", "enter")
        await until(pilot, lambda: isinstance(app.screen, CommandOutputScreen))
        await until(pilot, lambda: "HELPS" in app.screen.printed)
        await until(pilot, lambda: app.screen.has_ended)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, WelcomeScreen))
    with Store() as store:
        assert store.db.execute("SELECT COUNT(*) FROM studies").fetchone()[0] == 0


# ── in a terminal


def test_it_asks_replays_and_tells(start: Callable[..., Terminal]) -> None:
    terminal = start("demo", columns=80, lines=24)
    terminal.sees("What does the change do?", "Your guess")
    terminal.press("7\r")
    terminal.sees("7 is not in the range")
    terminal.press("1\r")
    terminal.sees("By how much?")
    terminal.press("3\r")
    terminal.sees("Enter shows the runs")
    terminal.press("\r")
    terminal.sees("pair of seed 0")
    assert "pair of seed 7" not in terminal.text, "a pair at a time"
    terminal.sees("HELPS", "trains your own program.")
    assert os.waitstatus_to_exitcode(terminal.end(0)) == 0
    assert "redicted" in terminal.text, "the guess is compared"


@pytest.mark.parametrize("keys", [[], ["4\r"], ["4\r", "\r"]], ids=["asks", "waits", "replays"])
def test_ctrl_c_leaves_cleanly_at_any_moment(
    start: Callable[..., Terminal], keys: list[str]
) -> None:
    terminal = start("demo", columns=80, lines=24)
    terminal.sees("Your guess")
    for key, seen in zip(keys, ("Enter shows the runs", "pair of seed 0"), strict=False):
        terminal.press(key)
        terminal.sees(seen)
    if len(keys) < 2:
        terminal.quiet()  # Python misses an interrupt between a prompt and its wait for a key
    terminal.press("\x03")
    terminal.drain()
    assert os.waitstatus_to_exitcode(terminal.end(0)) == 130
    assert "Traceback" not in terminal.text
