"""Levels that pay for every look: against simulation, and against a library's own integral where
one agrees in its terms."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from q1lab.compare import looks
from q1lab.compare.levels import LEVELS
from q1lab.compare.stats import ALPHA, ALPHA_LATER
from q1lab.errors import Problem
from q1lab.study import ranges

STUDIES = 40_000


def simulated(plan: list[tuple[int, float]], seed: int = 1, many: int = STUDIES) -> float:
    """The share of null studies that claim something at any of the looks (n, α)."""
    x = np.random.default_rng(seed).standard_normal((many, plan[-1][0]))
    hit = np.zeros(many, dtype=bool)
    for n, alpha in plan:
        part = x[:, :n]
        t = part.mean(axis=1) / part.std(axis=1, ddof=1) * np.sqrt(n)
        hit |= np.abs(t) > scipy_stats.t.ppf(1 - alpha / 2, n - 1)
    return float(hit.mean())


@pytest.mark.parametrize(
    "plan",
    [
        [(3, 0.05), (5, 0.05)],
        [(3, 0.05), (5, 0.025), (10, 0.025)],
        [(3, 0.05), (5, 0.0106), (10, 0.0106)],
        [(n, 0.05) for n in range(3, 13)],
        [(4, 0.02), (9, 0.3)],
    ],
)
def test_the_chance_of_any_claim_is_what_simulation_finds(plan: list[tuple[int, float]]) -> None:
    found, error = looks.any_claim(plan), 4 * (0.12 * 0.88 / STUDIES) ** 0.5
    assert found == pytest.approx(simulated(plan), abs=error)


@pytest.mark.parametrize(("first", "most"), [(3, 5), (3, 8), (3, 12), (5, 12), (8, 24)])
def test_a_range_makes_a_claim_in_5_percent_of_null_studies(first: int, most: int) -> None:
    alpha = looks.level(first, most)
    plan = [(n, alpha) for n in range(first, most + 1)]
    assert simulated(plan, 2) == pytest.approx(ALPHA, abs=4 * (0.0475 / STUDIES) ** 0.5)
    assert looks.any_claim(plan) == pytest.approx(ALPHA, abs=0.0005)
    later = [(n, looks.level(first, most, later=True)) for n in range(first, most + 1)]
    assert looks.any_claim(later) == pytest.approx(ALPHA_LATER, abs=0.0003)


def test_with_many_pairs_the_levels_are_pococks() -> None:
    """With a known spread (many pairs to a look) two looks at half and all of the data have
    Pocock's level .0294: the bivariate normal's own integral."""
    limit = scipy_stats.norm.ppf(1 - 0.0294 / 2)
    both = scipy_stats.multivariate_normal(cov=[[1, 0.5**0.5], [0.5**0.5, 1]])
    inside = sum(
        sign * both.cdf([a * limit, b * limit])
        for (a, b), sign in zip(itertools.product((1, -1), repeat=2), (1, -1, -1, 1), strict=True)
    )
    assert 1 - inside == pytest.approx(0.05, abs=0.0003)
    assert looks.any_claim([(100, 0.0294), (200, 0.0294)]) == pytest.approx(0.05, abs=0.001)


def test_the_table_has_every_range_and_its_order() -> None:
    assert set(LEVELS) == {
        (first, most)
        for first in range(looks.FIRST_LEAST, looks.FIRST_MOST + 1)
        for most in range(first + 1, looks.MOST + 1)
    }
    for (first, most), (alpha, later) in LEVELS.items():
        assert ALPHA / (most - first + 1) < alpha < ALPHA
        assert later < alpha
        if (first, most - 1) in LEVELS:
            assert alpha < LEVELS[first, most - 1][0], "one look more costs"
    with pytest.raises(Problem, match=r"3\.\.25"):
        looks.level(3, 25)


pairs = st.lists(st.floats(-0.1, 0.1).map(lambda x: round(x, 4)), min_size=0, max_size=12)


@settings(max_examples=60, deadline=None)
@given(pairs, st.none() | st.floats(0.001, 0.1))
def test_a_study_is_over_at_the_first_look_that_knows(
    values: list[float], delta: float | None
) -> None:
    alpha = looks.level(3, 12)
    planned = ranges.Range(3, 12, alpha, looks.limits(3, 12, alpha))
    found = ranges.over_at(planned, values, delta)
    expected = None
    for n in range(3, len(values) + 1):
        part = values[:n]
        if max(part) - min(part) <= 1e-9:
            continue
        ends = scipy_stats.ttest_rel(part, [0.0] * n).confidence_interval(1 - alpha)
        known = ends.low > 0 or ends.high < 0
        known = known or (delta is not None and -delta < ends.low and ends.high < delta)
        if known or n == 12:
            expected = n
            break
    assert found == expected or (expected is None and found is None) or len(set(values[:3])) == 1


def test_a_diverged_run_ends_a_planned_study() -> None:
    planned = ranges.Range(3, 5, 0.0228, looks.limits(3, 5, 0.0228))
    assert ranges.over_at(planned, [0.1, None]) == 2
    assert ranges.over_at(planned, [0.1, -0.2]) is None
