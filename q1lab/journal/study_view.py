"""One frozen picture of a study as it is now: what `status`, `attach`, the live view and the app
show.

A study's state and the time left are worked out here and nowhere else, from its rows, its lock and
its claims; neither is ever stored. Losses are in nats per token, times in seconds.
"""

from __future__ import annotations

import heapq
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import cast

from q1lab.ground.paths import StudyPaths
from q1lab.ground.text_formats import duration, plural
from q1lab.journal import ingest_events, on_record
from q1lab.journal.store import Row, Store
from q1lab.judgment.run_states import ENDED, RunState, study_state
from q1lab.judgment.subject import run_label
from q1lab.study.events import TRAIN_LOSS, standard_names
from q1lab.study.liveness import is_alive, last_launch
from q1lab.study.studies import Study, run_name

SPARK_POINTS = 24

Points = tuple[tuple[int, float | None], ...]
StudySummary = tuple[str, str, str, str, str, str]
"""The first six fields of a ``StudyRow``."""


@dataclass(frozen=True)
class RunView:
    """One run, as it stands now."""

    name: str
    arm: str
    variant: str
    seed: int
    state: RunState
    attempt: int
    iter: int
    max_iters: int
    """Declared, or learned from a run that finished (``with_max_iters``); 0 where it is not
    known."""
    train_loss: float | None
    eval_loss: float | None
    """The newest evaluation in mid-run."""
    val_loss: float | None
    """The exact one at the end."""
    tokens_per_s: float | None
    seconds: float
    """Seconds that all of its attempts took."""
    message: str | None
    reused_from: str | None = None
    why: tuple[str, ...] = ()
    """Why it ended badly: the sentences of run_faults.py."""
    run_id: int = 0
    pace: float | None = None
    """Seconds per iter; None while nothing is known."""
    iters_after_last: float = 0.0
    """The work that follows its last iter, in iters (`Study.iters_after_last`)."""
    metrics: tuple[str, ...] = ()
    """Names of what it has reported, and of those that were asked for the ``curves``: (iter, value)
    by name (``with_curves``)."""
    curves: Mapping[str, Points] = field(default_factory=dict)

    def curve(self, name: str) -> Points:
        """The points of a metric; none where it reported none."""
        return self.curves.get(name, ())

    @property
    def progress(self) -> float:
        """0 to 1; 0 as long as it is not known."""
        if self.state is RunState.FINISHED:
            return 1.0
        return min(1.0, self.iter / self.max_iters) if self.max_iters else 0.0

    @property
    def iter_text(self) -> str:
        """``250 of 2000``, or the iter alone where the total is not known."""
        return f"{self.iter} of {self.max_iters}" if self.max_iters else str(self.iter)

    @property
    def seconds_left(self) -> float | None:
        """Seconds until this run has ended, while it trains and its pace is known; None at the end
        of a command, which may still evaluate."""
        if self.state is not RunState.RUNNING or self.pace is None or not self.max_iters:
            return None
        return self.iters_left * self.pace or None

    @property
    def iters_left(self) -> float:
        """The work until it has ended, in iters."""
        return max(0, self.max_iters - self.iter) + self.iters_after_last


COPIED_COLUMNS = (
    *("arm", "variant", "seed", "attempt", "iter", "max_iters", "train_loss", "eval_loss"),
    *("val_loss", "tokens_per_s", "seconds", "message", "reused_from"),
)
"""The columns of ``runs`` that a view shows as they are."""


@dataclass(frozen=True)
class StudyRow:
    """A study in one line: what a list and the top line need."""

    id: str
    variant: str
    baseline: str
    preset: str
    data: str
    created: str
    state: str
    """running, finished, stopped, failed, crashed, planned (run_states.study_state), or
    unreadable."""
    done: int
    total: int
    seconds_left: float | None
    """Seconds until all runs have ended; None when nothing trains, or no pace is known yet."""
    problem: str | None = None
    """Why its plan can't be read; the state is then ``unreadable``, and nothing else is known for
    sure."""

    @property
    def time_left(self) -> str:
        """``4 min left``; empty if not known."""
        return "" if self.seconds_left is None else f"{duration(self.seconds_left)} left"


@dataclass(frozen=True)
class StudyView:
    """A study and its runs in the order of its plan."""

    study: Study
    row: StudyRow
    runs: tuple[RunView, ...]

    @property
    def alive(self) -> bool:
        return self.row.state == "running"

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of what can be charted: the study's metric, then what its runs (with curves) have
        reported, the training loss first."""
        train, value, final = standard_names(self.study.metric)
        reported = {name for run in self.runs for name in run.metrics} - {value, final}
        return (value, *sorted(reported, key=lambda name: (name != train, name)))

    def run(self, name: str) -> RunView:
        return next(run for run in self.runs if run.name == name)


def read_view(store: Store, study: Study, *, new_events: bool = True) -> StudyView:
    """The picture of one study, without curves. ``new_events`` are taken in first."""
    if new_events:
        ingest_events.ingest_study(store, study)
    rows = store.runs(study.id)
    return build_view(study, run_views(rows, study))


def build_view(study: Study, runs: tuple[RunView, ...]) -> StudyView:
    """The picture from a plan and its runs."""
    runs = with_max_iters(runs)
    row = study_row(study, runs)
    if study.trainer.launcher and row.state == "running":
        waits = waiting_runs(study.files, runs, launched=True)
        runs = tuple(
            replace(run, message=WAITS) if run.name in waits and run.message is None else run
            for run in runs
        )
    return StudyView(study, row, runs)


def study_row(study: Study, runs: Sequence[RunView]) -> StudyRow:
    """The line of a study in a list."""
    done = sum(run.state in ENDED for run in runs)
    alive = done < len(runs) and is_alive(study.files)
    jobs, waits = study.trainer.jobs, waiting_runs(study.files, runs) if alive else frozenset()
    return StudyRow(
        study.id,
        study.variant,
        study.baseline,
        study.trainer.preset,
        study.data.name,
        study.created,
        study_state((run.state for run in runs), alive=alive),
        done,
        len(runs),
        seconds_left(runs, jobs, waits) if alive else None,
    )


def read_study_rows(
    store: Store,
    settled: Mapping[str, StudyRow] | None = None,
    unreadable: Mapping[str, str] = MappingProxyType({}),
) -> tuple[StudyRow, ...]:
    """All studies, newest first; then those of ``unreadable`` (why, by id).

    ``settled`` are lines of an earlier look whose runs had all ended; they are taken over while the
    study has the same number of runs, so that a look costs what is alive and not what was ever
    done.
    """
    settled_rows = settled or {}
    plans = store.db.execute(
        "SELECT id, variant, baseline, preset, data_name, created, seeds FROM studies "
        "ORDER BY created DESC, rowid DESC"
    ).fetchall()
    fresh = {
        row["id"]
        for row in plans
        if row["id"] not in unreadable
        and (row["id"] not in settled_rows or settled_rows[row["id"]].total != 2 * row["seeds"])
    }
    rows: dict[str, list[Row]] = {}
    some = "WHERE study_id IN (SELECT value FROM json_each(?))" if settled_rows else ""
    for row in store.db.execute(
        f"SELECT * FROM runs {some} ORDER BY id",
        (json.dumps(sorted(fresh)),) if settled_rows else (),
    ):
        rows.setdefault(row["study_id"], []).append(row)
    readable = tuple(
        _fresh_line(store, cast("StudySummary", tuple(plan)[:6]), rows.get(plan["id"], []))
        if plan["id"] in fresh
        else settled_rows[plan["id"]]
        for plan in plans
        if plan["id"] not in unreadable
    )
    return readable + tuple(
        StudyRow(study_id, "", "", "", "", "", "unreadable", 0, 0, None, why)
        for study_id, why in unreadable.items()
    )


def _fresh_line(store: Store, about: StudySummary, rows: list[Row]) -> StudyRow:
    states = [RunState(row["state"]) for row in rows]
    if not all(state in ENDED for state in states):
        plan = store.db.execute("SELECT plan FROM studies WHERE id = ?", about[:1]).fetchone()
        if (study := on_record.parse_plan(plan["plan"])) is not None:
            return study_row(study, with_max_iters(run_views(rows, study)))
    done = sum(state in ENDED for state in states)
    return StudyRow(*about, study_state(states, alive=False), done, len(states), None)


WAITS = "waiting for the launcher"


# ── runs


def run_views(rows: Iterable[Row], study: Study) -> tuple[RunView, ...]:
    """Rows of ``runs`` as they are shown, without curves."""
    return tuple(run_view(row, study) for row in rows)


def run_view(row: Row, study: Study) -> RunView:
    """One row of ``runs`` as it is shown, without curves."""
    return RunView(
        name=run_name(row["arm"], row["seed"]),
        state=RunState(row["state"]),
        run_id=row["id"],
        why=tuple(json.loads(row["why"])),
        pace=_pace(row, study),
        iters_after_last=study.iters_after_last,
        **{column: row[column] for column in COPIED_COLUMNS},
    )


def with_max_iters(runs: Sequence[RunView]) -> tuple[RunView, ...]:
    """The runs of a study, where it doesn't declare their iters with as many as the first run of
    the same arm took, else the first of any. A run that is already beyond that has no known end."""
    if all(run.max_iters for run in runs):
        return tuple(runs)
    finished = [run for run in runs if run.state is RunState.FINISHED]
    by_arm = {run.arm: run.iter for run in reversed(finished)}
    of_any = finished[0].iter if finished else 0

    def length(run: RunView) -> int:
        if run.state is RunState.FINISHED:
            return run.iter
        learned = by_arm.get(run.arm, of_any)
        return learned if learned >= run.iter else 0

    return tuple(run if run.max_iters else replace(run, max_iters=length(run)) for run in runs)


def with_curves(store: Store, run: RunView, names: Iterable[str]) -> RunView:
    """The run with the names of all that it has reported, and the curves of some of it."""
    reported = tuple(store.metric_names(run.run_id))
    curves = {name: tuple(store.curve(run.run_id, name)) for name in names if name in reported}
    return replace(run, metrics=reported, curves=curves)


def sparkline_points(store: Store, run: RunView) -> tuple[float, ...]:
    """The last train loss in each of SPARK_POINTS equal parts of the run, as far as it has come."""
    if not run.attempt:
        return ()
    width = max(1, -(-(run.max_iters or run.iter) // SPARK_POINTS))
    rows = store.db.execute(
        "SELECT max(iter) AS last, value FROM metrics WHERE run_id = ? AND name = ? "
        "AND value IS NOT NULL GROUP BY (iter - 1) / ? ORDER BY 1",
        (run.run_id, TRAIN_LOSS, width),
    )
    return tuple(row["value"] for row in rows)


def fault_lines(view: StudyView, most: int) -> list[str]:
    """Why runs of a study ended badly: ``most`` lines, each with the runs that it is true of, and
    how many more there are."""
    runs_by_fault: dict[str, list[RunView]] = {}
    for run in view.runs:
        for fault in run.why:
            runs_by_fault.setdefault(fault, []).append(run)
    lines = [f"{_run_labels(view.study, runs)}: {fault}" for fault, runs in runs_by_fault.items()]
    more = len(lines) - most
    return lines[:most] + ([f"… and {more} more such lines"] if more > 0 else [])


def _run_labels(study: Study, runs: Sequence[RunView]) -> str:
    """``rope seed 0``; of many runs ``6 runs``."""
    if len(runs) > 2:
        return plural(len(runs), "run")
    drawn_seed = study.trainer.drawn_seed
    return ", ".join(f"{run.variant} {run_label(drawn_seed(run.arm, run.seed))}" for run in runs)


# ── the time left


def _pace(row: Row, study: Study) -> float | None:
    """Seconds per iter. A first attempt's clock includes evaluations; a later one's also includes
    the work that was lost, so there the trainer's own speed is used."""
    if row["attempt"] == 1 and row["iter"] > 0 and row["seconds"] > 0:
        done = row["iter"] + (study.iters_after_last if row["state"] == RunState.FINISHED else 0)
        return float(row["seconds"] / done)
    speed = row["tokens_per_s"]
    return study.tokens_per_iter / speed if speed else None


def waiting_runs(
    files: StudyPaths, runs: Iterable[RunView], *, launched: bool = False
) -> frozenset[str]:
    """Names of the runs that this launch still has to train: those that nobody has claimed in it,
    and those whose trainer has not said a word yet. A run that failed in this launch, or was left
    out of it, is not among them. ``launched``: only those that wait for their launcher."""
    head = f"{last_launch(files).get('launch')}-"
    try:
        names = os.listdir(files.claims)  # noqa: PTH208  (a study may have a thousand)
    except OSError:
        names = []
    claimed = {name.removeprefix(head) for name in names if name.startswith(head)}
    return frozenset(
        run.name
        for run in runs
        if run.state not in ENDED
        and run.state is not RunState.RUNNING
        and (
            run.name in claimed and run.state is not RunState.FAILED
            if launched
            else run.name not in claimed or is_alive(files.run(run.name))
        )
    )


def seconds_left(runs: Sequence[RunView], jobs: int, waits: frozenset[str]) -> float | None:
    """Seconds until the runs under way and those in ``waits`` have ended, ``jobs`` at once, each
    taken up in the order of the plan as soon as there is room. None: no pace is known yet, or
    nothing is left but what a command does at its end.

    A run's pace is its own, else that of its arm, else of any run; runs that train now count before
    those of earlier (another machine load), and those of other studies not at all: others may have
    trained beside them.
    """
    under_way = [run for run in runs if run.state is RunState.RUNNING]
    to_train = [run for run in runs if run.state is RunState.RUNNING or run.name in waits]
    paces = {arm: _mean_pace(runs, arm) for arm in {run.arm for run in runs}}
    anyone = _mean_pace(runs, None)
    if anyone is None or not all(run.max_iters for run in to_train):
        return None

    def need(run: RunView) -> float:
        own_pace = run.pace if run.state is RunState.RUNNING else None
        pace = own_pace or paces[run.arm] or anyone
        return run.iters_left * (pace or 0.0)

    busy = sorted(need(run) for run in under_way)
    busy += [0.0] * max(0, max(1, jobs) - len(busy))
    heapq.heapify(busy)
    for run in runs:
        if run.name in waits:
            heapq.heapreplace(busy, busy[0] + need(run))
    return max(busy) or None


def _mean_pace(runs: Sequence[RunView], arm: str | None) -> float | None:
    """Mean seconds per iter of an arm's runs (of all for None), of the best witnesses there are."""
    paced_runs = [run for run in runs if run.pace is not None and arm in (None, run.arm)]
    for some in (
        [run.pace for run in paced_runs if run.state is RunState.RUNNING],
        [run.pace for run in paced_runs if run.reused_from is None],
    ):
        if some:
            return sum(pace for pace in some if pace is not None) / len(some)
    return None
