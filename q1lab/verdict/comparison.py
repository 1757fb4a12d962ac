"""The comparison of a study: one frozen record that every screen, document and file tells from.

Pure statistics are in intervals.py, sentences in verdict_text.py and its neighbors, the layout of
the terminal in terminal_text.py, pictures in comparison_picture.py; comparison_cache.py makes it
from the store and keeps it.
Here is the record, and how it is put together from a plan and its runs. It is a dict only at the
border: in the table ``results``, and in ``--json`` and ``export``.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from q1lab.ground import json_records
from q1lab.ground.errors import Problem
from q1lab.ground.files import printable
from q1lab.index.store import Row
from q1lab.index.stored_results import RECORD_VERSION
from q1lab.record.history import NOTHING_ON_RECORD, History, LevelSum
from q1lab.record.home_history import SeenLook, StudyHistory
from q1lab.statistics import interim_analyses, intervals
from q1lab.statistics.intervals import Analysis, Interval, Note, NoteKind, Reason
from q1lab.statistics.prediction_score import Score, score_prediction
from q1lab.study import command_line, studies
from q1lab.study.events import first_start
from q1lab.study.metric import Metric
from q1lab.study.run_ends import RunEnd, pair_differences
from q1lab.study.run_states import RunState
from q1lab.study.studies import ARMS, Arm, Study, run_name
from q1lab.verdict import cost_columns

SIZE_MATTERS_FROM = 0.01
"""A relative difference in parameters from which size may be the reason."""


@dataclass(frozen=True)
class ArmResult:
    """One arm's runs, in the comparison's metric; what is not known is None."""

    values: Mapping[int, float | None] = field(default_factory=dict)
    """The final value of each run, by seed: None for one that diverged; those that have not ended
    are absent."""
    mean: float | None = None
    std: float | None = None
    costs: Mapping[str, float | None] = field(default_factory=dict)
    """By the keys of cost_columns.COST_COLUMNS."""
    tokens_per_s_ends: tuple[float, float] | None = None
    """The slowest and the fastest run, where two or more have ended."""


@dataclass(frozen=True)
class Floor(Interval):
    """The spread of baseline runs that differ in nothing but their seed."""

    study: str | None = None
    """The study of the baseline against itself whose interval this is; None: it is the widest
    difference between this study's own baseline runs."""


@dataclass(frozen=True)
class QuestionCost:
    """The looks at the question, and what they and the other questions on record spend."""

    looks: tuple[SeenLook, ...] = ()
    """Every look at the question, oldest first."""
    total: float = intervals.ALPHA
    """The sum of their levels: if nothing had changed, at most so many would claim something."""
    is_replication: bool = False
    """True if it tests a claim with fresh pairs."""
    is_rejudged: bool = False
    """True if an older q1lab began it, and the level that it gave is lost."""
    left_out: tuple[tuple[str, tuple[int, ...]], ...] = ()
    """(study, seeds) of the results that picked seeds leave out."""
    of_arm: LevelSum = NOTHING_ON_RECORD
    """The questions about this modified arm."""
    of_home: LevelSum = NOTHING_ON_RECORD
    """All questions on record."""

    def looks_at(self, study: str) -> tuple[SeenLook, ...]:
        return tuple(look for look in self.looks if look.study == study)


@dataclass(frozen=True)
class Comparison:
    """The result of a study."""

    study: Study
    """The study, as it was planned."""
    analysis: Analysis
    arms: Mapping[str, ArmResult]
    asking: QuestionCost = QuestionCost()
    floor: Floor | None = None
    timed: Mapping[str, Interval] | None = None
    """tokens_per_s, wall_s → how much more or less the modified arm's is (0.1: a tenth more), as a
    95% interval, where there are runs enough; None where single runs are not known."""
    reused: tuple[str, ...] = ()
    """Runs of another study that are in here."""

    @property
    def metric(self) -> Metric:
        """The metric of the arms' values and of their differences."""
        return self.study.metric

    @property
    def score(self) -> Score | None:
        """The prediction against the outcome; None when nothing was predicted before results could
        be seen."""
        predicted = self.study.prediction
        return (
            score_prediction(predicted, self.analysis)
            if predicted and not predicted.get("after")
            else None
        )

    @property
    def lost(self) -> int:
        return sum(len(seeds) for seeds in self.analysis.diverged.values())


def comparison_facts(c: Comparison) -> dict[str, Any]:
    """Every fact as programs get it, in JSON's own types; what is not finite is null."""
    study, analysis, asking = c.study, c.analysis, c.asking
    trainer, origin = study.trainer, study.origin
    first, most = study.design.pairs
    record: dict[str, Any] = {
        "v": RECORD_VERSION,
        "study": study.id,
        "created": study.created,
        "variant": study.variant,
        "baseline": study.baseline,
        "metric": asdict(c.metric),
        "verdict": analysis.verdict,
        "reason": analysis.reason,
        "level": analysis.level,
        "n": analysis.n,
        "alpha": analysis.alpha,
        "delta": analysis.delta,
        "difference": {
            "mean": analysis.mean,
            "headline": analysis.headline,
            "welch": analysis.welch,
            "paired": analysis.paired,
            "bootstrap": analysis.bootstrap,
            "permutation_p": analysis.permutation_p,
            "pairs": analysis.pairs,
        },
        "detectable": analysis.detectable,
        "seeds_needed": analysis.seeds_needed,
        "diverged": analysis.diverged,
        "notes": [{"kind": note.kind, **note.facts} for note in analysis.notes],
        "arms": {name: _facts_of(study.arms[name], arm) for name, arm in c.arms.items()},
        "floor": None if c.floor is None else vars(c.floor),
        "seeds": study.seeds,
        "data": {"name": study.data.name, "sha256": study.data.sha256},
        "config": trainer.known_hyperparameters,
        "preset": trainer.recipe,
        "dtype": trainer.number_format,
        "device": trainer.device,
        "versions": trainer.versions,
        "repo": origin.repo,
        "prediction": study.prediction,
        "reused": c.reused,
        "complete": analysis.complete,
        "plan": {"first": first, "most": most} if study.design.is_sequential else None,
        "series": origin.series,
        "shared_at_start": trainer.shared_at_start,
        "tuned": trainer.tuned,
        "looks": max(1, len(asking.looks_at(study.id))),
        "asked": {"looks": asking.looks, "total": asking.total},
        "replication": asking.is_replication,
        "left_out": [{"study": study_id, "seeds": seeds} for study_id, seeds in asking.left_out],
        "questions": {"of_arm": asking.of_arm, "in_all": asking.of_home},
        "timed": c.timed,
        "overstated": analysis.overstated,
        "imported": not origin.is_ours,
        "still_falling": next(
            (list(note.facts.values()) for note in analysis.notes if note.kind is NoteKind.SHORT),
            None,
        ),
        "passes": study.passes,
        "description": study.description,
    }
    dumped: dict[str, Any] = json_records.to_json(record)
    return dumped


def _facts_of(arm: Arm, result: ArmResult) -> dict[str, Any]:
    """An arm as it was planned, with what its runs came to."""
    return {
        "variant": arm.variant,
        "title": arm.title,
        "values": result.values,
        "mean": result.mean,
        "std": result.std,
        **result.costs,
        "tokens_per_s_ends": result.tokens_per_s_ends,
        "sha256": arm.sha256,
        "origin": arm.origin,
    }


def to_record(c: Comparison) -> dict[str, Any]:
    """The comparison as the index keeps it; ``metric`` is there for its lists."""
    parts = {each.name: json_records.to_json(getattr(c, each.name)) for each in fields(c)}
    return {"v": RECORD_VERSION, "metric": asdict(c.metric), **parts, "study": c.study.to_dict()}


def from_record(record: Mapping[str, Any]) -> Comparison | None:
    """The comparison that ``to_record`` wrote; None if it has to be made anew: it is of another
    version, or of a trainer or a design that is no longer here."""
    if record.get("v") != RECORD_VERSION:
        return None
    try:
        return json_records.from_json(Comparison, record, study=studies.from_dict(record["study"]))
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
    values = {arm: _values(rows, arm) for arm in ARMS}
    if question is None:
        share = study.origin.series
        alpha = share.alpha if share else intervals.ALPHA
        question = StudyHistory(History(level=alpha))
    history, level = question.history, study.design.level or question.history.level
    analysis = analyze_metric(
        study.metric,
        values,
        headline="welch" if study.design.headline == "welch" else "paired",
        alpha=level,
        delta=delta,
        complete=complete,
        picked=history.picked,
    )
    if not study.design.has_seeds:
        analysis = _without_pairs(analysis)
    if not study.origin.is_ours:
        analysis = _without_unfinished(study, analysis)
    if not study.design.has_verdict:
        analysis = replace(analysis, verdict="no verdict", reason=Reason.GATED)
    if question.changed:
        analysis = replace(analysis, verdict="no verdict", reason=Reason.CHANGED)
    sequential = study.design.is_sequential
    overstated = None
    if study.design.headline == "paired" and analysis.detectable is not None:
        first, most = study.design.pairs if sequential else (analysis.n, analysis.n)
        plan = first, most, level, study.design.futility_t(delta)
        overstated = interim_analyses.overstatement(*plan)
        if sequential:
            sd = statistics.stdev(analysis.pairs.values())
            detectable = interim_analyses.measured_detectable(*plan) * sd
            analysis = replace(analysis, detectable=detectable)
    notes = _notes(study, rows, analysis, question, starts or {}, still_falling)
    if rises is not None:
        shorter = command_line.shorter_command(study, rises[0])
        notes.append(Note(NoteKind.RISING, {"at": rises[0], "rise": rises[1], "command": shorter}))
    seen_or_own = Floor(floor[1].low, floor[1].high, floor[0]) if floor else None
    if seen_or_own is None and not study.is_floor:
        seen_or_own = _floor(values["baseline"])
    return Comparison(
        study,
        replace(analysis, notes=(*analysis.notes, *notes), overstated=overstated),
        {arm: _arm(study, rows, arm) for arm in ARMS},
        QuestionCost(
            question.looks,
            history.total if question.looks else history.level,
            history.is_replication,
            question.is_rejudged,
            question.left_out,
            history.of_arm,
            history.of_home,
        ),
        seen_or_own,
        _timed(study, rows),
        tuple(_name(row) for row in rows if row["reused_from"]),
    )


def _without_pairs(analysis: Analysis) -> Analysis:
    """The analysis of runs whose seeds are not known: none of them is a pair, or lacks one."""
    of_pairs = (NoteKind.UNPAIRED, NoteKind.TEMPTING, NoteKind.EQUAL)
    notes = tuple(note for note in analysis.notes if note.kind not in of_pairs)
    return replace(analysis, pairs={}, paired=None, notes=notes)


def _without_unfinished(study: Study, analysis: Analysis) -> Analysis:
    """The analysis without the note that a seed ran in one arm only, where it ran in both and one
    of the runs has no number: another note names that run."""
    asked = study.design.asks_for_run
    notes = []
    for note in analysis.notes:
        if note.kind is NoteKind.UNPAIRED:
            alone = [s for s in note.facts["seeds"] if not all(asked(arm, s) for arm in ARMS)]
            notes += [replace(note, facts={"seeds": alone})] if alone else []
        else:
            notes.append(note)
    return replace(analysis, notes=tuple(notes))


def analyze_metric(
    metric: Metric, values: Mapping[str, Mapping[int, float | None]], **how: Any
) -> Analysis:
    """The analysis of both arms' values; where higher is better, of the values turned around."""
    base, modified = (values[arm] for arm in ARMS)
    if metric.better == "higher":
        return _turned_back(intervals.analyze(_turned(base), _turned(modified), **how))
    return intervals.analyze(base, modified, **how)


# ── small pieces


def _turned(values: Mapping[int, float | None]) -> dict[int, float | None]:
    """Of a metric that is better when it is higher, what is better when it is lower."""
    return {seed: None if value is None else -value for seed, value in values.items()}


def _turned_back(analysis: Analysis) -> Analysis:
    """An analysis of turned values, in the metric's own sign; its verdict stays."""
    boot = analysis.bootstrap
    return replace(
        analysis,
        pairs={seed: -value for seed, value in analysis.pairs.items()},
        mean=None if analysis.mean is None else -analysis.mean,
        welch=None
        if analysis.welch is None
        else Interval(-analysis.welch.high, -analysis.welch.low),
        paired=None
        if analysis.paired is None
        else Interval(-analysis.paired.high, -analysis.paired.low),
        bootstrap=None if boot is None else replace(boot, low=-boot.high, high=-boot.low),
        notes=tuple(
            replace(note, facts={**note.facts, "value": -note.facts["value"]})
            if note.kind is NoteKind.OUTLIER
            else note
            for note in analysis.notes
        ),
    )


def _going_together(values: Mapping[str, dict[int, float | None]]) -> dict[str, Any]:
    """The correlation of the arms' values of one seed; empty where it can't be computed."""
    facts: dict[str, Any] = {}
    base, modified = (values[arm] for arm in ARMS)
    pairs = [
        (base_value, modified_value)
        for seed, base_value in base.items()
        if base_value is not None and (modified_value := modified.get(seed)) is not None
    ]
    if base != modified and (correlation := intervals.pair_correlation(pairs)) is not None:
        facts |= {"correlation": correlation[0], "between": list(correlation[1:])}
    return facts


def _floor(values: dict[int, float | None]) -> Floor | None:
    """The noise floor, A/A: the widest difference between baseline runs that differ in nothing but
    their seed, in both directions. None below two such runs, or when one diverged."""
    losses = [value for value in values.values() if value is not None]
    if len(losses) < 2 or len(losses) < len(values):
        return None
    widest = max(losses) - min(losses)
    return Floor(-widest, widest)


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
    values = _values(rows, arm)
    finished = [value for value in values.values() if value is not None]
    arm_rows = [row for row in rows if row["arm"] == arm]
    ended = [row for row in arm_rows if row["state"] == RunState.FINISHED]
    speeds = [row["tokens_per_s"] for row in ended if row["tokens_per_s"]]
    whole = len(finished) == len(values)
    return ArmResult(
        values=dict(sorted(values.items())),
        mean=statistics.fmean(finished) if finished and whole else None,
        std=statistics.stdev(finished) if len(finished) > 1 and whole else None,
        costs={
            column.key: column.arm_cost(study.arms[arm], arm_rows)
            for column in cost_columns.COST_COLUMNS
        },
        tokens_per_s_ends=(min(speeds), max(speeds)) if len(speeds) > 1 else None,
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
    of_table = event.get("conditions")
    said = of_table if isinstance(of_table, dict) else {}
    return {
        key: value for key, value in {**conditions, "learning_rate": rate, **said}.items() if value
    }


def _differences(
    study: Study, rows: list[Row], starts: Mapping[int, Mapping[str, Any]]
) -> dict[str, dict[str, list[str]]]:
    """Conditions that are not the same in all runs: condition → value → runs."""
    differing: dict[str, dict[str, list[str]]] = {}
    for key in dict.fromkeys((*CONDITIONS, *(key for start in starts.values() for key in start))):
        values: dict[str, list[str]] = {}
        for row in rows:
            value = starts.get(row["id"], {}).get(key)
            if value is not None and isinstance(value, str | int | float):
                values.setdefault(printable(str(value))[:40], []).append(_title(study, row))
        if len(values) > 1:
            differing[key] = values
    return differing


def _began_with_other_rate(
    study: Study, rows: list[Row], starts: Mapping[int, Mapping[str, Any]]
) -> bool:
    """True if a run began with another learning rate than its arm chose."""
    key = "learning_rate"
    for row in rows:
        rate = starts.get(row["id"], {}).get(key)
        planned = {**study.trainer.hyperparameters, **study.trainer.arm_overrides(row["arm"])}.get(
            key
        )
        if rate is not None and rate != planned:
            return True
    return False


def _notes(
    study: Study,
    rows: list[Row],
    analysis: Analysis,
    question: StudyHistory,
    starts: Mapping[int, Mapping[str, Any]],
    still_falling: tuple[float, float] | None,
) -> list[Note]:
    notes = [] if study.origin.series is None else [Note(NoteKind.SERIES)]
    if study.description.cautions:
        values = {arm: _values(rows, arm) for arm in ARMS}
        notes.append(Note(NoteKind.COMMAND, _going_together(values)))
    if question.changed:
        notes.append(Note(NoteKind.CHANGED_PLAN, {"parts": list(question.changed)}))
    if not study.origin.knows_other_runs:
        notes.append(Note(NoteKind.OTHER_RUNS))
    if len(question.looks) > 1 or question.history.is_replication:
        notes.append(Note(NoteKind.ASKED))
    if question.astray:
        facts = {"arms": [list(arm_pair) for arm_pair in question.astray]}
        notes.append(Note(NoteKind.DIVERGED_OR_STUCK, facts))
    differ = _differences(study, rows, starts)
    if (chosen := study.trainer.tuned) is not None and not _began_with_other_rate(
        study, rows, starts
    ):
        differ.pop(chosen.key, None)
    ends = {row["iter"] for row in rows if row["state"] == RunState.FINISHED}
    if not study.max_iters and len(ends) > 1:
        steps = {
            str(end): [_title(study, row) for row in rows if row["iter"] == end]
            for end in sorted(ends)
        }
        differ["last step"] = steps
    if differ:
        notes.append(Note(NoteKind.CONDITIONS, {"differ": differ}))
    if study.trainer.later_versions:
        notes.append(Note(NoteKind.TRAINER))
    if study.origin.allowed:
        allowed = [condition[:60] for condition in study.origin.allowed]
        notes.append(Note(NoteKind.ALLOWED, {"what": allowed}))
    open_rows = [row for row in rows if not _has_ended(row)]
    if still_falling is not None:
        fallen, lately = still_falling
        notes.append(Note(NoteKind.SHORT, {"fallen": fallen, "lately": lately}))
    left = [f"{_title(study, row)}{_why_open(study, row)}" for row in open_rows]
    if left:
        notes.append(Note(NoteKind.UNFINISHED, {"runs": left, "of": len(rows)}))
    bad = sum(row["bad_lines"] for row in rows)
    if bad:
        notes.append(Note(NoteKind.DAMAGED, {"lines": bad}))
    if study.trainer.unchecked:
        notes.append(Note(NoteKind.UNCHECKED))
    if study.trainer.overruled:
        notes.append(Note(NoteKind.OVERRULED, {"checks": list(study.trainer.overruled)}))
    if study.trainer.left_open:
        notes.append(Note(NoteKind.LEFT_OPEN, {"what": list(study.trainer.left_open)}))
    sizes = [study.arms[arm].n_params for arm in ARMS]
    sizes_differ = all(sizes) and abs(sizes[1] / sizes[0] - 1) >= SIZE_MATTERS_FROM
    # an arm that is smaller and wins (or larger and loses) did not do so by its size
    if sizes_differ and (analysis.mean is None or (sizes[1] - sizes[0]) * analysis.mean < 0):
        notes.append(Note(NoteKind.SIZE))
    return notes


def _name(row: Row) -> str:
    return run_name(row["arm"], row["seed"])


def _title(study: Study, row: Row) -> str:
    """A run for people: by its name here, or by the names that it had elsewhere."""
    if study.origin.is_ours:
        return _name(row)
    return f"{study.arms[row['arm']].variant}, {study.design.run_label(row['seed'])}"


def _why_open(study: Study, row: Row) -> str:
    """The reason that a run has no result, in brackets; empty where its state says it."""
    if row["state"] == RunState.FINISHED:
        return " (it doesn't say its final val loss)"
    return "" if study.origin.is_ours or not row["message"] else f" ({row['message']})"
