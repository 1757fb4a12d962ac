"""A run's events as W&B should show them: history rows, config and summary. A pure function of the
events.

Row n of a run always has step n, whatever was relayed, killed or uploaded before. So a relay that
starts again, or a sync after a broken one, sends the rows from the first one that the server lacks,
and nothing twice. An attempt that continues from a checkpoint reports some iters again; the first
report of a number at an iter counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from q1lab.judgment.run_states import RunState
from q1lab.study.events import Event, reported_numbers
from q1lab.study.studies import Run, Study

Row = dict[str, Any]


class RunHistory:
    """The rows, config and summary of a run. Feed it the run's events in order, in pieces of any
    size."""

    def __init__(self, study: Study, run: Run) -> None:
        self.rows: list[Row] = []
        self.config = run_config(study, run)
        self._metric = study.metric
        self._left_out = study.trainer.repeated_numbers
        self.attempts = 0
        self.ended: RunState | None = None
        """The state of the exit record; None while the run goes on (or died without one)."""
        self._others: set[str] = set()
        """Names of numbers that are neither the training loss nor the metric."""
        self._columns: dict[int, frozenset[str]] = {}
        """The names reported so far, by iter."""
        self._clock = 0.0
        self._summary: Row = {}
        self._best: float | None = None

    def feed(self, events: Iterable[Event]) -> None:
        """Add events, as ``events.read_new_events`` gives them. Unknown types and malformed
        numbers are left out."""
        for event in events:
            match event["type"]:
                case "start":
                    self._start(event)
                case "iter" | "eval":
                    self._row(event)
                case "exit":
                    self._exit(event)

    def summary(self, state: RunState | None = None) -> Row:
        """The run's summary at W&B. ``state`` is used if the run has no exit event."""
        out = dict(self._summary)
        out["state"] = str(self.ended or state or RunState.RUNNING)
        out["attempts"] = self.attempts
        if self._best is not None:
            out[self._metric.key("best")] = self._best
        return out

    @property
    def exit_code(self) -> int:
        """0 if the run finished, else 1: W&B knows no other states. The summary has the exact
        one."""
        return 0 if self.ended is RunState.FINISHED else 1

    def _start(self, event: Event) -> None:
        self.ended = None
        self.attempts += 1
        self._clock = _unix(event.get("time")) or self._clock
        for key in ("n_params", "device", "dtype", "torch"):
            if isinstance(event.get(key), int | float | str):
                self.config[key] = event[key]

    def _row(self, event: Event) -> None:
        numbers = reported_numbers(event, self._metric, self._others)
        # null is the trainer's NaN or inf; names that begin with _ are W&B's own
        row: Row = {
            name: math.nan if value is None else value
            for name, value in numbers.items()
            if not name.startswith("_") and name not in self._left_out
        }
        speed = "tok_per_s" if event["type"] == "iter" else "tokens"
        if event.get(speed) is not None and not event.get("final"):
            row[speed] = event[speed]
        before = self._columns.get(event["iter"], frozenset())
        row = {name: value for name, value in row.items() if name not in before}
        if not row:
            return
        self._columns[event["iter"]] = before.union(row)
        row["iter"] = event["iter"]
        self._summary.update(row)
        value, better = row.get(self._metric.key(), math.nan), self._metric.favors
        if math.isfinite(value) and (self._best is None or better(value - self._best)):
            self._best = value
        if self._clock and event.get("t") is not None:
            row["_timestamp"] = self._clock + event["t"]
        self.rows.append(row)

    def _exit(self, event: Event) -> None:
        self.ended = RunState(event["state"])
        self._summary.pop("message", None)
        message = (event.get("message") or "")[:500]
        final_numbers = {key: event.get(key) for key in ("iter", "tok_per_s")}
        final_numbers |= {self._metric.key(): event.get("val_loss")}
        final_numbers |= {"seconds": event.get("t"), "message": message or None}
        self._summary |= {key: value for key, value in final_numbers.items() if value is not None}


def run_config(study: Study, run: Run) -> dict[str, Any]:
    """The run's config at W&B: ``cfg``, ``seed``, the hyperparameters, and the keys by which runs
    are compared."""
    arm = study.arms[run.arm]
    return {
        **study.trainer.config,
        "cfg": run.arm,
        "seed": run.seed,
        **({"drawn_with": drawn_seed} if (drawn_seed := study.drawn_seed(run)) != run.seed else {}),
        "variant": arm.variant,
        "model_sha256": arm.sha256,
        "n_params": arm.n_params or None,
        "preset": study.trainer.preset,
        "metric": study.metric.name,
        "better": study.metric.better,
        "data": study.data.name,
        "data_sha256": study.data.sha256,
        "device": study.trainer.device,
        "dtype": study.trainer.dtype,
        "study": study.id,
    }


def _unix(text: Any) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except (TypeError, ValueError):
        return None
