"""The step of the week that `q1lab sample` ticks."""

from __future__ import annotations

from q1lab.index.store import Store
from q1lab.week import evidence, progress
from q1lab.week.content import load_week
from tests.kit.places import CONTENT
from tests.week.test_evidence import LABEL, a_study, done


def test_passages_of_another_modification_are_not_those_that_were_asked_for() -> None:
    week = load_week(CONTENT)
    with Store() as store:
        progress.choose_modification(store, week, "rope")
        for variant in ("gqa", "rope"):
            a_study(store, f"{variant}-1", ["finished"] * 6, variant=variant)
            evidence.note_viewed(store, LABEL, "sample", f"{variant}-1", variant)
            assert done(store, week, "b2-sample") == (variant == "rope")
