"""The pace of the week: what counts as time worked."""

from __future__ import annotations

from q1lab.documents import retro_parts
from q1lab.documents.retro_parts import PartRecord
from q1lab.ground import paths
from q1lab.week import content, progress


def test_a_clock_that_ran_for_a_second_is_no_time_worked() -> None:
    parts = [PartRecord("Read the paper", 90, 1 / 60, 2, ("Read it", "Log it"))]
    assert retro_parts.proposed_pace(parts) == ""
    assert retro_parts.pace_sentence(parts) == ""
    unfinished = PartRecord("Read the paper", 90, 100, 2, ("Log it",))
    assert retro_parts.pace_sentence([unfinished, *parts]) == (
        "The timer ran for 1 h 40 min in 1 of 2 parts, planned for 1 h 30 min."
    )


def test_of_many_open_steps_the_first_are_named() -> None:
    parts = [
        PartRecord(f"Part {n}", 30, 0, 3, ("Read", "Write", "Tell")[: n + 1]) for n in range(3)
    ]
    assert retro_parts.undone_sentence(parts) == (
        "Of 9 steps I left 6 undone: “Read”, “Read”, “Write”, “Read” and 2 more."
    )


def test_a_week_that_went_fast_is_accelerated_at_the_step_that_writes_it_down() -> None:
    """Its own step, and what comes after it, are open then."""
    week = content.week_for(content.load_week(paths.content_dir()), "swiglu")
    steps = [step.id for step in week.steps()]
    now = progress.StepState(done=True, done_at="2026-03-07T10:00:00+00:00")
    done = progress.Progress(
        dict.fromkeys(steps[: steps.index("c3-retro")], now), {"a1": 300.0, "b1": 1800.0}
    )
    parts = retro_parts.parts_of_week(week, done)
    assert [part.title for part in parts if not part.finished] == []
    assert retro_parts.proposed_pace(parts) == "accelerated"
