"""A gate's proposals in the lab."""

from __future__ import annotations

import pytest

from q1lab.index.store import Store
from tests.kit.lab_home import app, finish, make_study, open_lab, past, until, words

pytestmark = pytest.mark.sample


def proposals(budget: str, kept: str, *names: str) -> None:
    """Studies that a gate has decided on, one of them kept."""
    for number, name in enumerate(names):
        study = make_study(
            name,
            created=f"2026-04-01T0{number}:00:00+00:00",
            gate={"budget": budget, "proposal": number + 1, "cells": ("modified-seed0",)},
        )
        finish(study)
        with Store() as store:
            store.add("gate", study=name, created=study.created, kept=name == kept, facts={})


async def test_the_lab_says_what_the_gate_decided_and_that_no_verdict_is_due() -> None:
    past()
    proposals("tonight", "idea-2", "idea-1", "idea-2", "idea-3")
    async with app().run_test(size=(120, 40)) as pilot:
        screen = await open_lab(pilot)
        await until(pilot, lambda: screen.view is not None)
        await pilot.press("slash", *"idea")
        await until(pilot, lambda: "idea-1" in words(pilot.app))
        lines = words(pilot.app).splitlines()
        found = {
            name: next(line for line in lines if name in line) for name in ("idea-1", "idea-2")
        }
        assert ("discarded" in found["idea-1"], "kept" in found["idea-2"]) == (True, True)
        await pilot.press("escape")
        screen.q1.store_thread.watch_study("idea-1")
        await until(pilot, lambda: "A gate judges" in words(pilot.app))
        assert "no verdict before" not in words(pilot.app)
