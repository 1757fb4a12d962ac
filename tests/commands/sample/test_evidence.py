"""The step of the week that `q1lab sample` ticks."""

from __future__ import annotations

from q1lab.journal.store import Store
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


def test_the_passage_of_the_first_study_is_that_of_its_own_study() -> None:
    """The step of A1 names a study; the one of B2 stands for the chosen modification."""
    week = load_week(CONTENT)
    with Store() as store:
        progress.choose_modification(store, week, "rope")
        a_study(store, "rope-1", ["finished"] * 6)
        evidence.note_viewed(store, LABEL, "sample", "rope-1", "rope")
        assert not done(store, week, "a1-passage")
        progress.tick_step(store, LABEL, "b2-sample", False)
        a_study(store, "no_positions-1", ["finished"] * 6, variant="no_positions")
        evidence.note_viewed(store, LABEL, "sample", "no_positions-1", "no_positions")
        assert done(store, week, "a1-passage")
        assert not done(store, week, "b2-sample")
