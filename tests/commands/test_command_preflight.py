"""The short runs of a command before its study: what they refuse, and what they only note."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest

from q1lab.planning import command_draft
from q1lab.study import studies
from tests.kit.commands import q1lab

KNN = """
import random, sys
seed, k = int(sys.argv[1]), int(sys.argv[2])
right = 38 if seed % 2 else 37
right -= (seed in WHERE) and k == 5
print(f"accuracy: {right / 38 if len(sys.argv) < 4 else 1.0}")
"""
PPO = """
import random, sys
seed, lr = int(sys.argv[1]), float(sys.argv[2])
noise, step = random.Random(f"{seed} {lr}"), 0
while step < 1000:
    step += noise.randrange(9, 60)
    print(f"global_step={step}, episodic_return=[{20 * lr + noise.gauss(20, 3):.4f}]", flush=True)
print("SPS: 4000")
"""
BUDGET = """
import random, sys
seed, lr = int(sys.argv[1]), float(sys.argv[2])
noise = random.Random()
for step in range(100, 100 * noise.randrange(5, 60), 100):
    print(f"step {step}: val_loss={2 - lr + noise.gauss(0, 0.1)}")
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with somebody's train.py; commands are typed there."""
    work = tmp_path / "proj"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("Q1LAB_WANDB", "disabled")
    command_draft._ask.cache_clear()
    return work


def typed(
    program: str, metric: str, first: str, second: str, *options: str, words: str = "{seed}"
) -> tuple[str, ...]:
    Path("train.py").write_text(program)
    command = f"{shlex.quote(sys.executable)} train.py {words} {{args}}"
    arms = ("--arm", f"base={first}", "--arm", f"other={second}")
    return ("run", "--command", command, *arms, "--metric", metric, "--smoke", "", *options)


def one_line(text: str) -> str:
    return " ".join(text.split())


def test_arms_that_report_at_different_steps_are_compared_and_it_is_noted() -> None:
    shown = q1lab(*typed(PPO, "episodic_return", "0.1", "0.2", "--better", "higher"))
    assert "base reports episodic_return at steps" in shown.stdout
    assert "the last number of each run counts" in one_line(shown.stdout)
    assert "other − base" in shown.stdout


def test_a_program_with_a_time_budget_is_compared_though_no_seed_repeats() -> None:
    shown = q1lab(*typed(BUDGET, "val_loss", "0.1", "0.9"))
    assert studies.load("other-1").to_dict()["loop"]["repeats"] == "no"
    assert "compared as two groups" in one_line(shown.stdout)
    refused = q1lab(
        *typed(
            BUDGET.replace("sys.argv[1]", "0").replace("argv[2]", "argv[1]"), "val_loss", "1", "2"
        ),
        "--fresh",
        *("--command", f"{shlex.quote(sys.executable)} train.py {{args}}"),
        code=2,
    )
    assert "no proof that the command reads Q1LAB_SEED" in refused.stderr


def test_more_seeds_tell_the_arms_of_a_coarse_metric_apart() -> None:
    shown = q1lab(*typed(KNN.replace("WHERE", "(6, 7)"), "accuracy", "3", "5"))
    assert "few values" not in shown.stdout
    assert studies.ids() == ["other-1"]


def test_arms_that_are_equal_by_a_coarse_metric_are_asked_about_and_train() -> None:
    shown = q1lab(*typed(KNN.replace("WHERE", "()"), "accuracy", "3", "5"), code=None)
    text = one_line(shown.stdout)
    assert (
        "other and base gave the same accuracy at seeds 0 and 1, and so do seeds up to 7: it takes "
        "few values, so plan more seeds if the arguments of other are spelled right"
    ) in text
    assert studies.ids() == ["other-1"]


def test_a_seed_that_a_coarse_metric_does_not_show_is_noted() -> None:
    words = typed(KNN.replace("WHERE", "()"), "accuracy", "3 x", "5 x")
    text = one_line(q1lab(*words, code=None).stdout)
    assert "seed 1 gives what seed 0 gave, and so do seeds up to 7: accuracy takes few" in text


def test_a_number_that_is_never_finite_says_nothing_of_the_seed() -> None:
    program = "for step in (1, 2): print(f'step {step}: loss: nan')"
    refused = q1lab(*typed(program, "loss", "1", "2"), code=2).stderr
    assert "a short run of base, seed 0: loss was never a finite number" in refused


def test_a_number_that_is_nan_at_first_counts_as_it_ends() -> None:
    program = "import sys\nprint('loss=nan')\nprint(f'loss={sys.argv[1]}.{sys.argv[2]}71828')"
    record = json.loads(q1lab(*typed(program, "loss", "1", "2"), "--json").stdout)
    assert record["complete"]
