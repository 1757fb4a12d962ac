"""A run's events as W&B should show them: history rows, config and summary. Pure, and the same
every time.

Row n of a run always carries step n, whatever was relayed, killed or uploaded before. So a relay
that starts again, or a sync after a broken one, sends the rows from the first one that the server
lacks, and nothing twice. An attempt that goes on from a checkpoint reports some iters again: an
iter's first report is its row.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from q1lab.files import plain
from q1lab.study.states import State
from q1lab.study.studies import Run, Study

Row = dict[str, Any]

METRICS = ("train_loss", "val_loss", "final_val_loss", "lr", "tok_per_s", "tokens")
"""Everything that has the iter as its step."""


class Projection:
    """Feed it a run's events in order, in pieces of any size; read rows, config and summary from
    it."""

    def __init__(self, study: Study, run: Run) -> None:
        self.rows: list[Row] = []
        self.config = config_of(study, run)
        self.started = False
        self.attempts = 0
        self.began: float | None = None
        """Unix time of the first start."""
        self.ended: State | None = None
        """The state of the exit record; None while the run goes on (or died without one)."""
        self._seen: set[tuple[str, int]] = set()
        self._clock = 0.0
        self._summary: Row = {}
        self._best: float | None = None

    def feed(self, events: Iterable[dict[str, Any]]) -> None:
        """Take events in. Unknown types, and numbers that are none, are left out."""
        for event in events:
            match event.get("type"):
                case "start":
                    self._start(event)
                case "iter":
                    self._row(event, "iter", ("train_loss", "lr", "tok_per_s"))
                case "eval" if event.get("final"):
                    self._row(event, "final", ("val_loss",), {"val_loss": "final_val_loss"})
                case "eval":
                    self._row(event, "eval", ("val_loss", "tokens"))
                case "exit":
                    self._exit(event)

    def summary(self, state: State | None = None) -> Row:
        """The summary to leave at the end; ``state`` when the run has no exit record of its own."""
        out = dict(self._summary)
        out["state"] = str(self.ended or state or State.RUNNING)
        out["attempts"] = self.attempts
        if self._best is not None:
            out["best_val_loss"] = self._best
        return out

    @property
    def exit_code(self) -> int:
        """W&B knows finished (0) and failed (anything else); the summary's ``state`` says it
        exactly."""
        return 0 if self.ended is State.FINISHED else 1

    def _start(self, event: dict[str, Any]) -> None:
        self.started = True
        self.ended = None
        self.attempts += 1
        self._clock = _unix(event.get("time")) or self._clock
        self.began = self.began or self._clock or None
        for key in ("n_params", "device", "dtype", "torch"):
            if isinstance(event.get(key), int | float | str):
                self.config[key] = event[key]

    def _row(
        self,
        event: dict[str, Any],
        kind: str,
        keys: tuple[str, ...],
        rename: dict[str, str] | None = None,
    ) -> None:
        n = event.get("iter")
        if not isinstance(n, int) or isinstance(n, bool) or n < 0:
            return
        row: Row = {"iter": n}
        for key in keys:
            if key not in event:
                continue
            value = event[key]
            if value is None and key.endswith("_loss"):
                value = math.nan  # not finite: the trainer writes null; W&B shows NaN
            if isinstance(value, int | float) and not isinstance(value, bool):
                row[(rename or {}).get(key, key)] = value
        if len(row) == 1 or (kind, n) in self._seen:
            return
        self._seen.add((kind, n))
        self._summary.update(row)
        value = row.get("val_loss")
        if (
            value is not None
            and math.isfinite(value)
            and (self._best is None or value < self._best)
        ):
            self._best = value
        t = event.get("t")
        if self._clock and isinstance(t, int | float):
            row["_timestamp"] = self._clock + t
        self.rows.append(row)

    def _exit(self, event: dict[str, Any]) -> None:
        try:
            self.ended = State(event.get("state", "failed"))
        except ValueError:
            self.ended = State.FAILED
        for key in ("val_loss", "iter", "tok_per_s"):
            value = event.get(key)
            if isinstance(value, int | float) and not isinstance(value, bool):
                self._summary[key] = value
        if isinstance(event.get("t"), int | float):
            self._summary["seconds"] = event["t"]
        message = event.get("message")
        if isinstance(message, str) and message:
            self._summary["message"] = plain(message)[:500]
        else:
            self._summary.pop("message", None)


def config_of(study: Study, run: Run) -> dict[str, Any]:
    """The run's config: ``cfg``, ``seed``, the hyperparameters, and what makes runs comparable."""
    arm = study.arms[run.arm]
    return {
        **study.config,
        "cfg": run.arm,
        "seed": run.seed,
        **({"drawn_with": drawn} if (drawn := study.drawn_with(run)) != run.seed else {}),
        "variant": arm.variant,
        "model_sha256": arm.sha256,
        "n_params": arm.n_params,
        "preset": study.preset,
        "data": study.data.name,
        "data_sha256": study.data.sha256,
        "device": study.device,
        "dtype": study.dtype,
        "study": study.id,
    }


def _unix(text: Any) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except (TypeError, ValueError):
        return None
