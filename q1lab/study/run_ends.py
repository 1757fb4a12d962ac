"""The ends of a study's runs, and what they say: the differences of its pairs, the losses that
count, and its verdict alone. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from q1lab.judgment import intervals
from q1lab.judgment.metric import Metric
from q1lab.judgment.run_states import RunState
from q1lab.study.studies import ARMS, Study


@dataclass(frozen=True)
class RunEnd:
    """The end of a run: ``finished`` or ``diverged``, its final value in the study's metric, and
    when it ended (empty if not known)."""

    state: str
    val_loss: float | None
    time: str = ""


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
        headline="paired",
        alpha=study.design.level or level,
        delta=study.smallest_that_matters,
    )


def _counted(end: RunEnd) -> float | None:
    return end.val_loss if end.state == RunState.FINISHED else None


STUCK_FROM, STUCK = 8, 13.0
"""Among at least STUCK_FROM runs, a run is stuck if its value is worse than the median by more than
STUCK times the median absolute deviation: so are runs of less than 1% of studies whose runs are all
normal."""


def astray_runs(ends: Iterable[RunEnds], metric: Metric) -> tuple[tuple[str, int, int, int], ...]:
    """Of each arm with runs that diverged or got stuck: its runs, and how many did."""
    astray = []
    all_ends = [run for of_study in ends for run in of_study.items()]
    for arm in ARMS:
        runs = [end for (of, _), end in all_ends if of == arm]
        losses = [metric.sign * end.val_loss for end in runs if end.val_loss is not None]
        diverged = sum(end.state == RunState.DIVERGED for end in runs)
        stuck = _stuck_runs(losses)
        if diverged or stuck:
            astray.append((arm, len(runs), diverged, stuck))
    return tuple(astray)


def _stuck_runs(losses: Sequence[float]) -> int:
    """The number of runs that ended far above all others; of a metric of which more is better, the
    losses are its negatives."""
    if len(losses) < STUCK_FROM:
        return 0
    median = statistics.median(losses)
    deviation = statistics.median(abs(loss - median) for loss in losses)
    return sum(loss - median > STUCK * deviation > 0 for loss in losses)
