"""A file of the learner's beside the box that they write into: the sketch is made with model.py in
sight."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from textual.widgets import TextArea

from q1lab.ground.config import Config
from q1lab.tui.editing import MOST
from q1lab.tui.screens.answer import AnswerScreen
from q1lab.tui.screens.glossary import GlossaryScreen
from q1lab.tui.widgets.code_view import CodeView
from q1lab.week.own_model import model_file
from tests.kit.lab_home import words
from tests.kit.tui_home import running, settled, until


async def sketch(pilot: Pilot[Any], step: str = "a3-sketch") -> AnswerScreen:
    pilot.app.screen.open_page("a3", step)  # type: ignore[attr-defined]
    await settled(pilot)
    await pilot.press("e")
    await until(pilot, lambda: isinstance(pilot.app.screen, AnswerScreen))
    screen = pilot.app.screen
    assert isinstance(screen, AnswerScreen)
    return screen


async def test_the_model_stands_beside_the_sketch(tmp_path: Path) -> None:
    model_file.new_baseline(tmp_path)
    async with running(size=(120, 40), config=Config(repo=tmp_path)) as (app, pilot):
        await sketch(pilot)
        await until(pilot, lambda: "class GPTConfig:" in words(app))
        assert "model.py, read only" in words(app)
        await until(pilot, lambda: re.search(r" \d+ class GPTConfig:", words(app)))
        await pilot.press(*"mine")
        await pilot.press("ctrl+t", "end")
        await until(pilot, lambda: "class GPTConfig:" not in words(app))
        assert "mine" in words(app)
        await pilot.press("ctrl+t", *"!")
        assert app.screen.query_one(TextArea).text == "mine!"
        for theme in ("q1lab-light", "q1lab-dark"):
            app.theme = theme
            await settled(pilot)
        await pilot.press("escape")
        await settled(pilot)
        assert app.snapshot.progress.of("a3-sketch").answer == "mine!"


async def test_on_a_narrow_screen_one_key_turns_to_it_and_back(tmp_path: Path) -> None:
    model_file.new_baseline(tmp_path)
    async with running(size=(80, 24), config=Config(repo=tmp_path)) as (app, pilot):
        screen = await sketch(pilot, "a3-lines")
        assert "^t model.py" in words(app)
        view, area = screen.query_one(CodeView), screen.query_one(TextArea)
        assert not view.display or not view.size.width
        await pilot.press(*"one")
        await pilot.press("ctrl+t")
        await until(pilot, lambda: "class GPTConfig:" in words(app))
        await until(pilot, lambda: "GPT-2 style decoder" not in words(app))  # it is above
        assert not area.size.width or not area.region.overlaps(view.region)
        await pilot.press("down", "pagedown", "ctrl+t", *" two")
        assert area.text == "one two"
        for size in ((120, 40), (60, 20), (100, 30), (80, 24)):
            await pilot.resize_terminal(*size)
            await settled(pilot)
            assert area.text == "one two"
            assert app.focused is area


async def test_no_key_is_cut_in_the_smallest_terminal(tmp_path: Path) -> None:
    model_file.new_baseline(tmp_path)
    async with running(size=(80, 24), config=Config(repo=tmp_path)) as (app, pilot):
        await sketch(pilot, "a3-lines")
        await pilot.press(*"one two")
        await until(pilot, lambda: "2 words · Esc" in words(app))
        await pilot.resize_terminal(60, 20)
        await settled(pilot)
        assert "Esc keeps it · ^e editor · ^g words · ^t model.py ─╯" in words(app)


async def test_a_model_that_is_not_there_or_is_no_text_is_said_in_a_line(tmp_path: Path) -> None:
    file = tmp_path / "model.py"
    async with running(size=(120, 40), config=Config(repo=tmp_path)) as (app, pilot):
        for make, said in (
            (lambda: None, "There is no model.py"),
            (file.mkdir, "cannot read"),
            (
                lambda: (file.rmdir(), file.write_bytes(b"x\x1b[31m\xff = 1\n" * MOST)),
                "larger than",
            ),
        ):
            make()
            screen = await sketch(pilot)
            view = screen.query_one(CodeView)

            def shown(view: CodeView = view, said: str = said) -> bool:
                view.scroll_end(animate=False)
                return said in words(app)

            await until(pilot, shown)
            assert "\x1b" not in words(app)
            await pilot.press("escape")
            await settled(pilot)


async def test_the_words_of_a_question_are_explained_where_it_is_answered() -> None:
    async with running(size=(80, 24)) as (app, pilot):
        pilot.app.screen.open_page("a1", "a1-guess")  # type: ignore[attr-defined]
        await settled(pilot)
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, AnswerScreen))
        await pilot.press(*"mine", "ctrl+g")
        await until(pilot, lambda: isinstance(app.screen, GlossaryScreen))
        first = {term.name for term in app.screen.terms[:4]}  # type: ignore[attr-defined]
        assert {"val loss", "nats", "iter", "perplexity"} == first
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, AnswerScreen))
        assert app.screen.query_one(TextArea).text == "mine"


async def test_another_answer_has_nothing_beside_it() -> None:
    async with running(size=(120, 40)) as (app, pilot):
        pilot.app.screen.open_page("a1", "a1-guess")  # type: ignore[attr-defined]
        await settled(pilot)
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, AnswerScreen))
        assert "^t" not in words(app)
        await pilot.press("ctrl+t")
        assert not app.screen.query(CodeView)
