"""The ends of runs: which of them diverged or got stuck."""

from __future__ import annotations

import random

import pytest

from q1lab.judgment.metric import Metric
from q1lab.study.run_ends import RunEnd, astray_runs
from q1lab.study.studies import ARMS


@pytest.mark.parametrize(("better", "far_off"), [("lower", 9.0), ("higher", -5.0)])
def test_a_run_is_stuck_far_on_the_side_that_is_worse(better: str, far_off: float) -> None:
    for value, stuck in ((far_off, 1), (4.0 - far_off, 0)):
        values = [1.9, 2.0, 2.1, 2.2, 1.8, 2.05, 1.95, value]
        ends = {("modified", seed): RunEnd("finished", one) for seed, one in enumerate(values)}
        found = astray_runs([ends], Metric("score", "", better))
        assert found == ((("modified", 8, 0, 1),) if stuck else ())


@pytest.mark.parametrize("pairs", [8, 9, 12])
def test_of_studies_with_normal_runs_at_most_one_in_a_hundred_has_one_called_stuck(
    pairs: int,
) -> None:
    draw = random.Random(pairs)
    studies = [
        {(arm, seed): RunEnd("finished", draw.gauss(2, 1)) for arm in ARMS for seed in range(pairs)}
        for _ in range(5000)
    ]
    called = sum(bool(astray_runs([ends], Metric("loss", "", "lower"))) for ends in studies)
    assert called / len(studies) < 0.0125, "an honest study is told that its runs went astray"


def test_diverged_runs_are_counted_in_either_direction() -> None:
    ends = {("baseline", seed): RunEnd("diverged", None) for seed in range(2)}
    for better in ("lower", "higher"):
        assert astray_runs([ends], Metric("score", "", better)) == (("baseline", 2, 2, 0),)
