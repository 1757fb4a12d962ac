"""The screen that shows a commit before it is made, on real repositories."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Button, Static

from q1lab.ground import config
from q1lab.ground.config import Config
from q1lab.index.store import Store
from q1lab.tui.app import Q1Lab
from q1lab.tui.screens import step_actions
from q1lab.tui.screens.command_output import CommandOutputScreen
from q1lab.tui.screens.commit import CommitScreen
from q1lab.week import progress
from q1lab.week.own_model import model_file
from q1lab.week.syllabus import Action, Week
from tests.kit.places import MODELS
from tests.kit.repos import begun, git, of_its_own
from tests.kit.tui_home import prepared, running, settled, until


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
    step_actions.start_action(
        app, Action("command", "Do it", {"command": command}, "x.md", 1), None
    )


def text_of(screen: CommitScreen, name: str = "message") -> str:
    return str(screen.query_one(f"#{name}", Static).render())


async def test_nothing_is_committed_before_it_was_shown(repo: Path) -> None:
    async with running(a_choice, config=Config(repo=repo), size=(100, 30)) as (app, pilot):
        press(app, "q1lab modification")
        await until(pilot, lambda: isinstance(app.screen, CommitScreen))
        screen = app.screen
        assert isinstance(screen, CommitScreen)
        await until(pilot, lambda: screen.change is not None)
        assert "docs: add MODIFICATION.md for gqa" in text_of(screen)
        assert "on main" in text_of(screen)
        assert "Because [b]it[/b] saves memory." in text_of(screen, "text").replace("\\", "")
        assert not (repo / "MODIFICATION.md").exists()
        screen.query_one("#leave", Button).focus()
        await pilot.press("enter")  # presses what has the focus
        await until(pilot, lambda: app.screen is not screen)
        assert not (repo / "MODIFICATION.md").exists()
        assert commits(repo) == ["begin"]

        press(app, "q1lab modification")
        await until(pilot, lambda: getattr(app.screen, "change", None) is not None)
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(app.screen, CommitScreen))
    assert commits(repo) == ["docs: add MODIFICATION.md for gqa", "begin"]


async def test_edits_of_the_learners_are_shown_and_asked_about(repo: Path) -> None:
    async with running(a_choice, config=Config(repo=repo), size=(100, 30)) as (app, pilot):
        (repo / "MODIFICATION.md").write_text("My foreword.\n")
        git(repo, "add", "MODIFICATION.md")
        git(repo, "commit", "-q", "-m", "mine")
        (repo / "MODIFICATION.md").write_text("My foreword, edited.\n")
        press(app, "q1lab modification")
        await until(pilot, lambda: getattr(app.screen, "change", None) is not None)
        screen = app.screen
        assert isinstance(screen, CommitScreen)
        await pilot.press("enter")
        await until(pilot, lambda: "edits of yours" in text_of(screen))
        assert "+My foreword, edited." in text_of(screen, "text").replace("+ ", "+")
        assert commits(repo) == ["mine", "begin"]
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(app.screen, CommitScreen))
    assert len(commits(repo)) == 3


async def test_where_only_the_learners_edits_are_new_it_says_so_at_once(repo: Path) -> None:
    async with running(a_choice, config=Config(repo=repo), size=(100, 30)) as (app, pilot):
        press(app, "q1lab modification")
        await until(pilot, lambda: getattr(app.screen, "change", None) is not None)
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(app.screen, CommitScreen))
        with (repo / "MODIFICATION.md").open("a") as file:
            file.write("My last word.\n")
        press(app, "q1lab modification")
        await until(pilot, lambda: getattr(app.screen, "change", None) is not None)
        screen = app.screen
        assert isinstance(screen, CommitScreen)
        assert "nothing new to" in text_of(screen, "claims")


async def test_always_is_remembered_and_then_nothing_is_asked(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages: list[str] = []
    async with running(a_choice, config=Config(repo=repo), size=(100, 30)) as (app, pilot):
        press(app, "q1lab retro")
        await until(pilot, lambda: getattr(app.screen, "change", None) is not None)
        app.screen.query_one("#always", Button).press()
        await until(pilot, lambda: not isinstance(app.screen, CommitScreen))
        assert config.load_settings().ask_before_commit is False
        press(app, "q1lab modification")
        await until(pilot, lambda: len(commits(repo)) == 3)
        await until(pilot, lambda: not isinstance(app.screen, CommitScreen))
        monkeypatch.setattr(app, "notify", lambda text, **_: messages.append(text))
        press(app, "q1lab modification")  # and once more: up to date, said and closed
        await until(pilot, lambda: messages == ["MODIFICATION.md: up to date"])
        await until(pilot, lambda: not isinstance(app.screen, CommitScreen))
    assert len(commits(repo)) == 3


async def test_without_a_repository_it_is_written_and_said(tmp_path: Path) -> None:
    async with running(a_choice, config=Config(repo=tmp_path)) as (app, pilot):
        press(app, "q1lab modification")
        await until(pilot, lambda: getattr(app.screen, "change", None) is not None)
        screen = app.screen
        assert isinstance(screen, CommitScreen)
        assert "written, not committed" in text_of(screen)
        assert not screen.query_one("#always", Button).display
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(app.screen, CommitScreen))
    assert (tmp_path / "MODIFICATION.md").exists()


async def test_a_refusal_is_one_line_and_commits_nothing(repo: Path) -> None:
    hook = repo / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho too long; exit 1\n")
    hook.chmod(0o755)
    async with running(a_choice, config=Config(repo=repo)) as (app, pilot):
        press(app, "q1lab modification")
        await until(pilot, lambda: getattr(app.screen, "change", None) is not None)
        screen = app.screen
        assert isinstance(screen, CommitScreen)
        await pilot.press("enter")
        await until(pilot, lambda: "too long" in text_of(screen))
        assert not screen.query_one("#commit", Button).display
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, CommitScreen))
    assert git(repo, "status", "--porcelain") == "?? MODIFICATION.md\n"


@pytest.mark.cold
async def test_the_merge_is_shown_before_it_is_committed(repo: Path) -> None:
    (repo / "model.py").write_bytes((MODELS / "baseline.py").read_bytes())
    git(repo, "add", "model.py")
    git(repo, "commit", "-q", "-m", "mine")
    file = model_file.new_model_file("rmsnorm", repo).path
    first = file.read_text().partition("\n")[0]
    file.write_text(first + "\n" + (MODELS / "rmsnorm.py").read_text())
    app = prepared(
        lambda store, week: progress.choose_modification(store, week, "rmsnorm"),
        config=Config(repo=repo),
    )
    async with app.run_test(size=(100, 30)) as pilot:
        await settled(pilot)
        press(app, "q1lab merge rmsnorm.py")
        await until(pilot, lambda: getattr(app.screen, "change", None) is not None, 4000)
        screen = app.screen
        assert isinstance(screen, CommitScreen)
        assert "feat: merge rmsnorm" in text_of(screen)
        assert "model.py passes all" in text_of(screen, "claims")
        assert "class RMSNorm" in text_of(screen, "text")
        assert commits(repo) == ["mine", "begin"]
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(app.screen, CommitScreen))
        assert commits(repo)[0].startswith("feat: merge rmsnorm")
        await until(pilot, lambda: app.snapshot.progress.of("b3-merge").done)

        press(app, "q1lab merge rmsnorm.py")  # once more: one line, and one way out
        await until(pilot, lambda: isinstance(app.screen, CommitScreen))
        screen = app.screen
        assert isinstance(screen, CommitScreen)
        await until(pilot, lambda: not screen.busy)
        assert "already has" in text_of(screen)
        assert [button.id for button in screen.query(Button) if button.display] == ["leave"]
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(app.screen, CommitScreen))
    assert len(commits(repo)) == 3


async def test_the_options_of_a_document_are_shown_in_what_it_would_commit(repo: Path) -> None:
    async with running(a_choice, config=Config(repo=repo), size=(100, 30)) as (app, pilot):
        press(app, "q1lab post new --title 'A title of mine'")
        await until(pilot, lambda: getattr(app.screen, "change", None) is not None)
        assert isinstance(app.screen, CommitScreen)
        assert app.screen.change is not None
        assert "+# A title of mine" in app.screen.change.diff


async def test_what_commits_with_options_of_its_own_shows_its_dry_run_first(repo: Path) -> None:
    async with running(a_choice, config=Config(repo=repo), size=(100, 30)) as (app, pilot):
        press(app, "q1lab modification gqa")
        await until(pilot, lambda: isinstance(app.screen, CommandOutputScreen))
        screen = app.screen
        assert isinstance(screen, CommandOutputScreen)
        await until(pilot, lambda: screen.code is not None)
        assert "would commit: docs: add MODIFICATION.md for gqa" in screen.printed
        assert commits(repo) == ["begin"]
        await pilot.press("y")
        await until(pilot, lambda: len(commits(repo)) == 2)
