"""What honest people do in the course of weeks: none of it is refused, and only those who look
again at the same question are judged at another level than 95%.

The weeks are those of `benchmarks/looks.py`: real plans, journals and event files, with losses that
are drawn instead of trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from benchmarks.looks import Week, arm, more, stop_when_known
from q1lab.index.store import Store
from q1lab.judgment.intervals import Reason
from q1lab.record import delete_restore, on_record
from q1lab.study.series import Series
from q1lab.verdict.comparison import Comparison

QUICK = {"max_iters": 200, "learning_rate": 1e-3, "log_interval": 10}
CPU = {"max_iters": 2000, "learning_rate": 1e-3, "log_interval": 10}
SGD = {"baseline": arm("baseline", "sgd"), "modified": arm("modified", "lion")}


@pytest.fixture
def week(monkeypatch: pytest.MonkeyPatch) -> Iterator[Week]:
    """A home in which the modification helps by twice the spread of the pairs."""
    with Store() as store:
        one = Week(store, np.random.default_rng(4), effect=-4.0)
        monkeypatch.setattr(on_record, "utc_now", one.clock)
        yield one


def nothing_changed(week: Week) -> None:
    week.effect = 0.0


def asked(week: Week, *seeds: int, **changes: object) -> Comparison:
    return week.asked(seeds, **changes)  # type: ignore[arg-type]


def a_quick_try_first(week: Week) -> Comparison:
    asked(week, 0, 1, 2, preset="quick", config=QUICK)
    return asked(week, 0, 1, 2)


def a_quick_try_that_was_deleted(week: Week) -> Comparison:
    tried = asked(week, 0, 1, 2, preset="quick", config=QUICK)
    delete_restore.delete_study(week.store, tried.study.id)
    return asked(week, 0, 1, 2)


def a_longer_budget_with_fewer_pairs(week: Week) -> Comparison:
    asked(week, 0, 1, 2, 3, config=QUICK)
    return asked(week, 0, 1, 2)


def another_baseline_with_fewer_pairs(week: Week) -> Comparison:
    asked(week, 0, 1, 2, 3, 4, variant="lion")
    return asked(week, 0, 1, 2, variant="lion", arms=SGD)


def a_range_then_fewer_pairs_for_longer(week: Week) -> Comparison:
    stop_when_known(week, week.planned(3, 8, config=QUICK))
    return asked(week, 0, 1, 2)


def a_range_then_a_range_for_longer(week: Week) -> Comparison:
    stop_when_known(week, week.planned(3, 8, config=QUICK))
    return stop_when_known(week, week.planned(3, 8))


def ten_single_pairs(week: Week) -> Comparison:
    for seed in range(10):
        asked(week, seed)
    return asked(week, 0, 1, 2)


def six_ideas_by_one_pair(week: Week) -> Comparison:
    for idea in range(6):
        asked(week, 0, variant=f"idea{idea}")
    study = week.study([0], "idea3")
    week.train(study, [0])
    return week.told(more(week, study, [1, 2]))


def a_pair_at_seed_7(week: Week) -> Comparison:
    asked(week, 7)
    return asked(week, 0, 1, 2)


def a_pair_then_two_more(week: Week) -> Comparison:
    study = week.study([0])
    week.train(study, [0])
    return week.told(more(week, study, [1, 2]))


def a_study_that_diverged(week: Week) -> Comparison:
    study = week.study([0, 1, 2])
    week.train(study, [0, 1, 2], end="diverged")
    week.told(study)
    return asked(week, 0, 1, 2, config={**CPU, "learning_rate": 5e-4})


def the_same_after_it_diverged(week: Week) -> Comparison:
    study = week.study([0, 1, 2])
    week.train(study, [0, 1, 2], end="diverged")
    return asked(week, 3, 4, 5)


def stopped_at_its_beginning(week: Week) -> Comparison:
    study = week.study([0, 1, 2])
    week.train(study, [0], end="stopped", over=0.01)
    delete_restore.delete_study(week.store, study.id)
    return asked(week, 0, 1, 2)


def four_modifications(week: Week) -> Comparison:
    for variant in ("rmsnorm", "swiglu", "gqa"):
        asked(week, 0, 1, 2, variant=variant)
    return asked(week, 0, 1, 2, variant="llama")


def another_modification_with_fewer_pairs(week: Week) -> Comparison:
    asked(week, *range(8), variant="gqa")
    return asked(week, 0, 1, 2)


def after_a_floor(week: Week) -> Comparison:
    same = {role: arm(role, "baseline") for role in ("baseline", "modified")}
    asked(week, *range(8), arms=same, variant="baseline")
    return asked(week, 0, 1, 2, 3, 4)


def ten_ideas_in_one_file(week: Week) -> Comparison:
    for idea in range(9):
        asked(week, 0, 1, 2, arms={**SGD, "modified": arm("modified", f"idea {idea}")})
    return asked(week, 0, 1, 2, arms=SGD)


def a_second_text(week: Week) -> Comparison:
    asked(week, 0, 1, 2)
    return asked(week, 0, 1, 2, text="another")


def a_replication(week: Week) -> Comparison:
    assert asked(week, 0, 1, 2).analysis.verdict == "helps"
    return asked(week, 3, 4, 5)


def the_winner_of_a_sweep(week: Week) -> Comparison:
    for place, variant in enumerate(("rope", "swiglu")):
        share = Series("sweep-1", ("rope", "swiglu"), place, 0.025)
        study = week.draft(range(3), variant).with_origin(series=share)
        week.begun(study)
        week.train(study, range(3))
        week.told(study)
    return asked(week, *range(3, 11))


AT_95 = [
    a_quick_try_first,
    a_quick_try_that_was_deleted,
    a_longer_budget_with_fewer_pairs,
    another_baseline_with_fewer_pairs,
    a_range_then_fewer_pairs_for_longer,
    ten_single_pairs,
    six_ideas_by_one_pair,
    a_pair_at_seed_7,
    a_pair_then_two_more,
    a_study_that_diverged,
    the_same_after_it_diverged,
    stopped_at_its_beginning,
    four_modifications,
    another_modification_with_fewer_pairs,
    after_a_floor,
    ten_ideas_in_one_file,
    a_second_text,
    a_replication,
    the_winner_of_a_sweep,
]


@pytest.mark.parametrize("lived", AT_95, ids=lambda lived: lived.__name__)
def test_who_asks_something_new_is_judged_at_95_percent(
    week: Week, lived: Callable[[Week], Comparison]
) -> None:
    c = lived(week)
    assert c.analysis.reason is None
    assert c.analysis.alpha == 0.05


def test_a_range_for_longer_has_the_whole_level_too(week: Week) -> None:
    c = a_range_then_a_range_for_longer(week)
    assert c.analysis.reason is None
    assert c.asking.total == pytest.approx(0.05)


def a_range_after_a_stopped_study(week: Week) -> Comparison:
    asked(week, *range(8), config=QUICK)
    asked(week, 6, 7)
    study = week.study(range(8))
    week.train(study, range(8), end="stopped", over=0.6)
    return stop_when_known(week, week.planned(3, 8))


def a_range_after_a_range(week: Week) -> Comparison:
    asked(week, *range(8), variant="swiglu")
    stop_when_known(week, week.planned(3, 8))
    return stop_when_known(week, week.planned(3, 8))


def a_range_after_one_diverged_and_was_deleted(week: Week) -> Comparison:
    asked(week, *range(8), config=QUICK)
    asked(week, 6, 7)
    study = week.study([0, 1, 2])
    week.train(study, [0, 1, 2], end="diverged")
    delete_restore.delete_study(week.store, study.id)
    return stop_when_known(week, week.planned(3, 8))


@pytest.mark.parametrize(
    "lived",
    [
        a_range_after_a_stopped_study,
        a_range_after_a_range,
        a_range_after_one_diverged_and_was_deleted,
    ],
    ids=lambda lived: lived.__name__,
)
def test_seeds_that_q1lab_gives_a_range_are_never_refused(
    week: Week, lived: Callable[[Week], Comparison]
) -> None:
    assert lived(week).analysis.reason is None


def test_a_range_after_a_claim_of_a_range_is_a_replication(week: Week) -> None:
    """The first one stopped early: the pairs that it never trained are fresh."""
    first = stop_when_known(week, week.planned(3, 8))
    assert first.analysis.verdict == "helps"
    assert len(first.analysis.pairs) < 8
    second = stop_when_known(week, week.planned(3, 8))
    assert second.asking.is_replication
    assert second.analysis.alpha == first.analysis.alpha
    assert not first.analysis.pairs.keys() & second.analysis.pairs.keys()


def on_another_device(week: Week) -> Comparison:
    asked(week, 0, 1, 2, 3, 4)
    return asked(week, 0, 1, 2, dtype="bf16", device="cuda")


def three_then_eight(week: Week) -> Comparison:
    study = week.study([0, 1, 2])
    week.train(study, [0, 1, 2])
    week.told(study)
    return week.told(more(week, study, range(3, 8)))


def a_named_set_twice(week: Week) -> Comparison:
    asked(week, 42, 43, 44)
    return asked(week, 42, 43, 44, dtype="bf16")


def stopped_late_and_deleted(week: Week) -> Comparison:
    study = week.study([0, 1, 2])
    week.train(study, [0], end="stopped", over=0.6)
    delete_restore.delete_study(week.store, study.id)
    return asked(week, 0, 1, 2)


def fresh_seeds_without_a_claim(week: Week) -> Comparison:
    nothing_changed(week)
    assert asked(week, 0, 1, 2).analysis.verdict == "cannot tell"
    return asked(week, 3, 4, 5)


AGAIN = [
    on_another_device,
    three_then_eight,
    a_named_set_twice,
    stopped_late_and_deleted,
    fresh_seeds_without_a_claim,
]


@pytest.mark.parametrize("lived", AGAIN, ids=lambda lived: lived.__name__)
def test_who_looks_again_is_not_refused_and_pays_half(
    week: Week, lived: Callable[[Week], Comparison]
) -> None:
    c = lived(week)
    assert c.analysis.reason is None
    assert c.analysis.alpha == 0.025
    assert len(c.asking.looks) == 2


def test_seeds_that_were_picked_decide_nothing_and_are_told_before(week: Week) -> None:
    from q1lab.record.home_history import planned_history

    asked(week, *range(8))
    draft = week.draft([2, 5, 7])
    assert planned_history(week.store, draft).picked
    assert asked(week, 2, 5, 7).analysis.reason is Reason.CHOSEN
