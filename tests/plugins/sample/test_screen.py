"""`H` in the lab: what both models write, passage by passage."""

from __future__ import annotations

import sys

import pytest

from q1lab.index import learner_tables
from q1lab.index.store import Store
from q1lab.plugins.sample.screen import SampleScreen
from q1lab.study import corpora
from q1lab.study.studies import Study
from q1lab.tui.screens.lab import LabScreen
from tests.kit.lab_home import app, finish, make_study, open_lab, train, until, words
from tests.kit.places import KIT
from tests.kit.tiny_study import TEXT


@pytest.fixture
def finished(monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.setenv("Q1LAB_SAMPLER", f"{sys.executable} {KIT / 'fake_sample.py'}")
    data = corpora.store_corpus("text", TEXT.encode(), 16)
    study = make_study(sha256=data.sha256)
    finish(study)
    for run in study.runs:
        study.files.run(run.name).model.touch()
    return study


async def test_passages_are_read_beside_each_other(finished: Study) -> None:
    async with app().run_test(size=(120, 40)) as pilot:
        await open_lab(pilot)
        await pilot.press("H")
        assert isinstance(pilot.app.screen, SampleScreen)
        await until(pilot, lambda: "verily 1 says modified" in words(pilot.app))
        (line,) = (line for line in words(pilot.app).splitlines() if "verily" in line)
        assert "verily 1 says baseline" in line
        assert "The first 14 of 22 characters are the same." in words(pilot.app)
        await pilot.press("p")
        assert "passage 1" in words(pilot.app), "there is none before the first"
        await pilot.press("n")
        await until(pilot, lambda: "verily 2 says modified" in words(pilot.app))
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: sum("verily" in s for s in words(pilot.app).splitlines()) == 2)
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, LabScreen)
    with Store() as store:
        rows = learner_tables.evidence_rows(store, "M03-W04")
    assert ("sample", finished.id) in [(row["act"], row["subject"]) for row in rows]


async def test_without_weights_it_says_why(finished: Study) -> None:
    for run in finished.runs:
        finished.files.run(run.name).model.unlink()
    async with app().run_test(size=(80, 24)) as pilot:
        await open_lab(pilot)
        await pilot.press("H")
        await until(pilot, lambda: "prune --models" in words(pilot.app))


async def test_the_key_waits_for_a_run_that_has_finished() -> None:
    train(make_study(), "baseline", 0, 400, state=None)
    async with app().run_test(size=(80, 24)) as pilot:
        await open_lab(pilot)
        await pilot.press("H")
        assert isinstance(pilot.app.screen, LabScreen)
