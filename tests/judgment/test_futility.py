"""Futility: the limits at which a planned range has little left to find, against simulation, and
against a library's own integral where the spread is as good as known."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats as scipy_stats

from q1lab.ground.errors import Problem
from q1lab.judgment import futility, interim_analyses
from q1lab.study import part_registry, seed_range
from q1lab.study.command_line import Request
from q1lab.study.design import Design

STUDIES = 40_000


def declared(seeds: str) -> Design:
    typed = Request("rope", seeds=seeds).parsed_seeds
    return typed.kind.declared(typed, typed.seeds, "paired", lambda: 0.05)


def rule(first: int = 3, most: int = 12) -> seed_range.SeedRange:
    alpha = interim_analyses.level_per_look(first, most)
    limits = interim_analyses.t_limits(first, most, alpha)
    return seed_range.SeedRange(
        first, most, alpha, limits, futility.futility_limits(first, most, alpha)
    )


def predicted_claims(
    planned: seed_range.SeedRange, n: int, t: float, standard_errors: float
) -> float:
    """The share of studies, drawn from the posterior after n pairs with this t and a δ of so many
    standard errors, of which a later look claims something."""
    rng = np.random.default_rng(n)
    sd = np.sqrt((n - 1) / rng.chisquare(n - 1, STUDIES))
    truth = t / math.sqrt(n) + sd / math.sqrt(n) * rng.standard_normal(STUDIES)
    total = np.full(STUDIES, n * t / math.sqrt(n))
    squares = np.full(STUDIES, n - 1 + t**2)
    delta, claimed = standard_errors / math.sqrt(n), np.zeros(STUDIES, dtype=bool)
    for many in range(n + 1, planned.most + 1):
        pair = truth + sd * rng.standard_normal(STUDIES)
        total, squares = total + pair, squares + pair**2
        size = np.abs(total) / many
        half = planned.limits[many - planned.first] * np.sqrt(
            (squares - many * size**2) / (many - 1) / many
        )
        claimed |= (size > half) | (size + half < delta)
    return float(claimed.mean())


@pytest.mark.parametrize(("first", "most", "n"), [(3, 12, 5), (3, 12, 9), (3, 8, 6), (5, 20, 12)])
def test_at_its_limits_the_chance_of_a_later_claim_is_10_percent(
    first: int, most: int, n: int
) -> None:
    planned = rule(first, most)
    t, t_with_delta, delta = planned.futility[n - first]
    assert predicted_claims(planned, n, t, 0) == pytest.approx(0.1, abs=0.008)
    chances = [predicted_claims(planned, n, at * t_with_delta, delta) for at in (0, 0.5, 1)]
    assert 0.08 < max(chances) < 0.11, "nowhere below both limits is there more to find"


@pytest.mark.parametrize("z", [0.2, 0.8, 1.3])
def test_with_a_known_spread_the_chance_is_the_librarys(z: float) -> None:
    """gsdesign's grid of the increments after the look, between the limits as they are seen from
    there, averaged over a flat prior's posterior."""
    import gsdesign

    n, most, alpha = 400, 404, 0.02
    limits = dict(zip(range(n, most + 1), interim_analyses.t_limits(n, most, alpha), strict=True))
    quantiles = [(at + 0.5) / 2000 for at in range(2000)]
    next_pairs = {many: scipy_stats.t.ppf(quantiles, many - 1) for many in limits}
    chances = futility._chances(limits, next_pairs, 401, 1)[n][:, 0]
    ours = np.interp(z, np.linspace(0, limits[n], 401), chances)
    gone = z * math.sqrt(n)
    ends = {
        many: [
            (side * limits[many] * math.sqrt(many) - gone) / math.sqrt(many - n) for side in (-1, 1)
        ]
        for many in range(n + 1, most + 1)
    }
    nodes, weights = np.polynomial.hermite_e.hermegauss(15)
    theirs = 0.0
    for node, weight in zip(nodes, weights / weights.sum(), strict=True):
        truth = z / math.sqrt(n) + node / math.sqrt(n)
        grid = gsdesign.h1(theta=truth, info=1, a=ends[n + 1][0], b=ends[n + 1][1])
        for many in range(n + 2, most + 1):
            grid = gsdesign.hupdate(18, truth, many - n, *ends[many], truth, many - 1 - n, grid)
        theirs += float(weight * (1 - grid[2].sum()))
    assert ours == pytest.approx(theirs, abs=0.003)


def test_it_halves_the_pairs_of_a_null_study_and_costs_two_points_of_power() -> None:
    planned = rule()
    x = np.random.default_rng(3).standard_normal((STUDIES, planned.most))
    found = {}
    for effect in (0.0, 1.0):
        for stops in (False, True):
            open_, claims, pairs = np.ones(STUDIES, dtype=bool), 0, 0
            for n in range(planned.first, planned.most + 1):
                part = x[open_, :n] + effect
                t = np.abs(part.mean(axis=1)) / part.std(axis=1, ddof=1) * math.sqrt(n)
                claimed = t > planned.limits[n - planned.first]
                over = claimed | (n == planned.most)
                if stops and n < planned.most:
                    over |= t < planned.futility[n - planned.first][0]
                claims, pairs = claims + claimed.sum(), pairs + n * over.sum()
                open_[open_] = ~over
            found[effect, stops] = claims / STUDIES, pairs / STUDIES
    error = 4 * (0.0475 / STUDIES) ** 0.5
    assert found[0.0, False] == (pytest.approx(0.05, abs=error), pytest.approx(11.7, abs=0.1))
    assert found[0.0, True][0] < 0.05 + error
    assert found[0.0, True][1] == pytest.approx(5.9, abs=0.1)
    assert found[1.0, False][0] - found[1.0, True][0] == pytest.approx(0.02, abs=0.005)
    seen = [
        interim_analyses.planned_detectable(3, 12, planned.alpha, limits)
        for limits in ((), tuple(limits[0] for limits in planned.futility))
    ]
    assert 0 < seen[1] - seen[0] < 0.06


NOISE = [0.004, -0.003, 0.001, -0.002, 0.0015, -0.001]


def test_a_range_stops_at_the_first_look_with_little_left_to_find() -> None:
    design = declared("3..12")
    assert design.plan().futile_from == 5
    assert design.over_after(NOISE[:4], None) is None
    assert design.over_after(NOISE, None) == 5
    assert design.stopped_for_futility(NOISE, None)
    assert not design.stopped_for_futility([1.0, 1.01, 1.02], None), "that is a claim"
    assert design.over_after(NOISE, 0.004) is None, "a δ that it may still prove"
    assert design.over_after(NOISE, 0.0001) == 5, "one that it can't"
    assert declared("3..5").plan().futile_from is None


def test_a_diverged_run_at_the_look_that_would_stop_ends_it_without_a_verdict() -> None:
    design = declared("3..12")
    diverged = [*NOISE[:4], None]
    assert design.over_after(diverged, None) == 5
    assert not design.stopped_for_futility(diverged, None)


def test_a_stop_is_overruled_and_overruled_again() -> None:
    stopped = declared("3..12").cut_to(5)
    assert len(stopped.seeds) == 5
    once = stopped.going_to_the_end()
    assert once.seeds == tuple(range(12))
    assert once.over_after(NOISE, None) is None
    assert once.going_to_the_end() == once
    assert once.typed() == "full:3..12"
    assert once.level == stopped.level


def test_a_range_that_was_declared_without_it_keeps_what_it_declared() -> None:
    dump = declared("3..12").dump()
    del dump["range"]["futility"]
    before = part_registry.load_part("design", dump)
    assert before.dump() == dump
    assert before.over_after(NOISE, None) is None
    assert before.cut_to(4).dump() == {**dump, "looks": [[0, 1, 2, 3]]}


@pytest.mark.parametrize(
    "damage",
    [
        lambda limits: limits[:-1],
        lambda limits: [*limits[:-1], [1.0, 2.0]],
        lambda limits: [*limits[:-1], [1.0, 2.0, "x"]],
    ],
)
def test_limits_that_do_not_fit_are_a_damaged_plan(damage: Callable[..., object]) -> None:
    dump = declared("3..12").dump()
    dump["range"]["futility"] = damage(dump["range"]["futility"])
    with pytest.raises(ValueError, match="range"):
        part_registry.load_part("design", dump)


def test_full_is_a_range_that_never_stops_for_futility() -> None:
    assert declared("full:3..12").over_after(NOISE, None) is None
    assert declared("full:3..12").plan().futile_from is None
    assert replace(declared("full:3..12"), to_the_end=False) == declared("3..12")  # type: ignore[call-arg]
    with pytest.raises(Problem, match=r"full:3\.\."):
        declared("full:3..")
