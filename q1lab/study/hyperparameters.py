"""The hyperparameters that q1lab computes with, and what each of them may be."""

from __future__ import annotations

from typing import Any

from q1lab.ground.json_records import INT_LIMIT, checked

INTEGERS = (
    *("max_iters", "batch_size", "block_size", "n_layer", "n_head", "n_embd"),
    *("eval_interval", "eval_windows", "log_interval"),
)
NUMBERS = (
    *("warmup_iters", "lr_decay_iters", "learning_rate", "min_lr", "weight_decay"),
    *("beta1", "beta2", "grad_clip", "dropout"),
)
"""Hyperparameters that q1lab computes with; others may be anything."""


def checked_value(key: str, value: Any) -> Any:
    """Return ``value`` if q1lab can compute with it. ValueError if it can't."""
    if key == "max_iters" and value == 0:  # not known before they have ended
        return value
    if key in INTEGERS and checked(int, value, f"config {key}") < 1:
        raise ValueError(f"{key} is {value}, and must be 1 or more")
    if key in NUMBERS:
        checked(float, value, f"config {key}")
    if key in (*INTEGERS, *NUMBERS) and abs(value) >= INT_LIMIT:
        raise ValueError(f"{key} is {value}, and is too large")
    return value
