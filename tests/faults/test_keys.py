"""Keys in one burst, on three screens: whatever was typed ahead, the app lives and logs no error."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot

from q1lab.app.app import Q1Lab
from q1lab.app.screens import forms
from q1lab.ground import paths
from q1lab.ground.config import Config
from tests.kit.lab_home import compared, finish, make_study
from tests.kit.repos import begun, of_its_own
from tests.kit.tui_home import prepared, settled, until


def an_app(repo: Path) -> Q1Lab:
    study = make_study("rope-1")
    finish(study)
    compared(study)
    return prepared(config=Config(repo=repo))


async def opened(pilot: Pilot[Any], name: str) -> None:
    app = pilot.app
    assert isinstance(app, Q1Lab)
    app.action_go("lab" if name == "LabScreen" else "study")
    await settled(pilot)
    if name == "FormScreen":
        forms.open_form(app, "paper add")
    await until(pilot, lambda: type(app.screen).__name__ == name and app.screen.is_mounted)
    await settled(pilot)


def burst(pilot: Pilot[Any], *names: str) -> None:
    """Have the app get all keys before it handles the first."""
    driver = pilot.app._driver
    assert driver is not None
    for name in names:
        event = events.Key(name, name if len(name) == 1 else None)
        event.set_sender(pilot.app)
        driver.send_message(event)


@pytest.mark.parametrize("name", ["FormScreen", "LabScreen", "WeekScreen"])
@pytest.mark.parametrize("seed", range(2))
async def test_any_keys_in_a_burst(
    seed: int, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two to five of the keys that a screen has, at random."""
    of_its_own(tmp_path, monkeypatch)
    monkeypatch.setattr("webbrowser.open", lambda *_, **__: True)
    dice = random.Random(seed)
    app = an_app(begun(tmp_path / "repo"))
    async with app.run_test(size=(100, 30)) as pilot:
        await opened(pilot, name)
        bound = sorted(set(app.screen.active_bindings) - {"ctrl+q", "ctrl+c", "ctrl+z", "q"})
        burst(pilot, *dice.choices(bound, k=dice.randint(2, 5)))
        await settled(pilot)
        assert app.is_running
        assert not (paths.home() / "app.log").exists()
