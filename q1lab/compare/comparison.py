"""The comparison of a study: its judgment and its plan, as one frozen record.

Here it is put together from the plan and the runs: they become numbers, and the judge
(q1lab.judgment) does the rest. comparison_cache.py makes it from the store and keeps it. It is a
dict only at the border: in the table ``results``, and in ``--json`` and ``export``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from q1lab.ground import json_records
from q1lab.ground.errors import Problem
from q1lab.journal.home_history import StudyHistory
from q1lab.journal.store import Row
from q1lab.journal.stored_results import RECORD_VERSION
from q1lab.judgment import conditions, cost_columns, intervals, notes, run_notes
from q1lab.judgment.intervals import Analysis, Interval, Reason
from q1lab.judgment.judge import judge
from q1lab.judgment.notes import Note
from q1lab.judgment.records import ArmResult, Floor, Judgment, QuestionCost
from q1lab.judgment.run_states import RunState
from q1lab.judgment.subject import Subject
from q1lab.study import kinds, studies
from q1lab.study.events import first_start
from q1lab.study.liveness import is_alive
from q1lab.study.run_ends import RunEnd, pair_differences
from q1lab.study.studies import ARMS, Study, run_name

SIZE_MATTERS_FROM = 0.01
"""A relative difference in parameters from which size may be the reason."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Comparison(Judgment):
    """The result of a study."""

    study: Study
    """The study, as it was planned."""
    subject: Subject = field(init=False)
    reused: tuple[str, ...] = ()
    """Runs of another study that are in here."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "subject", subject_of(self.study, self.analysis))

    def facts(self) -> dict[str, Any]:
        study, of_numbers = self.study, super().facts()
        record = {
            "v": RECORD_VERSION,
            "created": study.created,
            "config": study.trainer.config,
            "versions": study.trainer.versions,
            "repo": study.origin.repo,
            "reused": self.reused,
            "series": study.origin.series,
        }
        arms = {
            name: {"title": arm.title, "sha256": arm.sha256, "origin": arm.origin}
            for name, arm in study.arms.items()
        }
        added: dict[str, Any] = json_records.to_json(record)
        merged = {name: {**of_numbers["arms"][name], **facts} for name, facts in arms.items()}
        return {**of_numbers, **added, "arms": merged}


def subject_of(study: Study, analysis: Analysis | None = None) -> Subject:
    """The facts of a study that a verdict's words need, and how far it is."""
    is_open = analysis is not None and analysis.reason is Reason.INCOMPLETE
    trainer, origin, design = study.trainer, study.origin, study.design
    return Subject(
        names=(study.baseline, study.variant),
        are_model_files=bool(study.model_files),
        is_floor=study.is_floor,
        id=study.id,
        seeds=study.seeds,
        plan=design.plan(),
        limit="",
        knows_other_runs=True,
        share=None if origin.series is None else origin.series.share,
        description=kinds.describe(study),
        prediction=study.prediction,
        data_name=study.data.name,
        data_title=study.data.title,
        data_sha256=study.data.sha256,
        passes=study.passes,
        settings=trainer.config,
        preset=trainer.preset,
        number_format=trainer.dtype,
        device=trainer.device,
        run_command=f"q1lab run {study.id}",
        is_training=is_open and is_alive(study.files),
    )


def to_record(c: Comparison) -> dict[str, Any]:
    """The comparison as the index keeps it; ``metric`` is there for its lists."""
    names = [each.name for each in fields(c) if each.init]
    return {
        "v": RECORD_VERSION,
        **{name: json_records.to_json(getattr(c, name)) for name in names},
        "metric": asdict(c.metric),
        "notes": [note.to_dict() for note in c.notes],
        "study": c.study.to_dict(),
    }


def from_record(record: Mapping[str, Any]) -> Comparison | None:
    """The comparison that ``to_record`` wrote; None if it has to be made anew: it is of another
    version, or of a trainer or a design that is no longer here."""
    if record.get("v") != RECORD_VERSION:
        return None
    try:
        study = studies.from_dict(record["study"])
        all_notes = tuple(map(notes.from_dict, record["notes"]))
        return json_records.from_json(Comparison, record, study=study, notes=all_notes)
    except (Problem, ValueError):
        return None


def build_comparison(
    study: Study,
    rows: list[Row],
    question: StudyHistory | None = None,
    starts: Mapping[int, Mapping[str, Any]] | None = None,
    floor: tuple[str, Interval] | None = None,
    still_falling: tuple[float, float] | None = None,
    rises: tuple[int, float] | None = None,
) -> Comparison:
    """The comparison, from a study's plan, its runs' rows, its question's history (none: looked at
    this once), what each run said when it began (by the row's id), the study of its baseline
    against itself with its interval, and how its curves end where little is trained, or where
    they rise (the iter of the lowest val loss, and by how much from there)."""
    delta = study.smallest_that_matters
    rows, complete = _counted(study, rows, delta)
    if question is None:
        share = study.origin.series
        alpha = share.alpha if share else intervals.ALPHA
        question = StudyHistory(alpha)
    judged = judge(
        _values(rows, "baseline"),
        _values(rows, "modified"),
        metric=study.metric,
        level=study.design.level or question.level,
        delta=delta,
        complete=complete,
        undecided=_undecided(study, question),
        subject=subject_of(study),
        arms={arm: _arm(study, rows, arm) for arm in ARMS},
        asking=QuestionCost(
            question.looks,
            sum(look.level for look in question.looks) or question.level,
            question.of_arm,
            question.of_home,
        ),
        floor=Floor(floor[1].low, floor[1].high, floor[0]) if floor else None,
        timed=_timed(study, rows),
    )
    all_notes = _notes(study, rows, judged.analysis, question, starts or {}, still_falling)
    if rises:
        all_notes.append(run_notes.RisingLoss(*rises, kinds.shorter_command(study, rises[0])))
    return Comparison(
        study=study,
        metric=judged.metric,
        analysis=judged.analysis,
        arms=judged.arms,
        asking=judged.asking,
        floor=judged.floor,
        notes=(*judged.notes, *all_notes),
        timed=judged.timed,
        reused=tuple(_name(row) for row in rows if row["reused_from"]),
    )


# ── small pieces


def _undecided(study: Study, question: StudyHistory) -> Reason | None:
    """The reason not to judge, whatever the numbers are."""
    return Reason.CHANGED if question.changed else None


def _values(rows: list[Row], arm: str) -> dict[int, float | None]:
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


def _timed(study: Study, rows: list[Row]) -> dict[str, Interval]:
    intervals_by_cost = {}
    ended = [row for row in rows if row["state"] == RunState.FINISHED]
    for column in cost_columns.COST_COLUMNS:
        arms = [
            [column.of_run(study.arms[arm], row) or 0.0 for row in ended if row["arm"] == arm]
            for arm in ARMS
        ]
        if column.measured and (ends := intervals.ratio_interval(*arms)) is not None:
            intervals_by_cost[column.key] = ends
    return intervals_by_cost


def _arm(study: Study, rows: list[Row], arm: str) -> ArmResult:
    arm_rows = [row for row in rows if row["arm"] == arm]
    ended = [row for row in arm_rows if row["state"] == RunState.FINISHED]
    speeds = [row["tokens_per_s"] for row in ended if row["tokens_per_s"]]
    return ArmResult(
        costs={
            column.key: column.arm_cost(study.arms[arm], arm_rows, ended)
            for column in cost_columns.COST_COLUMNS
        },
        tokens_per_s_ends=(min(speeds), max(speeds)) if len(speeds) > 1 else None,
        unfinished=tuple(row["seed"] for row in arm_rows if not _has_ended(row)),
    )


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


def _notes(
    study: Study,
    rows: list[Row],
    analysis: Analysis,
    question: StudyHistory,
    starts: Mapping[int, Mapping[str, Any]],
    still_falling: tuple[float, float] | None,
) -> list[Note]:
    result: list[Note] = [] if study.origin.series is None else [run_notes.OfSeries()]
    if kinds.describe(study).cautions:
        correlation = notes.correlation_of(*(_values(rows, arm) for arm in ARMS))
        r, between = (correlation[0], correlation[1:]) if correlation else (None, None)
        result.append(run_notes.CommandCautions(r, between))
    if question.changed:
        result.append(run_notes.ChangedPlan(tuple(question.changed)))
    if len(question.looks) > 1:
        result.append(run_notes.LookedAgain())
    if question.astray:
        result.append(run_notes.DivergedOrStuck(tuple(question.astray)))
    if differ := _differing(study, rows, starts):
        result.append(run_notes.Conditions(differ))
    if study.trainer.later_versions:
        result.append(run_notes.ChangedTrainer())
    if still_falling is not None:
        result.append(run_notes.ShortBudget(*still_falling))
    if left := [
        f"{_title(study, row)}{_why_open(study, row)}" for row in rows if not _has_ended(row)
    ]:
        result.append(run_notes.UnfinishedRuns(tuple(left), len(rows)))
    if bad := sum(row["bad_lines"] for row in rows):
        result.append(run_notes.DamagedLines(bad))
    if study.trainer.unchecked:
        result.append(run_notes.Unchecked())
    sizes = [study.arms[arm].n_params for arm in ARMS]
    sizes_differ = all(sizes) and abs(sizes[1] / sizes[0] - 1) >= SIZE_MATTERS_FROM
    # an arm that is smaller and wins (or larger and loses) did not do so by its size
    if sizes_differ and (analysis.mean is None or (sizes[1] - sizes[0]) * analysis.mean < 0):
        result.append(run_notes.DifferentSize())
    return result


def _differing(
    study: Study, rows: list[Row], starts: Mapping[int, Mapping[str, Any]]
) -> dict[str, dict[str, tuple[str, ...]]]:
    """The conditions that the runs differ in besides the modification: condition → value → runs."""
    titled = [(_title(study, row), starts.get(row["id"], {})) for row in rows]
    differ = conditions.differing(titled, CONDITIONS)
    ended = [row for row in rows if row["state"] == RunState.FINISHED]
    if not study.max_iters:
        differ |= conditions.differing_steps([(_title(study, row), row["iter"]) for row in ended])
    return differ


def _name(row: Row) -> str:
    return run_name(row["arm"], row["seed"])


def _title(study: Study, row: Row) -> str:
    """A run for people."""
    return _name(row)


def _why_open(study: Study, row: Row) -> str:
    """The reason that a run has no result, in brackets; empty where its state says it."""
    if row["state"] == RunState.FINISHED:
        return " (it doesn't say its final val loss)"
    return ""
