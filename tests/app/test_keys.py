"""The meanings of letters, and the limits on what keys do."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

from textual import events
from textual.binding import Binding
from textual.dom import DOMNode
from textual.keys import format_key
from textual.widgets import Button, Input, TextArea
from textual.widgets._footer import FooterKey

import q1lab.app
from q1lab.app.app import Q1Lab
from q1lab.app.screens.answer import AnswerScreen
from q1lab.app.screens.form import FormScreen
from q1lab.app.screens.hint import HintScreen
from q1lab.app.screens.pick_one import PickScreen
from q1lab.app.screens.week_page import WeekScreen
from q1lab.journal import learner_tables, predictions
from q1lab.journal.store import Store
from q1lab.week import progress
from tests.kit import lab_home
from tests.kit.tui_home import prepared, running, settled, until

LABEL = "M03-W04"


def bound() -> Iterator[tuple[str, str, str]]:
    """(key, what it does in a word or two, where) of every key that this app binds, on pages, in
    dialogs and in widgets."""
    for module in pkgutil.walk_packages(q1lab.app.__path__, "q1lab.app."):
        importlib.import_module(module.name)
    classes: list[type[DOMNode]] = [DOMNode]
    for cls in classes:
        classes += [subclass for subclass in cls.__subclasses__() if subclass not in classes]
        bindings = cls.__dict__.get("BINDINGS", ()) if cls.__module__.startswith("q1lab") else ()
        for binding in Binding.make_bindings(bindings):
            yield binding.key, binding.description, cls.__name__


def test_a_letter_or_a_sign_means_one_thing_in_the_whole_app() -> None:
    means: dict[str, dict[str, str]] = {}
    for key, does, where in bound():
        if len(format_key(key)) == 1 and format_key(key).isascii() and does:
            means.setdefault(key, {})[does] = where
    assert {"e", "n", "q", "slash"} <= set(means)
    assert {key: meanings for key, meanings in means.items() if len(meanings) > 1} == {}


async def test_the_foot_shows_six_keys_at_most_and_help_the_screens_own_first() -> None:
    lab_home.past()
    async with lab_home.app().run_test(size=(120, 40)) as pilot:
        for key in ("1", "t", "2", "v", "escape", "enter", "escape", "3", "slash", "4"):
            await pilot.press(key)
            await settled(pilot)
            shown = [each.description for each in pilot.app.screen.query(FooterKey)]
            assert len(shown) <= 6, f"after {key}, the foot says {shown}"
        await pilot.press("question_mark")
        await settled(pilot)
        own = [active.binding.id for active in pilot.app.screen.active_bindings.values()]
        assert own[0] is not None, "Textual's keys come before the screen's"
        assert own == sorted(own, key=lambda name: name is None)


def test_esc_goes_back_everywhere() -> None:
    assert {does for key, does, _ in bound() if key == "escape"} == {"back"}


async def open_step(app: Q1Lab, part: str, step: str) -> None:
    assert isinstance(app.screen, WeekScreen)
    app.screen.open_page(part, step)


async def test_a_prediction_that_was_left_is_dropped() -> None:
    async with running(size=(100, 40)) as (app, pilot):
        await open_step(app, "a3", "a3-predict")
        await settled(pilot)
        for key in ("escape", "ctrl+q"):
            await pilot.press("e")
            await until(pilot, lambda: isinstance(app.screen, FormScreen))
            await settled(pilot)
            size = app.screen.query_one("#size", Input)
            assert size.value == ""
            size.value = "0.03"
            await pilot.press(key)
            await until(pilot, lambda: isinstance(app.screen, WeekScreen))
        with Store() as store:
            assert predictions.newest_prediction(store, "rope", LABEL) is None


async def test_an_answer_can_be_discarded() -> None:
    app = prepared(
        lambda store, week: progress.save_answer(store, week.label, "a1-why", "Because.")
    )
    async with app.run_test(size=(100, 30)) as pilot:
        await settled(pilot)
        await open_step(app, "a1", "a1-why")
        await settled(pilot)
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, AnswerScreen))
        app.screen.query_one(TextArea).text = "No."
        await pilot.pause()
        app.screen._keep()  # type: ignore[attr-defined]  # as every few seconds
        app.screen.query_one("#discard", Button).press()
        await until(pilot, lambda: isinstance(app.screen, WeekScreen))
        await settled(pilot)
        assert app.snapshot.progress.of("a1-why").answer == "Because."


async def test_keys_that_come_fast_are_read_in_their_order() -> None:
    async with running(size=(100, 30)) as (app, pilot):
        for part, step, box in (("a1", "a1-why", AnswerScreen), ("a3", "a3-predict", FormScreen)):
            await open_step(app, part, step)
            await settled(pilot)
            await pilot.press("e")
            await until(pilot, lambda: isinstance(app.screen, box))  # noqa: B023
            await settled(pilot)
            app.screen.query("TextArea, #size").first().focus()
            await pilot.pause()
            for key in ("0", ".", "5", "tab", "2", "ctrl+s"):
                app.post_message(events.Key(key, key if len(key) == 1 else None))
            await settled(pilot)
        assert app.screen.query_one("#size", Input).value == "0.5"
        assert app.screen.query_one("#matters", Input).value == "2"
        await pilot.press("escape")
        await settled(pilot)
        assert app.snapshot.progress.of("a1-why").answer == "0.5"


async def test_enter_right_after_a_list_was_asked_for_chooses_from_it() -> None:
    """It came before the list had the focus, and nothing happened."""
    app = prepared(lambda store, week: progress.choose_modification(store, week, "rope"))
    async with app.run_test(size=(100, 30)) as pilot:
        await settled(pilot)
        for key in ("h", "enter"):
            app.post_message(events.Key(key, key if len(key) == 1 else None))
        await until(pilot, lambda: isinstance(app.screen, HintScreen), "no hint came")


async def test_of_pages_asked_for_fast_the_last_one_comes() -> None:
    async with running(size=(100, 30)) as (app, pilot):
        for key in "234":
            app.post_message(events.Key(key, key))
        await until(pilot, lambda: app.current_mode == "progress")


async def test_a_letter_counts_no_time_and_spends_no_hint() -> None:
    app = prepared(lambda store, week: progress.choose_modification(store, week, "rope"))
    async with app.run_test(size=(100, 30)) as pilot:
        await settled(pilot)
        await pilot.press("h")
        await until(pilot, lambda: isinstance(app.screen, PickScreen))
        await pilot.press(*"hay", "escape")
        with Store() as store:
            assert learner_tables.used_hints(store, LABEL, "rope") == []
        await pilot.press("h")
        await until(pilot, lambda: isinstance(app.screen, PickScreen))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, HintScreen))
        await settled(pilot)
        with Store() as store:
            assert learner_tables.used_hints(store, LABEL, "rope") == [1]


async def test_the_foot_has_six_keys_at_most_on_every_screen(home: Path) -> None:
    lab_home.past()
    async with lab_home.app().run_test(size=(120, 40)) as pilot:
        app = pilot.app
        for screen in "1234":
            await pilot.press(screen)
            await settled(pilot)
            await until(pilot, lambda: app.screen.query("FooterKey"), "the foot is empty")
            shown = [key.description for key in app.screen.query(FooterKey)]
            assert {"help", "palette"} <= set(shown), "the foot does not say how to get help"
            assert len(shown) <= 6, f"screen {screen} shows {shown}"


async def test_a_click_on_a_key_of_the_foot_presses_it() -> None:
    async with running(size=(100, 30)) as (app, pilot):
        key = next(key for key in app.screen.query(FooterKey) if key.description == "help")
        await pilot.click(key)
        await until(pilot, lambda: app.screen.query("HelpPanel"), "no keys came")
