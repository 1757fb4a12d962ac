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
from q1lab.planning import series_plan, study_plan
from q1lab.statistics.intervals import ALPHA, NoteKind
from q1lab.study import command_line, studies, tuned_value
from q1lab.study.command_line import Request
from q1lab.trainers.own_loop import SEED_OFFSET
from q1lab.verdict import comparison_record, scope_text
from q1lab.verdict.comparison_cache import compare
from tests.kit.comparisons import times_asked
from tests.kit.lab_home import store_of_short_studies, train

Fake = Callable[..., None]
WORDS = ["run", "rope", "--preset", "quick", "--max-iters", "20", "--wandb", "disabled"]
REQUEST = Request("rope", preset="quick", overrides={"max_iters": "20"}, wandb="disabled")


store = pytest.fixture(store_of_short_studies)


def tried(store: Store, losses: dict[str, tuple[float | None, ...]]) -> tuned_value.TunedValue:
    """What is chosen when the three values came to these losses in each arm."""
    made = series_plan.plan_tuning(REQUEST, "learning_rate", store)
    for at, plan in enumerate(made.plans):
        study = study_plan.save_plan(plan, store)
        for run in study.runs:
            loss = losses[run.arm][at]
            state = "finished" if loss is not None else "diverged"
            train(study, run.arm, run.seed, state=state, val=loss)
    return series_plan.tuning_result(made.series, store)


def test_each_arm_tries_the_same_values_on_seeds_that_no_study_has(
    fake_trainer: Fake, store: Store
) -> None:
    made = series_plan.plan_tuning(REQUEST, "lr", store)
    around = made.plans[1].study.trainer.hyperparameters["learning_rate"]
    assert [plan.study.trainer.hyperparameters["learning_rate"] for plan in made.plans] == [
        pytest.approx(around * factor) for factor in (0.5, 1, 2)
    ]
    assert {plan.study.seeds for plan in made.plans} == {tuned_value.TUNING_SEEDS}
    assert min(tuned_value.TUNING_SEEDS) > SEED_OFFSET + 10**9 - 1
    assert made.missing == 12


def test_the_lowest_loss_is_chosen_for_each_arm_and_recorded(
    fake_trainer: Fake, store: Store
) -> None:
    found = tried(store, {"baseline": (1.9, 1.8, 1.95), "modified": (1.9, 1.85, 1.7)})
    low, mid, high = found.values
    assert found.chosen == {"baseline": mid, "modified": high}
    request = dataclasses.replace(REQUEST, tune=found.key, tuned=found)
    study = study_plan.plan_study(request, store).study
    assert study.trainer.hyperparameters["learning_rate"] == mid
    assert study.trainer.arm_overrides("modified") == {"learning_rate": high}
    assert study.trainer.arm_overrides("baseline") == {}
    assert study.trainer.tuned == found
    text = scope_text.tuned_text(found, {"baseline": "baseline", "modified": "rope"})
    assert f"among {low:g}, {mid:g} and {high:g} on 2 other seeds" in text
    assert f"{mid:g} for baseline, {high:g} for rope (at an edge for rope" in text
    back = study.trainer.request(study)
    assert back.tune == "learning_rate"
    assert "learning_rate" not in back.overrides
    assert "--tune learning_rate" in command_line.command_text(back)
    plain = study_plan.plan_study(REQUEST, store).study
    assert studies.identity_key(plain) != studies.identity_key(study)


def test_what_diverged_is_not_chosen(fake_trainer: Fake, store: Store) -> None:
    found = tried(store, {"baseline": (1.9, 1.8, None), "modified": (1.9, None, None)})
    assert found.chosen == {"baseline": found.values[1], "modified": found.values[0]}
    assert found.losses["modified"] == (1.9, None, None)


def test_where_everything_diverged_there_is_no_study(fake_trainer: Fake, store: Store) -> None:
    with pytest.raises(Problem, match="every learning_rate diverged in the modified arm"):
        tried(store, {"baseline": (1.9, 1.8, 1.9), "modified": (None, None, None)})


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("n_layer", "only a number with decimals above 0"),
        ("dropout", "only a number with decimals above 0"),
        ("compile", "only a number with decimals above 0"),
        ("learning_rat", "did you mean 'learning_rate'"),
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
    assert "Learning rate tuned for each arm among" in out
    study = studies.load(studies.latest())
    with Store() as store:
        told = compare(store, study)
        assert (told.analysis.alpha, times_asked(told)) == (ALPHA, (1, 1)), (
            "to try values is no look"
        )
        kinds = [note.kind for note in told.analysis.notes]
        assert not {NoteKind.LEFT_OUT, NoteKind.CONDITIONS, NoteKind.ASKED} & set(kinds)
        assert "tuned for each arm among" in scope_text.scope_sentence(told)
        assert "not tuned" not in scope_text.scope_sentence(told)
        assert comparison_record.comparison_json(told)["tuned"]["seeds"] == 2
    many = len(studies.ids())
    assert q1lab([*WORDS, "--tune", "learning_rate", "--json"]) == 0
    capsys.readouterr()
    assert len(studies.ids()) == many, "the same command finds what it tried, and the study"
    assert q1lab([*WORDS, "--tune", "learning_rate", "--detach"]) == 2
    assert q1lab([*WORDS, "--tune", "learning_rate", "--over", "max_iters=1,2"]) == 2


def test_runs_with_another_value_are_other_runs(fake_trainer: Fake, store: Store) -> None:
    found = tried(store, {"baseline": (1.9, 1.8, 1.95), "modified": (1.9, 1.85, 1.7)})
    request = dataclasses.replace(REQUEST, tune=found.key, tuned=found)
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
