"""``engine.json`` in a study's folder: which engine trains it, and its last word.

It is written before anything is submitted, and it is what viewers read: the app, ``status`` and
the W&B relay never speak to an engine.
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
"""How an engine says a cell stands: not started yet; at work; over, with the run's own last word
or without; over because worker or node died; over because somebody ended it at the engine."""


@dataclass(frozen=True)
class Job:
    """A batch of cells, handed over in one act that may be repeated: ``name`` makes it one job."""

    name: str
    cells: tuple[str, ...]
    attempts: Mapping[str, int] = field(default_factory=dict)
    """How often each cell was started before, so that attempts keep counting."""
    last: Mapping[str, str] = field(default_factory=dict)
    """The last event line of each cell that came from an engine before."""
    id: str = ""
    """What the engine calls it, where that is not ``name``."""


@dataclass(frozen=True)
class CellStatus:
    """How one cell stands, by the engine's last word."""

    state: str
    words: str = ""
    """What only the engine knows, in its words: ``waits: Resources``, ``attempt 2, node lost``."""
    node: str = ""


@dataclass(frozen=True)
class EngineStatus:
    """The last word of an engine about one launch."""

    engine: str
    """What ``--engine`` took: ``ray=http://127.0.0.1:8265``, ``slurm``, or a name."""
    launch: int
    job: Job
    jobs: tuple[str, ...] = ()
    """Names of the launch's jobs so far; more than one where lost cells were handed over again, or
    where a planned range went on after a look."""
    tries: int = 1
    """How often the cells of this job were handed over in this launch."""
    submitted: bool = False
    told: bool = False
    """Whether the engine was told to stop the job, by `q1lab stop` or since it is known."""
    cells: Mapping[str, CellStatus] = field(default_factory=dict)
    seen: str = ""
    """When the engine last answered (UTC)."""
    reached: bool = True
    over: bool = False
    why: str = ""
    before: Mapping[str, int] = field(default_factory=dict)
    """Lines of each run's events that were there before the job's first one."""


def status_file(root: Path) -> Path:
    """``engine.json`` of the study in ``root``."""
    return root / "engine.json"


def read_status(root: Path) -> EngineStatus | None:
    """The last word about the study in ``root``; None where no engine has it, or it can't be
    read."""
    try:
        found = read_json(
            status_file(root), LARGEST_STATUS
        )  # not by json_records.load: many times a minute
        values = {
            each.name: found[each.name] for each in fields(EngineStatus) if each.name in found
        }
        values["job"] = Job(**{**values["job"], "cells": tuple(values["job"]["cells"])})
        values["cells"] = {run: CellStatus(**seen) for run, seen in values["cells"].items()}
        values["jobs"] = tuple(values["jobs"])
        return EngineStatus(**values)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def write_status(root: Path, word: EngineStatus) -> None:
    write_atomic(status_file(root), json.dumps({"v": 1, **asdict(word)}) + "\n")


def describe_status(word: EngineStatus) -> str:
    """Where a study trains and what that place says of its runs, or how long ago it answered, for
    people; "" when it is over."""
    if word.over:
        return f"on {word.engine}: {word.why}" if word.why else ""
    where = f"on {word.engine}"
    if word.reached:
        said = _common_messages(word)
        return f"{where}: {said}" if said else where
    why = f" ({cut_middle(word.why, 100)})" if word.why else ""
    return f"{where}, out of touch{_time_since(word.seen)}{why}"


def _time_since(then: str) -> str:
    """`` for 3 min``: the time that has gone by since ``then`` (UTC); "" where that is none."""
    try:
        gone = datetime.fromisoformat(utc_now()) - datetime.fromisoformat(then)
    except (ValueError, TypeError):
        return ""
    minutes = max(0, int(gone.total_seconds() // 60))
    return f" for {minutes} min" if minutes < 90 else f" for {minutes // 60} h"


def remove_status(root: Path) -> None:
    """Drop an engine's last word of an earlier launch: the study trains elsewhere now."""
    status_file(root).unlink(missing_ok=True)


def _common_messages(word: EngineStatus) -> str:
    """The engine's words about runs that wait or were started again: ``waits: Resources (4 runs)``;
    the two that are said most."""
    at_work = [seen for seen in word.cells.values() if seen.state in (WAITING, RUNNING)]
    counts = Counter(seen.words for seen in at_work if seen.words).most_common(2)
    return "; ".join(f"{text} ({n} run{'s' if n > 1 else ''})" for text, n in counts)


def engine_has_study(root: Path) -> bool:
    """Whether an engine has work of the study in ``root`` that isn't over."""
    word = read_status(root)
    return word is not None and not word.over


def engine_has_run(root: Path, run: str) -> bool:
    """Whether an engine still has this run: what it said last counts, never silence."""
    word = read_status(root)
    if word is None or word.over:
        return False
    seen = word.cells.get(run)
    return seen is not None and seen.state in (WAITING, RUNNING)
