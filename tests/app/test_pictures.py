"""Pictures of the screens that one sees most, with fixed clocks, a prepared store and studies on
disk. What must hold whatever a screen looks like is asserted in words, in the tests of the screen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.pilot import Pilot

from q1lab.app.pages import OVERVIEW
from q1lab.app.screens.verdict import VerdictScreen
from q1lab.app.widgets.loss_chart import LossChart
from q1lab.app.widgets.page_reader import PageReader
from q1lab.ground.config import Config
from tests.kit.lab_home import (
    app,
    compared,
    finish,
    make_study,
    open_lab,
    open_results,
    past,
    training,
    until,
)
from tests.kit.tui_home import prepared, settled, some_progress

Go = Callable[[Pilot[Any]], Awaitable[None]]
Picture = Callable[..., Awaitable[None]]
LARGE = 120, 40


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


async def to_the_lab(pilot: Pilot[Any]) -> None:
    screen = await open_lab(pilot)
    await until(pilot, lambda: screen.query_one(LossChart).data.last > 0)
    await pilot.pause()


async def to_the_results(pilot: Pilot[Any]) -> None:
    await open_results(pilot)
    await pilot.press("j", "j")
    await settled(pilot)


async def to_the_overview(pilot: Pilot[Any]) -> None:
    await settled(pilot)
    pilot.app.screen.open_page(OVERVIEW)  # type: ignore[attr-defined]
    await settled(pilot)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
@pytest.mark.parametrize("screen", ["overview", "page-light", "lab", "results"])
async def test_picture_of_a_screen(picture: Picture, screen: str, size: tuple[int, int]) -> None:
    """A learner in the middle of A2; a study that trains, and four that have ended."""
    light = Config(theme="q1lab-light")
    if screen == "overview":
        await picture(screen, prepared(some_progress), size, to_the_overview)
    elif screen == "page-light":
        await picture(screen, prepared(some_progress, config=light), size, after())
    elif screen == "lab":
        training(make_study())
        await picture(screen, app(), size, to_the_lab)
    else:
        past()
        await picture(screen, app(), size, to_the_results)


async def test_picture_of_the_choice_in_the_smallest_terminal(picture: Picture) -> None:
    await picture("choice", prepared(), (60, 20), on("a1", "a1-choose", "e"))


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
