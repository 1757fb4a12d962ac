"""The pace of the week: what counts as time worked."""

from __future__ import annotations

from q1lab.documents import retro


def test_a_clock_that_ran_for_a_second_is_no_time_worked() -> None:
    parts = [retro.PartTime("Read the paper", 90, 1 / 60, False)]
    assert retro.pace(parts) == ""
    assert retro.pace_words(parts) == ""
    assert "behind" in retro.pace_words([retro.PartTime("Read the paper", 90, 100, False)])
