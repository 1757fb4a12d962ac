"""The progress screen under a pilot: KPIs, papers, artifacts, statements; and the dialogs that rows
open."""

from __future__ import annotations

import sys
from pathlib import Path

from textual.widgets import Input, Select, Static

from q1lab.app.app import Q1Lab
from q1lab.app.screens.command_output import CommandOutputScreen
from q1lab.app.screens.document import DocumentScreen
from q1lab.app.screens.form import FormScreen
from q1lab.app.screens.lab import LabScreen
from q1lab.app.screens.week_page import WeekScreen
from q1lab.app.widgets.titled_rows import TitledRows
from q1lab.journal.store import Store
from q1lab.week import progress
from q1lab.week.lists import artifacts, papers
from q1lab.week.syllabus import Week
from tests.kit.lab_home import compared, finish, make_study, words
from tests.kit.tui_home import prepared, running, settled, until

LABEL = "M03-W04"


def rows_of(app: Q1Lab, pane: str) -> str:
    """The text of a pane, one line per row."""
    options = app.screen.query_one(f"#{pane}", TitledRows).options
    return "\n".join(str(option.prompt) for option in options)


async def test_a_kpi_is_set_by_hand_and_counted_again() -> None:
    app = prepared()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("4")
        await until(pilot, lambda: " of " in rows_of(app, "kpis"))
        await pilot.press("tab", "e")
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        app.screen.query_one("#actual", Input).value = "7"
        app.screen.query_one("#target", Input).value = "9"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "set by hand   7 of 9" in rows_of(app, "kpis"))
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        app.screen.query_one("#actual", Input).value = ""
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "set by hand" not in rows_of(app, "kpis"))


def missed_one(store: Store, week: Week) -> None:
    """Session A is done; the answer to one of its cards was wrong."""
    progress.choose_modification(store, week, "rope")
    now = progress.learner_week(week, progress.recorded_progress(store, week.label))
    for step in (step for part in now.sessions[0].parts for step in part.steps):
        progress.tick_step(store, week.label, step.id, True)
    progress.grade_recall(store, week.label, "a2-rope-s1", False)


async def test_the_whole_screen_is_used_and_says_what_comes_next() -> None:
    finish(study := make_study())
    compared(study)
    async with running(missed_one, size=(120, 40)) as (app, pilot):
        await pilot.press("4")
        await until(pilot, lambda: "rope-1" in rows_of(app, "verdicts"))
        body = app.screen.query_one("#body").region
        for name in ("again", "artifacts"):
            assert app.screen.query_one(f"#{name}").region.bottom == body.bottom
        assert rows_of(app, "minutes").startswith("→ Next: B1 · Answer again, from memory")
        assert "−0.012  cannot tell" in rows_of(app, "verdicts")
        card = next(step for step in app.week.steps() if step.id == "a2-rope-s1")
        again = app.screen.query_one("#again", TitledRows)
        assert [(row.left, row.right) for row in again.rows] == [(f"☐ {card.title}", "B1")]
        again.focus()
        await until(pilot, lambda: "⏎ go to it" in words(app).splitlines()[-1])
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, WeekScreen))
        await until(pilot, lambda: app.screen.reader.step)  # type: ignore[attr-defined]
        assert app.screen.reader.step.repeat_of == card.id  # type: ignore[attr-defined]
        await pilot.press("4")
        app.screen.query_one("#verdicts").focus()
        await until(pilot, lambda: "⏎ open" in words(app).splitlines()[-1])
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, LabScreen))
        await until(pilot, lambda: "CANNOT TELL" in words(app))


async def test_a_click_on_a_row_that_leads_nowhere_does_nothing() -> None:
    """It ended the app: an artifact's row has no part of the week to go to."""
    app = prepared(
        lambda store, _: artifacts.add_artifact(
            store, "repo", "mine", location="https://example.org/t", week=LABEL
        )
    )
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("4")
        await until(pilot, lambda: "mine" in rows_of(app, "artifacts"))
        await pilot.click("#artifacts", offset=(3, 1))
        await settled(pilot)
        assert app.screen.query_one("#artifacts").has_focus
        assert app.return_code is None


async def test_papers_and_artifacts_are_added_ticked_and_removed() -> None:
    app = prepared()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("4")
        await until(pilot, lambda: "progress" in app.snapshot.pages)
        app.screen.query_one("#papers").focus()
        await pilot.press("a", "enter")
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        app.screen.query_one("#title", Input).value = "RoFormer [v5]"
        app.screen.query_one("#done", Select).value = "no"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "☐ RoFormer [v5]" in rows_of(app, "papers"))
        await pilot.press("space", "tab", "enter")
        await until(pilot, lambda: "✓ RoFormer [v5]" in rows_of(app, "papers"))
        app.screen.query_one("#artifacts").focus()
        await pilot.press("a", "enter")
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        await pilot.press("ctrl+s")
        assert isinstance(app.screen, FormScreen), "an artifact without a title was kept"
        app.screen.query_one("#title", Input).value = "transformer-from-scratch"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "transformer-from-scratch" in rows_of(app, "artifacts"))
        await pilot.press("delete", "tab", "enter")
        await until(pilot, lambda: "transformer-from-scratch" not in rows_of(app, "artifacts"))
    with Store() as store:
        assert [paper["title"] for paper in papers.all_papers(store)] == ["RoFormer [v5]"]


async def test_a_statement_is_ticked_here_too() -> None:
    app = prepared()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("4")
        await until(pilot, lambda: "☐" in rows_of(app, "says"))
        app.screen.query_one("#says").focus()
        await pilot.press("space")
        await until(pilot, lambda: "✓" in rows_of(app, "says"))
    with Store() as store:
        assert any(
            record.done for record in progress.recorded_progress(store, LABEL).records.values()
        )


async def test_a_document_is_shown_and_a_missing_one_says_so(tmp_path: Path) -> None:
    file = tmp_path / "MODIFICATION.md"
    file.write_text("# RoPE\n\nWhat I changed \x1b[31mand why\n")
    async with running() as (app, pilot):
        await app.push_screen(DocumentScreen(file))
        await until(pilot, lambda: "What I changed" in words(app))
        await pilot.press("e")  # no terminal to lend here: it says so, and stays
        await until(pilot, lambda: any("editor" in note.message for note in app._notifications))
        assert isinstance(app.screen, DocumentScreen)
        await pilot.press("escape")
        await app.push_screen(DocumentScreen(tmp_path / "none.md"))
        await until(pilot, lambda: "There is no" in words(app))


async def test_a_commands_output_is_shown_as_plain_text_and_esc_ends_it(tmp_path: Path) -> None:
    app = prepared()
    code = "import time; print('one [bold]two \\x1b[31m', flush=True); time.sleep(60)"
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        screen = CommandOutputScreen([sys.executable, "-c", code], tmp_path)
        await app.push_screen(screen)
        await until(pilot, lambda: "one" in str(screen.query_one("#printed", Static).content))
        assert str(screen.query_one("#printed", Static).content) == "one [bold]two "
        await pilot.press("enter")  # a second Enter must not end what the first one began
        await settled(pilot)
        assert app.screen is screen
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is not screen)
        done = CommandOutputScreen([sys.executable, "-c", "raise SystemExit(3)"], tmp_path)
        await app.push_screen(done)
        await until(pilot, lambda: "status 3" in str(done.query_one(".dialog").border_subtitle))
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is not done)
        silent = CommandOutputScreen(
            [sys.executable, "-c", "import time; time.sleep(60)"], tmp_path
        )
        await app.push_screen(silent)
        shown = "It has printed nothing yet."
        await until(pilot, lambda: shown == str(silent.query_one("#printed", Static).content))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is not silent)
        missing = CommandOutputScreen([str(tmp_path / "nothing")], tmp_path)
        await app.push_screen(missing)
        await until(
            pilot,
            lambda: "cannot run" in str(missing.query_one("#printed", Static).content),
        )
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is not missing)
