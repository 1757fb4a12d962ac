"""Pictures of the screens that one sees most, with fixed clocks, a prepared store and studies on
disk. What must hold whatever a screen looks like is asserted in words, in the tests of the screen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.pilot import Pilot

from q1lab.ground.config import Config
from q1lab.index.store import Store
from q1lab.tui.screens.verdict import VerdictScreen
from q1lab.tui.widgets.loss_chart import LossChart
from q1lab.tui.widgets.page_reader import PageReader
from q1lab.week.lists import artifacts, papers
from q1lab.week.syllabus import Week
from tests.kit.lab_home import (
    app,
    compared,
    finish,
    make_study,
    open_lab,
    train,
    training,
    until,
    words,
)
from tests.kit.pictures import Go
from tests.kit.tui_home import prepared, settled, some_progress

Picture = Callable[..., Awaitable[None]]
SMALL, LARGE = (80, 24), (120, 40)


def after(*keys: str) -> Go:
    async def press(pilot: Pilot[Any]) -> None:
        await settled(pilot)
        for key in keys:
            await pilot.press(key)
            await settled(pilot)

    return press


def on(part: str, step: str, *keys: str) -> Go:
    """Go to a step, have it at the top whatever was in sight before, and press keys there."""

    async def press(pilot: Pilot[Any]) -> None:
        await after()(pilot)
        reader = pilot.app.screen.query_one(PageReader)
        pilot.app.screen.open_page(part, step)  # type: ignore[attr-defined]
        await until(pilot, lambda: reader.step is not None and reader.step.id == step)
        await until(pilot, lambda: reader.on_screen)
        await until(pilot, lambda: all(piece.size.width for piece in reader.pieces))
        assert reader.piece is not None
        reader.scroll_to(y=reader.piece.virtual_region.y, animate=False, immediate=True)
        await after(*keys)(pilot)

    return press


@pytest.mark.parametrize(("theme", "size"), [("dark", SMALL), ("light", LARGE)], ids=str)
async def test_picture_of_the_study(picture: Picture, theme: str, size: tuple[int, int]) -> None:
    await picture(
        f"study-{theme}",
        prepared(some_progress, config=Config(theme=f"q1lab-{theme}")),
        size,
        after(),
    )


async def test_picture_of_the_choice_in_the_smallest_terminal(picture: Picture) -> None:
    await picture("choice", prepared(), (60, 20), on("a1", "a1-choose", "e"))


async def test_picture_of_an_answer(picture: Picture) -> None:
    await picture("answer", prepared(), SMALL, on("a1", "a1-guess", "e", *"words"))


async def test_picture_of_the_help(picture: Picture) -> None:
    await picture("help", prepared(), LARGE, after("question_mark"))


async def test_picture_of_the_progress(picture: Picture) -> None:
    def a_quarter(store: Store, week: Week) -> None:
        some_progress(store, week)
        papers.add_paper(
            store, "RoFormer", link="https://arxiv.org/abs/2104.09864", week=week.label
        )
        papers.finish_paper(store, "RoFormer")
        artifacts.add_artifact(
            store, "repo", "transformer-from-scratch", location="https://example.org/t"
        )

    async def go(pilot: Pilot[Any]) -> None:
        await after("4")(pilot)
        await until(pilot, lambda: pilot.app.snapshot.pages.get("progress"))  # type: ignore[attr-defined]
        await settled(pilot)

    await picture("progress", prepared(a_quarter), LARGE, go)


async def to_the_lab(pilot: Pilot[Any]) -> None:
    screen = await open_lab(pilot)
    await until(pilot, lambda: screen.query_one(LossChart).data.last > 0)
    await pilot.pause()


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=str)
async def test_picture_of_the_lab(picture: Picture, size: tuple[int, int]) -> None:
    training(make_study())
    await picture("lab", app(), size, to_the_lab)


async def test_picture_of_what_went_wrong_among_several(picture: Picture) -> None:
    ahead = {"created": "2126-03-01T09:00:00+00:00"}  # on any day of a test its age is "now"
    finish(make_study("swiglu-1", "swiglu", **ahead))
    study = make_study(seeds=(0, 1, 2, 3), **ahead)
    failed = "RuntimeError: shape '[4, 4]' is invalid"
    train(study, "baseline", 0)
    train(study, "modified", 0, 600, state="diverged", message="the loss is not a number")
    train(study, "baseline", 1, 900, state="failed", message=failed)
    train(study, "modified", 1, 400, state=None)
    train(study, "baseline", 2, 800, state="stopped")
    await picture("lab-wrong", app(), LARGE, to_the_lab)


async def test_picture_of_a_finished_study(picture: Picture) -> None:
    """The short verdict is above the runs."""
    study = make_study()
    finish(study)
    compared(study)
    await picture("lab-finished", app(), SMALL, to_the_lab)


async def test_picture_of_a_verdict(picture: Picture) -> None:
    study = make_study(
        prediction={"direction": "lower", "size": 0.03, "matters": 0.01, "confidence": 0.7}
    )
    finish(study)
    compared(study)

    async def go(pilot: Pilot[Any]) -> None:
        await to_the_lab(pilot)
        await pilot.press("v")
        await until(pilot, lambda: isinstance(pilot.app.screen, VerdictScreen))

    await picture("verdict-light", app(config=Config(theme="q1lab-light")), LARGE, go)


async def test_picture_of_a_plan(picture: Picture, fake_trainer: Callable[..., None]) -> None:
    async def go(pilot: Pilot[Any]) -> None:
        await open_lab(pilot)
        await pilot.press("r")
        await until(pilot, lambda: "6 runs, about" in words(pilot.app), "no estimate came")

    await picture("plan", app(), LARGE, go)
