"""The record of one run: its events as they are compared, and what can't be true of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from q1lab.ground.files import printable
from q1lab.ground.text_formats import plural
from q1lab.journal import ingest_events
from q1lab.judgment.metric import Metric
from q1lab.judgment.run_states import ENDED, RunState
from q1lab.study import events
from q1lab.study.studies import Run, Study

DAMAGED, LOSS, VERDICT = "damaged", "edited-loss", "edited-verdict"
SEED, SOURCE, DATA, BUDGET = "dropped-seed", "other-source", "other-data", "other-budget"
READS_ANSWERS = "reads-answers"
"""The names of what is refused."""


@dataclass(frozen=True)
class RunRecord:
    """A run's events as one record: the last value of each iter, as the index stores them."""

    start: Mapping[str, Any]
    losses: Mapping[int, float | None]
    rates: Mapping[int, float | None]
    evals: Mapping[int, float | None]
    finals: Mapping[int, float | None]
    """The exact evaluation at the end, by its iter."""
    state: str
    final: float | None
    message: str
    seconds: float
    whole: bool
    """True if a single attempt made all of the run: then every number in it repeats."""

    @property
    def end_text(self) -> str:
        if self.state == RunState.FINISHED and self.final is not None:
            return f"{self.final:.6f}"
        return self.state

    def difference_from(self, recorded: RunRecord) -> str:
        """The first difference from the record of the same run, in words; empty where both are
        equal to the last bit."""
        if (self.state, self.final) != (recorded.state, recorded.final):
            return f"it ends at {self.end_text}, not {recorded.end_text}"
        series = [(self.evals, recorded.evals), (self.finals, recorded.finals)]
        if recorded.whole:  # an interrupted run means its training losses over other iters
            series += [(self.losses, recorded.losses), (self.rates, recorded.rates)]
        differing = [
            iteration
            for ours, theirs in series
            for iteration in ours.keys() | theirs.keys()
            if iteration not in ours
            or iteration not in theirs
            or ours[iteration] != theirs[iteration]
        ]
        return f"its curve is another from iter {min(differing)} on" if differing else ""


def read_record(file: Path, metric: Metric) -> RunRecord:
    """Read the record of a run from its events file."""
    run_events, _ = events.read_ended_run(file)
    row = ingest_events.fold_events(ingest_events.NEW_RUN, run_events)
    numbers: dict[str, dict[int, float | None]] = defaultdict(dict)
    for name, iteration, value in ingest_events.reported_values(run_events, metric):
        numbers[name][iteration] = value
    starts = [event for event in run_events if event["type"] == "start"]
    return RunRecord(
        starts[-1] if starts else {},
        numbers[events.TRAIN_LOSS],
        numbers["lr"],
        numbers[metric.key()],
        numbers[metric.key("final")],
        row["state"],
        row["val_loss"],
        row["message"] or "",
        row["seconds"],
        len(starts) == 1,
    )


def record_faults(file: Path, study: Study, run: Run) -> list[tuple[str, str]]:
    """(reason, words) of the faults of a run's events, which no trainer writes: events behind its
    end, an ended run without the numbers that it must have, and a start under other conditions than
    the plan's."""
    run_events, behind = events.read_ended_run(file)
    if behind:
        return [(DAMAGED, f"{plural(behind, 'event')} behind the one that ends the run")]
    state = run_events[-1].get("state") if run_events else None
    if state not in ENDED:
        return []
    starts = [event for event in run_events if event["type"] == "start"]
    faults = [fault for event in starts for fault in _start_faults(event, study, run)]
    return faults + _evaluation_faults(run_events, study)


def _evaluation_faults(
    run_events: Sequence[Mapping[str, Any]], study: Study
) -> list[tuple[str, str]]:
    faults = []
    evals = [event for event in run_events if event["type"] == "eval"]
    values = [event.get("val_loss") for event in evals]
    finished = run_events[-1]["state"] == RunState.FINISHED
    if finished and (not evals or values[-1] is None or not evals[-1].get("final")):
        faults.append((DAMAGED, "a finished run without its final evaluation"))
    elif finished and run_events[-1].get("val_loss") != values[-1]:
        faults.append((LOSS, "it ends with another number than its final evaluation"))
    if study.model_files:
        if None in (values if finished else values[:-1]):
            faults.append((DAMAGED, "an evaluation without a number"))
        if any(event["iter"] == 0 for event in evals):
            faults.append((DAMAGED, "an evaluation at iter 0, which no trainer makes"))
    return faults


def _start_faults(start: Mapping[str, Any], study: Study, run: Run) -> list[tuple[str, str]]:
    trainer = study.trainer
    drawn_seeds = (study.drawn_seed(run), run.seed)
    conditions = {
        "device": trainer.device,
        "dtype": trainer.dtype,
        "threads": trainer.threads,
    }
    seed = start.get("drawn_with", start.get("seed", run.seed))
    faults = [] if seed in drawn_seeds else [(DAMAGED, "it begins with another run's seed")]
    return faults + [
        (
            BUDGET,
            f"it begins with {key} {printable(str(start[key]))[:40]}, and the plan says {value}",
        )
        for key, value in conditions.items()
        if start.get(key) not in (None, value)
    ]
