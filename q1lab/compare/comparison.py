"""The comparison of a study: its judgment and its plan, as one frozen record.

Here it is put together from the plan and the runs: they become numbers, and the judge
(q1lab.judgment) does the rest. comparison_cache.py makes it from the store and keeps it. It is a
dict only at the border: in the table ``results``, and in ``--json`` and ``export``.
"""

from __future__ import annotations

import json
import math
import shlex
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from q1lab.ground import json_records
from q1lab.ground.errors import Problem
from q1lab.ground.text_formats import printable
from q1lab.journal.home_history import StudyHistory
from q1lab.journal.store import Row
from q1lab.journal.stored_results import RECORD_VERSION
from q1lab.judgment import arrange, conditions, intervals, layout, metric_names, names
from q1lab.judgment.difference_text import percent_level
from q1lab.judgment.intervals import Analysis, Interval, Reason
from q1lab.judgment.judge import judge
from q1lab.judgment.judgment import Beside, Commands, Found, Judgment, Plan, Setting
from q1lab.judgment.metric import Metric
from q1lab.judgment.run_states import RunState
from q1lab.study import first_number, kinds, studies
from q1lab.study.events import first_start
from q1lab.study.liveness import is_alive
from q1lab.study.run_ends import RunEnd, pair_differences
from q1lab.study.studies import ARMS, Arm, Study, run_name

Curve = Sequence[tuple[int, float]]
"""(iter, value), by iter."""


@dataclass(frozen=True, kw_only=True)
class Comparison(Judgment):
    """The judgment of a study."""

    study: Study
    """The study, as it was planned."""
    reused: tuple[str, ...] = ()
    """Runs of another study that are in here."""


def comparison_json(c: Comparison) -> dict[str, Any]:
    """The record of ``compare --json``: the judgment's, and the study's plan."""
    study, of_judgment = c.study, layout.to_json(c)
    record = {
        "v": RECORD_VERSION,
        "created": study.created,
        "seeds": study.seeds,
        "data": {"name": study.data.name, "sha256": study.data.sha256},
        "preset": study.trainer.preset,
        "dtype": study.trainer.dtype,
        "device": study.trainer.device,
        "config": study.trainer.config,
        "versions": study.trainer.versions,
        "repo": study.origin.repo,
        "reused": c.reused,
        "series": study.origin.series,
    }
    arms = {
        name: {**of_judgment["arms"][name], "sha256": arm.sha256, "origin": arm.origin}
        for name, arm in study.arms.items()
    }
    added: dict[str, Any] = json_records.to_json(record)
    return {**of_judgment, **added, "arms": arms}


def verdict_columns(c: Judgment) -> dict[str, Any]:
    """The comparison in a table of runs: one value per column, unrounded; None where there is
    none."""
    analysis, ends = c.analysis, c.analysis.ends
    return {
        "verdict": analysis.verdict,
        "level": None if ends is None else percent_level(analysis.alpha),
        "pairs": len(analysis.pairs),
        "difference": analysis.mean,
        "low": None if ends is None else ends.low,
        "high": None if ends is None else ends.high,
    }


def arm_names(study: Study) -> tuple[str, str]:
    """The arms for people, a model file by the last part of its path."""
    if study.model_files:
        return names.short_name(study.baseline), names.short_name(study.variant)
    return study.baseline, study.variant


def commands_of(study: Study, analysis: Analysis, rises: tuple[int, float] | None) -> Commands:
    """The commands that go on from a study's verdict as it is now."""
    is_open = analysis.reason is Reason.INCOMPLETE
    alive = is_open and is_alive(study.files)
    smaller = shorter = corrected = ""
    if is_open and not alive and first_number.silent_run(study) is not None:
        corrected = first_number.goes_on_with(study)
    if study.model_files and analysis.detectable is not None:
        half = float(f"{analysis.detectable / 2:.1g}")
        smaller = shlex.join(("q1lab", "plan", study.variant, "--detect", f"{half:g}"))
    if rises is not None:
        shorter = kinds.shorter_command(study, rises[0])
    return Commands(
        go_on=f"q1lab run {study.id}",
        watch=f"q1lab attach {study.id}" if alive else "",
        smaller=smaller,
        shorter=shorter,
        corrected=corrected,
    )


def to_record(c: Comparison) -> dict[str, Any]:
    """The comparison as the store keeps it, without what depends on the hour."""
    kept = [each.name for each in fields(c) if each.name not in ("commands", "study")]
    return {
        "v": RECORD_VERSION,
        **{name: json_records.to_json(getattr(c, name)) for name in kept},
        "study": c.study.to_dict(),
    }


def from_record(record: Mapping[str, Any]) -> Comparison | None:
    """The comparison that ``to_record`` wrote; None if it has to be made anew, as it is of another
    version."""
    if record.get("v") != RECORD_VERSION:
        return None
    try:
        study = studies.from_dict(record["study"])
        kept = json_records.from_json(Comparison, record, study=study)
    except (Problem, ValueError):
        return None
    return replace(kept, commands=commands_of(study, kept.analysis, kept.found.rises))


def build_comparison(
    study: Study,
    rows: list[Row],
    question: StudyHistory | None = None,
    starts: Mapping[int, Mapping[str, Any]] | None = None,
    floor: Interval | None = None,
    curves: Mapping[int, Sequence[tuple[int, float | None]]] | None = None,
    beside: Mapping[int, Sequence[tuple[int, float | None]]] | None = None,
) -> Comparison:
    """The comparison, from a study's plan, its runs' rows, its question's history (none: looked at
    this once), what each run said when it began (by the row's id), the interval of its baseline
    against itself, and, by the row's id, the curves of its metric and of the number ``beside``
    it."""
    delta = study.smallest_that_matters
    counted, complete = _counted(study, rows, delta)
    if question is None:
        share = study.origin.series
        question = StudyHistory(share.alpha if share else intervals.ALPHA)
    judged = judge(
        _values(counted, "baseline"),
        _values(counted, "modified"),
        arm_names=arm_names(study),
        metric=study.metric,
        level=study.design.level or question.level,
        next_level=question.next_level,
        delta=delta,
        complete=complete,
        changed=bool(question.changed),
        plan=plan_of(study),
    )
    spent = {arm: _finished_costs(study, counted, arm) for arm in ARMS}
    finished = _finished_curves(rows, curves or {})
    return comparison_of(
        study,
        replace(
            judged,
            arms={
                arm: replace(
                    judged.arms[arm],
                    costs=_costs_of_arm(study.arms[arm], spent[arm]),
                    unfinished=tuple(
                        row["seed"] for row in counted if row["arm"] == arm and not _has_ended(row)
                    ),
                )
                for arm in ARMS
            },
            asked=question.asked,
            found=_found(study, counted, question, starts or {}, finished),
            floor=floor,
            beside=_beside(study, counted, beside or {}, judged.analysis.alpha),
            timed=_timed(spent),
        ),
        reused=tuple(_name(row) for row in counted if row["reused_from"]),
    )


def comparison_of(study: Study, judged: Judgment, reused: tuple[str, ...] = ()) -> Comparison:
    """A judgment of a study's numbers with what the plan knows."""
    known = {each.name: getattr(judged, each.name) for each in fields(Judgment)}
    known |= {
        "id": study.id,
        "is_ours": True,
        "same_code": study.is_floor,
        "setting": setting_of(study),
        "prediction": study.prediction,
        "commands": commands_of(study, judged.analysis, judged.found.rises),
    }
    return Comparison(study=study, reused=reused, **known)


def plan_of(study: Study) -> Plan:
    series = study.origin.series
    if series is None:
        return Plan(study.design.pairs)
    return Plan(study.design.pairs, siblings=len(series.members), sibling_name=series.id)


def setting_of(study: Study) -> Setting:
    """What all runs of a study share."""
    trainer, description = study.trainer, kinds.describe(study)
    return Setting(
        data="" if description.trains else study.data.name,
        sha256="" if description.trains else study.data.sha256,
        command=description.trains,
        iters=study.max_iters or 0,
        values={
            key: value
            for key, value in trainer.config.items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        },
        preset=trainer.preset,
        number_format=trainer.dtype,
        passes=study.passes,
        measured=description.measured,
    )


# ── small pieces


def _beside(
    study: Study,
    rows: Sequence[Row],
    curves: Mapping[int, Sequence[tuple[int, float | None]]],
    alpha: float,
) -> Beside | None:
    """The number that a command reports beside the metric, judged on the same pairs; None where a
    run has none."""
    name = study.trainer.loop.beside
    ends = {row["id"]: curve[-1][1] for row in rows if (curve := curves.get(row["id"]))}
    if not ends or len(ends) < len(rows):
        return None
    metric = Metric(printable(name), "", metric_names.direction(name) or "lower")
    arms = ({row["seed"]: ends[row["id"]] for row in rows if row["arm"] == arm} for arm in ARMS)
    return Beside(metric, judge(*arms, metric=metric, level=alpha).analysis)


def _values(rows: Sequence[Row], arm: str) -> dict[int, float | None]:
    """The final value of each run, by seed: None for one that diverged; those that have not ended
    are not there."""
    return {
        row["seed"]: row["val_loss"] if row["state"] == RunState.FINISHED else None
        for row in rows
        if row["arm"] == arm and _has_ended(row)
    }


def _has_ended(row: Row) -> bool:
    """True if a run diverged, or finished with a loss: one from elsewhere may not say it."""
    if row["state"] == RunState.FINISHED:
        return row["val_loss"] is not None
    return bool(row["state"] == RunState.DIVERGED)


def run_costs(arm: Arm, row: Row) -> dict[str, float | None]:
    """The costs of a run by the keys of ``arrange.COSTS``; None where one is not known."""
    return {
        "n_params": arm.n_params or None,
        "flops_per_token": arm.flops_per_token or None,
        "tokens_per_s": row["tokens_per_s"] or None,
        "wall_s": row["seconds"] or None,
    }


Costs = dict[str, float | None]


def _finished_costs(study: Study, rows: Sequence[Row], arm: str) -> list[Costs]:
    """The costs of each finished run of an arm."""
    return [
        run_costs(study.arms[arm], row)
        for row in rows
        if row["arm"] == arm and row["state"] == RunState.FINISHED
    ]


def _costs_of_arm(arm: Arm, spent: Sequence[Costs]) -> Costs:
    """An arm's costs: parameters and FLOPs, the median speed and the mean time of its finished
    runs."""
    speeds, times = (
        [cost for run in spent if (cost := run[key]) is not None] for key in arrange.MEASURED
    )
    return {
        "n_params": arm.n_params or None,
        "flops_per_token": arm.flops_per_token or None,
        "tokens_per_s": statistics.median(speeds) if speeds else None,
        "wall_s": statistics.fmean(times) if times else None,
    }


def _timed(spent: Mapping[str, Sequence[Costs]]) -> dict[str, Interval]:
    """The interval of each measured cost's ratio, modified to baseline."""
    intervals_by_cost = {}
    for key in arrange.MEASURED:
        arms = [[run[key] or 0.0 for run in spent[arm]] for arm in ARMS]
        if (ends := intervals.ratio_interval(*arms)) is not None:
            intervals_by_cost[key] = ends
    return intervals_by_cost


def _counted(study: Study, rows: list[Row], delta: float | None) -> tuple[list[Row], bool]:
    """The runs that count, and whether they are all: before that a verdict would be a look that is
    not counted. Of a planned range the pairs up to the look that ended it count, and until then
    those that have ended, in the order of the plan."""
    ends = {
        (row["arm"], row["seed"]): RunEnd(row["state"], row["val_loss"])
        for row in rows
        if _has_ended(row)
    }
    if not study.design.is_sequential:
        return rows, len(ends) == len(rows)
    pairs = pair_differences(study, ends)
    seeds = study.design.counted_seeds(pairs, delta)
    over = study.design.over_after(pairs, delta) is not None
    return [row for row in rows if row["seed"] in seeds], over


def _finished_curves(
    rows: Sequence[Row], curves: Mapping[int, Sequence[tuple[int, float | None]]]
) -> dict[str, list[Curve]]:
    """The curves of the runs that finished, by arm, without the places where a loss was not
    finite."""
    return {
        arm: [
            [(at, loss) for at, loss in curves.get(row["id"], ()) if loss is not None]
            for row in rows
            if row["arm"] == arm and row["state"] == RunState.FINISHED
        ]
        for arm in ARMS
    }


FALLS_FAST = 0.1
"""Share of a loss's whole fall from which, in the last quarter of the iters, a budget is short."""


def _still_falling(study: Study, curves: Sequence[Curve]) -> tuple[float, float] | None:
    """The fall of the baseline's val loss from that of a uniform guess, and its share in the last
    quarter of the iters (nats, means over runs); None if the curves have leveled off, or are not
    known."""
    fallen, lately = [], []
    for curve in curves:
        before = [loss for at, loss in curve[:-1] if at <= 0.75 * curve[-1][0]]
        if before and study.data.vocab_size:
            fallen.append(math.log(study.data.vocab_size) - curve[-1][1])
            lately.append(before[-1] - curve[-1][1])
    if not fallen or sum(lately) < FALLS_FAST * sum(fallen):
        return None
    return sum(fallen) / len(fallen), sum(lately) / len(lately)


RISES, EARLY = 0.02, 0.9
"""A val loss rises at its end if it lies at least ``RISES`` nats above its lowest, and its lowest
came before this share of the iters."""


def _rise_from_lowest(study: Study, curves: Sequence[Curve]) -> tuple[int, float] | None:
    """The iter at which an arm's mean val loss was lowest, and by how much it rose from there
    (nats); None where the curves don't rise."""
    if not curves or not study.max_iters:
        return None
    losses = [dict(curve) for curve in curves]
    shared = set.intersection(*map(set, losses))
    mean = {at: sum(each[at] for each in losses) / len(losses) for at in shared}
    if len(mean) < 3:
        return None
    lowest, last = min(mean, key=lambda at: mean[at]), max(mean)
    rise = mean[last] - mean[lowest]
    return (lowest, rise) if lowest < EARLY * last and rise > RISES else None


CONDITIONS = ("device", "processor", "dtype", "torch", "trainer", "threads", "learning_rate")
"""Conditions that may change a val loss, apart from the model file; all runs must share each."""


def start_conditions(study: Study, row: Row) -> dict[str, Any]:
    """The conditions under which a run began, as it said itself; empty where it did not."""
    if not row["attempt"]:
        return {}
    event = first_start(study.files.run(_name(row)).events) or {}
    config = event.get("config")
    rate = config.get("learning_rate") if isinstance(config, dict) else None
    conditions = {key: event.get(key) for key in CONDITIONS if key != "learning_rate"}
    return {key: value for key, value in {**conditions, "learning_rate": rate}.items() if value}


def _found(
    study: Study,
    rows: Sequence[Row],
    question: StudyHistory,
    starts: Mapping[int, Mapping[str, Any]],
    finished: Mapping[str, Sequence[Curve]],
) -> Found:
    """What is to be said about the runs that count and, from the ``finished`` curves by arm, about
    how they ended."""
    rises = filter(None, (_rise_from_lowest(study, finished[arm]) for arm in ARMS))
    return Found(
        differ=_differing(study, rows, starts),
        changed_plan=tuple(question.changed),
        later_trainer=bool(study.trainer.later_versions),
        damaged_lines=sum(row["bad_lines"] for row in rows),
        unfinished=tuple(_name(row) for row in rows if not _has_ended(row)),
        strays=tuple(question.astray),
        unchecked=study.trainer.unchecked,
        text_error=_text_error(rows),
        still_falling=_still_falling(study, finished["baseline"]),
        rises=max(rises, key=lambda rise: rise[1], default=None),
        cautions=kinds.describe(study).cautions,
    )


def _text_error(rows: Sequence[Row]) -> tuple[float, int] | None:
    """``Found.text_error`` from the losses of the finished pairs on each part of the text."""
    parts = {
        (row["arm"], row["seed"]): json.loads(row["parts"])
        for row in rows
        if row["state"] == RunState.FINISHED
    }
    seeds = [seed for arm, seed in parts if arm == "baseline" and ("modified", seed) in parts]
    runs = [parts[arm, seed] for seed in seeds for arm in ARMS]
    if not runs or len({len(run) for run in runs}) > 1 or any(None in run for run in runs):
        return None
    pairs = [
        [mod - base for base, mod in zip(parts["baseline", s], parts["modified", s], strict=True)]
        for s in seeds
    ]
    half = intervals.half_interval([statistics.fmean(part) for part in zip(*pairs, strict=True)])
    return None if half is None else (half, len(pairs[0]))


def _differing(
    study: Study, rows: Sequence[Row], starts: Mapping[int, Mapping[str, Any]]
) -> dict[str, dict[str, tuple[str, ...]]]:
    """The conditions that the runs differ in besides the modification: condition → value → runs."""
    named = [(_name(row), starts.get(row["id"], {})) for row in rows]
    differ = conditions.differing(named, CONDITIONS)
    ended = [row for row in rows if row["state"] == RunState.FINISHED]
    if not study.max_iters:
        differ |= conditions.differing_steps([(_name(row), row["iter"]) for row in ended])
    return differ


def _name(row: Row) -> str:
    return run_name(row["arm"], row["seed"])
