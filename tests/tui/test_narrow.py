"""In the smallest terminal, 60 columns and 20 lines, dialogs show all of their fields and buttons;
and what a screen offers there can be done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from textual.containers import VerticalScroll
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input, Select, Static

from q1lab.index.store import Store
from q1lab.judgment.terminal_text import rich_lines
from q1lab.tui.app import Q1Lab
from q1lab.tui.screens import forms
from q1lab.tui.screens.choose_variant import open_variant_choice
from q1lab.tui.screens.command_output import CommandOutputScreen
from q1lab.tui.screens.form import FormScreen
from q1lab.tui.screens.pick_one import PickScreen
from q1lab.tui.screens.verdict import VerdictScreen
from q1lab.tui.widgets.blocks_view import BlocksView
from q1lab.tui.widgets.page_reader import PageReader
from q1lab.tui.widgets.theme_colors import palette
from q1lab.tui.widgets.titled_rows import TitledRows
from q1lab.tui.widgets.week_tree import WeekTree
from q1lab.week import progress
from q1lab.week.lists import artifacts
from q1lab.week.syllabus import Step, Week
from tests.kit.document_records import comparison
from tests.kit.lab_home import compared, finish, make_study, words
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


async def test_what_a_row_says_continues_below_itself() -> None:
    async with running(some_progress, size=SMALLEST) as (app, pilot):
        open_variant_choice(app, step_of(app, "a1-choose"))
        await shown(pilot, PickScreen)
        await until(pilot, lambda: "2104.09864" in words(app))
        lines = words(app).splitlines()
        title = next(line for line in lines if "RoFormer: Enhanced" in line)
        rest = next(line for line in lines if "3.1, 3.2, 3.3" in line)
        assert rest.index("1, 3.1") == title.index("RoFormer")


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


async def test_what_a_command_prints_below_a_name_stays_indented_in_its_pane(
    tmp_path: Path,
) -> None:
    async with running(size=SMALLEST) as (_, pilot):
        code = "from q1lab.__main__ import main; import sys; sys.argv = ['q1lab', 'config']; main()"
        pane = await pane_of(pilot, code, tmp_path)
        await until(pilot, lambda: pane.code == 0)
        at = next(k for k, line in enumerate(printed(pane)) if line.startswith("bell"))
        below = printed(pane)[at + 1 : at + 3]
        assert [line[:18].strip() for line in below] == ["", ""]
        width = pane.query_one("#printed", Static).content_size.width
        assert max(map(len, below)) <= width


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


async def test_a_long_output_has_the_screen_and_scrolls(tmp_path: Path) -> None:
    app = prepared(some_progress)
    async with app.run_test(size=SMALLEST) as pilot:
        pane = await pane_of(pilot, "for n in range(100): print(n)", tmp_path)
        await until(pilot, lambda: pane.code == 0)
        log = pane.query_one(VerticalScroll)
        await until(pilot, lambda: log.size.height > 10 and log.max_scroll_y > 80)
        assert pane.box.region.bottom <= app.size.height


async def test_progress_offers_what_its_list_can_do() -> None:
    def fill(store: Store, week: Week) -> None:
        progress.save_week_setting(store, week.label, "welcomed", True)

    app = prepared(fill)
    async with app.run_test(size=SMALLEST) as pilot:
        await pilot.press("4", "tab")
        await until(pilot, lambda: "e edit" in last(app) and "space tick" not in last(app))
        app.screen.query_one("#says", TitledRows).focus()
        await until(pilot, lambda: "space tick" in last(app) and "e edit" not in last(app))


async def test_no_name_and_no_statement_is_cut_for_a_bar_or_an_address() -> None:
    def fill(store: Store, week: Week) -> None:
        progress.save_week_setting(store, week.label, "welcomed", True)
        place = "https://github.com/somebody-with-a-long-name/a-repository"
        artifacts.add_artifact(store, "repo", "micrograd-minimal", location=place)

    app = prepared(fill)
    async with app.run_test(size=SMALLEST) as pilot:
        await pilot.press("4")
        lists = ("minutes", "says", "artifacts")
        await until(pilot, lambda: app.screen.query_one("#artifacts", TitledRows).rows)
        shown = " ".join(
            " ".join(str(option.prompt).split())
            for name in lists
            for option in app.screen.query_one(f"#{name}", TitledRows).options
        )
        for title in ("A1 Pick the modification", "C3 Retrospective document", "micrograd-minimal"):
            assert title in shown
        assert "building with models" in shown


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
        await until(pilot, lambda: app.screen.query_one(PageReader).has_focus)


async def test_a_link_over_two_lines_is_offered_whole() -> None:
    app = prepared(some_progress)
    words_of = {}
    for width in (60, 80, 120):
        async with app.run_test(size=(width, 24)) as pilot:
            await settled(pilot)
            reader = app.screen.query_one(PageReader)
            await until(pilot, reader.links)
            words_of[width] = {words for words, _ in reader.links()}
        app = prepared(some_progress)
    assert words_of[60] == words_of[80] == words_of[120]


async def test_a_filter_names_its_way_out() -> None:
    for name in ("rope-1", "rope-2"):
        study = make_study(name)
        finish(study)
        compared(study)
    app = prepared(some_progress)
    async with app.run_test(size=SMALLEST) as pilot:
        for page, way in (
            ("2", lambda: "Esc closes" in words(app)),
            ("3", lambda: "esc" in last(app)),
        ):
            await pilot.press(page)
            await until(pilot, lambda: "? help" in last(app))
            await until(pilot, lambda: "rope" in words(app).split("\n", 2)[2])
            await pilot.press("slash")
            await until(pilot, way)
            await pilot.press("escape")
            await until(pilot, lambda way=way: not way() and "? help" in last(app))


async def test_a_verdict_has_the_themes_own_colors_whatever_it_is() -> None:
    make_study()
    async with running(some_progress, size=SMALLEST) as (app, pilot):
        for outcome in ("helps", "hurts", "cannot tell", "too small to matter", "no verdict"):
            screen = VerdictScreen("rope-1", comparison(outcome))
            app.push_screen(screen)
            await shown(pilot, VerdictScreen)
            await until(pilot, lambda screen=screen: screen.query_one(BlocksView).blocks)
            lines = rich_lines(screen.query_one(BlocksView).blocks, 56, palette(app).styles)
            styles = {str(span.style) for line in lines for span in line.spans}
            color_styles = {
                style for style in styles if any(color in style for color in ("cyan", "green"))
            }
            assert not color_styles, outcome
            app.pop_screen()


async def test_beside_a_dialog_are_no_letters_of_the_page_below_it() -> None:
    async with running(some_progress) as (app, pilot):
        for key in ("question_mark", "slash"):
            await pilot.press(key)
            await settled(pilot)
            assert app.screen.query_one(".dialog").region.width == app.size.width, key
            await pilot.press("escape")
            await settled(pilot)
