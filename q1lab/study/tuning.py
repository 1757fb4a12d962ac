"""A hyperparameter chosen for each arm by itself, before the study: what is tried, on which seeds,
and what was chosen. Pure.

A modification may want another learning rate than the baseline does. Both arms get the same small
budget to find theirs: the same values, on the same seeds, which no study has.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from q1lab.study.studies import Study

FACTORS = (0.5, 1.0, 2.0)
"""What is tried, times the value that the study would have had."""

SEEDS = (2 * 10**9, 2 * 10**9 + 1)
"""What it is tried on: beyond every seed that can be typed, and beyond those of a file against
itself."""


@dataclass(frozen=True)
class Tuned:
    """What was tried and chosen. ``around`` is the value that the study would have had; ``losses``
    are mean val losses (nats) in the order of ``values``, None where a run diverged."""

    key: str
    around: float
    values: tuple[float, ...]
    seeds: int
    chosen: Mapping[str, float]
    losses: Mapping[str, tuple[float | None, ...]]
    series: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def from_dict(found: Any) -> Tuned | None:
    """What ``to_dict`` wrote, if anything. ValueError for a damaged record."""
    if found is None:
        return None
    try:
        made = Tuned(
            str(found["key"]),
            float(found["around"]),
            tuple(float(value) for value in found["values"]),
            int(found["seeds"]),
            {str(arm): float(value) for arm, value in found["chosen"].items()},
            {
                str(arm): tuple(None if loss is None else float(loss) for loss in losses)
                for arm, losses in found["losses"].items()
            },
            str(found["series"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"what was tuned is damaged ({error})") from None
    if set(made.chosen) != {"baseline", "modified"} or not made.values:
        raise ValueError("what was tuned is damaged")
    return made


def of(study: Study) -> Tuned | None:
    """What was tuned for a study, if anything was. ValueError for a damaged record."""
    return from_dict(study.extra.get("tuned"))


def own_config(study: Study, arm: str) -> dict[str, Any]:
    """The hyperparameters of one arm that differ from the study's: what a trainer reads in the plan
    as ``extra["arm_config"]``."""
    found = study.extra.get("arm_config", {})
    mine = found.get(arm, {}) if isinstance(found, dict) else {}
    return dict(mine) if isinstance(mine, dict) else {}


def best(values: tuple[float, ...], losses: tuple[float | None, ...]) -> float | None:
    """The value with the lowest loss; None when every one diverged."""
    known = [
        (loss, value)
        for value, loss in zip(values, losses, strict=True)
        if loss is not None and math.isfinite(loss)
    ]
    return min(known)[1] if known else None
