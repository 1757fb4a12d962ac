"""Slow work beside the app: whatever becomes of it, the screen that waits is told."""

from __future__ import annotations

from q1lab.app.background import run_in_background
from q1lab.ground.errors import Problem
from tests.kit.tui_home import running, until


async def test_an_unexpected_error_reaches_the_screen_that_waits() -> None:
    """Some screens said "Looking …" for ever."""
    async with running() as (app, pilot):
        problems: list[Problem] = []
        run_in_background(app.screen, lambda: [][0], lambda _: None, problems.append)
        await until(pilot, lambda: problems)
        assert "app.log has the details" in str(problems[0])
