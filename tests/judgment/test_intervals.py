"""The statistics of a comparison: values worked out by hand, laws for all data, and null
studies."""

from __future__ import annotations

import itertools
import json
import math
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from q1lab.compare.comparison import comparison_json
from q1lab.ground.errors import Problem
from q1lab.judgment import facts, interim_analyses, layout
from q1lab.judgment.intervals import (
    ALPHA,
    MAX_SEEDS,
    SKEWED_FIXED,
    SKEWED_RANGE,
    Analysis,
    Headline,
    Interval,
    Reason,
    analyze,
    find_outlier,
    power_of,
    seeds_needed,
    true_coverage,
    verdict_alone,
)
from q1lab.judgment.judge import Values, judge
from q1lab.judgment.judgment import Judgment, Outlier
from tests.kit.comparisons import make
from tests.kit.places import ROOT


def arm(*losses: float | None) -> dict[int, float | None]:
    return dict(enumerate(losses))


def judged_of(base: Values, mod: Values, headline: Headline, **more: Any) -> Judgment:
    return judge(base, mod, headline=headline, **more)


def ends(interval: Interval | None) -> tuple[float, float]:
    assert interval is not None
    return interval.low, interval.high


# ── power


def test_power_agrees_with_published_tables() -> None:
    # seeds per arm for effect/sd of 3, 2, 1, .5 at power .8
    assert [seeds_needed(e, 1, headline="welch").mid for e in (3, 2, 1, 0.5)] == [4, 6, 17, 64]
    # pairs that correlate by .5 have differences with the sd of one run
    assert [seeds_needed(e, 1, headline="paired").mid for e in (3, 2, 1, 0.5)] == [4, 5, 10, 34]
    # three pairs that do not correlate see 4.62 sds of one run; the differences' sd is √2 of it
    assert power_of(4.62 / math.sqrt(2), 3, 3, "paired", ALPHA) == pytest.approx(0.8, abs=0.005)
    # at no difference at all, Welch at 3 seeds is false in 3.6% of studies, the paired t in 5%
    assert power_of(0, 3, 3, "welch", ALPHA) == pytest.approx(0.036, abs=0.002)
    assert power_of(0, 3, 3, "paired", ALPHA) == pytest.approx(0.05, abs=1e-6)


def test_power_is_never_nan() -> None:
    for n, effect, headline in itertools.product(
        (2, 3, 10, 500), (0.0, 1e-9, 1.0, 79.0, 1e4), ("paired", "welch")
    ):
        power = power_of(effect, n, n, headline, ALPHA)  # type: ignore[arg-type]
        assert 0 <= power <= 1, (n, effect, headline)


@pytest.mark.parametrize("alpha", [ALPHA, ALPHA / 4])
@pytest.mark.parametrize("n", [3, 8])
@pytest.mark.parametrize("headline", ["paired", "welch"])
def test_four_studies_out_of_five_find_what_a_study_says_that_they_find(
    headline: Headline, n: int, alpha: float
) -> None:
    """A study prints a difference; another one, in which the true difference is that, claims
    something in 80% of cases on average. Nothing here is q1lab's but the printed number."""
    base, modified = np.random.default_rng(5).standard_normal((2, 40_000, n))
    if headline == "paired":
        sds = (modified - base).std(axis=1, ddof=1)
    else:
        sds = np.sqrt((base.var(axis=1, ddof=1) + modified.var(axis=1, ddof=1)) / 2)
    example = analyze(arm(*base[0]), arm(*modified[0]), headline=headline, alpha=alpha)
    assert example.detectable is not None
    printed = sds * example.detectable / sds[0]

    base, modified = np.random.default_rng(6).standard_normal((2, 40_000, n))
    modified += printed[:, None]
    if headline == "paired":
        p = stats.ttest_rel(modified, base, axis=1).pvalue
    else:
        p = stats.ttest_ind(modified, base, axis=1, equal_var=False).pvalue
    assert (p < alpha).mean() == pytest.approx(0.8, abs=0.01)


def test_seeds_needed_is_a_range_because_the_sd_is_rough() -> None:
    # at 2 degrees of freedom the sd is known to within × 0.52 to 6.29, and n grows with its square
    exact, rough = (
        seeds_needed(1, 1, headline="paired"),
        seeds_needed(1, 1, headline="paired", df=2),
    )
    assert exact.low == exact.mid == exact.high < rough.mid
    assert rough.low == seeds_needed(1, 0.5207, headline="paired").mid
    assert rough.high == seeds_needed(1, 6.2847, headline="paired").mid
    assert not rough.capped
    # so many find it in 80 of 100 studies on average over what three pairs may have measured
    rng, many = np.random.default_rng(5), 40_000
    effects = rng.standard_normal((many, 3)).std(axis=1, ddof=1)[:, None]  # in true sds
    p = stats.ttest_1samp(rng.standard_normal((many, rough.mid)) + effects, 0, axis=1).pvalue
    assert (p < ALPHA).mean() == pytest.approx(0.805, abs=0.01)


def test_seeds_needed_stops_somewhere_and_says_so() -> None:
    needed = seeds_needed(1e-6, 1, headline="welch")
    assert (needed.mid, needed.capped) == (MAX_SEEDS, True)
    assert seeds_needed(1, 0, headline="welch").mid == 3, (
        "no spread at all: the fewest that give a verdict"
    )


# ── verdicts


@pytest.mark.parametrize(
    ("change", "delta", "verdict"),
    [
        (-0.1, None, "helps"),
        (+0.1, None, "hurts"),
        (-0.002, 0.02, "too small to matter"),
        (-0.002, 0.005, "cannot tell"),
        (-0.002, None, "cannot tell"),
        (-0.1, 1.0, "helps"),
    ],
)
@pytest.mark.parametrize("headline", ["welch", "paired"])
def test_verdicts(change: float, delta: float | None, verdict: str, headline: Headline) -> None:
    base = arm(1.500, 1.502, 1.504)
    mod = arm(1.502 + change, 1.5 + change, 1.506 + change)
    assert analyze(base, mod, headline=headline, delta=delta).verdict == verdict


def test_a_win_smaller_than_what_matters_says_so() -> None:
    base, mod = arm(1.5, 1.502, 1.504), arm(1.4, 1.402, 1.403)
    assert analyze(base, mod, headline="paired", delta=1.0).verdict == "helps"
    assert "too small to matter" in facts.against_delta(judged_of(base, mod, "paired", delta=1.0))


def test_the_declared_headline_decides_and_the_other_is_named() -> None:
    base, mod = arm(1.0, 2.0, 3.0), arm(0.9, 1.9, 2.89)  # pairs agree, seeds spread widely
    paired, welch = analyze(base, mod, headline="paired"), analyze(base, mod, headline="welch")
    assert (paired.verdict, welch.verdict) == ("helps", "cannot tell")
    assert judged_of(base, mod, "welch").other_verdict == "helps"


def test_seeds_needed_aim_at_the_smallest_difference_that_matters_only() -> None:
    base, mod = arm(1.0, 1.1, 1.3), arm(1.1, 1.05, 1.2)
    assert analyze(base, mod, headline="paired").seeds_needed is None
    needed = analyze(base, mod, headline="paired", delta=0.05).seeds_needed
    assert needed is not None
    assert needed.effect == 0.05


@pytest.mark.parametrize("lost", [None, math.nan, math.inf, 1e200])
def test_a_diverged_run_leaves_no_mean(lost: float | None) -> None:
    result = analyze(arm(1, 2, 3), arm(1, lost, 3), headline="paired")
    assert result.verdict == "no verdict"
    assert result.mean is result.welch is result.paired is result.bootstrap is None
    assert result.diverged == {"baseline": [], "modified": [1]}
    assert result.reason is Reason.DIVERGED
    assert result.pairs == {0: 0, 2: 0}, "what did finish is still shown"


def test_an_outlier_is_named_with_the_verdict_of_the_others() -> None:
    base = arm(1.5, 1.52, 1.49, 1.51)
    mod = arm(1.47, 1.489, 8.49, 1.481)
    pair = Outlier("", 2, pytest.approx(7.0), "helps")
    assert judged_of(base, mod, "paired").outlier == pair
    assert judged_of(base, mod, "welch").outlier == Outlier("modified", 2, 8.49, "helps")
    ties = judged_of(arm(1.5, 1.5, 1.5), arm(1.49, 1.49, 1.5), "paired")
    assert ties.outlier is None, "rounded values are equal"


@pytest.mark.parametrize("n", [3, 5, 12])
def test_one_in_a_hundred_normal_samples_has_an_outlier(n: int) -> None:
    rng = random.Random(n)
    samples = [{seed: rng.gauss(0, 1) for seed in range(n)} for _ in range(5000)]
    share = sum(find_outlier(sample, 1.0) is not None for sample in samples) / len(samples)
    assert share == pytest.approx(0.01, abs=0.005)


def test_only_common_seeds_are_paired() -> None:
    base, mod = {0: 1.0, 1: 2.0, 2: 3.5, 9: 50.0}, {0: 0.5, 1: 1.4, 2: 3.1, 7: 90.0}
    result = analyze(base, mod, headline="paired")
    assert result.n == 3
    assert result.mean == pytest.approx(-0.5)
    assert facts.unpaired(judged_of(base, mod, "paired")).startswith(
        "Seeds 7, 9 ran in one arm only"
    )
    assert analyze(base, mod, headline="welch").n == 4


def test_no_spread_means_no_interval() -> None:
    # 0.1 is no binary fraction: the differences vary in their last bit, which is rounding and no spread
    shifted = analyze(arm(1.9, 1.8, 1.7), arm(2.0, 1.9, 1.8), headline="paired")
    flat = analyze(arm(1, 1, 1), arm(2, 2, 2), headline="welch")
    for result in (shifted, flat):
        assert result.verdict == "no verdict"
        assert result.ends is result.bootstrap is None
        assert result.reason is Reason.NO_SPREAD


def test_a_spread_too_small_to_square_is_none() -> None:
    tiny = analyze(arm(1e-200, 2e-200, 3e-200), arm(1.5e-200, 5e-200, 9e-200), headline="paired")
    groups = analyze(arm(1e-320, 2e-320, 3e-320), arm(1e-320, 5e-320, 9e-320), headline="welch")
    for result in (tiny, groups):
        assert (result.verdict, result.reason, result.ends) == (
            "no verdict",
            Reason.NO_SPREAD,
            None,
        )


def test_the_label_is_what_the_documentation_measured() -> None:
    """docs/verdict.md holds a measurement of its own, at 3, 5, 8 and 10 pairs."""
    page = (ROOT / "docs" / "verdict.md").read_text(encoding="utf-8")
    name = "percentile bootstrap of pairs"
    row = next(line for line in page.splitlines() if line.startswith(f"| {name} |"))
    for n, cell in zip((3, 5, 8, 10), row.split("|")[2:], strict=False):
        assert float(cell) == pytest.approx(true_coverage(n, "paired"), abs=0.7)
    assert true_coverage(2, "paired") == pytest.approx(50, abs=0.7), (
        "both of 2 on one side of 0: 1 time in 2"
    )
    assert true_coverage(3, "paired") == pytest.approx(75, abs=0.7), "all of 3: 1 time in 4"
    assert true_coverage(7, "welch") == true_coverage(6, "welch")


def test_many_seeds_are_resampled_alike_each_time() -> None:
    rng = random.Random(0)
    base, mod = ({i: rng.gauss(2, 0.1) for i in range(9)} for _ in range(2))
    first, second = (analyze(base, mod, headline="welch") for _ in range(2))
    assert first == second
    assert first.bootstrap is not None
    assert "random" in first.bootstrap.method


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({"headline": "best"}, "headline"),
        ({"alpha": 0.0}, "alpha"),
        ({"delta": 0.0}, "delta"),
        ({"delta": math.nan}, "delta"),
    ],
)
def test_nonsense_is_refused(arguments: dict[str, object], part: str) -> None:
    with pytest.raises(Problem, match=part):
        analyze(arm(1, 2), arm(1, 2), **{"headline": "welch", **arguments})  # type: ignore[arg-type]


# ── laws

losses = st.floats(0.5, 5.0).map(lambda x: round(x, 4))
studies = st.integers(2, 5).flatmap(
    lambda n: st.tuples(
        st.lists(losses, min_size=n, max_size=n), st.lists(losses, min_size=n, max_size=n)
    )
)
headlines = st.sampled_from(["paired", "welch"])


@settings(deadline=None)
@given(studies, headlines, st.sampled_from([ALPHA, ALPHA / 2]))
def test_a_claim_alone_is_the_whole_analysis_s(
    arms: tuple[list[float], list[float]], headline: Headline, alpha: float
) -> None:
    base, mod = (arm(*losses) for losses in arms)
    verdict = analyze(base, mod, headline=headline, alpha=alpha).verdict
    assert verdict_alone(base, mod, headline=headline, alpha=alpha) == verdict
    diverged = verdict_alone(base | {9: None}, mod, headline=headline, alpha=alpha)
    assert diverged == "no verdict"


calm = settings(max_examples=60, deadline=None)

MIRROR = {"helps": "hurts", "hurts": "helps"}


def close(a: float | None, b: float | None) -> bool:
    return a is b if a is None or b is None else a == pytest.approx(b, rel=1e-6, abs=1e-7)


def near_an_edge(result: Analysis) -> bool:
    """An end of the interval so close to 0 that rounding alone may move it across."""
    interval = result.ends
    return interval is not None and min(abs(interval.low), abs(interval.high)) < 1e-6


@calm
@given(studies, headlines)
def test_swapping_the_arms_flips_every_sign(
    study: tuple[list[float], list[float]], headline: Headline
) -> None:
    a, b = arm(*study[0]), arm(*study[1])
    analysis, swapped = analyze(a, b, headline=headline), analyze(b, a, headline=headline)
    assume(not near_an_edge(analysis))
    assert swapped.verdict == MIRROR.get(analysis.verdict, analysis.verdict)
    for ours, theirs in ((analysis.welch, swapped.welch), (analysis.paired, swapped.paired)):
        assert (ours is None) == (theirs is None)
        if ours and theirs:
            assert close(ours.low, -theirs.high)
            assert close(ours.high, -theirs.low)
    assert close(analysis.detectable, swapped.detectable)


@calm
@given(studies, headlines, st.floats(-1, 1).map(lambda x: round(x, 3)))
def test_shifting_both_arms_changes_nothing(
    study: tuple[list[float], list[float]], headline: Headline, shift: float
) -> None:
    a, b = study
    analysis = analyze(arm(*a), arm(*b), headline=headline)
    moved = analyze(arm(*(x + shift for x in a)), arm(*(x + shift for x in b)), headline=headline)
    assume(not near_an_edge(analysis))
    assert moved.verdict == analysis.verdict
    for ours, theirs in ((analysis.welch, moved.welch), (analysis.paired, moved.paired)):
        assert (ours is None) == (theirs is None)
        if ours and theirs:
            assert close(ours.low, theirs.low)
            assert close(ours.high, theirs.high)


@calm
@given(studies, headlines, st.none() | st.floats(0.01, 2))
def test_the_verdict_follows_from_the_interval(
    study: tuple[list[float], list[float]], headline: Headline, delta: float | None
) -> None:
    result = analyze(arm(*study[0]), arm(*study[1]), headline=headline, delta=delta)
    interval = result.ends
    if result.n < 3 or interval is None:
        assert result.verdict == "no verdict"
    elif interval.high < 0:
        assert result.verdict == "helps"
    elif interval.low > 0:
        assert result.verdict == "hurts"
    elif delta is not None and -delta < interval.low and interval.high < delta:
        assert result.verdict == "too small to matter"
    else:
        assert result.verdict == "cannot tell"
    if interval is not None:
        assert result.mean is not None
        assert interval.low <= result.mean <= interval.high
        assert result.bootstrap is not None
        assert result.bootstrap.low <= result.mean + 1e-9
        assert result.mean - 1e-9 <= result.bootstrap.high
    json.dumps(layout.to_json(make(arm(*study[0]), arm(*study[1]), headline)), allow_nan=False)


@calm
@given(
    st.dictionaries(st.integers(0, 6), st.none() | st.floats()),
    st.dictionaries(st.integers(0, 6), st.none() | st.floats()),
    headlines,
)
def test_any_numbers_at_all_give_an_answer(
    base: dict[int, float | None], mod: dict[int, float | None], headline: Headline
) -> None:
    json.dumps(comparison_json(make(base, mod, headline)), allow_nan=False)


# ── null studies


@pytest.mark.slow
@pytest.mark.parametrize("headline", ["welch", "paired"])
def test_two_thousand_null_studies(headline: Headline) -> None:
    """Nothing changed, three seeds: how often is a difference claimed, and does the bootstrap cover
    its label?

    2,000 studies know a rate of 5% to ± 1.26 points (2.58 standard errors: 99%). Welch is
    conservative at 3 seeds (3.6%), so it must stay below 5% outright; the paired t is exact, so it
    gets that binomial error. A tenth of the rate is the floor: an analysis that never claims
    anything is broken too.
    """
    studies, rng = 2_000, random.Random(2_026)
    false = covered = 0
    labels = set()
    for _ in range(studies):
        base, mod = ({seed: rng.gauss(1.9, 0.01) for seed in range(3)} for _ in range(2))
        result = analyze(base, mod, headline=headline)
        false += result.verdict in ("helps", "hurts")
        assert result.bootstrap is not None
        covered += result.bootstrap.low <= 0 <= result.bootstrap.high
        labels.add(result.bootstrap.true_coverage)
    error = 2.58 * math.sqrt(0.05 * 0.95 / studies)
    limit = 0.05 if headline == "welch" else 0.05 + error
    assert 0.005 < false / studies <= limit
    assert labels == {true_coverage(3, headline)}
    assert abs(100 * covered / studies - true_coverage(3, headline)) <= 3


@pytest.mark.parametrize("headline", ["paired", "welch"])
def test_equal_pairs_are_no_verdict_and_said_beside_any_other(headline: Headline) -> None:
    base: dict[int, float | None] = {0: 2.01, 1: 2.03, 2: 1.98, 3: 2.0}

    def analyze_with(change: dict[int, float | None]) -> Analysis:
        return analyze(base, {**base, **change}, headline=headline, delta=0.5)

    def equal(change: dict[int, float | None]) -> str:
        return facts.equal_pairs(judged_of(base, {**base, **change}, headline, delta=0.5))

    same = analyze_with({})
    assert (same.verdict, same.reason, same.ends) == ("no verdict", Reason.EQUAL, None)
    lost = analyze_with({1: None})
    assert lost.reason is Reason.DIVERGED
    assert equal({1: None}).startswith("3 of 3 pairs")
    assert equal({1: 2.04}).startswith("3 of 4 pairs")
    assert equal({1: 2.04, 2: 1.99}) == ""


@pytest.mark.parametrize(("first", "most"), [(3, 3), (8, 8), (3, 8), (3, 12)])
def test_the_rates_of_skewed_differences_are_about_what_is_said(first: int, most: int) -> None:
    fixed = first == most
    alpha = ALPHA if fixed else interim_analyses.level_per_look(first, most)
    differences = np.random.default_rng(3).lognormal(sigma=1.0, size=(40_000, most))
    differences -= math.exp(0.5)
    claims = [
        stats.ttest_1samp(differences[:, :n], 0, axis=1).pvalue < alpha
        for n in range(first, most + 1)
    ]
    said = SKEWED_FIXED if fixed else SKEWED_RANGE
    assert np.any(claims, axis=0).mean() == pytest.approx(said, abs=0.025)
