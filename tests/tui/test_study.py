"""The study screen under a pilot: moving, ticking, writing, predicting, choosing, finding."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from textual.widgets import Input, Markdown, Static, TextArea

from q1lab.config import Config
from q1lab.index.store import Store
from q1lab.journal import predictions
from q1lab.tui.screens.answer import AnswerScreen
from q1lab.tui.screens.error import ErrorScreen
from q1lab.tui.screens.help import HelpScreen
from q1lab.tui.screens.study import StudyScreen
from q1lab.tui.screens.too_small import TooSmallScreen
from q1lab.tui.screens.welcome import WelcomeScreen
from q1lab.tui.widgets.checklist import Checklist
from q1lab.week import progress
from q1lab.week.model import Step
from tests.kit.tui_home import prepared, settled, some_progress, until

LABEL = "M03-W04"


def stored() -> progress.Progress:
    with Store() as store:
        return progress.read(store, LABEL)


async def test_it_opens_at_the_first_unfinished_step() -> None:
    app = prepared(some_progress)
    async with app.run_test(size=(100, 30)) as pilot:
        await settled(pilot)
        assert app.part_id == "a2"
        row = app.screen.query_one(Checklist).current
        assert isinstance(row, Step)
        assert row.id == next(step.id for step in app.week.steps() if step.id.startswith("a2-"))


async def test_a_session_can_be_asked_for() -> None:
    app = prepared(session="c")
    async with app.run_test() as pilot:
        await settled(pilot)
        assert app.part_id == "c1"


async def test_space_ticks_and_unticks_on_disk() -> None:
    app = prepared()
    async with app.run_test() as pilot:
        await settled(pilot)
        await pilot.press("space")
        await settled(pilot)
        assert stored().of("a1-trains").done
        await pilot.press("space")
        await settled(pilot)
        assert not stored().of("a1-trains").done


async def test_an_answer_is_written_in_place_and_esc_keeps_it() -> None:
    app = prepared(lambda store, week: progress.tick(store, week.label, "a1-trains", True))
    async with app.run_test(size=(100, 30)) as pilot:
        await settled(pilot)
        app.screen.open_part("a1", "a1-why")
        await pilot.press("enter")
        assert isinstance(app.screen, AnswerScreen)
        await pilot.press(*"why [not]", "escape")
        await settled(pilot)
        assert isinstance(app.screen, StudyScreen)
        assert stored().of("a1-why").answer == "why [not]"
        await pilot.press("e")
        assert app.screen.query_one(TextArea).text == "why [not]"


async def test_without_a_terminal_of_its_own_the_editor_says_so() -> None:
    app = prepared()
    async with app.run_test(size=(100, 30)) as pilot:
        await settled(pilot)
        app.screen.open_part("a1", "a1-why")
        await pilot.press("E")
        await pilot.pause()
        assert any("editor" in note.message for note in app._notifications)


async def test_choosing_a_variant_changes_the_text() -> None:
    app = prepared()
    async with app.run_test(size=(100, 30)) as pilot:
        await settled(pilot)
        app.screen.open_part("a1", "a1-choose")
        await pilot.press("enter", "home", "enter")
        await settled(pilot)
        assert app.snapshot.progress.chosen == "rmsnorm"
        assert app.week.variant == "rmsnorm"
        assert stored().of("a1-choose").answer == "rmsnorm"


async def test_a_question_is_answered_from_memory_then_marked() -> None:
    app = prepared(lambda store, week: progress.choose(store, week.label, "rope"))
    async with app.run_test(size=(100, 40)) as pilot:
        await settled(pilot)
        app.screen.open_part("a2", "a2-rope-s1")
        await pilot.press("e")
        await settled(pilot)
        answer = app.screen.query_one("#answer")
        assert not answer.display
        await pilot.press("n")
        assert not stored().marks  # marked only after the answer was seen
        await pilot.press("enter")
        assert answer.display
        await pilot.press("n")
        await settled(pilot)
        assert stored().marks == {"a2-rope-s1": "wrong"}
        assert stored().of("a2-rope-s1").done
        assert app.week.session("b").parts[0].steps[0].again == "a2-rope-s1"


async def test_a_prediction_is_kept_and_ticks_its_step() -> None:
    app = prepared()
    async with app.run_test(size=(100, 40)) as pilot:
        await settled(pilot)
        app.screen.open_part("a3", "a3-predict")
        await pilot.press("e")
        await settled(pilot)
        form = app.screen
        form.query_one("#size", Input).value = "0,03"
        form.query_one("#matters", Input).value = "0.01"
        form.query_one("#confidence", Input).value = "70%"
        await pilot.pause()
        assert "lower by 0.03 nats" in str(form.query_one("#said", Static).render())
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, StudyScreen))
        with Store() as store:
            found = predictions.newest(store, "rope", LABEL)
        assert found is not None
        assert (found["direction"], found["size"], found["confidence"]) == ("lower", 0.03, 0.7)
        assert stored().of("a3-predict").done


async def test_a_prediction_that_is_not_whole_stays_open() -> None:
    app = prepared()
    async with app.run_test(size=(100, 40)) as pilot:
        await settled(pilot)
        app.screen.open_part("a3", "a3-predict")
        await pilot.press("e", "ctrl+s")
        await settled(pilot)
        assert not isinstance(app.screen, StudyScreen)
        assert not stored().of("a3-predict").done


async def test_parts_change_by_key_and_by_the_finder() -> None:
    app = prepared()
    async with app.run_test(size=(100, 30)) as pilot:
        await settled(pilot)
        await pilot.press("n", "n")
        assert app.part_id == "a3"
        await pilot.press("p")
        assert app.part_id == "a2"
        await pilot.press("slash", *"six runs", "enter")
        await pilot.pause()
        assert app.part_id == "b2"
        assert getattr(app.screen.query_one(Checklist).current, "id", "") == "b2-run"
        await pilot.press("u")
        assert app.part_id == "a1"


async def test_text_is_shown_after_the_first_paint_and_never_as_markup(tmp_path: Path) -> None:
    (tmp_path / "week.toml").write_text(
        'format = 1\nlabel = "M01-W01"\ntitle = "[red]T"\ngoal = "G"\n[[sessions]]\nid = "a"\nfile = "a.md"\n'
        'title = "[bold]S"\nminutes = 20\n'
    )
    (tmp_path / "a.md").write_text(
        "# A\n\n## [blink]One {#a1 minutes=20}\n\nmark [this] and [link](http://x) 語 \u05d0\u05d1\n\n"
        "- [ ] [/bold] 語語 step {#a1-x}\n  detail [x\n"
    )
    app = prepared(folder=tmp_path)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: app.screen.query(Markdown))
        await settled(pilot)
        shown = app.export_screenshot()
        for text in ("[blink]One", "[/bold]", "[this]"):
            assert text.replace(" ", "\xa0") in shown.replace("&#160;", "\xa0")


async def test_help_lists_remapped_keys_and_esc_closes_it() -> None:
    app = prepared(config=Config(keymap={"study.tick": "x"}))
    async with app.run_test(size=(100, 40)) as pilot:
        await settled(pilot)
        await pilot.press("x")
        await settled(pilot)
        assert stored().of("a1-trains").done
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)
        rows = dict(row for _, rows in app.screen.tables for row in rows)
        assert rows["x"].startswith("Tick")
        await pilot.press("escape", "f1")
        assert isinstance(app.screen, HelpScreen)


async def test_a_small_terminal_gets_one_sentence_and_the_app_comes_back() -> None:
    app = prepared()
    async with app.run_test(size=(100, 30)) as pilot:
        await settled(pilot)
        await pilot.resize_terminal(20, 5)
        await until(pilot, lambda: isinstance(app.screen, TooSmallScreen))
        await pilot.resize_terminal(60, 20)
        await until(pilot, lambda: isinstance(app.screen, StudyScreen))


async def test_an_error_is_a_modal_and_the_app_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    app = prepared()
    async with app.run_test(size=(100, 30)) as pilot:
        await settled(pilot)

        def fail(*_: object) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as broken:  # undo() would give the test's own home away, too
            broken.setattr(progress, "tick", fail)
            await pilot.press("space")
            await until(pilot, lambda: isinstance(app.screen, ErrorScreen))
            await pilot.press("escape")
        await pilot.press("space")
        await settled(pilot)
        assert stored().of("a1-trains").done


async def test_the_first_start_asks_for_the_repository_once(tmp_path: Path, home: Path) -> None:
    (tmp_path / ".git").mkdir()
    app = prepared(lambda store, week: store.set_setting(f"welcomed:{week.label}", None))
    object.__setattr__(app.setup, "cwd", tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, WelcomeScreen))
        assert app.screen.query_one(Input).value == str(tmp_path)
        await pilot.press("enter")
        await settled(pilot)
        assert isinstance(app.screen, StudyScreen)
        assert stored().settings["welcomed"] is True
        assert str(tmp_path) in (home / "config.toml").read_text()
        assert stat.S_IMODE((home / "config.toml").stat().st_mode) == 0o600
