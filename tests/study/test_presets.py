"""Presets and their overrides."""

from __future__ import annotations

import pytest

from q1lab.ground.errors import Problem
from q1lab.study import hyperparameters
from q1lab.study.presets import PRESETS, default_preset, resolve_config


def test_cpu_is_the_recipe_of_nanogpts_readme() -> None:
    config = resolve_config("cpu", {})
    expected = {
        "n_layer": 4,
        "n_head": 4,
        "n_embd": 128,
        "block_size": 64,
        "batch_size": 12,
        "max_iters": 2000,
        "lr_decay_iters": 2000,
        "dropout": 0.0,
        "learning_rate": 1e-3,
        "min_lr": 1e-4,
        "beta2": 0.99,
        "warmup_iters": 100,
        "weight_decay": 0.1,
        "grad_clip": 1.0,
        "bias": False,
    }
    assert {key: config[key] for key in expected} == expected


def test_gpu_is_nanogpts_character_recipe() -> None:
    config = resolve_config("gpu", {})
    expected = {
        "n_layer": 6,
        "n_head": 6,
        "n_embd": 384,
        "block_size": 256,
        "batch_size": 64,
        "dropout": 0.2,
    }
    assert {key: config[key] for key in expected} == expected


def test_gpu_ends_near_the_lowest_val_loss() -> None:
    """Public runs of the recipe have it at 1,250 to 1,750 iters on Tiny Shakespeare."""
    config = resolve_config("gpu", {})
    assert 1250 <= config["max_iters"] == config["lr_decay_iters"] <= 1750


def test_the_device_chooses() -> None:
    assert (default_preset("cpu"), default_preset("cuda"), default_preset("mps")) == (
        "cpu",
        "gpu",
        "cpu",
    )


def test_overrides_keep_the_kind_and_reach_the_model() -> None:
    config = resolve_config(
        "quick",
        {"learning_rate": "3e-4", "n_layer": "2", "bias": "true", "n_kv_head": "1"},
        ["n_kv_head"],
    )
    assert (config["learning_rate"], config["n_layer"], config["bias"], config["n_kv_head"]) == (
        3e-4,
        2,
        True,
        1,
    )


def test_a_shorter_run_keeps_the_shape_of_its_schedule() -> None:
    config = resolve_config("quick", {"max_iters": "100"})
    assert (config["lr_decay_iters"], config["warmup_iters"]) == (100, 5)
    assert config["eval_interval"] <= 25
    assert resolve_config("quick", {"max_iters": "1"})["log_interval"] == 1


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"n_head": "3"}, "not divisible"),
        ({"learning_rat": "1"}, "'learning_rate'"),
        ({"n_layer": "1.5"}, "whole number"),
        ({"dropout": "1"}, "below 1"),
        ({"learning_rate": "nan"}, "finite"),
        ({"learning_rate": "inf"}, "finite"),
        ({"batch_size": "0"}, "at least 1"),
        ({"bias": "maybe"}, "true or false"),
        ({"compile": "fast"}, "auto, on or off"),
        ({"vocab_size": "7"}, "no such hyperparameter"),
    ],
)
def test_what_cannot_be_is_refused(overrides: dict[str, str], message: str) -> None:
    with pytest.raises(Problem, match=message):
        resolve_config("cpu", overrides, ["vocab_size"])


def test_presets_are_not_changed_by_using_them() -> None:
    before = {name: dict(config) for name, config in PRESETS.items()}
    resolve_config("quick", {"n_layer": "2"})
    assert before == PRESETS


@pytest.mark.parametrize("key", ["max_iters", "learning_rate"])
def test_a_plan_has_no_number_that_set_would_refuse(key: str) -> None:
    with pytest.raises(ValueError, match=f"{key} is {2**53}, and is too large"):
        hyperparameters.checked_value(key, 2**53)
    with pytest.raises(Problem, match="too large"):
        resolve_config("cpu", {key: str(2**53)})
