"""Whole weeks of asking, invented, through the program's own plan, ledger and comparison: what
`benchmarks/looks.py` does by the thousand, here by the hundred. Seeds are fixed, so that a test
gives the same every time."""

from __future__ import annotations

import pytest

from benchmarks import looks as asking
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
