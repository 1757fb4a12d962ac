"""Pictures of the screens at two sizes, with a fixed clock and a prepared store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from textual.pilot import Pilot

from q1lab.config import Config
from q1lab.index.store import Store
from q1lab.journal import artifacts, reading
from q1lab.tui.widgets.reader import Reader
from q1lab.week.model import Week
from tests.kit.tui_home import prepared, settled, some_progress, until

SIZES = [(80, 24), (120, 40)]
Snap = Callable[..., bool]


def a_quarter(store: Store, week: Week) -> None:
    some_progress(store, week)
    reading.add(store, "RoFormer", link="https://arxiv.org/abs/2104.09864", week=week.label)
    reading.finish(store, "RoFormer")
    artifacts.add(store, "repo", "transformer-from-scratch", location="https://example.org/t")


def after(*keys: str) -> Callable[[Pilot[Any]], Any]:
    async def press(pilot: Pilot[Any]) -> None:
        await settled(pilot)
        await until(pilot, lambda: pilot.app.screen_stack[0].query_one(Reader).rich)
        for key in keys:
            await pilot.press(key)
            await settled(pilot)
        await settled(pilot)

    return press


def on(step: str, *keys: str) -> Callable[[Pilot[Any]], Any]:
    """Walk to a step, wherever the week has it, and press keys there."""

    async def press(pilot: Pilot[Any]) -> None:
        await after()(pilot)
        reader = pilot.app.screen_stack[0].query_one(Reader)
        for _ in range(40):
            if reader.step is not None and reader.step.id == step:
                break
            await pilot.press("j")
            await settled(pilot)
        else:
            raise AssertionError(f"no step {step} on this page")
        await after(*keys)(pilot)

    return press


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("theme", ["q1lab-dark", "q1lab-light"])
def test_study(snap_compare: Snap, size: tuple[int, int], theme: str) -> None:
    app = prepared(some_progress, config=Config(theme=theme))
    assert snap_compare(app, terminal_size=size, run_before=after())


@pytest.mark.parametrize("size", [*SIZES, (60, 20)])
def test_progress(snap_compare: Snap, size: tuple[int, int]) -> None:
    async def go(pilot: Pilot[Any]) -> None:
        await after("4")(pilot)
        await until(pilot, lambda: pilot.app.snapshot.pages.get("progress"))  # type: ignore[attr-defined]
        await settled(pilot)

    assert snap_compare(prepared(a_quarter), terminal_size=size, run_before=go)


@pytest.mark.parametrize("size", SIZES)
def test_help(snap_compare: Snap, size: tuple[int, int]) -> None:
    assert snap_compare(prepared(), terminal_size=size, run_before=after("question_mark"))


@pytest.mark.parametrize("size", SIZES)
def test_answer(snap_compare: Snap, size: tuple[int, int]) -> None:
    app = prepared()
    assert snap_compare(app, terminal_size=size, run_before=on("a1-guess", "e", *"words"))


@pytest.mark.parametrize("size", [*SIZES, (60, 20)])
def test_study_at_the_choice(snap_compare: Snap, size: tuple[int, int]) -> None:
    assert snap_compare(prepared(), terminal_size=size, run_before=on("a1-choose", "e"))
