"""The ends of a study's runs, and what they say: the differences of its pairs, the losses that
count, and its verdict alone. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from q1lab.statistics import intervals
from q1lab.study.run_states import RunState
from q1lab.study.studies import ARMS, Study


@dataclass(frozen=True)
class RunEnd:
    """The end of a run: ``finished`` or ``diverged``, and its final value in the study's metric."""

    state: str
    val_loss: float | None


RunEnds = Mapping[tuple[str, int], RunEnd]
"""(arm, seed) → its end, for the runs that finished or diverged."""


def pair_differences(study: Study, ends: RunEnds) -> list[float | None]:
    """The differences of the first pairs that have ended, in the order of the plan; None for a pair
    with a diverged run."""
    differences: list[float | None] = []
    for seed in study.seeds:
        base_end, modified_end = (ends.get((arm, seed)) for arm in ARMS)
        if base_end is None or modified_end is None:
            break
        base, modified = (
            end.val_loss if end.state == RunState.FINISHED else None
            for end in (base_end, modified_end)
        )
        differences.append(None if base is None or modified is None else modified - base)
    return differences


def counted_losses(
    study: Study, ends: RunEnds
) -> tuple[dict[int, float | None], dict[int, float | None]] | None:
    """The final losses of both arms by seed, baseline first, of the runs that count; None while the
    study is not over."""
    differences = pair_differences(study, ends)
    if study.design.over_after(differences, study.smallest_that_matters) is None:
        return None
    seeds = study.design.counted_seeds(differences, study.smallest_that_matters)
    base, modified = (
        {seed: _counted(ends[arm, seed]) for seed in seeds if (arm, seed) in ends} for arm in ARMS
    )
    return base, modified


def verdict_after(study: Study, ends: RunEnds, pairs: int, level: float) -> str:
    """The verdict of a look at a study; empty while the study is not over, or its numbers are not
    known."""
    if study.design.is_sequential:
        counted = counted_losses(study, ends)
    else:
        seeds = study.seeds[:pairs]
        counted = None
        if all((arm, seed) in ends for arm in ARMS for seed in seeds):
            base, modified = ({seed: _counted(ends[arm, seed]) for seed in seeds} for arm in ARMS)
            counted = base, modified
    if counted is None:
        return ""
    base, modified = (
        {seed: None if loss is None else study.metric.sign * loss for seed, loss in arm.items()}
        for arm in counted
    )
    return intervals.verdict_alone(
        base,
        modified,
        headline="welch" if study.design.headline == "welch" else "paired",
        alpha=study.design.level or level,
        delta=study.smallest_that_matters,
    )


def _counted(end: RunEnd) -> float | None:
    return end.val_loss if end.state == RunState.FINISHED else None
