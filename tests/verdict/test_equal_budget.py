"""The answer at equal FLOPs and at equal wall clock, read off the recorded curves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from q1lab.commands.cli import cli, run_command_line
from q1lab.ground.errors import Problem
from q1lab.verdict import equal_budget
from q1lab.verdict.comparison import Comparison
from q1lab.verdict.equal_budget import Curves, budget_sentences, compare_at_budget
from tests.kit.comparisons import make

SPEEDS = {"baseline": [20_000.0, 20_100.0, 19_900.0], "modified": [16_000.0, 16_100.0, 15_900.0]}


def curves(end: int = 2000, slope: float = 1e-3, shift: float = -0.2) -> Curves:
    """Straight curves: seed's level + slope per iter left, evaluated every 500 iters."""
    evals = [float(i) for i in range(500, end + 1, 500)]
    wiggle = {0: 0.0, 1: 0.004, 2: -0.002}
    return {
        arm: {
            seed: {
                "val_loss": [
                    (i, 2 + off + 0.01 * seed + (wiggle[seed] if off else 0.0) + slope * (2000 - i))
                    for i in evals
                ],
            }
            for seed in range(3)
        }
        for arm, off in (("baseline", 0.0), ("modified", shift))
    }


def dearer(flops: float = 1.25, **more: object) -> Comparison:
    """A modification whose iter costs so much more than the baseline's."""
    cost = {"baseline": (1000, 1_000_000, 2e4, 77.0), "modified": (1000, 1, 1.6e4, 96.0)}
    cost["modified"] = (1000, int(1_000_000 * flops), 1.6e4, 96.0)
    base = {0: 2.0, 1: 2.01, 2: 2.02}
    return make(base, {s: v - 0.2 for s, v in base.items()}, costs=cost, **more)  # type: ignore[arg-type]


def test_the_dearer_arm_is_read_where_it_has_spent_what_the_cheaper_one_ends_with() -> None:
    at_budget = compare_at_budget("flops", dearer(), curves(), SPEEDS)
    assert at_budget.budget == pytest.approx(3 * 1e6 * 12 * 64 * 2000)
    assert at_budget.iters == {"baseline": 2000, "modified": pytest.approx(1600)}
    # 400 iters before its end, on a slope of 1e-3: .4 higher than at its end
    assert at_budget.mean == pytest.approx(-0.2 + 0.002 / 3 + 0.4)
    assert list(at_budget.pairs) == [0, 1, 2]
    assert at_budget.interval is not None
    assert at_budget.interval.low > 0


def test_equal_time_goes_by_the_median_speed_without_evaluation() -> None:
    at_budget = compare_at_budget("time", dearer(flops=1.0), curves(), SPEEDS)
    assert at_budget.costs["baseline"] == pytest.approx(12 * 64 / 20_000)
    assert at_budget.iters["modified"] == pytest.approx(1600)
    lone = {"baseline": [20_000.0, 20_000.0, 4_000.0], "modified": [16_000.0] * 3}
    busy = compare_at_budget("time", dearer(flops=1.0), curves(), lone)
    assert busy.iters == at_budget.iters
    assert busy.busy == pytest.approx(5)
    assert any(
        "machine was busy" in line and "5.0 times" in line
        for line in budget_sentences(busy, dearer())
    )
    assert not any("busy" in line for line in budget_sentences(at_budget, dearer()))


def test_equal_costs_give_the_end_of_both_curves() -> None:
    at_budget = compare_at_budget("flops", dearer(flops=1.0), curves(), SPEEDS)
    assert at_budget.iters == {"baseline": 2000, "modified": 2000}
    assert at_budget.mean == pytest.approx(-0.2 + 0.002 / 3)
    assert not any(
        "before the end" in line for line in budget_sentences(at_budget, dearer(flops=1.0))
    )


def test_it_says_what_it_is_and_never_that_it_was_declared() -> None:
    c = dearer()
    text = " ".join(budget_sentences(compare_at_budget("flops", c, curves(), SPEEDS), c))
    assert "At equal training FLOPs (4.61T FLOPs per run)" in text
    assert "iter 2,000 of baseline" in text
    assert "iter 1,600 of rope" in text
    assert "25.0% more" in text
    assert "counts against rope" in text
    assert "95% interval" in text
    assert "not declared" in text
    for word in ("HELPS", "HURTS", "TOO SMALL"):
        assert word not in text


def test_the_cheaper_modification_makes_the_baseline_the_early_one() -> None:
    c = dearer(flops=0.8)
    at_budget = compare_at_budget("flops", c, curves(), SPEEDS)
    assert at_budget.iters == {"baseline": pytest.approx(1600), "modified": 2000}
    assert "counts against baseline" in " ".join(budget_sentences(at_budget, c))


def test_where_there_is_no_answer_one_line_says_why() -> None:
    lost = dearer()
    lost = make({0: 2.0, 1: None, 2: 2.1}, {0: 1.9, 1: 1.9, 2: 1.9})
    with pytest.raises(Problem, match="FLOPs: a run diverged"):
        compare_at_budget("flops", lost, curves(), SPEEDS)
    with pytest.raises(Problem, match="not all runs have ended"):
        compare_at_budget("flops", dearer(complete=False), curves(), SPEEDS)
    with pytest.raises(Problem, match="FLOPs per token"):
        compare_at_budget("flops", dearer(flops=0), curves(), SPEEDS)
    with pytest.raises(Problem, match="speed of the runs"):
        compare_at_budget("time", dearer(), curves(), {})
    with pytest.raises(Problem, match="a run has no val curve"):
        compare_at_budget("flops", dearer(), {}, SPEEDS)
    with pytest.raises(Problem, match=r"no evaluation .*before iter 400"):
        compare_at_budget("flops", dearer(flops=5.0), curves(), SPEEDS)


@pytest.mark.parametrize("kind", equal_budget.BUDGET_KINDS)
def test_the_command_answers_in_words_in_json_and_as_a_picture(
    fake_trainer: Callable[..., None], kind: str, tmp_path: Path
) -> None:
    run = ["run", "rope", "--preset", "quick", "--max-iters", "40", "--wandb", "disabled"]
    assert CliRunner().invoke(cli, run).exit_code == 0
    plain = CliRunner().invoke(cli, ["compare", "rope-1"]).output
    picture = tmp_path / "at.svg"
    done = CliRunner().invoke(cli, ["compare", "rope-1", "--at", kind, "--plot", str(picture)])
    assert done.exit_code == 0, done.output
    assert f"At equal {equal_budget.BUDGET_NAMES[kind]}" in done.output
    assert plain.splitlines()[1] == done.output.splitlines()[1]  # the verdict stays
    assert f"equal {equal_budget.BUDGET_NAMES[kind]}" in picture.read_text()
    record = json.loads(
        CliRunner().invoke(cli, ["compare", "rope-1", "--at", kind, "--json"]).stdout
    )
    assert record["at"]["what"] == kind
    assert record["at"]["declared"] is False
    assert set(record["at"]["interval"]) == {"low", "high"}
    assert any("not declared" in line for line in record["at"]["told"])
    assert "at" not in json.loads(CliRunner().invoke(cli, ["compare", "--json"]).stdout)


def test_another_budget_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["compare", "rope-1", "--at", "money"]) == 2
    line = "q1lab: --at can't be 'money'; it is one of flops, time\n"
    assert capsys.readouterr().err == line
