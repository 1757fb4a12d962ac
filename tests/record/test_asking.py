"""Whole weeks of asking, invented, through the program's own plan, ledger and comparison: what
`benchmarks/looks.py` does by the thousand, here by the hundred. Seeds are fixed, so that a test
gives the same every time."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import looks as asking
from q1lab.planning import study_plan
from q1lab.record import questions
from q1lab.statistics import interim_analyses, intervals

pytestmark = pytest.mark.sample

ROWS = {row.name: row for row in asking.ROWS}
WEEKS = 100


def at_most(share: float, weeks: int = WEEKS) -> int:
    """Claims that a rule of this share stays under in 999 of 1,000 simulations."""
    from scipy import stats as scipy_stats

    return int(scipy_stats.binom.ppf(0.999, weeks, share))


def claims(answers: str) -> int:
    return sum(letter in "hu" for letter in answers)


@pytest.mark.parametrize(
    ("name", "share"),
    [
        ("fixed-3", 0.05),
        ("range-3-12", 0.05),
        ("then-range", 0.08),
        *(
            pytest.param(name, 0.08, marks=pytest.mark.long)  # benchmarks/looks.py: by the thousand
            for name in ("adding-3-5-10", "fresh-3", "headline")
        ),
    ],
)
def test_when_nothing_has_changed_claims_stay_as_rare_as_promised(name: str, share: float) -> None:
    simulated = asking.simulate(ROWS[name], WEEKS)
    assert claims(simulated["answers"]) <= at_most(share)
    assert "n" not in simulated["answers"]


@pytest.mark.parametrize("name", ["picking-5", "picking-8", "diverged"])
def test_chosen_seeds_over_runs_that_exist_are_no_verdict_at_all(name: str) -> None:
    simulated = asking.simulate(ROWS[name], 20)
    assert set(simulated["last"]) == {"n"}


def test_ten_honest_weeks_get_a_verdict_at_95_percent_unless_a_question_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One home: a floor, an idea after the other in one file, the usual seeds, drawn ones, more
    seeds, a range, a sweep, and a question that is asked again."""
    with asking.homes() as home, home() as store:
        week = asking.Week(store, np.random.default_rng(1))
        monkeypatch.setattr(questions, "utc_now", week.clock)
        week.asked(range(8), "baseline")
        said = [week.asked(range(3)), *asking.many_ideas(4)(week)]
        said += [week.asked((42, 43, 44), model) for model in ("swiglu", "gqa")]
        drawn = study_plan.draw_seeds(week.draft(range(3), "alibi"), store)
        said += [week.asked(drawn, "alibi"), week.asked(range(8), "qknorm")]
        ranged = week.planned(3, 12, variant="relu2")
        said.append(asking.stop_when_known(week, ranged))
        sweep = asking.sweep(1, ("llama", "rmsnorm"), 3)(week)
        again = week.asked((3, 4, 5))
    assert [comparison.analysis.reason for comparison in (*said, *sweep, again)].count(None) == 13
    fixed = [comparison for comparison in said if not comparison.study.design.is_sequential]
    assert {comparison.analysis.alpha for comparison in fixed} == {intervals.ALPHA}
    assert {comparison.analysis.alpha for comparison in sweep} == {intervals.ALPHA / 2}
    assert again.analysis.alpha == intervals.ALPHA_LATER


def test_a_range_finds_a_large_effect_with_few_pairs() -> None:
    simulated = asking.simulate(ROWS["power-3..12-5"], 30)
    assert set(simulated["answers"]) == {"h"}
    pairs = [int(pair, 36) for pair in simulated["pairs"]]
    assert min(pairs) == 3
    assert sum(pairs) / len(pairs) == pytest.approx(3.5, abs=0.3)


def test_a_rule_that_did_not_pay_for_its_looks_would_be_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        interim_analyses, "level_per_look", lambda first, most, total: intervals.ALPHA
    )
    simulated = asking.simulate(ROWS["range-3-12"], WEEKS)
    assert claims(simulated["answers"]) > at_most(0.05)
