"""A hyperparameter that each arm chooses for itself before the study."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest

from q1lab.commands.cli import run_command_line as q1lab
from q1lab.ground.errors import Problem
from q1lab.index.store import Store
from q1lab.judgment import comparison_record, scope_text
from q1lab.judgment.intervals import ALPHA
from q1lab.judgment.subject import TunedValue
from q1lab.planning import series_plan, study_plan
from q1lab.study import command_line, studies, tuned_value
from q1lab.study.command_line import Request
from q1lab.study.trainer import SEED_OFFSET
from q1lab.verdict.comparison_cache import compare
from tests.kit.comparisons import times_asked
from tests.kit.lab_home import store_of_short_studies, train

Fake = Callable[..., None]
WORDS = ["run", "rope", "--preset", "quick", "--max-iters", "20", "--wandb", "disabled"]
REQUEST = Request("rope", preset="quick", overrides={"max_iters": "20"}, wandb="disabled")


store = pytest.fixture(store_of_short_studies)


def tried(store: Store, losses: dict[str, tuple[float | None, ...]]) -> TunedValue:
    """The choice when the three values came to these losses in each arm."""
    tuning = series_plan.plan_tuning(REQUEST, "learning_rate", store)
    for at, plan in enumerate(tuning.plans):
        study = study_plan.save_plan(plan, store)
        for run in study.runs:
            loss = losses[run.arm][at]
            state = "finished" if loss is not None else "diverged"
            train(study, run.arm, run.seed, state=state, val=loss)
    return series_plan.tuning_result(tuning.series, store)


def test_each_arm_tries_the_same_values_on_seeds_that_no_study_has(
    fake_trainer: Fake, store: Store
) -> None:
    tuning = series_plan.plan_tuning(REQUEST, "lr", store)
    around = tuning.plans[1].study.trainer.hyperparameters["learning_rate"]
    assert [plan.study.trainer.hyperparameters["learning_rate"] for plan in tuning.plans] == [
        pytest.approx(around * factor) for factor in (0.5, 1, 2)
    ]
    assert {plan.study.seeds for plan in tuning.plans} == {tuned_value.TUNING_SEEDS}
    assert min(tuned_value.TUNING_SEEDS) > SEED_OFFSET + 10**9 - 1
    assert tuning.missing == 12


def test_the_lowest_loss_is_chosen_for_each_arm_and_recorded(
    fake_trainer: Fake, store: Store
) -> None:
    tuned = tried(store, {"baseline": (1.9, 1.8, 1.95), "modified": (1.9, 1.85, 1.7)})
    low, mid, high = tuned.values
    assert tuned.chosen == {"baseline": mid, "modified": high}
    request = dataclasses.replace(REQUEST, tune=tuned.key, tuned=tuned)
    study = study_plan.plan_study(request, store).study
    assert study.trainer.hyperparameters["learning_rate"] == mid
    assert study.trainer.arm_overrides("modified") == {"learning_rate": high}
    assert study.trainer.arm_overrides("baseline") == {}
    assert study.trainer.tuned == tuned
    text = scope_text.tuned_text(tuned, {"baseline": "baseline", "modified": "rope"})
    assert f"{low:g}, {mid:g} and {high:g} on 2 other seeds" in text
    assert f"{mid:g} for baseline" in text
    assert f"{high:g} for rope" in text
    assert "the outermost for rope" in text
    back = study.trainer.request(study)
    assert back.tune == "learning_rate"
    assert "learning_rate" not in back.overrides
    assert "--tune learning_rate" in command_line.command_text(back)
    plain = study_plan.plan_study(REQUEST, store).study
    assert studies.identity_key(plain) != studies.identity_key(study)


def test_what_diverged_is_not_chosen(fake_trainer: Fake, store: Store) -> None:
    tuned = tried(store, {"baseline": (1.9, 1.8, None), "modified": (1.9, None, None)})
    assert tuned.chosen == {"baseline": tuned.values[1], "modified": tuned.values[0]}
    assert tuned.losses["modified"] == (1.9, None, None)


def test_where_everything_diverged_there_is_no_study(fake_trainer: Fake, store: Store) -> None:
    with pytest.raises(Problem, match="learning_rate diverged in the modified"):
        tried(store, {"baseline": (1.9, 1.8, 1.9), "modified": (None, None, None)})


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("n_layer", "decimal number above 0"),
        ("dropout", "decimal number above 0"),
        ("compile", "decimal number above 0"),
        ("learning_rat", "'learning_rate'"),
    ],
)
def test_what_is_no_number_is_one_line(
    fake_trainer: Fake, store: Store, key: str, says: str
) -> None:
    with pytest.raises(Problem, match=says) as raised:
        series_plan.plan_tuning(REQUEST, key, store)
    assert "\n" not in str(raised.value)
    assert studies.ids() == []


def test_the_command_tunes_then_trains_and_says_so(
    fake_trainer: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    assert q1lab([*WORDS, "--tune", "learning_rate"]) == 0
    out = capsys.readouterr().out
    assert "Learning rate tuned" in out
    study = studies.load(studies.latest())
    with Store() as store:
        comparison = compare(store, study)
        assert (comparison.analysis.alpha, times_asked(comparison)) == (ALPHA, (1, 1)), (
            "to try values is no look"
        )
        kinds = [note.kind for note in comparison.notes]
        assert not {"conditions", "asked"} & set(kinds)
        assert "tuned for each" in scope_text.scope_sentence(comparison)
        assert "not tuned" not in scope_text.scope_sentence(comparison)
        assert comparison_record.comparison_json(comparison)["tuned"]["seeds"] == 2
    many = len(studies.ids())
    assert q1lab([*WORDS, "--tune", "learning_rate", "--json"]) == 0
    capsys.readouterr()
    assert len(studies.ids()) == many, "the same command finds what it tried, and the study"
    assert q1lab([*WORDS, "--tune", "learning_rate", "--detach"]) == 2
    assert q1lab([*WORDS, "--tune", "learning_rate", "--over", "max_iters=1,2"]) == 2


def test_runs_with_another_value_are_other_runs(fake_trainer: Fake, store: Store) -> None:
    tuned = tried(store, {"baseline": (1.9, 1.8, 1.95), "modified": (1.9, 1.85, 1.7)})
    request = dataclasses.replace(REQUEST, tune=tuned.key, tuned=tuned)
    study = study_plan.save_plan(study_plan.plan_study(request, store), store)
    for run in study.runs:
        train(study, run.arm, run.seed)
    plain = study_plan.plan_study(REQUEST, store)
    assert {run.name for run, _ in plain.finished} == {f"baseline-seed{seed}" for seed in range(3)}


def test_a_damaged_record_is_a_damaged_plan(fake_trainer: Fake, store: Store) -> None:
    study = study_plan.save_plan(study_plan.plan_study(REQUEST, store), store)
    record = json.loads(study.files.plan.read_text())
    damages: tuple[Any, ...] = ({}, {"key": "x"}, [])
    text = study.files.plan.read_text()
    for damage in damages:
        changed = {**record, "tuned": damage}
        study.files.plan.write_text(json.dumps(changed))
        with pytest.raises(Problem, match=r"damaged \(tuned"):
            studies.load(study.id)
    study.files.plan.write_text(text)
