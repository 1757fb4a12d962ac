"""The chart's data, computed from a study's runs: each seed's curve, each arm's mean. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from q1lab.journal import study_view
from q1lab.journal.store import Store
from q1lab.journal.study_view import RunView
from q1lab.judgment.character_axis import round_step
from q1lab.judgment.metric import Metric
from q1lab.judgment.run_states import ENDED
from q1lab.study import studies
from q1lab.study.events import TRAIN_LOSS, standard_names
from q1lab.study.studies import ARMS

Curve = tuple[tuple[int, float], ...]
LEAST_POINTS = 6


@dataclass(frozen=True)
class ArmCurves:
    """One arm."""

    arm: str
    variant: str
    seeds: tuple[Curve, ...]
    mean: Curve
    n: int
    """The number of seeds in the mean."""


@dataclass(frozen=True)
class ChartData:
    """Both arms of a study for one metric, called ``name``; ``last`` is the end of the iter
    axis."""

    arms: tuple[ArmCurves, ...] = ()
    last: int = 0
    name: str = "val loss"
    other_metric: str = ""
    """The metric that this one stands in for, while that has too few points to draw."""
    ended: bool = False
    """True once all runs have ended, with curves of ``LEAST_POINTS`` or more."""

    @property
    def empty(self) -> bool:
        return not any(curve for arm in self.arms for curve in arm.seeds)


def chart_data(runs: Iterable[RunView], metric: Metric, name: str = "") -> ChartData:
    """The curves that runs reported under ``name`` (default: their study's ``metric``), without
    points that are not finite. While the study trains and no run has two values of its metric, the
    training loss stands in.

    An arm's mean is over its finished seeds; before the first has finished, over the seeds that
    have begun, up to the iter that all of them have reached. A mean whose members changed on the
    way would show steps that no run has taken.
    """
    arms: list[ArmCurves] = []
    last = 0
    runs = tuple(runs)
    own_name = name = name or metric.key()
    curves = [_curve(run, name, metric) for run in runs]
    early = any(run.state not in ENDED for run in runs) and all(len(curve) < 2 for curve in curves)
    if (
        own_name == metric.key()
        and early
        and any(finite_points(run.curve(TRAIN_LOSS)) for run in runs)
    ):
        name = TRAIN_LOSS
        curves = [_curve(run, name, metric) for run in runs]
    for arm in ARMS:
        arm_runs = [(run, curve) for run, curve in zip(runs, curves, strict=True) if run.arm == arm]
        if not arm_runs:
            continue
        last = max(last, *(run.max_iters or run.iter for run, _ in arm_runs))
        begun = [(run, curve) for run, curve in arm_runs if curve]
        group = [curve for run, curve in begun if run.state in ENDED] or [
            curve for _, curve in begun
        ]
        seeds = tuple(curve for _, curve in begun)
        arms.append(ArmCurves(arm, arm_runs[0][0].variant, seeds, mean_curve(group), len(group)))
    other_metric = "" if name == own_name else metric.title(own_name)
    ended = (
        all(run.state in ENDED for run in runs) and max(map(len, curves), default=0) >= LEAST_POINTS
    )
    return ChartData(tuple(arms), last, metric.title(name), other_metric, ended)


def study_curves(store: Store, study_id: str) -> ChartData:
    """The curves of a study's metric, from the database. Problem if its plan can't be read."""
    view = study_view.read_view(store, studies.load(study_id), new_events=False)
    metric = view.study.metric
    names = standard_names(metric)[:2]
    runs = [study_view.with_curves(store, run, names) for run in view.runs]
    return chart_data(runs, metric)


def _curve(run: RunView, name: str, metric: Metric) -> Curve:
    """The points of a metric. The study's own metric ends in the exact value that is compared."""
    points = finite_points(run.curve(name))
    end = run.val_loss if name == metric.key() else None
    if end is None:
        return points
    return (*(point for point in points if point[0] < run.iter), (run.iter, end))


def finite_points(points: Sequence[tuple[int, float | None]]) -> Curve:
    return tuple((i, v) for i, v in points if v is not None and math.isfinite(v))


def mean_curve(group: Sequence[Curve]) -> Curve:
    """The mean at the iters that every curve of ``group`` has."""
    tables = [dict(curve) for curve in group]
    shared = sorted(set[int]().union(*tables).intersection(*tables))
    return tuple((at, sum(table[at] for table in tables) / len(tables)) for at in shared)


def ticks(low: float, high: float, most: int) -> list[float]:
    """At most ``most`` round numbers (steps of 1, 2 or 5) within [low, high]."""
    if not high > low or most < 1:
        return []
    return multiples(round_step((high - low) / most), low, high)


def multiples(step: float, low: float, high: float) -> list[float]:
    """The multiples of ``step`` within [low, high]."""
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [k * step for k in range(first, last + 1)]


def short_count(value: float) -> str:
    """An iter count for an axis: 500, 1,500, 100k, 2M."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= max(size, 1e5):
            return f"{value / size:.4g}{letter}"
    return f"{value:,.0f}" if value == round(value) else f"{value:.4g}"
