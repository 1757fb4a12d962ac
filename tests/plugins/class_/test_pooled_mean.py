"""The mean over all hand-ins: held against textbook formulas that share nothing with it."""

from __future__ import annotations

import importlib
import inspect
import itertools
import random
import statistics

import numpy as np
import pytest
from scipy import stats

from q1lab.plugins.class_ import pooled_mean
from q1lab.plugins.class_.pooled_mean import Layout, PooledMean, pool
from tests.kit.places import ROOT


def class_of(people: int, seeds: int, *, shared: bool) -> list[dict[object, float]]:
    luck = random.Random(people * 10 + seeds)
    effects = {seed: luck.gauss(0, 2) for seed in range(seeds)}
    return [
        {(s if shared else (p, s)): luck.gauss(0, 1) + effects[s] for s in range(seeds)}
        for p in range(people)
    ]


def test_seeds_of_their_own_are_students_interval_of_the_means() -> None:
    hand_ins = class_of(7, 4, shared=False)
    means = [statistics.fmean(each.values()) for each in hand_ins]
    low, high = stats.ttest_1samp(means, 0).confidence_interval(0.95)
    found = pool(hand_ins)
    assert isinstance(found, PooledMean)
    assert (found.low, found.high) == pytest.approx((low, high))
    assert (found.hand_ins, found.samples) == (7, 28)


@pytest.mark.parametrize(("people", "seeds"), [(4, 3), (6, 5), (30, 3)])
def test_shared_seeds_are_a_two_way_analysis_of_variance(people: int, seeds: int) -> None:
    hand_ins = class_of(people, seeds, shared=True)
    y = np.array([list(each.values()) for each in hand_ins])
    mean, row, column = y.mean(), y.mean(1), y.mean(0)
    of_rest = ((y - row[:, None] - column + mean) ** 2).sum() / ((people - 1) * (seeds - 1))
    of_people = seeds * ((row - mean) ** 2).sum() / (people - 1)
    of_seeds = people * ((column - mean) ** 2).sum() / (seeds - 1)
    assert of_seeds > of_rest, "else the interval takes the larger one"
    personal, shared = max(of_people - of_rest, 0) / y.size, of_seeds / y.size
    a, b = personal * (people + 4) / (people - 1), shared * (seeds + 4) / (seeds - 1)
    freedom = (a + b) ** 2 / (a**2 / (people - 1) + b**2 / (seeds - 1))
    half = stats.t.isf(0.025, freedom) * (personal + shared) ** 0.5
    found = pool(hand_ins)
    assert isinstance(found, PooledMean)
    assert (found.mean, found.high - found.mean) == pytest.approx((mean, half))
    assert found.samples == seeds


def test_variances_of_any_layout_come_from_pairs_of_observations() -> None:
    """Person by person and seed by seed: seeds 0 and 1 of all, others of some."""
    luck = random.Random(3)
    seeds = [[0, 1, *luck.sample(range(2, 9), luck.randint(1, 4))] for _ in range(11)]
    hand_ins = [{seed: luck.gauss(seed, 1) for seed in each} for each in seeds]
    rows = [(p, s, v) for p, each in enumerate(hand_ins) for s, v in each.items()]

    def within(key: int) -> float:
        groups = [
            [row[2] for row in rows if row[key] == name] for name in {row[key] for row in rows}
        ]
        squares = sum(sum((v - statistics.fmean(g)) ** 2 for v in g) for g in groups)
        return squares / sum(len(g) - 1 for g in groups)

    pairs = itertools.combinations(rows, 2)
    apart = [(v - w) ** 2 / 2 for (p, s, v), (q, t, w) in pairs if p != q and s != t]
    in_person, in_sample, between = within(0), within(1), statistics.fmean(apart)
    weight = {(p, s): 1 / (11 * len(hand_ins[p])) for p, s, _ in rows}
    of_sample = sum(sum(w for (_, s), w in weight.items() if s == seed) ** 2 for seed in range(9))
    of_one = sum(w * w for w in weight.values())
    shared = (between - in_sample) * of_sample + (in_person + in_sample - between) * of_one
    variance = max(between - in_person, 0) / 11 + max(shared, in_person * of_one)
    values = np.array([row[2] for row in rows])
    assert Layout.of(hand_ins).estimate(values)[1] == pytest.approx(variance)


TOO_FEW = {
    "one person": (1, 3, False, "it takes 2 hand-ins"),
    "three on the same seeds": (3, 3, True, "it takes 4 hand-ins"),
    "two seeds": (6, 2, True, "fewer than 3 seeds"),
}


@pytest.mark.parametrize("what", TOO_FEW)
def test_too_few_are_not_pooled(what: str) -> None:
    people, seeds, shared, words = TOO_FEW[what]
    assert words in str(pool(class_of(people, seeds, shared=shared)))


def test_too_few_that_share_some_seeds_are_not_pooled() -> None:
    hand_ins = [*class_of(5, 3, shared=True), *class_of(4, 3, shared=False)]
    assert "it takes 10 hand-ins" in str(pool(hand_ins))


def test_the_tables_of_the_page_are_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """One row of each table as it stands there, and the promise of the whole first one."""
    monkeypatch.syspath_prepend(str(ROOT / "tools" / "docs"))
    page = importlib.import_module("class_coverage")
    text = (ROOT / "docs" / "class.md").read_text()
    rows = [
        page.coverage_row(page.Setting(page.SHARED, 10, 3)),
        page.coverage_row(page.Setting(page.OWN, 30, 0)),
        page.alarm_row(page.Setting(page.SHARED, 8, 3)),
        page.found_row(page.Setting(page.SHARED, 30, 3), 1, 6.0),
    ]
    for row in rows:
        assert "| " + " | ".join(row) + " |" in text, "run: python tools/docs/make.py class"
    covered = [line.split(" | ")[3:7] for line in text.splitlines() if line.startswith("| every")]
    numbers = [[float(cell) for cell in row] for row in covered if len(row) == 4]
    assert len(numbers) == sum(setting.words != page.HALF for setting in page.COVERED)
    assert min(map(min, numbers)) >= 94
    assert max(map(max, numbers)) <= 97


def test_the_correction_is_what_its_comment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tools" / "docs"))
    page = importlib.import_module("class_coverage")
    thirty = page.Setting(page.SHARED, 30, 3)
    with_it = page.coverage(thirty, 1.0)[0]
    monkeypatch.setattr(pooled_mean, "CORRECTION", 0)
    without = page.coverage(thirty, 1.0)[0]
    assert f"{without:.1f}% instead of {with_it:.1f}%" in inspect.getsource(pooled_mean)
