"""A command that commits shows what it would do in the pane; y does it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from q1lab.app.app import Q1Lab
from q1lab.app.screens import step_actions
from q1lab.app.screens.command_output import CommandOutputScreen
from q1lab.ground.config import Config
from q1lab.journal.store import Store
from q1lab.week import progress
from q1lab.week.syllabus import Action, Week
from tests.kit.repos import begun, git, of_its_own
from tests.kit.tui_home import running, until


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    of_its_own(tmp_path, monkeypatch)
    return begun(tmp_path / "transformer-from-scratch")


def commits(folder: Path) -> list[str]:
    return git(folder, "log", "--format=%s").split("\n")[:-1]


def a_choice(store: Store, week: Week) -> None:
    progress.choose_modification(store, week, "gqa")
    progress.save_answer(store, week.label, "a1-why", "Because [b]it[/b] saves memory.")


def press(app: Q1Lab, command: str) -> None:
    step_actions.start_action(app, Action("command", "Do it", {"command": command}), None)


async def pane(app: Q1Lab, pilot: Pilot[Any], command: str) -> CommandOutputScreen:
    press(app, command)
    await until(pilot, lambda: isinstance(app.screen, CommandOutputScreen))
    await until(pilot, lambda: app.screen.has_ended)  # type: ignore[attr-defined]
    assert isinstance(app.screen, CommandOutputScreen)
    return app.screen


async def test_a_command_that_commits_nothing_runs_at_once(repo: Path) -> None:
    """post export was run with --dry-run first, which it does not know."""
    async with running(a_choice, config=Config(repo=repo), size=(100, 30)) as (app, pilot):
        assert "there is no draft" in (await pane(app, pilot, "q1lab post export")).printed


@pytest.mark.parametrize(
    "command", ["q1lab modification", "q1lab retro", "q1lab post --title 'Mine'"]
)
async def test_a_commit_is_shown_and_made_on_y(repo: Path, command: str) -> None:
    async with running(a_choice, config=Config(repo=repo), size=(100, 30)) as (app, pilot):
        screen = await pane(app, pilot, command)
        assert "would commit: docs:" in screen.printed
        assert commits(repo) == ["begin"]
        await pilot.press("escape")
        assert commits(repo) == ["begin"]
        screen = await pane(app, pilot, command)
        await pilot.press("y")
        await until(pilot, lambda: len(commits(repo)) == 2)
