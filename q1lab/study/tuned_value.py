"""A hyperparameter tuned for each arm separately, before the study: the values and seeds that are
tried, and the choice. Pure.

A modification may want another learning rate than the baseline does. Both arms try
the same few values on the same seeds, which no study uses.
"""

from __future__ import annotations

from collections.abc import Sequence

FACTORS = (0.5, 1.0, 2.0)
"""The values to try, as multiples of the study's own value."""

TUNING_SEEDS = (2 * 10**9, 2 * 10**9 + 1)
"""The seeds to try them on: beyond all seeds that a person can type, and beyond those of a file
against itself."""


def best_value(values: Sequence[float], losses: Sequence[float | None]) -> float | None:
    """The value with the lowest loss; None when every one diverged."""
    loss_and_value = [
        (loss, value) for value, loss in zip(values, losses, strict=True) if loss is not None
    ]
    return min(loss_and_value)[1] if loss_and_value else None
