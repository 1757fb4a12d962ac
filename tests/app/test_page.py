"""The page as one works through it: a line for an action, one for finished steps, and Enter, which
does the one next thing."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widget import Widget

from q1lab.app import pages
from q1lab.app.app import Q1Lab
from q1lab.app.screens.answer import AnswerScreen
from q1lab.app.screens.welcome import WelcomeScreen
from q1lab.app.widgets.bars import bar
from q1lab.app.widgets.page_blocks import ActionPiece, FoldPiece, StepPiece, began, pieces_of
from q1lab.app.widgets.page_reader import MOVES, PageReader
from q1lab.app.widgets.part_line import PartLine
from q1lab.app.widgets.week_tree import minutes_words
from q1lab.ground import paths
from q1lab.ground.config import Config
from q1lab.journal.store import Store
from q1lab.week import content, progress
from q1lab.week.syllabus import Action, Step, Text, Week
from tests.kit import small_weeks
from tests.kit.lab_home import words
from tests.kit.tui_home import running, settled, until


def done(*steps: str) -> Any:
    def fill(store: Store, week: Week) -> None:
        for step in steps:
            progress.tick_step(store, week.label, step, True)

    return fill


def foot(app: Q1Lab) -> str:
    return words(app).splitlines()[-1]


async def to(pilot: Pilot[Any], part: str, step: str | None = None) -> PageReader:
    pilot.app.screen.open_page(part, step)  # type: ignore[attr-defined]
    reader = pilot.app.screen.query_one(PageReader)
    await settled(pilot)
    await until(pilot, lambda: all(p.size.width for p in reader.pieces if p.display))
    return reader


def steps_of(app: Q1Lab, part: str) -> list[str]:
    found = app.week.find_part(part)
    assert found is not None
    return [step.id for step in found.steps]


async def test_an_action_is_one_line_and_its_key_stands_where_the_cursor_is() -> None:
    async with running(size=(80, 24)) as (app, pilot):
        reader = await to(pilot, "a1", "a1-data")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(reader.piece, ActionPiece))
        rows = [piece for piece in reader.pieces if isinstance(piece, ActionPiece)]
        assert {len(row.lines(74)) for row in rows} == {1}
        assert [row for row in rows if "⏎" in str(row.lines(74)[0])] == [reader.piece]
        await until(pilot, lambda: "⏎ use Tiny Shakespeare" in foot(app))
        assert "q1lab data shakespeare" in words(app)  # the command, where there is room
        heights = [len(piece.lines(74)) for piece in reader.pieces]
        await pilot.press("j", "k")
        assert [len(piece.lines(74)) for piece in reader.pieces] == heights


async def test_finished_steps_are_a_line_that_unfolds_and_nothing_is_lost() -> None:
    async with running(done("a1-guess", "a1-choose", "a1-why")) as (app, pilot):
        reader = await to(pilot, "a1")
        heads = [p for p in reader.pieces if isinstance(p, StepPiece) and p.run]
        assert sum(len(head.run) for head in heads) == 3
        head = max(heads, key=lambda head: len(head.run))
        assert len(head.run) > 1
        assert len(head.lines(74)) == 1
        reader._go_to(head)
        await until(pilot, lambda: "unfold" in foot(app))
        inside = [p for p in reader.pieces if isinstance(p, StepPiece) and p.step in head.run]
        await pilot.press("space")  # takes no tick away from steps that are not in sight
        await settled(pilot)
        assert all(piece.record.done for piece in inside)
        await pilot.press("enter")
        await until(pilot, lambda: all(piece.display for piece in inside))
        assert reader.piece is head
        assert all(not piece.run for piece in inside)


async def test_what_was_finished_here_stays_as_it_is_until_the_page_opens_again() -> None:
    """No line moves below the cursor while one works on a page."""
    async with running(done("a1-trains"), size=(80, 24)) as (app, pilot):
        reader = await to(pilot, "c3", steps_of(app, "c3")[0])
        first, second = [p for p in reader.pieces if isinstance(p, StepPiece)][:2]
        await pilot.press("space")
        await until(pilot, lambda: first.record.done, "Space did not tick the step")
        while reader.piece is not second:
            await pilot.press("j")
        assert not first.run
        await pilot.press("p", "n")
        await settled(pilot)
        head = next(p for p in reader.pieces if isinstance(p, StepPiece))
        assert [step.id for step in head.run] == steps_of(app, "c3")[:1]
        reader._go_to(head)
        await pilot.press("space")  # one step alone can be unticked in its line
        await until(pilot, lambda: not head.run, "the step is not in full again")
        assert not head.record.done


async def test_what_a_tick_elsewhere_takes_away_is_in_full_again() -> None:
    steps = ("a1-passage", "a1-verdict")
    async with running(done(*steps)) as (app, pilot):
        reader = await to(pilot, "a1")
        head = next(p for p in reader.pieces if isinstance(p, StepPiece) and len(p.run) == 2)
        label = app.week.label
        app.store_thread.submit(lambda store: progress.tick_step(store, label, "a1-verdict", False))
        await settled(pilot)
        await until(pilot, lambda: not head.run, "the step without a tick is still in a line")
        after = next(
            p for p in reader.pieces if isinstance(p, StepPiece) and p.step.id == "a1-verdict"
        )
        assert after.display


async def test_enter_turns_pages_does_the_step_and_goes_on() -> None:
    """From the top of a page to its end, by one key and what each step asks for."""
    async with running(size=(80, 24)) as (app, pilot):
        reader = await to(pilot, "a3")
        assert reader.scroll_y == 0
        asked: list[str] = []
        for _ in range(60):
            await settled(pilot)
            if "go on to B" in foot(app):
                break
            await pilot.press("enter")
            await pilot.pause()
            if isinstance(app.screen, AnswerScreen):
                asked.append(app.screen.step.id)
                await pilot.press(*"mine", "ctrl+s")
            elif len(app.screen_stack) > 1:
                await pilot.press("escape")
                await settled(pilot)
                assert reader.step is not None
                asked.append(reader.step.id)
                if "⏎ tick" not in foot(app):  # what a command would have shown
                    await pilot.press("space")
                    if "take" in foot(app):  # Enter takes the file again
                        while reader.step is None or reader.step.id == asked[-1]:
                            await pilot.press("j")
                            await settled(pilot)
        required = [step.id for step in app.week.find_part("a3").steps if not step.optional]  # type: ignore[union-attr]
        assert [step for step in required if not app.snapshot.progress.of(step).done] == []
        assert asked == [step for step in required if step in asked]


async def test_from_the_row_that_finished_a_step_enter_goes_on() -> None:
    async with running(size=(80, 24)) as (app, pilot):
        reader = await to(pilot, "a1", "a1-data")
        label = app.week.label
        await pilot.press("enter", "enter")  # to the rows, and the first of them
        await until(pilot, lambda: len(app.screen_stack) > 1)
        app.store_thread.submit(lambda store: progress.tick_step(store, label, "a1-data", True))
        await settled(pilot)
        await until(pilot, lambda: app.snapshot.progress.of("a1-data").done)
        while len(app.screen_stack) > 1:
            await pilot.press("escape")
            await settled(pilot)
        assert isinstance(reader.piece, ActionPiece)
        await until(pilot, lambda: "⏎ go on" in foot(app))
        assert "⏎ go on" in next(line for line in words(app).splitlines() if "▸" in line)
        await pilot.press("enter")
        await settled(pilot)
        assert len(app.screen_stack) == 1
        assert reader.step is None or reader.step.id != "a1-data"
        reader._go_to(next(p for p in reader.pieces if isinstance(p, ActionPiece)))
        await pilot.pause()
        assert not reader.goes_on or not reader.on_screen  # a row one walks to starts again


async def test_from_the_row_that_changed_the_page_s_words_enter_goes_on() -> None:
    """The page names the text that was chosen: it is laid out anew once the row has run."""
    async with running(size=(80, 24)) as (app, pilot):
        reader = await to(pilot, "a1", "a1-data")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(reader.piece, ActionPiece))
        before = reader.piece
        assert isinstance(before, ActionPiece)
        assert reader.page is not None
        reader.start(before.action)
        label = app.week.label
        app.store_thread.submit(lambda store: progress.tick_step(store, label, "a1-data", True))
        await until(pilot, lambda: "⏎ go on" in foot(app))
        first, *rest = reader.page.blocks
        assert isinstance(first, Text)
        named = replace(first, markdown=f"{first.markdown} It is Python's own source text.")
        reader.fill(replace(reader.page, blocks=(named, *rest)), app.snapshot.progress)
        await settled(pilot)
        assert reader.piece is not before
        assert reader.goes_on
        assert reader.piece is not None
        assert reader.piece.enter == "go on"


async def test_what_a_row_was_started_for_is_ticked_by_enter_where_a_hand_ticks_it() -> None:
    """Enter does it, then ticks it: no command runs twice, and the last key is no other one."""
    async with running(size=(80, 24)) as (app, pilot):
        reader = await to(pilot, "b2a", "b2-first")  # one row
        assert isinstance(reader.current, Step)
        reader.start(reader.current.actions[0])
        await until(pilot, lambda: "⏎ tick: try it small" in foot(app))
        await until(pilot, lambda: "q1lab run" not in words(app).splitlines()[-2])
        reader = await to(pilot, "b2b", "b2-wandb")  # several rows: the one that was chosen
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(reader.current, Action))
        assert isinstance(reader.current, Action)
        reader.start(reader.current)
        await until(pilot, lambda: "⏎ tick: look at your six" in foot(app))
        await pilot.press("enter")
        await until(pilot, lambda: app.snapshot.progress.of("b2-wandb").done)
        await until(pilot, lambda: "⏎ go on" in foot(app))


async def test_a_row_whose_command_failed_is_started_again_and_not_ticked(tmp_path: Path) -> None:
    """A download without a network offered "tick"."""
    async with running(chosen("rope"), config=Config(repo=tmp_path)) as (app, pilot):
        reader = await to(pilot, "b2b", "b2-wandb")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(reader.current, Action))
        before = foot(app)
        await take(app, pilot)  # there is no study to show
        await until(pilot, lambda: foot(app) == before)
        assert not app.snapshot.progress.of("b2-wandb").done


async def take(app: Q1Lab, pilot: Pilot[Any]) -> None:
    """Press Enter on a row that takes a file, and once more to close what the command printed."""
    await pilot.press("enter")
    await until(pilot, lambda: getattr(app.screen, "has_ended", False))
    await pilot.press("enter")
    await until(pilot, lambda: len(app.screen_stack) == 1)
    await settled(pilot)


async def go_on(pilot: Pilot[Any], reader: PageReader, step_id: str) -> None:
    """Press Enter until the cursor leaves a step; the foot says each time that it goes on."""
    while reader.step is not None and reader.step.id == step_id:
        await until(pilot, lambda: "⏎ go on" in foot(pilot.app))  # type: ignore[arg-type]
        await pilot.press("enter")
        await settled(pilot)


def chosen(variant: str) -> Any:
    return lambda store, week: progress.choose_modification(store, week, variant)


async def test_a_file_is_taken_before_the_answer_is_written(tmp_path: Path) -> None:
    """And what the answer predicts is trained after it."""
    async with running(chosen("rope"), config=Config(repo=tmp_path)) as (app, pilot):
        reader = await to(pilot, "a1", "a1-guess")
        await until(pilot, lambda: "⏎ to the rows" in foot(app))
        await pilot.press("enter")
        await until(pilot, lambda: "⏎ take no_positions.py" in foot(app))
        await take(app, pilot)
        assert (tmp_path / "no_positions.py").exists()
        await until(pilot, lambda: "⏎ write: guess" in foot(app))
        assert "⏎ write" in next(line for line in words(app).splitlines() if "▸" in line)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, AnswerScreen))
        await pilot.press(*"mine", "ctrl+s")
        await until(pilot, lambda: app.snapshot.progress.of("a1-guess").done)
        await until(pilot, lambda: "⏎ next row" in foot(app))
        await pilot.press("e")  # also from the step's row
        await until(pilot, lambda: isinstance(app.screen, AnswerScreen))
        await pilot.press("escape")
        await until(pilot, lambda: "⏎ next row" in foot(app))
        await pilot.press("enter")
        await until(pilot, lambda: "⏎ train three pairs" in foot(app))
        assert isinstance(reader.current, Action)
        reader.start(reader.current)
        await go_on(pilot, reader, "a1-guess")


async def test_a_file_that_is_there_is_taken_already(tmp_path: Path) -> None:
    (tmp_path / "noise.py").touch()
    async with running(config=Config(repo=tmp_path)) as (app, pilot):
        await to(pilot, "a3", "a3-noise")
        await until(pilot, lambda: "⏎ write: fill in" in foot(app))


async def test_a_file_that_could_not_be_taken_is_tried_again(tmp_path: Path) -> None:
    """The week's folder can't be written: nothing that needs the file comes next."""
    (tmp_path / "noise.py").symlink_to(tmp_path / "nowhere")
    async with running(config=Config(repo=tmp_path)) as (app, pilot):
        await to(pilot, "a3", "a3-noise")
        await pilot.press("enter")
        await until(pilot, lambda: "⏎ take noise.py" in foot(app))
        await take(app, pilot)
        assert "⏎ take noise.py" in foot(app)


async def test_enter_after_the_files_ticks_no_work_that_lies_ahead(tmp_path: Path) -> None:
    """It goes on; on coming back, Enter ticks the step."""
    async with running(config=Config(repo=tmp_path)) as (app, pilot):
        reader = await to(pilot, "b3", "b3-hand")  # one row, which the title starts
        await until(pilot, lambda: "⏎ take by_hand.py" in foot(app))
        await take(app, pilot)
        await go_on(pilot, reader, "b3-hand")
        assert not app.snapshot.progress.of("b3-hand").done
        await to(pilot, "b3", "b3-hand")
        await until(pilot, lambda: "⏎ tick: work out" in foot(app))
        await pilot.press("enter")
        await until(pilot, lambda: app.snapshot.progress.of("b3-hand").done)


ROWS = """
```q1lab command
title = "Take one.py"
command = "q1lab take one.py"
```

```q1lab command
title = "Train it"
command = "q1lab run ./one.py --seeds 1"
```

```q1lab command
title = "Take two.py"
command = "q1lab take two.py"
```
"""


async def test_enter_walks_the_rows_that_take_a_file_and_what_stands_between(
    tmp_path: Path,
) -> None:
    session = small_weeks.SESSION + "- [ ] Try both {#a1-try minutes=5}\n" + ROWS
    small_weeks.write_week(tmp_path / "week", session=session)
    config = Config(repo=tmp_path)
    async with running(config=config, folder=tmp_path / "week") as (app, pilot):
        reader = await to(pilot, "a1", "a1-try")

        async def started(name: str = "") -> None:
            if name:
                (tmp_path / name).touch()
            assert isinstance(reader.current, Action)
            reader.start(reader.current)

        await until(pilot, lambda: "⏎ to the rows" in foot(app))
        await pilot.press("enter")
        await until(pilot, lambda: "⏎ take one.py" in foot(app))
        await started("one.py")
        await until(pilot, lambda: "⏎ next row" in foot(app))
        await pilot.press("enter")
        await until(pilot, lambda: "⏎ train it" in foot(app))
        await started()
        await until(pilot, lambda: "⏎ tick: try both" in foot(app))
        await pilot.press("j")
        await until(pilot, lambda: "⏎ take two.py" in foot(app))
        await started("two.py")
        await until(pilot, lambda: "⏎ go on" in foot(app))


async def test_rows_that_complete_an_act_follow_one_another() -> None:
    """Enter made model.py again, instead of going on to the check of it."""
    async with running() as (app, pilot):
        reader = await to(pilot, "a1", "a1-trains")
        await pilot.press("j")
        await until(pilot, lambda: "⏎ no model.py yet?" in foot(app))
        assert isinstance(reader.current, Action)
        reader.start(reader.current)
        await until(pilot, lambda: "⏎ next row" in foot(app))
        await pilot.press("enter")
        await until(pilot, lambda: "⏎ check model.py" in foot(app))
        assert isinstance(reader.current, Action)
        reader.start(reader.current)
        await until(pilot, lambda: "⏎ check model.py" in foot(app))


async def test_space_on_a_row_ticks_its_step() -> None:
    async with running() as (app, pilot):
        reader = await to(pilot, "a1", "a1-data")
        await pilot.press("j")
        await until(pilot, lambda: isinstance(reader.piece, ActionPiece) and reader.on_screen)
        await until(pilot, lambda: "space tick" in foot(app))
        await pilot.press("space")
        await until(pilot, lambda: app.snapshot.progress.of("a1-data").done)
        await pilot.press("space")
        await until(pilot, lambda: not app.snapshot.progress.of("a1-data").done)
        reader._go_to(next(piece for piece in reader.stops if isinstance(piece, FoldPiece)))
        await until(pilot, lambda: "⏎ unfold:" in foot(app) or "⏎ go to" in foot(app))
        assert "space" not in foot(app)


async def test_j_and_k_start_from_the_text_on_screen() -> None:
    """Whatever is out of sight: a page that was read before opens at its top, the cursor below."""
    async with running(size=(80, 24)) as (app, pilot):
        steps = steps_of(app, "a3")
    async with running(done(*steps), size=(80, 24)) as (app, pilot):
        reader = await to(pilot, "a3")
        await pilot.press("n", "p")
        await settled(pilot)
        assert not reader.on_screen
        top = reader.scroll_y
        await pilot.press("k")
        await settled(pilot)
        assert reader.scroll_y <= top
        await pilot.press("j")
        await until(pilot, lambda: reader.on_screen)
        assert reader.stops.index(reader.piece) < 3, "the cursor went on from below the text"


@pytest.mark.parametrize("width", [53, 60, 77])
def test_no_line_under_the_cursor_is_wider_than_the_page(width: int) -> None:
    """A line too long is broken once more when it is painted, and the piece's last line is lost."""
    week = content.load_week(paths.content_dir())
    for page in pages.week_pages(week):
        for done in (False, True):
            records = {step.id: progress.StepState(done, "mine") for step in week.steps()}
            for piece in pieces_of(page, records, page):
                piece.set_reactive(Widget.has_focus, piece.can_focus)
                for piece.then in ("", *MOVES):
                    for line in piece.lines(width):
                        assert line.cell_length <= width, f"cut off: {line.plain}"


def test_an_answer_keeps_its_lines_and_names_the_key_that_shows_it() -> None:
    step = Step("a1-x", "write", "Sketch", "", (), "a.md", 1)
    answer = "q (B, T, H, D)\n  k (B, T, H, D)\n\n" + "one more line\n" * 4
    piece = StepPiece(step, progress.StepState(True, answer))
    shown = [str(line).strip() for line in piece.lines(74)]
    assert shown[1:3] == ["yours: q (B, T, H, D)", "k (B, T, H, D)"]
    assert shown[-1] == "… 22 words in all; e shows them"


@pytest.mark.parametrize("columns", [60, 80, 100, 120])
async def test_what_was_written_stands_below_its_step_under_the_cursor(columns: int) -> None:
    """The keys beside a long title wrapped, and pushed the answer out of its row."""
    async with running(size=(columns, 30)) as (app, pilot):
        reader = await to(pilot, "a1", "a1-why")
        await until(pilot, lambda: reader.piece is not None and reader.piece.has_focus)
        label = app.week.label
        app.store_thread.submit(lambda store: progress.save_answer(store, label, "a1-why", "Mine."))
        await until(pilot, lambda: "yours: Mine." in words(app), "the answer is not on screen")
        piece = reader.piece
        assert piece is not None
        width = piece.content_size.width
        assert max(line.cell_length for line in piece.lines(width)) <= width


async def test_enter_pressed_to_read_on_does_not_tick_what_comes_into_sight() -> None:
    """One Enter too many ticked work that was not done, its text unread."""
    async with running(size=(80, 24)) as (app, pilot):
        reader = await to(pilot, "b1")
        await pilot.press("home")
        await settled(pilot)
        piece = next(
            p for p in reader.pieces if isinstance(p, StepPiece) and p.step.id == "b1-rope-code"
        )
        reader._go_to(piece)
        await pilot.press("home")
        reader._put_cursor(
            piece
        )  # where a page opens that was not read yet: its first open step, below
        while not reader.on_screen:
            await until(pilot, lambda: "⏎ go on" in foot(app))
            await pilot.press("enter")
            await settled(pilot)
        assert reader.piece is piece
        await until(pilot, lambda: "⏎ go on" in foot(app))
        assert "⏎ go on" in str(piece.lines(74)[0])
        await pilot.press("enter")
        await until(pilot, lambda: "⏎ tick" in foot(app))
        assert not app.snapshot.progress.of("b1-rope-code").done
        assert reader.can_view_entire(piece)
        await pilot.press("enter")
        await until(pilot, lambda: app.snapshot.progress.of("b1-rope-code").done)


async def test_enter_twice_does_a_step_once() -> None:
    async with running(size=(80, 24)) as (app, pilot):
        reader = await to(pilot, "b1", "b1-rope-code")
        await pilot.press("enter")
        await until(pilot, lambda: app.snapshot.progress.of("b1-rope-code").done)
        await pilot.press("enter")
        await settled(pilot)
        assert app.snapshot.progress.of("b1-rope-code").done
        assert reader.step is None or reader.step.id != "b1-rope-code"


@pytest.mark.parametrize(("done", "full"), [(0, 0), (1, 1), (4, 2), (7, 4), (8, 5), (9, 5)])
def test_a_bar_is_full_for_a_finished_part_alone(done: int, full: int) -> None:
    assert [len(text) for text, _ in bar(done / 8, 5, "$success")] == [full, 5 - full]


def test_a_name_keeps_its_first_letter() -> None:
    assert began("Check rope.py") == "check rope.py"
    assert began("RoPE, section by section") == "RoPE, section by section"
    assert began("A look at it") == "a look at it"


async def test_a_part_without_minutes_shows_none(tmp_path: Path) -> None:
    session = re.sub(r"minutes=\d+", "minutes=0", small_weeks.SESSION, count=1)
    folder = tmp_path / "week"
    small_weeks.write_week(folder, session=session)
    small_weeks.edit(folder / "week.toml", "minutes = 60\n", "minutes = 0\n")
    async with running(size=(120, 40), folder=folder) as (app, pilot):
        part = next(iter(app.week.parts()))
        assert part.minutes == 0
        assert app.screen.query_one(PartLine).values[1][-3].endswith(" 0 min")
        assert minutes_words(part, 0) == ""
        assert minutes_words(part, 7) == "7"
        assert "of 0" not in words(app)
        welcome = WelcomeScreen(app)
        app.push_screen(welcome)
        await until(pilot, lambda: "The first session" in words(app))
        assert " min" not in welcome._glance(tight=False).plain


async def test_a_part_that_takes_longer_than_planned_says_how_long() -> None:
    async with running(size=(120, 36)) as (app, pilot):
        await to(pilot, "a1")
        part = app.week.find_part("a1")
        assert part is not None
        shown = str(app.screen.query_one(PartLine).render())
        assert f"of {part.allowance} min" in shown, shown
        assert part.allowance > part.minutes
        assert f"Planned: {part.minutes} minutes; allow {part.allowance}." in words(app)
