"""The study screen under a pilot: moving, ticking, writing, predicting, choosing, finding."""

from __future__ import annotations

import os
import re
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import Input, Static, TextArea

from q1lab.app import pages
from q1lab.app.app import AppCommandPalette, Q1Lab
from q1lab.app.screens import step_actions
from q1lab.app.screens.answer import AnswerScreen
from q1lab.app.screens.command_output import CommandOutputScreen
from q1lab.app.screens.confirm import ConfirmScreen
from q1lab.app.screens.error import ErrorScreen
from q1lab.app.screens.form import FormScreen
from q1lab.app.screens.glossary import GlossaryScreen
from q1lab.app.screens.recall import RecallScreen
from q1lab.app.screens.too_small import TooSmallScreen
from q1lab.app.screens.week_page import WeekScreen
from q1lab.app.screens.welcome import WelcomeScreen
from q1lab.app.widgets.page_blocks import ActionPiece, FoldPiece, Prose, StepPiece
from q1lab.app.widgets.page_reader import PageReader
from q1lab.app.widgets.week_tree import WeekTree
from q1lab.ground import config
from q1lab.ground.config import Config
from q1lab.journal import acts, ingest_events, learner_tables, predictions
from q1lab.journal.store import Store
from q1lab.week import progress
from q1lab.week.lists import papers, posts
from q1lab.week.syllabus import Step, Week
from tests.kit import lab_home
from tests.kit.lab_home import words
from tests.kit.repos import begun, of_its_own
from tests.kit.tui_home import pane_of, prepared, running, settled, some_progress, until

pytestmark = pytest.mark.sample

LABEL = "M03-W04"


async def go(pilot: Pilot[Any], part: str, step: str) -> None:
    """Open a part with the cursor on a step."""
    screen = pilot.app.screen
    assert isinstance(screen, WeekScreen)
    screen.open_page(part, step)
    await pilot.pause()
    await pilot.pause()


def stored() -> progress.Progress:
    with Store() as store:
        return progress.recorded_progress(store, LABEL)


async def test_it_opens_at_the_first_unfinished_step() -> None:
    async with running(some_progress, size=(100, 30)) as (app, _):
        assert app.part_id == "a2"
        row = app.screen.query_one(PageReader).current
        assert isinstance(row, Step)
        assert row.id == next(step.id for step in app.week.steps() if step.id.startswith("a2-"))


@pytest.mark.parametrize("width", [80, 120])
async def test_what_one_looks_at_stays_in_sight_in_another_width(width: int) -> None:
    """The first layout has room for the tree, the second does not; and terminals are resized."""

    def begun_here(store: Store, week: Week) -> None:
        progress.tick_step(store, week.label, "a1-trains", True)
        learner_tables.credit_seconds(
            store, week.label, {"a1": 60}
        )  # a first visit starts at the top

    async with running(begun_here, size=(width, 24)) as (app, pilot):
        reader = app.screen.query_one(PageReader)
        await until(pilot, lambda: reader.on_screen)
        assert reader.step is not None
        assert reader.step.id == "a1-data"
        for other in (80, 120, 60, 100):
            await pilot.resize_terminal(other, 24)
            await settled(pilot)
            await until(pilot, lambda: reader.on_screen)
            assert reader.step.id == "a1-data", other


async def test_it_opens_where_one_left_whatever_a_command_ticked_since() -> None:
    for left in ("a2", ":b", ":week"):
        async with running(some_progress) as (app, pilot):
            app.screen.open_page(left)  # type: ignore[attr-defined]
            await pilot.press("q")
        with Store() as store:
            progress.tick_step(store, LABEL, "c3-insights", True)
        async with running() as (app, _):
            assert app.open_page_id == left


async def test_a_session_can_be_asked_for() -> None:
    async with running(session="c") as (app, _):
        assert app.part_id == "c1"


async def test_space_ticks_and_unticks_on_disk() -> None:
    async with running() as (_, pilot):
        await pilot.press("j", "space")
        await settled(pilot)
        assert stored().of("a1-trains").done
        await pilot.press("space")
        await settled(pilot)
        assert not stored().of("a1-trains").done


async def test_an_agent_ticks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(acts.AGENT, "codex")
    async with running(size=(100, 30)) as (app, pilot):
        await pilot.press("j", "space")
        await until(pilot, lambda: "the learner's own" in words(app))
        assert not stored().of("a1-trains").done


async def test_an_answer_is_written_in_place_and_esc_keeps_it() -> None:
    async with running(
        lambda store, week: progress.tick_step(store, week.label, "a1-trains", True), size=(100, 30)
    ) as (app, pilot):
        await go(pilot, "a1", "a1-why")
        await pilot.press("enter")
        assert isinstance(app.screen, AnswerScreen)
        await pilot.press(*"why [not]", "escape")
        await settled(pilot)
        assert isinstance(app.screen, WeekScreen)
        assert stored().of("a1-why").answer == "why [not]"
        await pilot.press("e")
        assert app.screen.query_one(TextArea).text == "why [not]"
        # it broke its lines anew for its own width, and showed a word of the ones before
        text = "I want an easy change so that the design of the experiment gets the time."
        await pilot.press("escape")
        await pilot.resize_terminal(80, 24)
        step = next(step for step in app.week.steps() if step.id == "a1-why")
        app.push_screen(AnswerScreen(step, text))
        await until(pilot, lambda: app.screen.query("TextArea"))
        await settled(pilot)
        shown = words(app)
        app.screen.query_one(TextArea).refresh()
        await pilot.pause()
        assert shown == words(app)


async def test_what_is_typed_before_a_form_is_open_arrives_in_it() -> None:
    """Of 38 characters that were typed together with the form's key, none arrived."""
    async with running() as (app, pilot):
        await go(pilot, "a1", "a1-why")
        for letter in "eevery word here":
            app.post_message(events.Key("space" if letter == " " else letter, letter))
        await until(pilot, lambda: isinstance(app.screen, AnswerScreen))
        area = app.screen.query_one(TextArea)
        await until(pilot, lambda: area.text == "every word here", "letters are missing")


async def test_j_and_k_walk_the_choice_and_it_changes_the_text() -> None:
    async with running(size=(100, 30)) as (app, pilot):
        await go(pilot, "a1", "a1-choose")
        await pilot.press("enter", "j", "j", "k", "j")  # from rope, two down
        assert [line for line in words(app).splitlines() if "▸ ○" in line and "GQA" in line]
        assert words(app).count("▸ ○") == 1  # a sign, not color alone
        await pilot.press("enter")
        await settled(pilot)
        assert stored().chosen == "gqa"
        await go(pilot, "a1", "a1-choose")
        await pilot.press("e", "home", "enter")
        await settled(pilot)
        assert app.snapshot.progress.chosen == "rmsnorm"
        assert app.week.variant == "rmsnorm"
        assert stored().of("a1-choose").answer == "rmsnorm"


async def test_changing_what_was_trained_asks_first_and_keeps_both() -> None:
    def trained(store: Store, week: Week) -> None:
        progress.choose_modification(store, week, "swiglu")
        progress.save_answer(store, week.label, "a2-skim", "for the gate")
        lab_home.finish(lab_home.make_study("swiglu-1", "swiglu"))
        ingest_events.ingest_all(store)

    app = prepared(trained)
    async with app.run_test(size=(80, 24)) as pilot:
        for keys, chosen, why in (
            (("enter",), "swiglu", "for the gate"),  # "Keep it" has the focus
            (("escape",), "swiglu", "for the gate"),
            (("tab", "enter"), "rope", None),
        ):
            await settled(pilot)
            await go(pilot, "a1", "a1-choose")
            await pilot.press("e", "home", "down", "enter")
            await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
            assert "(swiglu-1). Change to rope" in flat(words(app))
            await pilot.press(*keys)
            await until(pilot, lambda: not isinstance(app.screen, ConfirmScreen))
            await settled(pilot)
            assert (stored().chosen, stored().of("a2-skim").answer) == (chosen, why)
        await go(pilot, "a1", "a1-choose")
        await pilot.press("e", "home", "down", "down", "enter")  # RoPE was not trained
        await settled(pilot)
        assert (stored().chosen, stored().of("a2-skim").answer) == ("swiglu", "for the gate")


def flat(text: str) -> str:
    """Text of a dialog without its lines and borders."""
    return " ".join(re.sub("[│┃]", " ", text).split())


async def test_a_key_explains_the_words_of_the_step_and_the_page() -> None:
    app = prepared(lambda store, week: progress.choose_modification(store, week, "rope"))
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await go(pilot, "a3", "a3-noise")
        study = app.screen
        assert isinstance(study, WeekScreen)
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, GlossaryScreen))
        screen = app.screen
        assert isinstance(screen, GlossaryScreen)
        page = "\n".join(map(pages.block_text, study.page.blocks))
        used = app.week.terms_in(page)
        assert len(app.week.terms) > len(used) > 3
        assert set(screen.terms[: len(used)]) == set(used)
        await pilot.press("j")
        second = screen.terms[1].markdown.split()[0]
        await until(pilot, lambda: second in screen.query_one(Prose).markdown)
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, WeekScreen))


async def test_a_click_on_a_linked_word_opens_the_glossary_at_it() -> None:
    app = prepared(lambda store, week: progress.choose_modification(store, week, "rope"))
    async with app.run_test(size=(100, 40)) as pilot:
        await settled(pilot)
        await go(pilot, "a1", "a1-guess")
        study = app.screen
        assert isinstance(study, WeekScreen)
        assert "glossary.md" not in words(app)
        assert not [url for _, url in study.reader.links() if "glossary" in url]  # `w` leads there
        step = next(p for p in study.reader.pieces if getattr(p, "step", None) is study.reader.step)
        lines = step.render().plain.split("\n")
        row = next(k for k, line in enumerate(lines) if "nats" in line)
        await pilot.click(step, offset=(lines[row].index("nats") + 1, row))
        await until(pilot, lambda: isinstance(app.screen, GlossaryScreen))
        screen = app.screen
        assert isinstance(screen, GlossaryScreen)
        assert screen.terms[0].name == "nats"


async def test_a_question_is_answered_from_memory_then_marked() -> None:
    async with running(
        lambda store, week: progress.choose_modification(store, week, "rope"), size=(100, 40)
    ) as (app, pilot):
        await go(pilot, "a2", "a2-rope-s1")
        await pilot.press("e")
        await settled(pilot)
        answer = app.screen.query_one("#answer")
        assert not answer.display
        await pilot.press("x")
        assert not stored().recall_grades  # marked only after the answer was seen
        await pilot.press("enter")
        assert answer.display
        await pilot.press(*"xxxxx")
        await settled(pilot)
        assert stored().recall_grades == {"a2-rope-s1": "wrong abcde"}
        assert stored().of("a2-rope-s1").done
        assert app.week.session("b").parts[0].steps[0].repeat_of == "a2-rope-s1"


async def test_each_question_of_a_card_has_a_grade_of_its_own() -> None:
    """One slip in a card of five brought all five questions back."""
    async with running(
        lambda store, week: progress.choose_modification(store, week, "rope"), size=(100, 40)
    ) as (app, pilot):
        await go(pilot, "a2", "a2-rope-s1")
        await pilot.press("e")
        await settled(pilot)
        await pilot.press("y", "enter", "y", "x", "y")
        await settled(pilot)
        assert "(d)  y  I had it" in words(app)
        assert not stored().recall_grades
        await pilot.press("x", "y")
        await until(pilot, lambda: stored().recall_grades == {"a2-rope-s1": "wrong bd"})
        back = app.week.session("b").parts[0].steps[0]
        assert back.repeat_of == "a2-rope-s1"
        assert "(b) What do the earlier encodings of position have in common?" in back.detail
        assert re.findall(r"\(([a-e])\)", back.detail) == ["b", "d"]
        assert "§" not in back.detail


async def test_a_key_typed_ahead_of_the_question_does_not_end_the_app() -> None:
    async with running(lambda store, week: progress.choose_modification(store, week, "rope")) as (
        app,
        pilot,
    ):
        step = next(step for step in app.week.steps() if step.id == "a2-rope-s1")
        screen = RecallScreen(step)
        app.push_screen(screen)
        await app.run_action("screen.reveal")  # before anything of the screen is there
        await app.run_action("screen.dismiss")  # gone before it was mounted
        await settled(pilot)
        assert app.is_running
        assert isinstance(app.screen, WeekScreen)


async def test_a_prediction_is_kept_once_it_is_whole_and_ticks_its_step() -> None:
    async with running(size=(100, 40)) as (app, pilot):
        await go(pilot, "a3", "a3-predict")
        await pilot.press("e", "ctrl+s")
        await settled(pilot)
        form = app.screen
        assert not isinstance(form, WeekScreen)
        assert not stored().of("a3-predict").done
        form.query_one("#size", Input).value = "0,03"
        form.query_one("#matters", Input).value = "0.01"
        form.query_one("#sure", Input).value = "70%"
        await pilot.pause()
        assert "lower (better)" in words(app)
        assert "lower by 0.03 nats" in str(form.query_one("#said", Static).render())
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, WeekScreen))
        with Store() as store:
            prediction = predictions.newest_prediction(store, "rope", LABEL)
        assert prediction is not None
        assert (prediction["direction"], prediction["size"], prediction["confidence"]) == (
            "lower",
            0.03,
            0.7,
        )
        assert stored().of("a3-predict").done


async def test_parts_change_by_key_and_by_the_finder() -> None:
    async with running(size=(100, 30)) as (app, pilot):
        await pilot.press("n", "n")
        assert app.part_id == "a3"
        await pilot.press("p")
        assert app.part_id == "a2"
        await pilot.press("slash", *"that you planned", "enter")
        await pilot.pause()
        assert app.part_id == "b2a"
        assert getattr(app.screen.query_one(PageReader).current, "id", "") == "b2-run"
        await pilot.press("u")
        assert app.part_id == "a1"
        # `is` lies in `this`, and `modification` in the part's title: many rows have the words
        await pilot.press("slash", *"Is the mod", "enter")
        await pilot.pause()
        assert getattr(app.screen.query_one(PageReader).current, "id", "") == "b3-verdict"


async def test_text_is_shown_after_the_first_paint_and_never_as_markup(tmp_path: Path) -> None:
    (tmp_path / "week.toml").write_text(
        'format = 1\nlabel = "M01-W01"\ntitle = "[red]T"\ngoal = "G"\n[[sessions]]\nid = "a"\nfile = "a.md"\n'
        'title = "[bold]S"\nminutes = 20\n'
    )
    (tmp_path / "a.md").write_text(
        "# A\n\n## [blink]One {#a1 minutes=20}\n\nmark [this] and [link](http://x) "
        "語 \u05d0\u05d1\n\n"
        "- [ ] [/bold] 語語 step {#a1-x minutes=1}\n  detail [x\n"
    )
    app = prepared(folder=tmp_path)
    async with app.run_test(size=(100, 30)) as pilot:
        await settled(pilot)
        shown = app.export_screenshot()
        for text in ("[blink]One", "[/bold]", "[this]"):
            assert text.replace(" ", "\xa0") in shown.replace("&#160;", "\xa0")


async def test_help_lists_remapped_keys_and_esc_closes_it() -> None:
    async with running(config=Config(keymap={"study.tick": "x"}), size=(100, 40)) as (app, pilot):
        await pilot.press("j", "x")
        await settled(pilot)
        assert stored().of("a1-trains").done
        for shown, hidden in (("question_mark", "escape"), ("f1", "question_mark")):
            await pilot.press(shown)
            await until(pilot, lambda: re.search(r"\bx tick\b", words(app)), "no key x for a tick")
            await pilot.press(hidden)
            await until(pilot, lambda: not app.screen.query("HelpPanel"), "the keys stay")


async def test_a_small_terminal_gets_one_sentence_and_the_app_comes_back() -> None:
    """Text without a column to be broken into ended the app, below the sentence."""
    async with running() as (app, pilot):
        await pilot.resize_terminal(20, 5)
        await until(pilot, lambda: isinstance(app.screen, TooSmallScreen))
        await pilot.resize_terminal(60, 20)
        await until(pilot, lambda: isinstance(app.screen, WeekScreen))
        for screen in (WelcomeScreen(app), AppCommandPalette()):
            app.push_screen(screen)
            await settled(pilot)
            for columns in (9, 5, 1):
                await pilot.resize_terminal(columns, 24)
                await pilot.resize_terminal(columns, 1)
            await pilot.resize_terminal(80, 24)
            await until(pilot, lambda screen=screen: app.screen is screen)
            app.pop_screen()


async def test_the_palette_opens_again_while_it_closes() -> None:
    """Ctrl+P, Enter, Ctrl+P in one burst: two screens of one id ended the app."""
    async with running() as (app, pilot):
        for _ in range(3):
            app.action_command_palette()
            first = app.screen
            await until(pilot, lambda first=first: first.is_mounted)
            first.dismiss()
        await settled(pilot)
        assert app.is_running


async def test_an_error_is_a_modal_and_the_app_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(size=(100, 30)) as (app, pilot):

        def fail(*_: object) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as broken:  # undo() would give the test's own home away, too
            broken.setattr(progress, "tick_step", fail)
            await pilot.press("j", "space")
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
        await until(pilot, lambda: app.screen.query(Input))
        assert app.screen.query_one(Input).value == str(tmp_path)
        app.screen.query_one(Input).value = "~nosuchuser/mine"
        await pilot.pause()
        assert "~nosuchuser" in words(app)
        app.screen.query_one(Input).value = str(tmp_path)
        await pilot.press("enter")
        await settled(pilot)
        assert isinstance(app.screen, WeekScreen)
        assert stored().settings["welcomed"] is True
        assert str(tmp_path) in (home / "config.toml").read_text()
        assert stat.S_IMODE((home / "config.toml").stat().st_mode) == 0o600


async def test_a_digit_goes_past_no_question_of_the_first_start(tmp_path: Path) -> None:
    """It led to an empty lab, and the repository was not asked for again until the next start."""
    app = prepared(lambda store, week: store.set_setting(f"welcomed:{week.label}", None))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, WelcomeScreen))
        await settled(pilot)
        await pilot.press("2")
        await settled(pilot)
        assert isinstance(app.screen, WelcomeScreen)


async def test_what_can_be_no_repository_is_refused(tmp_path: Path, home: Path) -> None:
    (tmp_path / "model.py").write_text("")
    app = prepared(lambda store, week: store.set_setting(f"welcomed:{week.label}", None))
    object.__setattr__(app.setup, "cwd", tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, WelcomeScreen))
        await until(pilot, lambda: app.screen.query(Input))
        for typed, says in (
            (str(tmp_path / "model.py"), "is a file"),
            (f"{tmp_path}/{'n' * 300}", "too long"),
            ("~nobody0/x", "nobody0"),
        ):
            app.screen.query_one(Input).value = typed
            await pilot.pause()
            await pilot.press("ctrl+s")
            await settled(pilot)
            assert isinstance(app.screen, WelcomeScreen)
            assert says in flat(words(app))
        assert not (home / "config.toml").exists()


async def test_the_first_start_shows_all_of_itself_in_the_smallest_terminal(tmp_path: Path) -> None:
    app = prepared(lambda store, week: store.set_setting(f"welcomed:{week.label}", None))
    object.__setattr__(app.setup, "cwd", tmp_path)
    async with app.run_test(size=(60, 20)) as pilot:
        await until(pilot, lambda: "isn't there yet" in words(app))
        assert app.week.title in words(app)
        assert " Begin " in words(app)


async def test_a_message_goes_with_the_page_that_it_is_about() -> None:
    """ "Kept as your answer. e opens it again." stood below the pages after it."""
    async with running(some_progress) as (app, pilot):
        for leaves in ("n", "2", "u"):
            app.action_go("study")
            await go(pilot, "a2", "a2-skim")
            await pilot.press("e", *"words", "escape")
            await until(pilot, lambda: "e opens it again" in words(app))
            assert isinstance(app.screen, WeekScreen)  # it outlives the dialog that wrote it
            await go(pilot, "a2", "a2-skim")
            assert app.notice[0]  # the same page
            if leaves == "u":
                app.screen.open_page("b1")
            else:
                await pilot.press(leaves)
            await settled(pilot)
            assert "e opens it" not in words(app), leaves
            assert app.notice == ("", "")


async def test_news_of_a_study_stay_whichever_page_is_open() -> None:
    async with running(some_progress) as (app, pilot):
        app.announce("rope-1: 6 of 6 runs done.")
        await pilot.press("n", "2", "3", "question_mark", "escape")
        await settled(pilot)
        assert app.notice[0] == "rope-1: 6 of 6 runs done."


# ── the page as a reader


@pytest.mark.parametrize("size", [(60, 20), (120, 40)])
async def test_every_word_of_every_page_is_there_and_nothing_is_under_the_scrollbar(
    size: tuple[int, int],
) -> None:
    async with running(size=size) as (app, pilot):
        reader = app.screen.query_one(PageReader)
        for page in pages.week_pages(app.week):
            app.screen.open_page(page.id)  # type: ignore[attr-defined]
            await until(pilot, lambda: all(piece.size.width for piece in reader.pieces))
            room = reader.scrollable_content_region.right
            shown = ""
            for piece in reader.pieces:
                lines = piece.lines(piece.content_size.width)
                assert max(line.cell_length for line in lines) <= piece.content_size.width
                assert piece.content_region.right <= room
                assert piece.content_size.height == len(lines), "a step is never cut"
                shown += " ".join(line.plain for line in lines)
            for step in page.part.steps if page.part else ():
                for word in step.title.split():
                    assert word in shown


async def test_j_and_k_walk_and_the_text_follows() -> None:
    async with running() as (app, pilot):
        reader = app.screen.query_one(PageReader)
        assert reader.scroll_y == 0, "a part that is not begun opens at its text"
        if not reader.on_screen:
            await pilot.press("j")
        await until(pilot, lambda: reader.on_screen)
        steps = [reader.current]
        for _ in range(len(reader.stops) - 1):
            await pilot.press("j")
            await until(pilot, lambda: reader.on_screen)
            steps.append(reader.current)
        assert [getattr(step, "id", "") for step in steps if isinstance(step, Step)] == [
            step.id
            for step in app.week.find_part("a1").steps  # type: ignore[union-attr]
        ]
        await pilot.press("home")
        await until(pilot, lambda: reader.scroll_y == 0)
        await until(
            pilot, lambda: reader.piece is reader.stops[0]
        )  # the cursor stays where one looks
        await pilot.press("end", "k")
        await until(pilot, lambda: reader.piece is reader.stops[-2])
        reader.move(-100)
        await pilot.press("end")  # also where the cursor stays in sight
        assert reader.piece is reader.stops[-1]
        await pilot.press("home")
        assert reader.piece is reader.stops[0]


async def test_the_first_open_step_is_found_from_the_end_of_its_page() -> None:
    """Its rows are above, too: on the way to them the cursor must not stay on one."""
    async with running() as (app, pilot):
        await go(pilot, "a1", "a1-trains")
        reader = app.screen.query_one(PageReader)
        await pilot.press("end")
        await until(pilot, lambda: reader.piece is reader.stops[-1])
        await pilot.press("u")
        await settled(pilot)
        await until(pilot, lambda: reader.on_screen and reader.scroll_y < reader.max_scroll_y)
        assert isinstance(reader.current, Step)
        assert reader.current.id == "a1-trains"


async def test_while_a_study_trains_u_goes_to_what_is_done_meanwhile() -> None:
    """The step of the runs is done by their end; nothing calls a person back to it before."""
    locks = lab_home.training(lab_home.make_study("rope-1", "rope"))
    with Store() as store:
        week = lab_home.app().week
        steps = [step.id for step in week.steps()]
        for step in steps[: steps.index("b2-run")]:
            progress.tick_step(store, week.label, step, True)
    try:
        async with lab_home.app().run_test(size=(120, 40)) as pilot:
            await pilot.press("u")
            reader = pilot.app.screen.query_one(PageReader)
            await until(pilot, lambda: isinstance(reader.current, Step))
            assert isinstance(reader.current, Step)
            assert reader.current.id == "b2-speak"
    finally:
        for fd in locks:
            os.close(fd)


async def test_one_says_once_how_one_came_here() -> None:
    async with running() as (app, pilot):

        def palette_titles() -> set[str]:
            return {command.title for command in app.get_system_commands(app.screen)}

        app.screen.open_page(":week")  # type: ignore[attr-defined]
        reader = app.screen.query_one(PageReader)
        await until(pilot, lambda: "how you came" in words(app))
        titles_of_the_course = palette_titles()
        assert reader.step
        assert reader.step.id == "way"
        assert reader.on_screen, "the first step is on the first screen"
        assert app.week.course
        await pilot.press("enter", "j", "enter")
        await until(pilot, lambda: app.snapshot.progress.of("way").done)
        await settled(pilot)
        assert not app.week.course
        assert config.load_settings().course is False
        hidden = titles_of_the_course - palette_titles()
        assert {
            "Add an artifact",
            "List the roadmap's open boxes, or tick some by their lines",
        } <= hidden
        assert "c3-readme" in {step.id for step in app.week.steps()}
        assert [kpi.target for kpi in app.week.kpis] == [1, 1, 1]
        await pilot.press("k", "enter")  # it can be said again, from the row that one was on
        await until(pilot, lambda: app.week.course)
        assert config.load_settings().course is True
        assert hidden <= palette_titles()


async def test_a_text_of_ones_own_is_named_in_the_app_and_checked(tmp_path: Path) -> None:
    data_file = tmp_path / "own.txt"
    data_file.write_text("abcdefghij " * 200)
    async with running(notifications=True) as (app, pilot):
        step_actions.run_command(app, ["q1lab", "data"])
        for typed, message in (
            (str(tmp_path / "no.txt"), "no such file"),
            (str(data_file), "2,200 in all"),
        ):
            await until(pilot, lambda: app.screen.query(Input))
            app.screen.query_one(Input).value = typed
            await pilot.press("enter")
            await until(pilot, lambda message=message: message in " ".join(words(app).split()))
            await pilot.press("escape")
        assert app.snapshot.progress.data == ("own.txt", 11, str(data_file))
        assert app.snapshot.progress.of("a1-data").done


async def test_the_tree_and_reading_mode() -> None:
    async with running() as (app, pilot):
        tree = app.screen.query_one(WeekTree)
        assert not tree.display
        await pilot.press("t")
        assert tree.display
        assert not app.screen.query_one(PageReader).parent.display  # type: ignore[union-attr]
        await pilot.press("down", "enter")
        await settled(pilot)
        assert app.part_id == "a2"
        assert not tree.display
        await pilot.press("z")
        assert app.screen.query_one(PageReader).size.height == 24
        await pilot.press("escape")
        assert app.screen.query_one(PageReader).size.height < 24
        await pilot.resize_terminal(120, 40)
        await until(pilot, lambda: tree.display)
        steps = app.screen.page.part.steps  # type: ignore[attr-defined]
        await until(pilot, lambda: [o.id for o in tree.options if o.id == steps[-1].id])
        tree.highlighted = tree.get_option_index(steps[2].id)
        tree.action_select()
        await until(pilot, lambda: app.screen.step == steps[2])  # type: ignore[attr-defined]
        await pilot.press("t")
        assert not tree.display


async def test_a_page_starts_at_its_top_until_one_was_at_work_on_it() -> None:
    def begun(store: Store, week: Week) -> None:
        for step in ("b2-draft", "c1-new"):
            progress.tick_step(store, week.label, step, True)

    async with running(begun) as (app, pilot):
        reader = app.screen.query_one(PageReader)
        app.screen.open_page("b2b")  # type: ignore[attr-defined]
        await until(pilot, lambda: reader.step)
        await settled(pilot)
        assert reader.scroll_y == 0, "what comes before the first step has not been read"
        app.store_thread.submit(
            lambda store: progress.save_answer(store, LABEL, "b2-speak", "higher")
        )
        await until(pilot, lambda: app.snapshot.progress.of("b2-speak").done)
        app.screen.open_page("b3")  # type: ignore[attr-defined]
        await settled(pilot)
        app.screen.open_page("b2b")  # type: ignore[attr-defined]
        await until(pilot, lambda: reader.scroll_y > 0)


async def test_folds_open_one_by_one_and_links_open(monkeypatch: pytest.MonkeyPatch) -> None:
    app = prepared()
    opened: list[str] = []
    monkeypatch.setattr(app, "open_url", opened.append)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        app.screen.open_page("a2")  # type: ignore[attr-defined]
        reader = app.screen.query_one(PageReader)
        await until(pilot, lambda: reader.query(FoldPiece))
        folds = [p for p in reader.stops if isinstance(p, FoldPiece) and not p.wants]
        await until(pilot, lambda: folds[0].virtual_region.y > 0)
        reader._go_to(folds[0])
        await until(pilot, lambda: reader.on_screen)
        await pilot.press("enter")
        assert [fold.open for fold in folds] == [True] + [False] * (len(folds) - 1)
        await pilot.press("enter")  # and again where one line of it would be in sight
        await pilot.pause()
        reader.scroll_to(y=folds[0].virtual_region.bottom - reader.size.height, animate=False)
        await until(pilot, lambda: reader.on_screen)
        await pilot.press("enter")
        await until(pilot, lambda: folds[0].virtual_region.height > 2)
        await until(pilot, lambda: reader.can_view_entire(folds[0]))
        await pilot.press("f")
        assert all(fold.open for fold in folds)
        app.action_open_link("https://arxiv.org/abs/2104.09864")
        assert opened == ["https://arxiv.org/abs/2104.09864"]


@pytest.mark.parametrize(
    ("page", "step", "to"), [("a1", "a1-verdict", "a1"), ("c3", "b3-verdict", "b3")]
)
async def test_enter_on_a_locked_fold_goes_to_its_step(page: str, step: str, to: str) -> None:
    async with running(size=(80, 24)) as (app, pilot):
        app.screen.open_page(page)  # type: ignore[attr-defined]
        reader = app.screen.query_one(PageReader)
        await until(pilot, lambda: reader.page is not None and reader.page.id == page)
        await settled(pilot)
        fold = next(p for p in reader.pieces if isinstance(p, FoldPiece) and p.fold.needs == step)
        reader._go_to(fold)
        await until(pilot, lambda: reader.on_screen)
        await until(pilot, lambda: "⏎ go to it" in words(app))
        assert "⏎ go to " in last_line(app)
        await pilot.press("enter")
        await until(pilot, lambda: reader.step is not None and reader.step.id == step)
        await until(pilot, lambda: reader.on_screen)
        assert reader.page is not None
        assert reader.page.id == to


async def test_a_figure_is_turned_with_the_arrow_keys() -> None:
    async with running(size=(80, 24)) as (app, pilot):
        app.screen.open_page("a2")  # type: ignore[attr-defined]
        reader = app.screen.query_one(PageReader)
        await until(pilot, lambda: reader.query(FoldPiece))
        figure = next(p for p in reader.stops if isinstance(p, FoldPiece) and p.fold.frames)
        await until(pilot, lambda: figure.virtual_region.y > 0)
        reader._go_to(figure)
        await until(pilot, lambda: reader.on_screen)

        def shown() -> str:
            return "\n".join(str(line) for line in figure.lines(74))

        await pilot.press("right")
        assert figure.at == 0, "a picture that nobody sees stays as it is"
        await pilot.press("enter", "right")
        assert "m = 2, n = 1" in shown()
        assert "← →   2 of 6" in shown()
        await pilot.press("left", "left")
        assert "m = 1, n = 0" in shown()
        heights = {len(figure.lines(74)) for figure.at in range(6)}
        assert len(heights) == 1, "what is below a figure never jumps"


async def test_o_opens_the_paper_from_where_one_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its address is a row to press, far from the step that asks to skim it."""
    app = prepared()
    opened: list[str] = []
    monkeypatch.setattr(app, "open_url", opened.append)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await go(pilot, "a2", "a2-skim")
        await pilot.press("l")  # the only link of the page
        await until(pilot, lambda: opened)
        assert opened == ["https://arxiv.org/abs/2104.09864"]


async def test_e_only_writes_and_c_copies_the_command_or_says_so() -> None:
    async with running(size=(100, 30)) as (app, pilot):
        await go(pilot, "c2", "c2-aloud")
        await pilot.press("e")
        await settled(pilot)
        assert not stored().of("c2-aloud").done
        assert "nothing to write" in app.notice[0]
        await pilot.press("c")
        assert app.clipboard == ""
        await go(pilot, "b1", "b1-new")
        await pilot.press("c")
        assert app.clipboard == "q1lab new rope"
        reader = app.screen.query_one(PageReader)
        await pilot.press("end")  # the row that leads to the next page
        assert reader.current is None
        app.notice = ("", "")
        await pilot.press("c")
        assert "to copy" in app.notice[0]


async def test_what_is_said_leaves_the_text_alone() -> None:
    async with running(notifications=True) as (app, pilot):

        def lines() -> list[str]:  # without the scrollbar
            return [line.rstrip(" ▁▂▃▄▅▆▇█") for line in words(app).splitlines()]

        before = lines()
        app.notify("Something [happened]")
        await until(pilot, lambda: "Something [happened]" in words(app))
        after = lines()
        assert (before[:-3], before[-1]) == (after[:-3], after[-1]), "neither text nor keys"
        app.clear_notice()
        await until(pilot, lambda: lines() == before)


async def test_an_answer_that_waits_for_a_step_opens_when_that_is_done() -> None:
    async with running() as (app, pilot):
        reader = app.screen.query_one(PageReader)
        fold = next(p for p in reader.stops if isinstance(p, FoldPiece) and p.fold.needs)
        reader._go_to(fold)
        await pilot.press("enter", "f")  # Enter goes to the step
        assert not fold.open
        needs = fold.fold.needs
        assert reader.step is not None
        assert reader.step.id == needs
        app.store_thread.submit(lambda store: progress.tick_step(store, LABEL, str(needs), True))
        await until(pilot, lambda: fold.open)  # by itself: whoever goes on with Enter meets it


# ── never leaving the app


async def test_the_verdict_of_a_modification_waits_for_its_declared_study() -> None:
    lab_home.finish(lab_home.make_study("rope-1", seeds=(0,)))
    six = lab_home.make_study("rope-2", created="2026-03-08T09:30:00+00:00")
    async with running() as (app, pilot):
        await until(pilot, lambda: len(app.snapshot.studies) == 2)
        assert step_actions.find_study(app, "rope") is None
        await until(pilot, lambda: "No verdict of rope yet" in lab_home.notices(app))
        assert step_actions.find_study(app, "rope-1") == step_actions.find_study(app, None)
        lab_home.finish(six)
        await until(pilot, lambda: step_actions.find_study(app, "rope") == "rope-2")


async def test_a_pane_says_what_esc_does_and_tells_a_finding_from_a_failure(
    tmp_path: Path,
) -> None:
    runs = "import time; time.sleep(60)"
    ends = "import sys; print({!r}); sys.exit(1)"
    async with running() as (app, pilot):
        for shown, code, says in (
            ("q1lab run rope", runs, "running · Esc closes; what trains goes on"),
            ("q1lab sync", runs, "running · Esc ends it"),
            ("q1lab post lint", ends.format("post.md:3: “improves” says"), "done: it found"),
            ("q1lab post lint", ends.format("q1lab: there is no post"), "it did not work (status"),
        ):
            pane = CommandOutputScreen([sys.executable, "-c", code], tmp_path)
            pane.shown = shown
            app.push_screen(pane)
            await until(pilot, lambda: pane.query_one(".dialog"))  # noqa: B023
            await until(pilot, lambda: code == runs or pane.code == 1)  # noqa: B023
            assert str(pane.query_one(".dialog").border_subtitle).startswith(says)
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(app.screen, WeekScreen))


async def test_a_pane_gives_the_yes_that_a_command_asks_for(tmp_path: Path) -> None:
    script = tmp_path / "asks.py"
    script.write_text(
        "import sys\nif '--yes' in sys.argv: print('done it', 'word ' * 30, 'the very end')\n"
        "else: sys.exit('it holds edits of yours; --yes goes on')\n"
    )
    async with running() as (app, pilot):
        pane = CommandOutputScreen([sys.executable, str(script)], tmp_path)
        app.push_screen(pane)
        await until(pilot, lambda: pane.code == 1)
        await until(pilot, lambda: "it asks first" in words(app))
        await pilot.press("y")
        await until(pilot, lambda: pane.code == 0 and "done it" in pane.printed)
        await until(pilot, lambda: "the very end" in words(app))  # wrapped, not cut


async def test_a_pane_opens_at_its_top(tmp_path: Path) -> None:
    code = "for number in range(100): print('line', number)"
    app = prepared()
    async with app.run_test(size=(80, 24)) as pilot:
        pane = await pane_of(pilot, code, tmp_path)
        await until(pilot, lambda: pane.code == 0 and "line" in words(app))
        assert "line 0" in words(app)
        await pilot.press("end")
        await until(pilot, lambda: "line 99" in words(app))


async def test_a_form_does_what_a_step_has_to_be_filled_in_with() -> None:
    title = "RoFormer: Enhanced Transformer with Rotary Position Embedding"
    async with running() as (app, pilot):
        await go(pilot, "a2", "a2-log")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        assert app.screen.query_one("#title", Input).value == title
        assert app.screen.query_one("#link", Input).value.endswith("2104.09864")
        await pilot.press("ctrl+s")
        await settled(pilot)
        await settled(pilot)
        with Store() as store:
            listed = papers.all_papers(store)
        assert [(paper["title"], paper["depth"], bool(paper["done"])) for paper in listed] == [
            (title, "deep", True)
        ]
        assert app.snapshot.progress.of("a2-log").done, "the step is ticked by what happened"


async def test_publishing_and_sharing_have_forms_and_say_what_is_wrong() -> None:
    async with running() as (app, pilot):
        await go(pilot, "c2", "c2-publish")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        app.screen.query_one("#url", Input).value = "no address"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, ErrorScreen))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        form = app.screen
        assert isinstance(form, FormScreen)
        assert form.query_one("#url", Input).value == "no address"  # to be mended
        app.screen.query_one("#url", Input).value = "https://example.org/post"
        await pilot.press("ctrl+s")
        await settled(pilot)
        with Store() as store:
            post = posts.post_of_week(store, LABEL)
        assert post is not None
        assert post["url"] == "https://example.org/post"
        await until(pilot, lambda: app.snapshot.progress.of("c2-publish").done)
        await pilot.press("e")  # to correct it
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        assert app.screen.query_one("#url", Input).value == "https://example.org/post"


async def test_a_channel_that_is_not_listed_is_the_one_that_was_typed() -> None:
    """Whichever the list above it shows."""
    async with running() as (app, pilot):
        app.run_job(lambda store: posts.publish_post(store, LABEL, "https://example.org/p"))
        await settled(pilot)
        for channel in ("blogroll", "lobste.rs"):
            await go(pilot, "c2", "c2-share")
            await pilot.press("e")
            await until(pilot, lambda: isinstance(app.screen, FormScreen))
            app.screen.query_one("#other", Input).value = channel
            app.screen.query_one("#url", Input).value = f"https://example.org/{channel}"
            await pilot.press("ctrl+s")
            await settled(pilot)
        await until(pilot, lambda: not isinstance(app.screen, FormScreen))
        with Store() as store:
            shared = posts.counted_shares(posts.post_of_week(store, LABEL))
        assert [share["channel"] for share in shared] == ["blogroll", "lobste.rs"]


async def test_boxes_of_the_roadmap_are_ticked_without_leaving(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_its_own(tmp_path, monkeypatch)
    name, text = "AI_EXPERT_ROADMAP.md", "## M03-W04\n\n- [ ] Pick one\n- [ ] Publish it\n"
    repo = begun(tmp_path / "repo", {name: text})
    async with running(config=Config(repo=repo)) as (app, pilot):
        step_actions.run_command(app, ["q1lab", "course", "roadmap"])
        await until(pilot, lambda: app.screen.query("#lines"))
        app.screen.query_one("#lines", Input).value = "4"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, CommandOutputScreen))
        await until(pilot, lambda: app.screen.has_ended)
        assert "[x]" not in (repo / name).read_text(), "shown before it is made"
        await pilot.press("y")
        await until(pilot, lambda: "[x] Publish it" in (repo / name).read_text())
        assert "[ ] Pick one" in (repo / name).read_text()


async def test_publishing_over_open_claims_says_so(tmp_path: Path) -> None:
    draft = tmp_path / "post.md"
    draft.write_text("# A post\n\nRoPE outperforms the baseline.\n")
    async with running(
        lambda store, week: posts.save_post(store, week.label, "A post", str(draft)), size=(80, 24)
    ) as (app, pilot):
        await go(pilot, "c2", "c2-publish")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        app.screen.query_one("#url", Input).value = "https://example.org/post"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, ErrorScreen))
        assert isinstance(app.screen, ErrorScreen)
        assert "1 finding" in app.screen.text
        with Store() as store:
            assert posts.post_of_week(store, LABEL)["url"] == "https://example.org/post"  # type: ignore[index]
        await pilot.press("escape", "4")
        await until(pilot, lambda: "progress" in app.snapshot.pages)
        await pilot.press("1", "e")
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        assert app.screen.query_one("#url", Input).value == "https://example.org/post"


async def test_a_choice_that_changes_the_text_leaves_the_place() -> None:
    """Choosing data or a variant lays the page out anew; one goes on where one was."""
    async with running() as (app, pilot):
        await pilot.press("j")
        await go(pilot, "a1", "a1-data")
        reader = app.screen.query_one(PageReader)
        reader.move(2)  # the step's second row to press
        await pilot.pause()
        assert reader.piece is not None
        week = app.week
        words = "Python's own source text"
        app.store_thread.submit(lambda store: progress.choose_data(store, "stdlib", words, 98))
        await until(pilot, lambda: app.week is not week)
        await until(
            pilot,
            lambda: (
                isinstance(reader.piece, ActionPiece)
                and reader.piece.action.argv() == ("q1lab", "data", "stdlib")
                and reader.on_screen
                and reader.piece.has_focus
            ),
            "the cursor has left the row",
        )


async def test_enter_on_a_step_with_several_rows_goes_to_them() -> None:
    """It starts nothing by itself: which of them it would be, one could not know."""
    async with running(size=(100, 30)) as (app, pilot):
        await go(pilot, "a1", "a1-data")
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, WeekScreen)
        reader = app.screen.query_one(PageReader)
        assert isinstance(reader.piece, ActionPiece)
        assert reader.piece.action.argv() == ("q1lab", "data", "shakespeare")
        for page, step, says in (("a1", "a1-guess", "to the rows"), ("b2b", "b2-sample", "do it")):
            await go(pilot, page, step)  # the first has a file to take before one writes
            await until(pilot, lambda: reader.piece and reader.piece.enter == says)  # noqa: B023
        await go(pilot, "c2", "c2-aloud")
        piece = reader.piece
        assert isinstance(piece, StepPiece)
        assert piece.enter == "tick"
        await pilot.press("enter")
        await until(pilot, lambda: piece.record.done)
        assert piece.enter == "go on"


def last_line(app: Q1Lab) -> str:
    return words(app).splitlines()[-1].rstrip()


async def test_what_one_answered_is_in_sight() -> None:
    async with running() as (app, pilot):
        await go(pilot, "a2", "a2-rope-s1")
        reader = app.screen.query_one(PageReader)
        piece = reader.piece
        assert isinstance(piece, StepPiece)
        end = piece.virtual_region.bottom - reader.size.height
        reader.scroll_to(y=end, animate=False, immediate=True)  # its last line is the screen's
        await pilot.press("enter", "enter", *"xxxxx")
        await until(pilot, lambda: piece.record.done)
        await settled(pilot)
        seen = lambda: reader.scroll_y + reader.size.height  # noqa: E731
        await until(pilot, lambda: piece.virtual_region.bottom <= seen(), "it is below the screen")


async def test_the_words_of_a_question_are_explained_where_it_is_answered() -> None:
    async with running(size=(60, 20)) as (app, pilot):
        await go(pilot, "a1", "a1-guess")
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, AnswerScreen))
        await pilot.press(*"mine")
        await until(pilot, lambda: "1 word · Esc keeps it · ^e editor · ^g words ─╯" in words(app))
        await pilot.press("ctrl+g")
        await until(pilot, lambda: isinstance(app.screen, GlossaryScreen))
        first = {term.name for term in app.screen.terms[:4]}  # type: ignore[attr-defined]
        assert {"val loss", "nats", "perplexity", "seed"} == first
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, AnswerScreen))
        assert app.screen.query_one(TextArea).text == "mine"
