"""Blind tests: the passages, their order and the answers are in the journal, and nothing else
decides."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from q1lab.ground import paths
from q1lab.ground.errors import Problem
from q1lab.index.store import Store
from q1lab.plugins.sample import blind_tests, blind_text
from q1lab.plugins.sample.blind_tests import BlindTest
from q1lab.plugins.sample.hit_rate import BlindVerdict
from q1lab.plugins.sample.passages import PassagePair
from tests.kit import lab_home

PAIRS = [PassagePair(f"prompt {k}", f"old {k}", f"new {k}") for k in range(20)]


def right(test: BlindTest, pair: int) -> int:
    return 1 + test.passages(pair).index(PAIRS[pair].modified)


def wrong(test: BlindTest, pair: int) -> int:
    return 3 - right(test, pair)


def take(store: Store, choose: Callable[[BlindTest, int], int]) -> None:
    study = lab_home.studies.load("rope-1")
    test = blind_tests.begin_test(store, study, 0, PAIRS)
    for pair in test.unanswered:
        blind_tests.answer_pair(store, study, test, pair, choose(test, pair))


def test_answers_are_scored_over_all_finished_tests() -> None:
    study = lab_home.make_study()
    with Store() as store:
        assert blind_tests.total(blind_tests.read_tests(store, study)) is None
        take(store, right)
        take(store, lambda test, pair: right(test, pair) if pair < 8 else wrong(test, pair))
        tests = blind_tests.read_tests(store, study)
    assert [(test.number, test.hits) for test in tests] == [(1, 20), (2, 8)]
    rate = blind_tests.total(tests)
    assert rate is not None
    assert (rate.hits, rate.n, rate.verdict) == (28, 40, BlindVerdict.CAN_TELL)
    assert "28 times out of 40" in blind_text.rate_sentence(rate)


def test_both_orders_come_and_say_nothing() -> None:
    study = lab_home.make_study()
    with Store() as store:
        take(store, lambda test, pair: 1)
        take(store, lambda test, pair: 1)
        first, second = blind_tests.read_tests(store, study)
    orders = [[test.place_of_modified(k) for k in range(20)] for test in (first, second)]
    assert set(orders[0]) == {1, 2}
    assert orders[0] != orders[1]


def test_it_goes_on_where_it_was_left_and_the_first_answer_counts() -> None:
    study = lab_home.make_study()
    with Store() as store, Store() as other:
        test = blind_tests.begin_test(store, study, 0, PAIRS)
        blind_tests.answer_pair(store, study, test, 3, right(test, 3))
        again = blind_tests.begin_test(other, study, 1, PAIRS[:5])
        assert (again.key, again.seed) == (test.key, 0), "a second one is not begun beside it"
        blind_tests.answer_pair(other, study, again, 3, wrong(test, 3))
    for file in paths.home().glob("q1lab.db*"):
        file.unlink()  # the journal alone holds it
    with Store() as store:
        (kept,) = blind_tests.read_tests(store, study)
    assert (kept.pairs, dict(kept.answers)) == (test.pairs, {3: right(test, 3)})
    assert len(kept.unanswered) == 19


def test_an_agent_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    study = lab_home.make_study()
    with Store() as store:
        test = blind_tests.begin_test(store, study, 0, PAIRS)
        monkeypatch.setenv("Q1LAB_AGENT", "claude")
        with pytest.raises(Problem, match="the learner's own"):
            blind_tests.answer_pair(store, study, test, 0, 1)


def test_twenty_equal_pairs_are_no_test() -> None:
    study = lab_home.make_study()
    with Store() as store, pytest.raises(Problem, match="nothing to tell apart"):
        blind_tests.begin_test(store, study, 0, [PassagePair("a", "b", "b")] * 20)
