"""Planning and starting a study from the screen: the form, the plan, and what y does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input, Select

from q1lab.app.screens import step_actions
from q1lab.app.screens.command_output import CommandOutputScreen
from q1lab.app.screens.form import FormScreen
from q1lab.app.screens.lab import LabScreen
from q1lab.app.screens.run_form import StartScreen, open_form_with_more_seeds
from q1lab.app.screens.week_page import WeekScreen
from q1lab.ground.paths import content_dir
from q1lab.journal.store import Store
from q1lab.study import studies
from q1lab.week import content, progress
from q1lab.week.syllabus import Action
from tests.kit.lab_home import app, finish, make_study, open_lab, until, words
from tests.kit.places import MODELS

pytestmark = pytest.mark.sample


async def form_of(pilot: Any) -> FormScreen:
    await until(pilot, lambda: isinstance(pilot.app.screen, FormScreen))
    await until(pilot, lambda: pilot.app.screen.is_mounted)
    screen = pilot.app.screen
    assert isinstance(screen, FormScreen)
    return screen


async def plan_of(pilot: Any) -> StartScreen:
    await until(pilot, lambda: isinstance(pilot.app.screen, StartScreen))
    screen = pilot.app.screen
    assert isinstance(screen, StartScreen)
    await until(pilot, lambda: screen.has_ended, "the plan did not come")
    return screen


async def test_from_the_form_to_its_plan_and_back_and_into_the_lab(
    fake_trainer: Callable[..., None],
) -> None:
    fake_trainer(pause=0.05)
    async with app().run_test(size=(80, 24)) as pilot:
        await open_lab(pilot)
        await pilot.press("r")
        form = await form_of(pilot)
        assert form.values()["variant"] == "rope"  # which the week recommends
        form.query_one("#max_iters", Input).value = "40"
        form.query_one("#preset", Select).value = "quick"
        await pilot.press("enter")
        plan = await plan_of(pilot)
        assert plan.heading == "q1lab run rope --preset quick --max-iters 40"
        assert "pairs" in plan.printed
        assert studies.ids() == []
        await pilot.press("escape")
        form = await form_of(pilot)
        assert form.values()["max_iters"] == "40"  # what was typed is there
        await pilot.press("enter")
        await plan_of(pilot)
        await pilot.press("y")
        await until(pilot, lambda: isinstance(pilot.app.screen, LabScreen), "it did not start")
        lab = pilot.app.screen
        await until(pilot, lambda: lab.view is not None and lab.view.row.id == "rope-1")
        await until(pilot, lambda: lab.view.row.state == "finished", "it did not end")
        assert studies.load("rope-1").max_iters == 40


async def test_what_is_wrong_is_said_in_the_form_or_when_it_starts(
    fake_trainer: Callable[..., None],
) -> None:
    async with app().run_test(size=(100, 40)) as pilot:
        await open_lab(pilot)
        await pilot.press("r")
        form = await form_of(pilot)
        for name, text, why in (
            ("variant", "", "variant is missing"),
            ("variant", "'rope", "quotation"),
            ("seeds", "1,1", "give how many"),
            ("max_iters", "-4", "give a whole number from 1 up"),
            ("jobs", "x", "give a whole number from 1 up"),
        ):
            field = form.query_one(f"#{name}", Input)
            right, field.value = field.value, text
            await pilot.press("ctrl+s")
            await until(pilot, lambda: why.lower() in words(pilot.app).lower(), why)  # noqa: B023
            assert pilot.app.screen is form
            field.value = right
        form.query_one("#data", Input).value = "no/such/file.txt"
        await pilot.press("ctrl+s")
        plan = await plan_of(pilot)
        await pilot.press("y")
        await until(pilot, lambda: "no such file" in plan.printed)
        assert studies.ids() == []
        await pilot.press("escape")
        form = await form_of(pilot)
        assert form.values()["data"] == "no/such/file.txt"
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, LabScreen)


async def test_the_form_begins_with_the_file_that_the_learner_wrote(tmp_path: Path) -> None:
    with Store() as store:
        progress.choose_modification(store, content.load_week(content_dir()), "rope")
    (tmp_path / "rope.py").write_text((MODELS / "rope.py").read_text())
    async with app(cwd=tmp_path).run_test(size=(60, 20)) as pilot:
        await open_lab(pilot)
        await pilot.press("r")
        assert (await form_of(pilot)).values()["variant"] == "./rope.py"


async def test_an_action_of_the_week_and_a_command_fill_the_form(tmp_path: Path) -> None:
    app_ = app(cwd=tmp_path)
    options = {"variant": "./rope.py", "baseline": "./model.py", "max_iters": 40, "seeds": 2}
    async with app_.run_test(size=(100, 40)) as pilot:
        await until(pilot, lambda: isinstance(app_.screen, WeekScreen))
        step_actions.start_action(app_, Action("run", "Train it", options), None)
        values = (await form_of(pilot)).values()
        assert {key: values[key] for key in options} == {k: str(v) for k, v in options.items()}
        await pilot.press("escape")
        line = "q1lab run gqa --set n_kv_head=1 --preset quick --seeds 1 --fresh"
        step_actions.run_command(app_, line.split())
        values = (await form_of(pilot)).values()
        assert (values["overrides"], values["preset"]) == ("n_kv_head=1", "quick")
        await pilot.press("enter")
        plan = await plan_of(pilot)
        assert plan.heading.split()[2:] == [
            "gqa",
            "--seeds",
            "1",
            "--preset",
            "quick",
            "--set",
            "n_kv_head=1",
            "--fresh",
        ]
        await pilot.press("escape")
        await form_of(pilot)
        await pilot.press("escape")
        step_actions.run_command(app_, ["q1lab", "run", "rope", "gqa", "--seeds", "0"])
        await until(pilot, lambda: isinstance(app_.screen, CommandOutputScreen))
        await until(pilot, lambda: "give at least 1" in app_.screen.printed)


@pytest.mark.parametrize(
    ("seeds", "named", "planned"),
    [
        ((0, 1, 2), 9, "9"),
        ((0, 1, 2), None, "6"),
        pytest.param((0,), None, "3", id="two would give no verdict"),
    ],
)
async def test_the_seeds_that_a_verdict_names_or_needs_are_planned(
    fake_trainer: Callable[..., None], seeds: tuple[int, ...], named: int | None, planned: str
) -> None:
    study = make_study(seeds=seeds)
    finish(study)
    async with app().run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: isinstance(pilot.app.screen, WeekScreen))
        open_form_with_more_seeds(pilot.app, study, named)
        values = (await form_of(pilot)).values()
        assert (values["variant"], values["seeds"]) == ("rope", planned)
