"""``engine.json`` in a study's folder: the engine that trains it, and the status that it last
reported.

The runner writes it before it submits anything, and viewers read it: the app, ``status`` and the
W&B relay never speak to an engine.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from pathlib import Path

from q1lab.ground.files import read_json, utc_now, write_atomic
from q1lab.ground.text_formats import cut_middle

LARGEST_STATUS = 16 << 20

WAITING, RUNNING, ENDED, LOST, CANCELLED = "waiting", "running", "ended", "lost", "cancelled"
"""States of a cell at the engine: not started yet; running; ended, with or without an exit event;
lost because worker or node died; cancelled by a person at the engine."""


@dataclass(frozen=True)
class Job:
    """A batch of cells, handed over in one act that may be repeated: ``name`` makes it one job."""

    name: str
    cells: tuple[str, ...]
    attempts: Mapping[str, int] = field(default_factory=dict)
    """The number of earlier starts of each cell, so that attempts keep counting. A cell that the
    engine puts back into its queue has one more."""
    last: Mapping[str, str] = field(default_factory=dict)
    """The last event line of each cell that came from an engine before."""
    id: str = ""
    """The engine's own id, where that is not ``name``."""


@dataclass(frozen=True)
class CellStatus:
    """The state of one cell, as the engine last reported it."""

    state: str
    words: str = ""
    """The engine's message about the cell: ``waits: Resources``, ``attempt 2, node lost``."""
    node: str = ""
    next_time_limit: int = 0
    """Minutes to ask for when the cell goes on; 0 unless too little time ended it."""


@dataclass(frozen=True)
class EngineStatus:
    """The status that an engine last reported about one launch."""

    engine: str
    """The value of ``--engine``: a kind, a kind and its address, or a name."""
    launch: int
    job: Job
    jobs: tuple[str, ...] = ()
    """Names of the launch's jobs so far; more than one where lost cells were handed over again, or
    where a planned range went on after a look."""
    tries: int = 1
    """The number of times that the cells of this job were handed over in this launch."""
    submitted: bool = False
    told: bool = False
    """True if the engine was told to stop the job, by `q1lab stop` or since the study is
    decided."""
    cells: Mapping[str, CellStatus] = field(default_factory=dict)
    seen: str = ""
    """The time of the engine's last answer (UTC)."""
    reached: bool = True
    over: bool = False
    why: str = ""
    before: Mapping[str, int] = field(default_factory=dict)
    """Lines of each run's events that were there before the job's first one."""


def status_file(root: Path) -> Path:
    """``engine.json`` of the study in ``root``."""
    return root / "engine.json"


def read_status(root: Path) -> EngineStatus | None:
    """Read the status of the study in ``root``; None if no engine has it, or the file can't be
    read."""
    try:
        record = read_json(
            status_file(root), LARGEST_STATUS
        )  # not by json_records.from_json: many times a minute
        values = {
            status_field.name: record[status_field.name]
            for status_field in fields(EngineStatus)
            if status_field.name in record
        }
        values["job"] = Job(**{**values["job"], "cells": tuple(values["job"]["cells"])})
        values["cells"] = {run: CellStatus(**cell) for run, cell in values["cells"].items()}
        values["jobs"] = tuple(values["jobs"])
        return EngineStatus(**values)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def write_status(root: Path, status: EngineStatus) -> None:
    write_atomic(status_file(root), json.dumps({"v": 1, **asdict(status)}) + "\n")


def describe_status(status: EngineStatus) -> str:
    """Describe for people where a study trains and its engine's messages, or how long the engine
    has been out of touch; "" when the launch is over."""
    if status.over:
        return f"on {status.engine}: {status.why}" if status.why else ""
    where = f"on {status.engine}"
    if status.reached:
        messages = _common_messages(status)
        return f"{where}: {messages}" if messages else where
    why = f" ({cut_middle(status.why, 100)})" if status.why else ""
    return f"{where}, out of touch{_time_since(status.seen)}{why}"


def _time_since(moment: str) -> str:
    """`` for 3 min``: the time since ``moment`` (UTC); "" if that is not a time."""
    try:
        elapsed = datetime.fromisoformat(utc_now()) - datetime.fromisoformat(moment)
    except (ValueError, TypeError):
        return ""
    minutes = max(0, int(elapsed.total_seconds() // 60))
    return f" for {minutes} min" if minutes < 90 else f" for {minutes // 60} h"


def remove_status(root: Path) -> None:
    """Remove the status of an earlier launch: the study trains elsewhere now."""
    status_file(root).unlink(missing_ok=True)


def _common_messages(status: EngineStatus) -> str:
    """The engine's two most common messages about runs that wait or were started again: ``waits:
    Resources (4 runs)``."""
    at_work = [cell for cell in status.cells.values() if cell.state in (WAITING, RUNNING)]
    counts = Counter(cell.words for cell in at_work if cell.words).most_common(2)
    return "; ".join(f"{text} ({n} run{'s' if n > 1 else ''})" for text, n in counts)


def engine_has_study(root: Path) -> bool:
    """True if an engine has work of the study in ``root`` that isn't over."""
    status = read_status(root)
    return status is not None and not status.over


def engine_has_run(root: Path, run: str) -> bool:
    """True if an engine still has this run, by the status that it last reported; silence changes
    nothing."""
    status = read_status(root)
    if status is None or status.over:
        return False
    cell = status.cells.get(run)
    return cell is not None and cell.state in (WAITING, RUNNING)
