"""A step kind that one file and one row add is read, checked, shown, opened by Enter, done when it
is answered, and taken into documents."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

import pytest

from q1lab.documents import document_data
from q1lab.index.store import Store
from q1lab.tui.screens.answer import AnswerScreen
from q1lab.tui.screens.form import FormScreen
from q1lab.tui.widgets.page_blocks import StepPiece
from q1lab.week import content, step_kinds
from tests.kit import small_weeks, toy_kind
from tests.kit.places import mentioned_in_code
from tests.kit.tui_home import prepared, settled, until


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for module in ("step_kinds", "syllabus", "markdown_reader"):
        rows = MappingProxyType({**step_kinds.STEP_KINDS, "haiku": toy_kind.HAIKU})
        monkeypatch.setattr(f"q1lab.week.{module}.STEP_KINDS", rows)
    root = tmp_path / "week"
    small_weeks.write_week(root)
    (root / "session-a.md").write_text(
        "# A\n\n## A {#a1 minutes=60}\n\n- [ ] On noise {#a1-noise kind=haiku into=notes}\n"
    )
    return root


async def test_a_kind_of_ones_own_goes_from_the_text_to_a_document(folder: Path) -> None:
    assert small_weeks.check_week(folder) == []
    app = prepared(folder=folder)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        app.screen.open_page("a1", "a1-noise")
        (piece,) = app.screen.query(StepPiece)
        assert piece.enter == "compose"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, AnswerScreen))
        await pilot.press(*"five", "ctrl+s")
        await until(pilot, lambda: app.snapshot.progress.of("a1-noise").done)
        assert (piece.enter, piece.edit) == ("go on", "recite")
    with Store() as store:
        (answer,) = document_data.answers(store, content.load_week(folder), "notes")
        assert (answer.heading, answer.text) == ("On noise", "five")
    assert mentioned_in_code("haiku") == []


@pytest.mark.needs_plugin("author")
def test_its_author_is_told_what_is_wrong(folder: Path) -> None:
    text = folder / "session-a.md"
    text.write_text(
        text.read_text().replace("minutes=60", "minutes=6").replace("kind", "minutes=6 kind")
    )
    (folder / "week.toml").write_text(
        (folder / "week.toml").read_text().replace("minutes = 60", "minutes = 6")
    )
    (finding,) = small_weeks.check_week(folder)
    assert "'a1-noise' is a haiku" in finding.message


async def test_enter_opens_the_form_that_makes_a_step_done_though_a_row_below_starts_something(
    tmp_path: Path,
) -> None:
    """The text said so, and Enter went to the KPIs."""
    root = tmp_path / "week"
    small_weeks.write_week(root)
    (root / "session-a.md").write_text(
        '# A\n\n## A {#a1 minutes=60}\n\n- [ ] Record it {#a1-record done_when="artifact added"}\n\n'
        '  ```q1lab command\n  command = "q1lab course kpi"\n  ```\n'
    )
    assert small_weeks.check_week(root) == []
    app = prepared(folder=root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        app.screen.open_page("a1", "a1-record")
        (piece,) = app.screen.query(StepPiece)
        assert piece.enter == "fill in"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        assert app.screen.query("#location")
