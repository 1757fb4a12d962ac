"""Checks in a pane: the newest round, what fails in sight, hints on a key."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from q1lab.app.app import Q1Lab
from q1lab.app.screens import step_actions
from q1lab.app.screens.check import CheckScreen
from q1lab.app.screens.hint import HintScreen
from q1lab.app.screens.pick_one import PickScreen
from q1lab.app.screens.week_page import WeekScreen
from q1lab.app.widgets.choice_list import ChoiceList
from q1lab.ground.config import Config
from q1lab.journal import learner_tables
from q1lab.journal.store import Store
from q1lab.week.own_model import model_file
from q1lab.week.syllabus import Action
from tests.kit.lab_home import words
from tests.kit.places import MODELS
from tests.kit.tui_home import prepared, until

pytestmark = pytest.mark.sample


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A learner's folder: model.py, and rope.py made from it."""
    model_file.new_baseline(tmp_path)
    model_file.new_model_file("rope", tmp_path)
    return tmp_path


def app(repo: Path) -> Q1Lab:
    return prepared(config=Config(repo=repo))


async def opened(pilot: Any, file: str = "rope.py", model: str = "rope") -> CheckScreen:
    await until(pilot, lambda: isinstance(pilot.app.screen, WeekScreen))
    action = Action("check", "Check it", {"file": file, "for": model})
    step_actions.start_action(pilot.app, action, None)
    await until(pilot, lambda: isinstance(pilot.app.screen, CheckScreen))
    screen = pilot.app.screen
    assert isinstance(screen, CheckScreen)
    return screen


@pytest.mark.cold
async def test_red_then_saved_then_green_and_it_waits(repo: Path) -> None:
    app_ = app(repo)
    step = next(step.id for step in app_.week.steps() if step.id == "b1-checks")
    async with app_.run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot)
        await until(pilot, lambda: "rope.py, as rope: " in screen.text)
        fails = re.compile("✗ .*\n.* expected: ")  # shown a moment after it was printed
        await until(pilot, lambda: fails.search(words(app_)), "what fails is not in sight")
        assert not app_.snapshot.progress.of(step).done
        for reds in (1, 2):
            await pilot.press("h")
            await until(pilot, lambda: isinstance(app_.screen, PickScreen), "h offers no hints")
            await until(
                pilot, lambda: isinstance(app_.focused, ChoiceList), "no hint has the focus"
            )
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(app_.screen, HintScreen), "Enter opens no hint")
            await until(pilot, lambda: ", hint " in words(app_), "the hint has no title")
            await pilot.press("escape")
            await until(pilot, lambda: app_.screen is screen)
            with Store() as store:
                assert len(learner_tables.used_hints(store, app_.week.label, "rope")) == reds
        (repo / "rope.py").write_bytes((MODELS / "rope.py").read_bytes())
        await until(pilot, lambda: "checks passed" in words(app_), "a saved file is not checked")
        assert "✗" not in screen.text
        assert "Next: " in words(app_)
        assert app_.screen is screen  # it never goes on by itself
        await until(pilot, lambda: app_.snapshot.progress.of(step).done, "the step has no tick")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app_.screen, WeekScreen))


async def test_whatever_becomes_of_the_file_the_pane_says_so_and_goes_on(repo: Path) -> None:
    """Missing, saved half-written, far too large, replaced by a folder, and back again."""
    app_, file = app(repo), repo / "rope.py"
    text = file.read_text()
    file.unlink()
    async with app_.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot)
        await until(pilot, lambda: "q1lab new rope" in screen.text)
        file.write_text(text[: len(text) // 2] + "\n  def (\n")
        await until(pilot, lambda: "SyntaxError" in screen.text)
        file.write_text("x = 1\n" * 2_000_000)
        await until(pilot, lambda: "larger than 1 MB" in screen.text)
        file.unlink()
        file.mkdir()
        await until(pilot, lambda: "not a model file" in screen.text)
        file.rmdir()
        file.write_text(text)
        await until(pilot, lambda: "rope.py, as rope" in screen.text)


async def test_no_hints_are_offered_for_the_baseline(repo: Path) -> None:
    app_ = app(repo)
    async with app_.run_test(size=(100, 30)) as pilot:
        screen = await opened(pilot, "model.py", "baseline")
        await until(pilot, lambda: "edits it" in words(app_))
        assert "hint" not in words(app_)
        await pilot.press("h")
        assert app_.screen is screen
