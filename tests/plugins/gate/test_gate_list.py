"""A gate's proposals in the lists of studies: a night is one line."""

from __future__ import annotations

import pytest

from q1lab.index.store import Store
from q1lab.tui.widgets.study_list import StudyList
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


async def test_the_list_has_verdict_sign_and_age_in_columns_and_a_night_is_one_line() -> None:
    past()
    proposals("tonight", "idea-2", "idea-1", "idea-2", "idea-3")
    async with app().run_test(size=(120, 40)) as pilot:
        screen = await open_lab(pilot)
        listed = screen.query_one(StudyList)
        await until(pilot, lambda: "1 of 3 kept" in words(pilot.app))
        lines = [line[: listed.region.width] for line in words(pilot.app).splitlines()]
        rows = [next(line for line in lines if name in line) for name in ("llama-1", "gqa-1")]
        night = next(line for line in lines if "1 of 3" in line)
        assert [row.index(word) for row, word in zip(rows, ("helps", "cannot"), strict=True)] == [
            night.index("1 of 3")
        ] * 2
        assert {row.rstrip(" │")[-1] for row in rows} == {"d"}
        assert "idea-1" not in "".join(lines)
        listed.focus()
        listed.highlighted = 0
        await pilot.press("enter")
        await until(pilot, lambda: "idea-1" in words(pilot.app))
        assert "discarded" in words(pilot.app)
        await pilot.press("enter")
        await until(pilot, lambda: "idea-1" not in words(pilot.app))
        screen.q1.store_thread.watch_study("idea-1")
        await until(pilot, lambda: "A gate judges" in words(pilot.app))
        assert "no verdict before" not in words(pilot.app)
