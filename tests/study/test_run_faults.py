"""Why a run ended badly: the five rules on numbers, and on real runs that are well or broken."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import pytest

from q1lab.commands.cli import run_command_line as q1lab
from q1lab.journal import ingest_events, study_view
from q1lab.journal.store import Store
from q1lab.judgment.metric import Metric
from q1lab.study import events, variants
from q1lab.study.run_faults import read_trace, why_it_broke
from tests.kit import tiny_study
from tests.kit.lab_home import hold, make_study, train

VAL_LOSS = Metric("val loss", "nats", "lower")
GUESS = math.log(65)


def iters(
    losses: dict[int, float | None], **numbers: dict[int, float | None]
) -> list[events.Event]:
    """The events of a run with these train losses and other numbers."""
    return [
        {
            "type": "iter",
            "iter": at,
            "train_loss": loss,
            "numbers": {name: series[at] for name, series in numbers.items() if at in series},
        }
        for at, loss in losses.items()
    ]


def evals(values: dict[int, float | None]) -> list[events.Event]:
    return [{"type": "eval", "iter": at, "val_loss": value} for at, value in values.items()]


FALLING: dict[int, float | None] = {1: 4.18, 10: 3.6, 20: 3.1, 30: 2.8, 40: 2.6}
CALM: dict[int, float | None] = dict.fromkeys(FALLING, 0.8)

BROKEN = {
    "the train loss is not finite": (
        iters({**FALLING, 50: None}, lr={40: 0.01, 50: 0.012}),
        "the train loss was 2.6 at iter 40 and not finite at iter 50, at a learning rate of 0.012",
    ),
    "it never was": (iters({1: None}), "the train loss was not finite at iter 1"),
    "the metric is not finite": (
        iters(FALLING) + evals({20: 3.1, 40: None}),
        "the val loss was 3.1 at iter 20 and not finite at iter 40",
    ),
    "it guesses": (
        iters({1: 4.18, 20: 4.17, 40: 4.174}) + evals({40: 4.175}),
        "never below the loss of guessing, 4.174: the lowest of 40 iters was 4.17",
    ),
    "it knows the text by heart": (
        iters({1: 4.18, 100: 1.9, 200: 0.2}) + evals({100: 2.4, 150: 2.3, 200: 4.5}),
        "train loss 0.2 far below val loss 4.5 at the end; val loss was lowest, 2.3, at iter 150",
    ),
    "the loss jumps with the gradient": (
        iters({**FALLING, 50: 7.5, 60: 7.1}, grad_norm={**CALM, 50: 41.3, 60: 2.0}),
        "the train loss jumped from 2.6 to 7.5 at iter 50, "
        "where the gradient's norm was 41.3 (0.8 before)",
    ),
    "a layer gets no gradient": (
        [{**iters(FALLING)[0], "no_gradient": ["h.1.mlp.weight", "h.1.mlp.bias"]}],
        "no gradient reached h.1.mlp.weight and 1 more in the first iters",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_each_rule_says_what_it_saw(name: str) -> None:
    told, sentence = BROKEN[name]
    assert why_it_broke(read_trace(told, VAL_LOSS, GUESS)) == (sentence,)


WELL = {
    "a loss that falls": iters(FALLING, grad_norm=CALM) + evals({40: 2.7}),
    "a jump that comes back": iters(
        {**FALLING, 50: 7.5, 60: 2.4}, grad_norm={**CALM, 50: 41.3, 60: 0.8}
    ),
    "a jump of the gradient alone": iters({**FALLING, 50: 2.5}, grad_norm={**CALM, 50: 41.3}),
    "a jump of the loss alone": iters({**FALLING, 50: 7.5}, grad_norm={**CALM, 50: 0.9}),
    "a mild overfit": iters({1: 4.18, 100: 1.4, 200: 1.0}) + evals({100: 1.6, 200: 1.7}),
    "a few iters": iters({1: 4.18, 5: 4.17}),
    "nothing but a value": evals({0: 0.3}),
    "nothing": [],
    "a value that is not finite on the way": evals({10: 2.0, 20: None, 30: 1.9}),
}


@pytest.mark.parametrize("name", WELL)
def test_no_rule_speaks_of_a_run_that_is_well(name: str) -> None:
    assert why_it_broke(read_trace(WELL[name], VAL_LOSS, GUESS)) == ()


@pytest.mark.parametrize(
    ("metric", "told", "speaks"),
    [
        (Metric("val/loss", "", "lower"), iters({1: 2.0, 9: 0.1}) + evals({1: 2.1, 9: 3.0}), True),
        # a sum over the validation set, beside a mean of the batch
        (
            Metric("val/loss", "", "lower"),
            iters({1: 2.0, 9: 0.5}) + evals({1: 90.0, 9: 30.0}),
            False,
        ),
        (Metric("val/acc", "", "higher"), iters({1: 2.0, 9: 0.1}) + evals({1: 0.3, 9: 0.9}), False),
        (Metric("val/ppl", "", "lower"), iters({1: 2.0, 9: 0.1}) + evals({1: 2.1, 9: 3.0}), False),
        # a log likelihood below zero
        (Metric("val/loss", "", "lower"), iters({1: -2.0, 9: -9.0}) + evals({9: -8.0}), False),
    ],
)
def test_a_command_is_judged_by_what_it_reports(
    metric: Metric, told: list[events.Event], speaks: bool
) -> None:
    assert bool(why_it_broke(read_trace(told, metric))) == speaks


@pytest.mark.parametrize("name", ["grad_norm", "train/grad_norm", "gradient norm", "grad/norm"])
def test_a_command_may_name_its_gradient_as_programs_do(name: str) -> None:
    told = iters({**FALLING, 50: 7.5}, **{name: {**CALM, 50: 41.3}})
    assert len(why_it_broke(read_trace(told, Metric("acc", "", "higher")))) == 1


# ── real runs


def faults_of_real_run(root: Path, source: str, **config: Any) -> tuple[str, ...]:
    study = tiny_study.make_study(root, "it", [0], source, **config)
    tiny_study.run_trainer(study)
    told, _ = events.read_ended_run(study / "runs" / "modified-seed0" / "events.jsonl")
    assert told[-1]["type"] == "exit"
    guess = math.log(len(set(tiny_study.TEXT)))
    return why_it_broke(read_trace(told, VAL_LOSS, guess))


BASELINE = tiny_study.model_file("baseline").read_text()


@pytest.mark.parametrize("variant", variants.variant_names())
def test_no_shipped_variant_is_broken(tmp_path: Path, variant: str) -> None:
    assert faults_of_real_run(tmp_path, tiny_study.model_file(variant).read_text()) == ()


@pytest.mark.parametrize(
    ("old", "new", "config", "said"),
    [
        ("", "", {"learning_rate": 10.0, "min_lr": 10.0}, "the train loss jumped from "),
        (
            "",
            "",
            {"learning_rate": 1e4, "min_lr": 1e4},
            "not finite at iter 3, at a learning rate of 6e+03",
        ),
        (
            "return x + self.mlp(self.ln_2(x))",
            "return x + self.mlp(self.ln_2(x)).detach()",
            {},
            "no gradient reached transformer.h.0.ln_2.weight and 5 more in the first iters",
        ),
        (
            "logits = self.lm_head(x)  # (B, T, V)",
            "logits = self.lm_head(x) * 0",
            {},
            "never below the loss of guessing, ",
        ),
    ],
    ids=["a rate of 10", "a rate of 10,000", "a detached layer", "a constant output"],
)
def test_a_broken_run_says_why(
    tmp_path: Path, old: str, new: str, config: dict[str, Any], said: str
) -> None:
    faults = faults_of_real_run(tmp_path, BASELINE.replace(old, new), **config)
    assert any(said in fault for fault in faults), faults


def test_a_run_that_learns_a_page_by_heart_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two hundred letters, a thousand times, none of them like those that are kept aside."""
    monkeypatch.setattr(tiny_study, "TEXT", tiny_study.TEXT[:400] + "zyxwv" * 9)
    config = {"max_iters": 400, "lr_decay_iters": 400, "n_embd": 32, "eval_interval": 100}
    (fault,) = faults_of_real_run(tmp_path, BASELINE, **config)
    assert " far below val loss " in fault


# ── where they are shown


def test_status_the_log_and_json_say_why(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = make_study(seeds=(0,))
    train(study, "baseline", 0)
    file = train(study, "modified", 0)
    told = file.read_text().replace(
        '"type": "iter",', '"type": "iter", "no_gradient": ["h.0.w\\u001b[2J"],', 1
    )
    file.write_text(told)
    study.files.run("modified-seed0").log.write_text("iter 1\n")
    assert q1lab(["status"]) == 0
    said = "no gradient reached h.0.w in the first iters"
    assert f"    ! rope seed 0: {said}\n" in capsys.readouterr().out
    assert q1lab(["status", "rope-1", "--json"]) == 0
    assert f'"{said}"' in capsys.readouterr().out
    assert q1lab(["attach", "rope-1", "--log", "modified-seed0"]) == 0
    assert capsys.readouterr().err.endswith(f"! {said}\n")


def test_a_run_that_is_read_as_it_grows_says_the_same(home: Path) -> None:
    """In pieces as it trains, and as a whole; a run that goes on is well until it has ended."""
    study = make_study(seeds=(0,))
    whole = iters(dict.fromkeys(range(1, 40), 4.18)) + evals({39: 4.18})
    whole += [{"type": "exit", "state": "finished", "val_loss": 4.18, "iter": 39}]
    lines = [{"type": "start", "attempt": 1}, *whole]
    file = study.files.run("baseline-seed0").events
    alive = hold(study.files.run("baseline-seed0").lock)
    seen = []
    with Store() as store:
        for line in lines:
            with file.open("a") as log:
                log.write(json.dumps(line) + "\n")
            ingest_events.ingest_study(store, study)
            seen.append(study_view.read_view(store, study).run("baseline-seed0").why)
        os.close(alive)
        store.db.execute("DELETE FROM studies")  # all is read again from the files
        again = study_view.read_view(store, study).run("baseline-seed0").why
    assert not any(seen[:-1])
    assert seen[-1] == again != ()
