"""In the smallest terminal, 60 columns and 20 lines, dialogs show all of their fields and buttons;
and what a screen offers there can be done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input, Select, Static

from q1lab.app.app import Q1Lab
from q1lab.app.screens import forms
from q1lab.app.screens.command_output import CommandOutputScreen
from q1lab.app.screens.form import FormScreen
from q1lab.app.widgets.page_reader import PageReader
from q1lab.app.widgets.week_tree import WeekTree
from q1lab.week.syllabus import Step
from tests.kit.lab_home import words
from tests.kit.tui_home import pane_of, prepared, running, settled, some_progress, until

SMALLEST = (60, 20)


def last(app: Q1Lab) -> str:
    return words(app).splitlines()[-1]


def whole(screen: Screen[Any]) -> bool:
    """True if every field and button is on screen, none of its cells behind an edge."""
    box = screen.query_one(".dialog").content_region
    parts = [part for part in screen.query("Input, Button, TextArea, Select") if part.display]
    return bool(parts) and all(box.contains_region(part.region) for part in parts)


async def shown(pilot: Pilot[None], kind: type[Screen[Any]]) -> None:
    await until(pilot, lambda: isinstance(pilot.app.screen, kind))
    await settled(pilot)


def step_of(app: Q1Lab, name: str) -> Step:
    return next(step for step in app.week.steps() if step.id == name)


async def test_the_prediction_is_whole() -> None:
    async with running(some_progress, size=SMALLEST) as (app, pilot):
        forms.open_prediction_form(app, step_of(app, "a3-predict"))
        await shown(pilot, FormScreen)
        await until(pilot, lambda: whole(app.screen))
        assert "final val loss" in words(app)
        assert "missing" not in words(app)  # nothing was typed yet
        app.screen.query_one("#size", Input).value = "0.03"
        await until(pilot, lambda: "matters is missing" in words(app))
        app.screen.query_one("#matters", Input).value = "0.01"
        app.screen.query_one("#sure", Input).value = "170"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.focused is app.screen.query_one("#sure"))
        assert not app._notifications  # the sentence stands in the form, once


async def test_forms_are_whole_and_show_every_choice() -> None:
    async with running(some_progress, size=SMALLEST) as (app, pilot):
        forms.open_form(app, "paper add")
        await shown(pilot, FormScreen)
        await until(pilot, lambda: whole(app.screen))
        field = app.screen.query_one("#link", Input)
        select = app.screen.query_one("#depth", Select)
        assert words(app).splitlines()[select.region.y].index("deep") == field.content_region.x
        select.focus()
        await pilot.press("enter")
        await until(pilot, lambda: "skim" in words(app))


def printed(pane: CommandOutputScreen) -> list[str]:
    return str(pane.query_one("#printed", Static).content).split("\n")


async def test_a_command_is_told_how_wide_its_pane_is(tmp_path: Path) -> None:
    app = prepared(some_progress)
    async with app.run_test(size=SMALLEST) as pilot:
        code = "import shutil; print('=' * shutil.get_terminal_size().columns)"
        pane = await pane_of(pilot, code, tmp_path)
        await until(pilot, lambda: pane.code == 0)
        text = pane.query_one("#printed", Static)
        assert len(printed(pane)) == 1
        assert len(printed(pane)[0]) == text.content_size.width > 40


async def test_a_line_that_comes_in_pieces_is_one_line(tmp_path: Path) -> None:
    code = """
import sys, time
for piece in (b"one ", b"line: \\xce", b"\\xb4", b"\\n", b"another"):
    sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()
    time.sleep(0.1)
"""
    app = prepared(some_progress)
    async with app.run_test(size=SMALLEST) as pilot:
        pane = await pane_of(pilot, code, tmp_path)
        await until(pilot, lambda: pane.code == 0)
        assert printed(pane) == ["one line: δ", "another"]
        await until(
            pilot, lambda: pane.query_one("#printed").size.height == 2
        )  # the box is as tall as its text


async def test_the_list_of_pages_has_keys_of_its_own_and_ticks_nothing_behind_it() -> None:
    async with running(some_progress, size=SMALLEST) as (app, pilot):
        await until(pilot, lambda: "space tick" in last(app) and "esc" not in last(app))
        await pilot.press("t")
        await until(pilot, lambda: "esc back" in last(app) and "space tick" not in last(app))
        step = app.screen.query_one(PageReader).step
        tree = app.screen.query_one(WeekTree)
        index = tree.highlighted
        assert step is not None
        assert index is not None
        await pilot.press("space", "j")
        await settled(pilot)
        assert not app.snapshot.progress.of(step.id).done
        assert tree.highlighted == index + 1
        await pilot.press("escape")
        await until(pilot, lambda: app.focused is app.screen.query_one(PageReader).piece)
