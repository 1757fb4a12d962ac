"""A prepared store, a clock that a test moves by hand, and waiting without looking at the time."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textual.app import App
from textual.css.query import NoMatches
from textual.pilot import Pilot

from q1lab.app.app import Q1Lab
from q1lab.app.app_setup import AppSetup
from q1lab.app.screens.command_output import CommandOutputScreen
from q1lab.app.snapshot_taker import SnapshotReader
from q1lab.commands.cli import load_command
from q1lab.ground import paths
from q1lab.ground.config import Config
from q1lab.journal import learner_tables
from q1lab.journal.store import Store
from q1lab.week import content, progress
from q1lab.week.syllabus import Week


@dataclass
class FakeClocks:
    """The timer's stopwatch, moved by a test."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += seconds


def prepared(fill: Callable[[Store, Week], None] | None = None, **settings: Any) -> Q1Lab:
    """The app as at a later start: welcomed, and whatever ``fill`` put into the store."""
    week = content.load_week(settings.pop("folder", None) or paths.content_dir())
    with Store() as store:
        progress.save_week_setting(store, week.label, "welcomed", True)
        if fill is not None:
            fill(store, week)
        first = SnapshotReader(week.label, week).read_snapshot(store, ingest=False)
    settings.setdefault("config", Config())
    settings.setdefault("clocks", FakeClocks())
    return Q1Lab(AppSetup(week, load_command, first=first, cwd=Path("/nowhere"), **settings))


def some_progress(store: Store, week: Week) -> None:
    """A learner in the middle of A2."""
    steps = [step for step in week.steps() if step.id.startswith("a1-")]
    for step in steps:
        progress.tick_step(store, week.label, step.id, True)
    progress.save_answer(
        store, week.label, "a1-why", "It is the richest idea. [bold]not markup[/bold]"
    )
    learner_tables.credit_seconds(store, week.label, {"a1": 12 * 60})
    learner_tables.credit_seconds(store, week.label, {"a2": 104 * 60})


async def until(pilot: Pilot[Any], holds: Callable[[], Any], message: str = "") -> None:
    """Wait for the app to get there; where it never does, fail with what a person would see."""
    late = time.monotonic() + 60
    while time.monotonic() < late:
        with contextlib.suppress(NoMatches):
            if holds():  # before anything else: some states are gone a moment later
                return
        await pilot.pause()
        await asyncio.sleep(0.01)
    raise AssertionError(f"{message or 'the app never got there'}; on screen:\n{words(pilot.app)}")


def words(app: App[Any]) -> str:
    """All text on screen."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


async def settled(pilot: Pilot[None]) -> None:
    """Wait until the store thread has run all its jobs, and the app shows it."""
    app = pilot.app
    assert isinstance(app, Q1Lab)
    done: list[int] = []
    app.run_job(lambda _: None, lambda _: done.append(1))
    await until(pilot, lambda: done)
    await pilot.pause()


@contextlib.asynccontextmanager
async def running(
    fill: Callable[[Store, Week], None] | None = None,
    size: tuple[int, int] = (80, 24),
    notifications: bool = False,
    **settings: Any,
) -> AsyncIterator[tuple[Q1Lab, Pilot[None]]]:
    """The prepared app on a terminal of ``size`` columns and lines, settled, and who drives it.

    The store thread ends a moment after the app: then everything is on disk."""
    app = prepared(fill, **settings)
    async with app.run_test(size=size, notifications=notifications) as pilot:
        await settled(pilot)
        yield app, pilot
    await asyncio.sleep(0.05)


async def pane_of(
    pilot: Pilot[None], code: str, folder: Path, shown: str = "a command"
) -> CommandOutputScreen:
    """Open the pane of a command: a Python that runs ``code``."""
    await settled(pilot)
    pane = CommandOutputScreen([sys.executable, "-c", code], folder)
    pane.shown = pane.heading = shown
    pilot.app.push_screen(pane)
    return pane
