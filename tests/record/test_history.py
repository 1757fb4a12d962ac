"""The rules of looks, levels, replications and picks, on lines alone."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from q1lab.record.history import History, Line, read_history
from q1lab.study.studies import ARMS, run_name

Seen = dict[str, list[str]]


class Journal:
    """Lines as a home writes them, one study after the other."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.news: dict[str, Any] = {"seen": {}, "diverged": {}, "claims": [], "running": []}

    def begin(
        self,
        name: str,
        *batches: Sequence[int],
        modified: str = "rope",
        baseline: str = "model",
        settings: str = "quick",
        is_range: bool = False,
        series: list[Any] | None = None,
        **more: Any,
    ) -> History:
        """Begin a study, or extend it; its history at that moment."""
        seeds = [list(batch) for batch in batches]
        line = {
            "study": name,
            "seeds": seeds,
            "question": " ".join([*sorted((modified, baseline)), settings]),
            "arms": {"baseline": baseline, "modified": modified},
            "named": modified != baseline,
            "asks": sum(map(len, seeds)) > 1 and modified != baseline,
            "judged": {"range": [3, 8] if is_range else None},
            "series": series,
            **self.news,
            **more,
        }
        self.lines.append({**line, "level": read_history([*self.lines, line], name).level})
        self.news = {"seen": {}, "diverged": {}, "claims": [], "running": []}
        return read_history(self.lines, name)

    def see(self, name: str, *, claims: bool = False, arms: Sequence[str] = ARMS) -> None:
        """All runs of a study end."""
        line = next(line for line in reversed(self.lines) if line["study"] == name)
        seeds = itertools.chain.from_iterable(line["seeds"])
        self.news["seen"][name] = [run_name(arm, seed) for seed in seeds for arm in arms]
        if claims:
            self.news["claims"].append(name)

    def now(self, name: str) -> History:
        return read_history(self.lines, name, self.news)


@pytest.fixture
def journal() -> Iterator[Journal]:
    return Journal()


FIRST = range(3)


def test_each_look_at_a_question_has_half_the_level_of_the_one_before(journal: Journal) -> None:
    levels = []
    for number in range(5):
        name = f"rope-{number}"
        levels.append(journal.begin(name, range(3 * number, 3 * number + 3)).level)
        journal.see(name)
    assert levels == pytest.approx([0.05, 0.025, 0.0125, 0.00625, 0.003125])
    assert journal.now("rope-4").total == pytest.approx(sum(levels))
    assert journal.now("rope-0").level == 0.05, "a later look changes no level that was given"


def test_seeds_that_are_added_are_another_look(journal: Journal) -> None:
    journal.begin("rope-1", FIRST)
    journal.see("rope-1")
    assert journal.begin("rope-1", FIRST, (3, 4)).level == 0.025
    journal.see("rope-1")
    assert [(look.pairs, look.level) for look in journal.now("rope-1").looks] == [
        (3, 0.05),
        (5, 0.025),
    ]


@pytest.mark.parametrize(
    "other",
    [
        {"settings": "cpu"},
        {"baseline": "another"},
        {"modified": "swiglu"},
    ],
    ids=str,
)
def test_other_settings_another_baseline_or_arm_are_another_question(
    journal: Journal, other: dict[str, str]
) -> None:
    journal.begin("rope-1", FIRST)
    journal.see("rope-1")
    history = journal.begin("rope-2", FIRST, **other)
    journal.see("rope-2")
    assert (history.level, history.picked) == (0.05, False)
    assert journal.now("rope-2").of_home.total == pytest.approx(0.1)
    questions = journal.now("rope-2").of_arm.questions
    assert questions == (1 if "modified" in other else 2)


def test_arms_that_are_swapped_ask_the_same_question(journal: Journal) -> None:
    journal.begin("rope-1", FIRST)
    journal.see("rope-1")
    assert journal.begin("model-1", FIRST, modified="model", baseline="rope").level == 0.025


def test_a_single_pair_is_free_and_two_pairs_are_a_look(journal: Journal) -> None:
    journal.begin("rope-1", (0,))
    journal.see("rope-1")
    assert journal.begin("rope-2", (1, 2)).level == 0.05
    journal.see("rope-2")
    assert journal.begin("rope-3", (3, 4, 5)).level == 0.025
    journal.see("rope-3")
    assert journal.begin("rope-1", (0,), (1, 2)).level == 0.0125


def test_two_pairs_and_the_third_are_one_look(journal: Journal) -> None:
    journal.begin("rope-1", (0, 1))
    journal.see("rope-1")
    assert journal.begin("rope-1", (0, 1), (2,)).level == 0.05
    journal.see("rope-1")
    assert [look.pairs for look in journal.now("rope-1").looks] == [3]


def test_what_never_showed_a_number_costs_nothing(journal: Journal) -> None:
    for number in range(3):
        journal.begin(f"rope-{number}", FIRST)
    assert journal.begin("rope-3", FIRST).level == 0.05
    journal.see("rope-3")
    history = journal.now("rope-3")
    assert (len(history.looks), history.of_home.total) == (1, 0.05)


def test_a_baseline_alone_shows_no_difference(journal: Journal) -> None:
    journal.begin("rope-1", FIRST)
    journal.see("rope-1", arms=["baseline"])
    assert journal.begin("rope-2", FIRST).level == 0.05


def test_an_attempt_that_diverged_is_free(journal: Journal) -> None:
    journal.begin("rope-1", FIRST)
    journal.see("rope-1")
    journal.news["diverged"] = {"rope-1": ["modified-seed1"]}
    assert journal.begin("rope-2", FIRST).level == 0.05


def test_a_study_that_trains_now_is_a_look(journal: Journal) -> None:
    journal.begin("rope-1", FIRST)
    journal.news["running"] = ["rope-1"]
    assert journal.begin("rope-2", FIRST).level == 0.025


def test_a_range_is_one_look_wherever_it_stops(journal: Journal) -> None:
    journal.begin("rope-1", range(8), is_range=True)
    journal.see("rope-1")
    assert len(journal.now("rope-1").looks) == 1
    assert journal.begin("rope-2", range(8, 16), is_range=True).level == 0.025


def test_the_members_of_a_series_share_one_look(journal: Journal) -> None:
    share = ["sweep-1", 0.025, 2]
    for name in ("rope-1", "rope-2"):
        assert journal.begin(name, FIRST, series=share).level == 0.025
        journal.see(name)
    assert journal.begin("rope-3", range(3, 6)).level == 0.0125


# ── replication


def test_fresh_pairs_after_a_claim_are_a_replication_at_5_percent(journal: Journal) -> None:
    journal.begin("rope-1", FIRST)
    journal.see("rope-1", claims=True)
    history = journal.begin("rope-2", (3, 4, 5))
    assert (history.level, history.is_replication) == (0.05, True)
    journal.see("rope-2")
    now = journal.now("rope-2")
    assert [look.replicates for look in now.looks] == [False, True]
    assert now.total == 0.05, "a replication can't make a first false claim"
    again = journal.begin("rope-3", (6, 7, 8))
    assert (again.level, again.is_replication) == (0.05, True)


def test_pairs_of_the_claim_or_added_to_it_are_no_replication(journal: Journal) -> None:
    journal.begin("rope-1", FIRST)
    journal.see("rope-1", claims=True)
    assert journal.begin("rope-2", range(5)).level == 0.025
    assert not journal.now("rope-2").is_replication
    history = journal.begin("rope-1", FIRST, (3, 4))
    assert (history.level, history.is_replication) == (0.025, False)


def test_a_study_that_began_before_the_claim_is_no_replication(journal: Journal) -> None:
    journal.begin("rope-1", FIRST)
    journal.begin("rope-2", (3, 4, 5))
    journal.see("rope-1", claims=True)
    journal.see("rope-2")
    assert not journal.now("rope-2").is_replication
    assert not journal.begin("rope-3", (6, 7, 8), modified="swiglu").is_replication


def test_pairs_that_are_added_to_a_replication_are_its_second_look(journal: Journal) -> None:
    journal.begin("rope-1", FIRST)
    journal.see("rope-1", claims=True)
    journal.begin("rope-2", (3, 4, 5))
    journal.see("rope-2")
    assert journal.begin("rope-2", (3, 4, 5), (6, 7)).level == 0.025


# ── seeds


def test_named_seeds_with_results_that_leave_others_out_are_picked(journal: Journal) -> None:
    journal.begin("rope-1", range(8))
    journal.see("rope-1")
    history = journal.begin("rope-2", (2, 5, 7))
    assert history.picked
    assert history.left_out == (("rope-1", (0, 1, 3, 4, 6)),)


@pytest.mark.parametrize("other", [{"settings": "cpu"}, {"modified": "swiglu"}], ids=str)
def test_results_of_either_arm_under_any_settings_are_known(
    journal: Journal, other: dict[str, str]
) -> None:
    journal.begin("rope-1", range(8), **other)
    journal.see("rope-1")
    assert journal.begin("rope-2", (2, 5, 7)).picked
    assert not journal.begin("gqa-1", (2, 5, 7), modified="gqa", baseline="another").picked


@pytest.mark.parametrize(
    "seeds",
    [(0, 1, 2), (8, 9, 10), (70_131, 83_902, 14_115), tuple(range(12))],
    ids=["first", "unseen", "drawn", "more than all"],
)
def test_first_unseen_and_drawn_seeds_are_never_refused(
    journal: Journal, seeds: Sequence[int]
) -> None:
    for number, settings in enumerate(("quick", "cpu")):
        journal.begin(f"rope-{number}", range(8), settings=settings)
        journal.see(f"rope-{number}")
    assert not journal.begin("rope-9", seeds).picked


def test_the_first_seeds_that_the_question_has_not_are_never_refused(journal: Journal) -> None:
    journal.begin("rope-1", FIRST)
    journal.see("rope-1")
    journal.begin("swiglu-1", range(8), modified="swiglu")
    journal.see("swiglu-1")
    assert not journal.begin("rope-2", range(3, 11), is_range=True).picked


def test_a_whole_declared_set_may_be_taken_unless_it_was_picked(journal: Journal) -> None:
    journal.begin("rope-1", (42, 43, 44))
    journal.see("rope-1")
    journal.begin("rope-2", range(8), modified="swiglu")
    journal.see("rope-2")
    assert not journal.begin("swiglu-1", (42, 43, 44), modified="swiglu").picked
    assert journal.begin("swiglu-2", (2, 5, 7), modified="swiglu").picked
    assert journal.begin("swiglu-3", (2, 5, 7), modified="swiglu").picked, (
        "to declare a picked set again is no way out"
    )


def test_a_single_pair_that_goes_on_with_others_left_out_is_picked(journal: Journal) -> None:
    for seed in range(6):
        journal.begin(f"rope-{seed}", (seed,))
        journal.see(f"rope-{seed}")
    assert journal.begin("rope-4", (4,), (8, 9)).picked
    assert not journal.begin("rope-0", (0,), (1, 2)).picked


def test_a_baseline_against_itself_may_have_any_seeds(journal: Journal) -> None:
    journal.begin("rope-1", range(8))
    journal.see("rope-1")
    history = journal.begin("model-1", (2, 5, 7), modified="model")
    assert (history.picked, history.looks) == (False, ())


# ── another home
