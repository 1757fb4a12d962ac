"""Looks and their levels: on plans and ends of runs alone, and in a home."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from q1lab.compare.comparison_cache import compare
from q1lab.journal import delete_restore, home_history, ingest_events, on_record
from q1lab.journal.history import Look, level_after, looks_at
from q1lab.journal.store import Store
from q1lab.judgment.intervals import ALPHA, Reason
from q1lab.study import studies
from q1lab.study.run_ends import RunEnd, RunEnds
from q1lab.study.seed_range import SeedRange
from q1lab.study.series import Series
from q1lab.study.studies import ARMS, Study
from tests.kit import lab_home
from tests.kit.comparisons import planned

LEVELS = SeedRange(3, 5, 0.02, (6.0, 5.0, 4.0))


def time(minute: int) -> str:
    return f"2026-03-07T10:{minute:02}:00+00:00"


def study(name: str, *batches: Sequence[int], begun: int = 0, **keys: Any) -> Study:
    first, *more = batches or (range(3),)
    one = planned("rope", "baseline", tuple(first), id=name, created=time(begun), **keys)
    return one.with_design(batches=(tuple(first), *map(tuple, more)))


def ended(one: Study, minute: int, seeds: Sequence[int] | None = None, **last: Any) -> RunEnds:
    """Its runs of these seeds (None: all) ended at this minute, the last one with ``last``."""
    ends = {
        (arm, seed): RunEnd("finished", 2.0 + 0.01 * seed + 0.1 * (arm == "modified"), time(minute))
        for seed in (one.seeds if seeds is None else seeds)
        for arm in ARMS
    }
    key = next(reversed(ends))
    return {**ends, key: replace(ends[key], **last)}


def told(looks: Sequence[Look]) -> list[tuple[str, int, float]]:
    return [(look.study.id, look.pairs, look.level) for look in looks]


def test_each_look_has_half_the_error_of_the_one_before() -> None:
    one = study("rope-1")
    levels = [level_after(looks, one) for looks in range(40)]
    assert levels[:4] == [0.05, 0.025, 0.0125, 0.00625]
    assert sum(levels) < 2 * ALPHA
    shared = one.with_origin(series=Series("sweep-1", ("rope", "gqa"), 0, 0.025))
    assert level_after(1, shared) == 0.0125


def test_looks_count_in_the_order_in_which_they_ended() -> None:
    first, second = study("rope-1"), study("rope-2", begun=5)
    slow = [(first, ended(first, 30)), (second, ended(second, 10))]
    assert told(looks_at(slow)) == [("rope-2", 3, 0.05), ("rope-1", 3, 0.025)]


@pytest.mark.parametrize("end", ["interrupted", "diverged", "never trained", "one pair", "floor"])
def test_what_gave_no_verdict_is_no_look(end: str) -> None:
    tried = study("rope-1", range(1 if end == "one pair" else 3))
    ends = {
        "interrupted": ended(tried, 10, tried.seeds[:1]),
        "diverged": ended(tried, 10, state="diverged", val_loss=None),
        "never trained": {},
    }.get(end, ended(tried, 10))
    if end == "floor":
        same = replace(tried.arms["modified"], sha256=tried.arms["baseline"].sha256)
        tried = replace(tried, arms={**tried.arms, "modified": same})
    later = study("rope-2", begun=20)
    assert told(looks_at([(tried, ends), (later, ended(later, 30))])) == [("rope-2", 3, 0.05)]


def test_seeds_that_are_added_are_another_look_and_two_pairs_are_none() -> None:
    grown = study("rope-1", range(3), (3, 4))
    ends = {**ended(grown, 10, range(3)), **ended(grown, 20, (3, 4))}
    assert told(looks_at([(grown, ends)])) == [("rope-1", 3, 0.05), ("rope-1", 5, 0.025)]
    two = study("rope-1", range(2), (2,))
    assert told(looks_at([(two, ended(two, 10))])) == [("rope-1", 3, 0.05)]


def test_a_range_is_one_look_at_the_level_with_which_it_was_planned() -> None:
    keys = {"range": LEVELS}
    first = study("rope-1", range(5), **keys)
    assert told(looks_at([(first, ended(first, 10, range(2)))])) == []
    early = study("rope-2", begun=20)
    second = study("rope-3", range(5, 10), begun=40, **keys)
    late = study("rope-4", begun=41)
    every = [
        (one, ended(one, minute))
        for one, minute in ((first, 10), (early, 30), (second, 55), (late, 50))
    ]
    assert told(looks_at(every)) == [
        ("rope-1", 5, 0.05),
        ("rope-2", 3, 0.025),
        ("rope-4", 3, 0.0125),
        ("rope-3", 5, 0.0125),
    ]


def begun(store: Store, name: str, created: int, **changes: Any) -> Study:
    one = lab_home.make_study(name, created=time(created), **changes)
    on_record.record_begin(store, one)
    lab_home.finish(one)
    ingest_events.ingest_study(store, one)
    return one


def test_a_later_look_is_judged_at_half_the_error_and_says_so() -> None:
    with Store() as store:
        first, second = (begun(store, f"rope-{at}", 10 * at) for at in (1, 2))
        other = begun(store, "swiglu-1", 30, variant="swiglu")
        assert [compare(store, one).analysis.alpha for one in (first, second, other)] == [
            *(0.05, 0.025),
            0.05,
        ]
        c = compare(store, second)
        assert len(c.asked.earlier) == 1
        assert all(c.asked.earlier)
        assert c.asked.total == pytest.approx(0.075)
        assert (c.asked.about_it, c.asked.questions) == (1, 2)
        assert c.asked.expected == pytest.approx(0.125)


def test_a_look_stays_one_when_its_study_is_deleted_or_removed() -> None:
    with Store() as store:
        for at in (1, 2):
            begun(store, f"rope-{at}", 10 * at)
        third = begun(store, "rope-3", 30)
        delete_restore.delete_study(store, "rope-1")
        shutil.rmtree(studies.load("rope-2").files.root)
        ingest_events.ingest_all(store)
        assert compare(store, third).analysis.alpha == 0.0125
        assert home_history.next_look(store, replace(third, id="", created=time(50))).before == 3


def test_a_failed_or_unfinished_try_leaves_the_first_look_at_95_percent() -> None:
    with Store() as store:
        stopped = lab_home.make_study("rope-1", created=time(1))
        on_record.record_begin(store, stopped)
        lab_home.train(stopped, "baseline", 0, to=600, state=None)
        second = begun(store, "rope-2", 20)
        assert compare(store, second).analysis.alpha == 0.05


def test_a_plan_that_was_edited_gets_no_verdict() -> None:
    with Store() as store:
        one = begun(store, "rope-1", 10)
        edited = replace(one, data=replace(one.data, sha256="f" * 64, file=""))
        assert home_history.study_history(store, edited).changed == ("data",)
        assert compare(store, edited).analysis.reason is Reason.CHANGED
        assert home_history.study_history(store, one).changed == ()


def test_a_range_gets_seeds_at_which_nobody_knows_a_result() -> None:
    with Store() as store:
        one = begun(store, "rope-1", 10)
        draft = replace(one, id="", created=time(30))
        assert home_history.seeds_with_results(store, draft) == {0, 1, 2}
        delete_restore.delete_study(store, one.id)
        assert home_history.seeds_with_results(store, draft) == {0, 1, 2}


def test_a_result_is_known_where_the_modified_arm_has_shown_a_number_before() -> None:
    """A prediction that was locked later is told as one made after the result."""
    with Store() as store:
        begun(store, "rope-1", 10)
        again = replace(studies.load("rope-1"), id="", created=time(50))
        other = lab_home.make_study("gqa-1", variant="gqa", created=time(50))
        late, early = time(50), "2026-01-01T00:00:00+00:00"
        assert home_history.study_with_result(store, again, late) == "rope-1"
        assert home_history.study_with_result(store, again, early) is None
        assert home_history.study_with_result(store, other, late) is None, "of the baseline alone"
        delete_restore.delete_study(store, "rope-1")
        ingest_events.ingest_all(store)
        assert home_history.study_with_result(store, again, late) == "rope-1"


def test_one_number_of_a_deleted_study_is_a_result_that_was_seen() -> None:
    with Store() as store:
        one = lab_home.make_study("rope-1", created=time(10))
        on_record.record_begin(store, one)
        lab_home.train(one, "modified", 0, to=600, state=None)
        ingest_events.ingest_study(store, one)
        again = replace(one, id="", created=time(50))
        delete_restore.delete_study(store, one.id)
        ingest_events.ingest_all(store)
        assert home_history.study_with_result(store, again, time(50)) == "rope-1"
