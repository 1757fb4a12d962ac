"""Levels that pay for every look: against simulation, and against a library's own integral where
one agrees in its terms."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from q1lab.ground.errors import Problem
from q1lab.judgment import interim_analyses
from q1lab.judgment.intervals import ALPHA
from q1lab.study import seed_range

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
        [(2, 0.05), (3, 0.05)],
        [(2, 0.00265), (8, 0.0106)],
        [(2, 0.0005), (4, 0.0005)],
    ],
)
def test_the_chance_of_any_claim_is_what_simulation_finds(plan: list[tuple[int, float]]) -> None:
    chance, error = interim_analyses.chance_of_any_claim(plan), 4 * (0.12 * 0.88 / STUDIES) ** 0.5
    assert chance == pytest.approx(simulated(plan), abs=error)
    alphas = [alpha for _, alpha in plan]
    assert max(alphas) <= chance <= sum(alphas)


@pytest.mark.parametrize(("first", "most"), [(3, 5), (3, 8), (3, 12), (5, 12), (8, 24)])
def test_a_range_makes_a_claim_in_5_percent_of_null_studies(first: int, most: int) -> None:
    alpha = interim_analyses.level_per_look(first, most)
    plan = [(n, alpha) for n in range(first, most + 1)]
    assert simulated(plan, 2) == pytest.approx(ALPHA, abs=4 * (0.0475 / STUDIES) ** 0.5)
    assert interim_analyses.chance_of_any_claim(plan) == pytest.approx(ALPHA, abs=1e-5)
    later = [
        (n, interim_analyses.level_per_look(first, most, ALPHA / 2)) for n in range(first, most + 1)
    ]
    assert interim_analyses.chance_of_any_claim(later) == pytest.approx(ALPHA / 2, abs=1e-5)


# With many pairs the spread is as good as known, and the t statistics of the looks are jointly
# normal with correlations √(n/m): what libraries for group-sequential designs compute. None that was
# found knows exact paths of Student's t; at a few pairs there are other integrals below.


def with_known_spread(plan: list[tuple[int, float]]) -> float:
    """The chance of any claim when the spread is known, by gsdesign's grid (it ports gsDesign's)."""
    import gsdesign

    limits = [float(scipy_stats.norm.ppf(1 - alpha / 2)) for _, alpha in plan]
    sizes = [n for n, _ in plan]
    grid = gsdesign.h1(info=sizes[0], a=-limits[0], b=limits[0])
    for (before, n), limit in zip(itertools.pairwise(sizes), limits[1:], strict=True):
        grid = gsdesign.hupdate(18, 0.0, n, -limit, limit, 0.0, before, grid)
    return float(1 - grid[2].sum())


@pytest.mark.parametrize(
    ("looks_at", "pocock"), [([1, 2], 2.178), ([1, 2, 3], 2.289), ([1, 2, 3, 4, 5], 2.413)]
)
def test_the_library_knows_pococks_constants(looks_at: list[int], pocock: float) -> None:
    """So that it is read as it is meant: his table of 1977 for two-sided 5%."""
    alpha = float(2 * scipy_stats.norm.sf(pocock))
    assert with_known_spread([(n, alpha) for n in looks_at]) == pytest.approx(0.05, abs=0.0001)


@pytest.mark.parametrize(
    "plan",
    [
        [(60, 0.0294), (120, 0.0294)],
        [(40, 0.05), (60, 0.01), (100, 0.03)],
        [(n, 0.0158) for n in (40, 60, 80, 100, 120)],
        [(n, 0.01) for n in range(60, 81)],
    ],
)
def test_with_many_pairs_any_claim_is_the_librarys(plan: list[tuple[int, float]]) -> None:
    """The rest, of the order of 1 / pairs, is what Student's t adds; it is always above 0."""
    beyond = interim_analyses.chance_of_any_claim(plan) - with_known_spread(plan)
    assert 0 < beyond < 0.06 / plan[0][0]


def test_what_students_t_adds_goes_away_with_more_pairs() -> None:
    def beyond(scale: int) -> float:
        plan = [(4 * scale, 0.03), (5 * scale, 0.03), (8 * scale, 0.03)]
        return interim_analyses.chance_of_any_claim(plan) - with_known_spread(plan)

    few, some, many = (beyond(scale) for scale in (5, 10, 20))
    assert few > some > many > 0
    assert few / many == pytest.approx(4, rel=0.1), "as 1 / pairs does"


@pytest.mark.parametrize("alpha", [0.05, 0.03045, 0.0106, 0.002])
def test_at_3_and_4_pairs_it_is_what_quadrature_finds(alpha: float) -> None:
    """One integral over t at 3 pairs, in which the chance of a claim at the fourth is Student's own
    distribution function between the two roots of a quadratic."""
    from scipy import integrate

    limit, last = (scipy_stats.t.ppf(1 - alpha / 2, n - 1) for n in (3, 4))
    edge = last * 2 / np.sqrt(3 + last**2)  # of S/√Q at 4 pairs

    def quiet(t: float) -> float:
        u = t * np.sqrt(3) / np.sqrt(2 + t * t)
        # no claim while (u + r)² < edge² (1 + r²)
        inner = edge**2 * (1 + u * u - edge**2)
        if inner <= 0:
            return float(scipy_stats.t.pdf(t, 2))
        roots = np.sort((u + np.array([-1, 1]) * np.sqrt(inner)) / (edge**2 - 1))
        claim = np.diff(scipy_stats.t.cdf(roots * np.sqrt(3), 3))[0]
        return float((1 - claim) * scipy_stats.t.pdf(t, 2))

    corner = np.sqrt(max(edge**2 - 1, 0))
    at = corner * np.sqrt(2) / np.sqrt(3 - corner**2)
    no_claim = 2 * sum(
        integrate.quad(quiet, *ends, epsabs=1e-10, limit=200)[0]
        for ends in ((0, min(at, limit)), (min(at, limit), limit))
    )
    assert interim_analyses.chance_of_any_claim([(3, alpha), (4, alpha)]) == pytest.approx(
        1 - no_claim, abs=1e-7
    )


@pytest.mark.parametrize("total", [ALPHA, ALPHA / 2, ALPHA / 24])
def test_one_look_more_costs(total: float) -> None:
    levels = [
        interim_analyses.level_per_look(3, most, total)
        for most in (4, 5, 8, 12, interim_analyses.MOST_PAIRS)
    ]
    assert levels == sorted(levels, reverse=True)
    assert total / (interim_analyses.MOST_PAIRS - 2) < levels[-1]
    assert levels[0] < total
    for first, most in ((3, 25), (2, 5), (9, 12), (5, 5)):
        with pytest.raises(Problem, match=rf"{first}\.\.{most}"):
            interim_analyses.level_per_look(first, most)


pairs = st.lists(st.floats(-0.1, 0.1).map(lambda x: round(x, 4)), min_size=0, max_size=12)


@settings(max_examples=60, deadline=None)
@given(pairs, st.none() | st.floats(0.001, 0.1))
def test_a_study_is_over_at_the_first_look_that_knows(
    values: list[float], delta: float | None
) -> None:
    alpha = interim_analyses.level_per_look(3, 12)
    planned = seed_range.SeedRange(3, 12, alpha, interim_analyses.t_limits(3, 12, alpha))
    pairs_at_end = seed_range.over_after(planned, values, delta)
    expected = None
    for n in range(3, len(values) + 1):
        part = values[:n]
        if max(part) - min(part) <= 1e-9:
            continue
        ends = scipy_stats.ttest_rel(part, [0.0] * n).confidence_interval(1 - alpha)
        decided = ends.low > 0 or ends.high < 0
        decided = decided or (delta is not None and -delta < ends.low and ends.high < delta)
        if decided or n == 12:
            expected = n
            break
    assert (
        pairs_at_end == expected
        or (expected is None and pairs_at_end is None)
        or len(set(values[:3])) == 1
    )


def test_pairs_that_differ_by_rounding_alone_do_not_end_a_range() -> None:
    base, modified = (2.2083, 1.8514, 2.0744), (2.2084, 1.8515, 2.0745)
    pairs = [b - a for a, b in zip(base, modified, strict=True)]
    planned = seed_range.SeedRange(3, 5, 0.0228, interim_analyses.t_limits(3, 5, 0.0228))
    assert len(set(pairs)) > 1
    assert seed_range.interval_at_look(planned, pairs) is None
    assert seed_range.over_after(planned, pairs) is None
    assert seed_range.over_after(planned, [*pairs, 0.0003, 0.0001]) == 5


def test_a_diverged_run_ends_a_planned_study() -> None:
    planned = seed_range.SeedRange(3, 5, 0.0228, interim_analyses.t_limits(3, 5, 0.0228))
    assert seed_range.over_after(planned, [0.1, None]) == 2
    assert seed_range.over_after(planned, [0.1, -0.2]) is None


def test_four_ranges_out_of_five_find_what_a_range_says_that_they_find() -> None:
    """A range that stopped prints a difference; another one, in which the true difference is that,
    claims something in 80% on average."""
    first, most = 3, 8
    alpha = interim_analyses.level_per_look(first, most)
    factor = interim_analyses.measured_detectable(first, most, alpha)
    limits = [scipy_stats.t.ppf(1 - alpha / 2, n - 1) for n in range(first, most + 1)]
    rng = np.random.default_rng(9)

    def run(effect: Any) -> tuple[Any, Any]:
        x = rng.standard_normal((STUDIES, most)) + effect
        claims, sds = [], []
        for n, limit in zip(range(first, most + 1), limits, strict=True):
            sds.append(x[:, :n].std(axis=1, ddof=1))
            claims.append(np.abs(x[:, :n].mean(axis=1)) > limit * sds[-1] / np.sqrt(n))
        claims[-1] |= True
        stop = np.argmax(claims, axis=0)
        claims[-1] = np.abs(x.mean(axis=1)) > limits[-1] * sds[-1] / np.sqrt(most)
        return np.any(claims, axis=0), np.array(sds)[stop, np.arange(STUDIES)]

    effect = interim_analyses.planned_detectable(first, most, alpha)
    claimed, measured = run(effect)
    assert claimed.mean() == pytest.approx(0.8, abs=0.01)
    assert run(factor * measured[:, None])[0].mean() == pytest.approx(0.8, abs=0.015)


def test_a_ranges_power_line_is_true_of_the_whole_plan() -> None:
    """Of studies in which the truth is what the line says, 80% claim something at some look."""
    first, most = 3, 12
    alpha = interim_analyses.level_per_look(first, most)
    detectable = interim_analyses.planned_detectable(first, most, alpha)
    assert detectable == pytest.approx(1.1, abs=0.05), "the last look alone would say 1.38"
    x = np.random.default_rng(7).standard_normal((STUDIES, most))
    open_ = np.ones(STUDIES, dtype=bool)
    for n in range(first, most + 1):
        mean, sd = (x[:, :n] + detectable).mean(axis=1), x[:, :n].std(axis=1, ddof=1)
        open_ &= np.abs(mean) / sd * np.sqrt(n) <= scipy_stats.t.ppf(1 - alpha / 2, n - 1)
    assert 1 - open_.mean() == pytest.approx(0.8, abs=0.015)
