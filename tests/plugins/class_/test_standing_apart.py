"""The rule by which a hand-in stands apart, held against Grubbs' and Rosner's published form."""

from __future__ import annotations

import random

import numpy as np
import pytest
from scipy import stats

from q1lab.plugins.class_.standing_apart import LEVEL, stands_apart


def rosner(means: list[float], most: int) -> list[int]:
    """The outliers of the generalized ESD test, by its critical values λ."""
    left, aside, last = list(range(len(means))), [], 0
    for step in range(most):
        x = np.array([means[i] for i in left])
        distance = np.abs(x - x.mean()) / x.std(ddof=1)
        n, place = len(left), int(distance.argmax())
        t = stats.t.isf(LEVEL / (2 * n), n - 2)
        limit = (n - 1) * t / ((n - 2 + t * t) * n) ** 0.5
        last = step + 1 if distance[place] > limit else last
        aside.append(left.pop(place))
    return sorted(aside[:last])


@pytest.mark.parametrize("wrong", [0, 1, 4])
def test_it_is_rosners_test_of_the_means(wrong: int) -> None:
    luck = random.Random(wrong)
    hand_ins = [
        {(person, seed): luck.gauss(0, 1) + 5 * (person < wrong) for seed in range(3)}
        for person in range(20)
    ]
    means = [sum(each.values()) / 3 for each in hand_ins]
    found = stands_apart(hand_ins)
    assert found == rosner(means, 5)
    assert found == list(range(wrong))


def test_what_a_seed_does_to_everybody_is_nobodys_fault() -> None:
    luck = random.Random(1)
    seeds = {seed: luck.gauss(0, 20) for seed in range(5)}
    hand_ins = [
        {seed: seeds[seed] + luck.gauss(0, 1) + 6 * (person == 3) for seed in range(5 - person % 2)}
        for person in range(12)
    ]
    assert stands_apart(hand_ins) == [3]


def test_few_and_equal_hand_ins_never_stand_apart() -> None:
    assert stands_apart([{0: 1.0, 1: 1.0, 2: 9.0}] * 4) == []
    assert stands_apart([dict.fromkeys(range(3), 1.0)] * 9) == []
    assert stands_apart([]) == []


def test_one_that_is_not_equal_to_all_others_stands_apart() -> None:
    assert stands_apart([*[{0: 1.0, 1: 2.0}] * 9, {0: 1.5, 1: 2.5}]) == [9]
