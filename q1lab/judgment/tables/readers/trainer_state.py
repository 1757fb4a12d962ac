"""Reads ``trainer_state.json`` of transformers' Trainer: of a run's folder and its checkpoints, the
one that went farthest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from q1lab.ground.files import read_json
from q1lab.judgment.tables.cells import as_number
from q1lab.judgment.tables.outside_run import MAX_BYTES
from q1lab.judgment.tables.run_log import RunLog


def read(files: Sequence[Path], log: RunLog) -> None:
    """Fill the log of one run."""
    states = [(file, _state(file)) for file in sorted(files, key=lambda file: len(file.parts))]
    file, state = max(states, key=lambda pair: pair[1]["global_step"])
    for place, row in enumerate(state["log_history"]):
        if isinstance(row, dict):
            log.row(row, place)
    done, planned = state["global_step"], as_number(state.get("max_steps")) or 0.0
    if done < planned and file.parent.name.startswith("checkpoint-") and not _was_told_to(state):
        log.unfinished = f"stopped at step {done:,.0f} of {planned:,.0f}"


def _state(file: Path) -> dict[str, Any]:
    state = read_json(file, MAX_BYTES)
    if not isinstance(state, dict) or not isinstance(state.get("log_history"), list):
        raise ValueError("it has no log_history")
    return {**state, "global_step": as_number(state.get("global_step")) or 0.0}


def _was_told_to(state: dict[str, Any]) -> bool:
    """True if the trainer was told to stop, by early stopping for example."""
    callbacks: Any = state.get("stateful_callbacks")
    for key in ("TrainerControl", "args", "should_training_stop"):
        callbacks = callbacks.get(key) if isinstance(callbacks, dict) else None
    return bool(callbacks)
