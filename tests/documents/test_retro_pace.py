"""The pace of the week: what counts as time worked."""

from __future__ import annotations

from q1lab.documents import retro
from q1lab.ground import paths
from q1lab.week import content, progress


def test_a_clock_that_ran_for_a_second_is_no_time_worked() -> None:
    parts = [retro.PartTime("Read the paper", 90, 1 / 60, False)]
    assert retro.proposed_pace(parts) == ""
    assert retro.pace_words(parts) == ""
    assert "behind" in retro.pace_words([retro.PartTime("Read the paper", 90, 100, False)])


def test_a_week_that_went_fast_is_accelerated_at_the_step_that_writes_it_down() -> None:
    """Its own step, and what comes after it, are open then."""
    week = content.load_week(paths.content_dir()).for_variant("swiglu")
    steps = [step.id for step in week.steps()]
    now = progress.StepState(done=True, done_at="2026-03-07T10:00:00+00:00")
    done = progress.Progress(
        dict.fromkeys(steps[: steps.index("c3-retro")], now), {"a1": 300.0, "b1": 1800.0}
    )
    parts = retro.part_times(week, done)
    assert [part.title for part in parts if not part.finished] == []
    assert retro.proposed_pace(parts) == "accelerated"
