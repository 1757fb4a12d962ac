"""The gate's rule: nights of ideas whose effect is known. (docs/gate.md has 2,000 of each.)"""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from q1lab.plugins.gate import gate_rule
from q1lab.plugins.gate.gate_rule import RULES, LossesSoFar
from tests.kit import many_nights
from tests.kit.many_nights import Night, judge_nights
from tests.kit.nights import IDEAS, by_gate

KNOWN = LossesSoFar((0.0, 1.0, -1.0, 0.4), ((0.2, -0.3, 0.6),))


def test_a_night_in_which_nothing_helps_keeps_next_to_nothing() -> None:
    rng = random.Random(4)
    nights = [by_gate(rng, [0.0] * IDEAS) for _ in range(60)]
    assert sum(night.false > 0 for night in nights) <= 5
    assert sum(night.runs for night in nights) / 60 < 1.9 * IDEAS


def test_what_helps_much_is_found() -> None:
    rng = random.Random(5)
    nights = []
    for _ in range(40):
        ideas = [0.0] * IDEAS
        for at in rng.sample(range(IDEAS), 5):
            ideas[at] = 3.0
        nights.append(by_gate(rng, ideas))
    assert sum(night.true for night in nights) > 0.7 * 5 * 40


def test_ideas_that_only_spread_wider_are_not_kept_for_that() -> None:
    """The spread is the baseline's, and an idea's may be twice as large."""
    rng = random.Random(6)
    nights = [by_gate(rng, [0.0] * IDEAS, noise=2.0) for _ in range(30)]
    assert sum(night.false > 0 for night in nights) <= 5


def test_all_looks_together_spend_five_percent() -> None:
    for rules in gate_rule.RULES_BY_NUMBER.values():
        assert rules.alpha_per_look * rules.looks <= 0.05


def test_a_look_is_shorter_the_better_the_spread_is_known() -> None:
    sizes = [gate_rule.look_size(df) for df in (3, 10, 30, 100, 10_000)]
    assert sizes == sorted(sizes, reverse=True)
    assert RULES.fewest_pairs <= sizes[-1] < sizes[0] <= RULES.most_pairs


def test_a_kept_ideas_luck_is_not_the_next_baseline() -> None:
    after = KNOWN.after([0.1, 0.2], [-3.0, -3.1], kept=True)
    assert after.baseline == ()
    assert after.others == ((-3.0, -3.1),), "the new baseline may spread otherwise"
    first_rules = gate_rule.RULES_BY_NUMBER[1]
    assert KNOWN.after([0.1, 0.2], [-3.0, -3.1], kept=True, rules=first_rules).df == KNOWN.df + 3
    after = KNOWN.after([0.1, 0.2], [-3.0, -3.1], kept=False)
    assert after.baseline == (*KNOWN.baseline, 0.1, 0.2)


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ([((), ())], "its first run was not good enough for a look"),
        ([((), (0.5,))], "its first run was not good enough for a look"),
        ([((), (-9.0,)), ((0.0, 0.1), (-3.0,))], "a run diverged"),
        ([((), (-9.0,)), ((0.0, 0.1), (0.0, 0.2))], "the first pairs of its look"),
        ([((), (-9.0,)), ((), (-3.0, -3.1)), ((0.1,), (-3.0,) * 9)], "too few of the baseline's"),
    ],
)
def test_an_idea_is_discarded_before_its_look_is_whole(
    answers: list[gate_rule.ArmLosses], why: str
) -> None:
    judged = judge(KNOWN, answers)
    assert judged.why.startswith(why)
    assert not judged.keeps


def test_a_run_of_the_baseline_that_diverged_is_left_out() -> None:
    judged = judge(KNOWN, [((), (-9.0,)), ((0.1,), (-9.0, -9.1)), ((0.0, 0.2), (-9.2,) * 9)])
    assert judged.keeps
    assert "baseline diverged" in judged.why
    few = gate_rule.decide_look(KNOWN, [0.0, 0.2], [-9.0, -9.1, -9.2, -9.3])
    many = gate_rule.decide_look(KNOWN, [0.0, 0.2, 0.0, 0.2], [-9.0, -9.1, -9.2, -9.3])
    assert few.difference == many.difference
    assert few.upper_end > many.upper_end, "fewer runs say less"


@pytest.mark.parametrize("number", gate_rule.RULES_BY_NUMBER)
def test_many_nights_at_once_are_decided_as_the_gate_decides(number: int) -> None:
    rules = gate_rule.RULES_BY_NUMBER[number]
    rng = np.random.default_rng(number)
    base, modified = rng.normal(size=(2, 300, 12))
    modified = modified * rng.uniform(0.3, 3, size=(300, 1)) - rng.uniform(0, 6, size=(300, 1))
    pairs = rng.integers(3, 13, size=300)
    decided = many_nights.decide(
        base,
        modified,
        np.arange(12) < pairs[:, None],
        np.full(300, KNOWN.sd),
        np.full(300, KNOWN.df),
        rules,
    )
    for row, n in enumerate(pairs):
        arms = [list(map(float, losses[row, :n])) for losses in (base, modified)]
        assert gate_rule.decide_look(KNOWN, *arms, rules).keeps == decided[row]
    assert 50 < decided.sum() < 250


NULL = np.zeros((1000, IDEAS))
CONDITIONS = {
    "alike": Night(NULL),
    "ideas spread wider": Night(NULL, spread=2.0),
    "ideas spread less": Night(NULL, spread=0.2),
    "a keep doubles the spread": Night(many_nights.planted_at(1000, 12.0, 5), planted_spread=2.0),
    "pairs correlate negatively": Night(NULL, correlation=-0.5),
    "one run in ten gets stuck": Night(NULL, stuck=(0.1, 10.0)),
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_at_most_five_of_100_nights_keep_what_does_nothing(name: str) -> None:
    """docs/gate.md has more nights; here up to 1.3 points more are within two standard errors."""
    assert (judge_nights(CONDITIONS[name], 1).false > 0).mean() <= 0.063


def test_after_a_keep_to_quieter_runs_a_large_idea_is_found() -> None:
    first_keep = many_nights.planted_at(500, 6.0, 5)
    kept = judge_nights(Night(first_keep, planted_spread=0.2, then=(40, 5.0)), 2)
    assert (kept.true == 2).sum() >= 0.9 * (kept.true >= 1).sum()


def test_a_baseline_without_two_numbers_is_nothing_to_judge_by() -> None:
    for losses in (LossesSoFar(), LossesSoFar((), KNOWN.groups)):
        assert "of the baseline" in judge(losses, [((), (0.5,))]).why
    assert "too few" in judge(LossesSoFar(), [((0.4,), (0.5,))]).why


def test_runs_that_do_not_vary_decide_nothing() -> None:
    assert "do not vary" in judge(LossesSoFar((1.0, 1.0, 1.0, 1.0)), [((), (0.5,))]).why


def judge(losses: LossesSoFar, answers: Sequence[gate_rule.ArmLosses]) -> gate_rule.GateJudgment:
    """What comes of a proposal whose runs end so."""
    way = gate_rule.proposal_steps(losses)
    next(way)
    try:
        for answer in answers:
            way.send(answer)
    except StopIteration as end:
        judged: gate_rule.GateJudgment = end.value
        return judged
    raise AssertionError("it asks for more runs")


@pytest.mark.parametrize("df", [1, 2, 5, 30, 400])
def test_sizes_of_a_gates_looks(df: int) -> None:
    rules, n = gate_rule.RULES, gate_rule.look_size(df)

    def power(n: int) -> float:
        all_df = df + 2 * (n - 1)
        critical = stats.t.isf(rules.alpha_per_look, all_df)
        return float(stats.nct.sf(critical, all_df, rules.effect * (n / 2) ** 0.5))

    assert n == rules.most_pairs or power(n) >= rules.power
    assert n == rules.fewest_pairs or power(n - 1) < rules.power
