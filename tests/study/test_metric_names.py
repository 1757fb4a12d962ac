"""The guess of a metric, from the names of numbers alone."""

from __future__ import annotations

import pytest

from q1lab.judgment.metric_names import direction, likely_metrics


@pytest.mark.parametrize(
    ("name", "better"),
    [
        *(
            (name, "lower")
            for name in ("val loss", "evalloss", "error rate", "val_ppl", "test/MSE")
        ),
        *((name, "higher") for name in ("F1 score", "valAcc@1", "R2", "mAP", "ep_rew_mean")),
        *((name, "higher") for name in ("testacc", "acc1", "neg_mean_squared_error", "return")),
        *((name, "higher") for name in ("tokens_per_second", "charts/SPS", "throughput")),
        *((name, "lower") for name in ("seconds", "eval_runtime", "loss per token")),
        *((name, "") for name in ("learning_rate", "number", "hidden size", "")),
    ],
)
def test_a_name_says_which_way_is_better(name: str, better: str) -> None:
    assert direction(name) == better


@pytest.mark.parametrize(
    ("counts", "likely"),
    [
        ({"train loss": 5, "val loss": 5, "loss": 50, "mfu": 50, "lr": 5}, ["val loss"]),
        ({"loss": 5, "eval_loss": 2, "eval_runtime": 2, "train_loss": 1}, ["eval_loss"]),
        ({"train_loss": 2, "valid_loss": 2, "accuracy": 2}, ["valid_loss"]),
        ({"ep_len_mean": 3, "ep_rew_mean": 3, "loss": 3, "value_loss": 3}, ["ep_rew_mean"]),
        ({"loss": 5, "Test Accuracy": 1}, ["Test Accuracy"]),
        ({"val_loss": 5, "best val loss": 5, "test loss": 1}, ["val_loss"]),
        ({"Last reward": 6, "Average reward": 6}, ["Average reward"]),
        ({"val_loss": 5, "val_acc": 5, "train_acc": 5}, ["val_loss", "val_acc"]),
        ({"loss_weight": 9, "seed": 1, "train loss": 9}, ["train loss"]),
        ({"elapsed": 1, "speedup": 4, "lr": 4}, ["speedup"]),
        ({"accuracy": 1, "Accuracy": 1}, ["Accuracy"]),
        ({"gen": 5, "best fitness": 5, "mean": 5}, ["best fitness", "mean"]),
        ({"lr": 4}, []),
        ({}, []),
    ],
)
def test_the_metric_is_guessed_by_plain_rules(counts: dict[str, int], likely: list[str]) -> None:
    assert likely_metrics(counts) == likely
