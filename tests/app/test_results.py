"""The results screen, and the export from it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from textual.widgets import Input

from q1lab.app.screens.command_output import CommandOutputScreen
from q1lab.app.screens.form import FormScreen
from q1lab.app.screens.lab import LabScreen
from q1lab.app.screens.results import ResultsScreen
from q1lab.app.screens.verdict import VerdictScreen
from q1lab.app.widgets.results_table import ResultsTable, _interval_bar, axes_by_metric
from q1lab.compare import result_rows
from q1lab.compare.result_rows import ResultRow
from q1lab.ground import config, paths
from q1lab.journal import ingest_events
from q1lab.journal.store import Store
from q1lab.judgment.intervals import Interval
from q1lab.judgment.metric import Metric
from q1lab.study import studies
from tests.kit.lab_home import (
    app,
    compared,
    finish,
    make_study,
    notices,
    open_results,
    past,
    until,
    words,
)

SIZES = [(80, 24), (120, 40), (60, 20)]


def go(screen: ResultsScreen, study_id: str) -> None:
    table = screen.query_one(ResultsTable)
    table.move_cursor(row=table.get_row_index(study_id))


async def test_verdicts_are_listed_and_an_unfinished_study_has_none() -> None:
    past()
    with Store() as store:
        ingest_events.ingest_all(store)
        lines = {line.id: line for line in result_rows.read_result_rows(store)}
    assert [(line.verdict, line.n) for line in lines.values()] == [
        (None, None),
        ("helps", 3),
        ("hurts", 3),
        ("cannot tell", 3),
        ("helps", 3),
    ]
    async with app().run_test(size=(120, 40)) as pilot:
        screen = await open_results(pilot)
        shown = words(pilot.app)
        assert "3 of 6 done" in shown
        assert "cannot tell" in shown
        go(screen, "rope-1")
        await until(pilot, lambda: "3 of 6 done, no verdict yet" in words(pilot.app))
        go(screen, "llama-1")
        await pilot.press("v")
        await until(pilot, lambda: isinstance(pilot.app.screen, VerdictScreen))
        assert "HELPS" in words(pilot.app)
        await pilot.press("escape")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, LabScreen))
        lab = pilot.app.screen
        await until(pilot, lambda: lab.view is not None and lab.view.row.id == "llama-1")


async def test_the_table_is_walked_and_filtered_and_a_heading_offers_nothing_to_open() -> None:
    past()
    async with app().run_test(size=(80, 24)) as pilot:
        screen = await open_results(pilot)
        table = screen.query_one(ResultsTable)
        row = table.cursor_row
        await pilot.press("j", "j", "k")
        assert table.cursor_row == row + 1
        await until(pilot, lambda: "open" in words(pilot.app).splitlines()[-1])
        table.move_cursor(row=0)  # the name of the data
        await until(pilot, lambda: table.current is None)
        await until(pilot, lambda: "open" not in words(pilot.app).splitlines()[-1])
        await pilot.press("slash", *"hurts")
        assert [line.id for line in table.studies] == ["rmsnorm-1"]
        await pilot.press("enter")
        assert table.has_focus
        await pilot.press("slash", *" zzz")
        assert table.studies == ()
        await until(pilot, lambda: "No study matches" in words(pilot.app))
        await pilot.press("escape")
        assert len(table.studies) == 5
        assert not screen.query_one("#results-filter", Input).display


async def test_the_foot_offers_what_can_be_done_with_the_study_under_the_cursor() -> None:
    def foot() -> str:
        return words(pilot.app).splitlines()[-1]

    past()
    async with app().run_test(size=(120, 30)) as pilot:
        screen = await open_results(pilot)
        go(screen, "llama-1")
        await until(pilot, lambda: "v verdict" in foot())
        go(screen, "rope-1")  # it trains
        await until(pilot, lambda: "v verdict" not in foot())
        assert "open" in foot()


async def test_a_damaged_study_is_one_marked_line() -> None:
    past()
    with Store() as store:
        ingest_events.ingest_all(store)
    (paths.study_dir("gqa-1") / "study.json").write_text("{")
    (paths.study_dir("never-1") / "source").mkdir(parents=True)
    (paths.study_dir("never-1") / "study.json").write_text('{"v": 1}')
    async with app().run_test(size=(80, 24)) as pilot:
        screen = await open_results(pilot)
        table = screen.query_one(ResultsTable)
        broken = ["gqa-1", "never-1"]
        await until(pilot, lambda: [line.id for line in table.studies if line.problem] == broken)
        assert len(table.studies) == 6
        assert "cannot tell" not in words(pilot.app), "what was known before is not said"
        go(screen, "gqa-1")
        await until(pilot, lambda: "gqa-1 can't be read" in words(pilot.app))
        for key in ("v", "o", "n", "enter"):
            await pilot.press(key)
            assert isinstance(pilot.app.screen, ResultsScreen)
        assert "is damaged" in notices(pilot.app)
        await pilot.press("slash", *"unreadable")
        assert [line.id for line in table.studies] == broken


async def test_export_writes_files_or_says_why_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = tmp_path / "mine"
    repo.mkdir()
    monkeypatch.chdir(tmp_path)
    past()
    async with app(config=config.Config(repo=repo)).run_test(size=(100, 30)) as pilot:
        screen = await open_results(pilot)
        go(screen, "llama-1")
        await pilot.press("o")
        await until(pilot, lambda: isinstance(pilot.app.screen, FormScreen))
        place = pilot.app.screen.query_one("#target", Input)
        assert place.value == str(repo / "llama-1.csv")
        place.value = str(tmp_path / "nowhere" / "a.csv")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "did not work" in words(pilot.app))
        pane = pilot.app.screen
        assert isinstance(pane, CommandOutputScreen)
        assert "nowhere" in pane.printed  # on screen the path wraps between two borders
        await pilot.press("escape", "o")
        await until(pilot, lambda: isinstance(pilot.app.screen, FormScreen))
        pilot.app.screen.query_one("#target", Input).value = str(repo / "llama-1.html")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: (repo / "llama-1.html").exists(), "nothing was written")
        await until(pilot, lambda: "wrote" in words(pilot.app))
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, ResultsScreen)


async def test_del_shows_what_it_would_move_to_the_trash_and_y_does_it() -> None:
    past()
    async with app().run_test(size=(100, 30)) as pilot:
        go(await open_results(pilot), "llama-1")
        await pilot.press("delete")
        await until(pilot, lambda: "y does it" in words(pilot.app))
        assert "did not work" not in words(pilot.app)
        assert "llama-1" in studies.ids()
        await pilot.press("y")
        await until(pilot, lambda: "llama-1" not in studies.ids())


async def test_no_results_say_what_to_do() -> None:
    async with app().run_test(size=(80, 24)) as pilot:
        await pilot.press("3")
        await until(pilot, lambda: pilot.app.screen.has_class("-empty"))
        assert "─ No results yet ─" in words(pilot.app)
        assert "Press 2 for the lab" in words(pilot.app)


def a_line(study: str, low: float, high: float) -> ResultRow:
    return ResultRow(
        study,
        "rope",
        "baseline",
        "cpu",
        data="text",
        data_sha256="ab" * 32,
        dtype="fp32",
        created="2026-03-01T09:00:00+00:00",
        done=6,
        total=6,
        mean=(low + high) / 2,
        ends=Interval(low, high),
    )


def test_one_scale_shows_every_interval_whole() -> None:
    near = [a_line(f"s-{k}", -0.03, 0.01) for k in range(3)]
    wide = a_line("wide", -0.5, 0.52)
    endless = replace(a_line("endless", -math.inf, math.inf), mean=0.0)
    (axis,) = axes_by_metric([*near, wide, endless], 40).values()
    assert axis.low < -0.5
    assert axis.high > 0.52
    for row in (*near, wide):
        assert not set("◂▸") & set(_interval_bar(row, axis))
    assert _interval_bar(endless, axis)[0::39] == "◂▸", "an interval without an end has none here"


def test_studies_that_measure_something_else_have_a_scale_and_a_group_of_their_own() -> None:
    loss = a_line("loss", -0.03, 0.01)
    speed = replace(a_line("speed", -300.0, 200.0), metric=Metric("speed", "ms", "lower"))
    scales = axes_by_metric([loss, speed], 40)
    assert [round(axis.high, 2) for axis in scales.values()] == [0.01, 220.0]
    groups = result_rows.group_by_data([loss, speed])
    assert len({name for name, _ in groups}) == 2


async def test_one_long_name_costs_no_row_its_interval() -> None:
    past()
    study = make_study("forty-relu-squared-against-the-usual-gelu-12", "rope")
    finish(study)
    compared(study)
    for size in ((80, 24), (120, 40)):
        async with app().run_test(size=size) as pilot:
            await open_results(pilot)
            await until(pilot, lambda: "…-12" in words(pilot.app), "the number went first")
            row = next(line for line in words(pilot.app).splitlines() if "swiglu-1" in line)
            assert "├" in row, size
