"""Runs at W&B and in q1lab's own event files; q1lab.tables reads all others.

Everything read here is untrusted data: it is bounded, checked and stripped of control characters,
and nothing in it is executed or used as a path."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import printable
from q1lab.ground.text_formats import storable_text
from q1lab.judgment.metric import VAL_LOSS, Metric
from q1lab.study.events import cut_after_end, read_new_events
from q1lab.study.run_states import ENDED, MISSING, RunState
from q1lab.tables import run_names, sources
from q1lab.tables.cells import as_number, seed_of_cell
from q1lab.tables.found_runs import Found, TableOptions, named_metric
from q1lab.tables.nested_names import flattened
from q1lab.tables.outside_run import (
    FINAL,
    MAX_BYTES,
    MAX_FILES,
    NAME,
    TRAIN,
    VAL,
    OutsideRun,
    arm_name,
)
from q1lab.tables.run_log import RunLog
from q1lab.tables.run_names import Named
from q1lab.tables.runs_in_files import check_reported

# ── reading: W&B


TWO_ARMS = "choose runs of two arms"


def from_wandb(project: str, record: Mapping[str, Any], options: TableOptions) -> Found:
    """The runs of a pull (``q1lab.doors.weights_and_biases.relay --pull``).

    With --metric a run counts by that number of its summary, and has no curve of it. Problem for
    runs whose arms or seeds can't be told, and for a metric that no run has."""
    every = record["runs"]
    metric, wanted = VAL_LOSS, [*FINAL, *VAL]
    if options.metric is not None:
        metric, wanted = named_metric(options.metric, options.better), [options.metric]
        reported = (key for pulled in every for key in pulled.get("summary") or {})
        own = (key for key in reported if not key.startswith("_"))
        check_reported(options.metric, f"W&B {project}", own)
    logs = [_pulled_log(pulled, wanted) for pulled in every]
    named = [
        Named(Path(f"{pulled.get('name') or ''} ({pulled.get('id')})"), None, log.facts)
        for pulled, log in zip(every, logs, strict=True)
    ]
    arms, _ = run_names.arms_of(named, options.arm_key or "cfg")
    seeds, _ = run_names.seeds_of(named, options.seed_key)
    if seeds is None:
        raise Problem(
            f"W&B {project}: a run has no seed: config needs seed, a whole number, 0 or more"
        )
    found = Found(f"W&B {project}", metric, two_arms=TWO_ARMS)
    for pulled, log, name, arm, seed in zip(every, logs, named, arms, seeds, strict=True):
        run = OutsideRun(printable(str(name.file)), arm, seed)
        with _named(run.where, "choose with --group, or import them separately"):
            found.add(_pulled_run(run, pulled, log, wanted, metric))
    return found


def _pulled_log(pulled: Mapping[str, Any], wanted: Sequence[str]) -> RunLog:
    """The settings of a pulled run, its history, and the numbers that are ``wanted`` of its
    summary."""
    log, summary = RunLog(), pulled.get("summary") or {}
    if match := NAME.fullmatch(str(pulled.get("name") or "")):
        log.tell({"cfg": match["cfg"]})
    log.tell({key: pulled.get(key) for key in ("group", "job_type", "name")})
    log.tell({"tags": " ".join(sorted(map(str, pulled.get("tags") or ())))})
    log.tell(pulled.get("config") or {})
    for place, row in enumerate(pulled.get("history") or ()):
        log.row(row, place)
    log.end({key: summary[key] for key in wanted if key in summary})
    return log


def _pulled_run(
    run: OutsideRun,
    pulled: Mapping[str, Any],
    log: RunLog,
    wanted: Sequence[str],
    metric: Metric,
) -> OutsideRun:
    summary = pulled.get("summary") or {}
    run.config = dict(flattened(pulled.get("config") or {}))
    run.began = _text_or_none(pulled.get("created"))
    run.seconds = finite_or_none(summary.get("seconds")) or finite_or_none(summary.get("_runtime"))
    run.tok_per_s = finite_or_none(summary.get("tok_per_s"))
    run.train = next(filter(None, map(log.points, TRAIN)), {})
    if metric == VAL_LOSS:
        run.evals = next(filter(None, map(log.points, VAL)), {})
    _take_state(run, pulled.get("state"), summary)
    if run.state is RunState.FINISHED:
        run.end(metric.name, next((log.finals[key] for key in wanted if key in log.finals), None))
    return run


def _take_state(run: OutsideRun, at_wandb: Any, summary: Mapping[str, Any]) -> None:
    """Take in the end of a run: as q1lab wrote it down, else as W&B says."""
    told = summary.get("state")
    if told in {*ENDED, *MISSING} - {RunState.QUEUED}:
        run.state = RunState(told)
    elif at_wandb in ("running", "pending", "preempting"):
        raise Problem(f"{run.where} is still running at W&B", FAILED, next="pull when it has ended")
    elif at_wandb != "finished":
        run.state, run.message = RunState.FAILED, f"{printable(str(at_wandb))} at W&B"
    if run.state is not RunState.FINISHED:
        run.message = _text_or_none(summary.get("message")) or run.message


# ── reading: events


def from_folder(folder: Path) -> Found:
    """The runs of all ``events.jsonl`` below ``folder``; links are not followed. Problem for more
    than ``MAX_FILES``."""
    files = sorted(event_files(folder))
    if len(files) > MAX_FILES:
        raise Problem(
            f"{folder} holds more than {MAX_FILES} event files",
            next="give one study's folder",
            file=folder,
        )
    found = Found(str(folder), VAL_LOSS, two_arms=TWO_ARMS)
    for file in files:
        where = str(file.relative_to(folder))
        with _named(where, "import them separately"):
            found.add(run_from_events(file, where))
    return found


def event_files(folder: Path) -> Iterator[Path]:
    """Each ``events.jsonl`` below a folder."""
    for file in sources.files_below(folder):
        if file.name == "events.jsonl" or file.name.endswith(".events.jsonl"):
            yield file


def run_from_events(file: Path, where: str) -> OutsideRun:
    """One run from its event file. cfg, seed and config come from its start event."""
    if file.stat().st_size > MAX_BYTES:
        raise Problem(f"{where} is larger than {MAX_BYTES >> 20} MB, too large for a run's events")
    all_events, _, bad = read_new_events(file, limit=MAX_BYTES + 1)
    events, after_exit = cut_after_end(all_events)
    start = next((event for event in events if event["type"] == "start"), None)
    if start is None:
        raise Problem(f"{where} has no start event, so it doesn't say which run it is")
    config = dict(start["config"]) if isinstance(start.get("config"), dict) else {}
    for key in ("variant", "n_params", "device", "dtype", "torch"):
        if key in start:
            config.setdefault(key, start[key])
    cfg, seed = _identity(where, start.get("arm"), start.get("seed"), file.parent.name)
    run = OutsideRun(
        where,
        cfg,
        seed,
        config,
        state=RunState.CRASHED,
        began=_text_or_none(start.get("time")),
        events=events,
    )
    for event in events:
        kind, loss = event["type"], finite_or_none(event.get("val_loss"))
        if kind == "start":
            run.state = RunState.CRASHED
        elif kind == "iter":
            run.train[event["iter"]] = finite_or_none(event.get("train_loss"))
        elif kind == "eval" and event.get("final"):
            run.final = loss
        elif kind == "eval":
            run.evals[event["iter"]] = loss
        elif kind == "exit":
            run.state = RunState(event["state"])
            if run.state is RunState.FINISHED and loss is not None:
                run.final = loss
    if run.state is RunState.FINISHED and run.final is None and run.evals:
        run.final = run.evals[max(run.evals)]
    if bad := bad + after_exit:
        run.message = f"{bad} damaged lines were passed over"
    return run


# ── reading: shared by all


@contextmanager
def _named(where: str, cure: str = "") -> Iterator[None]:
    """Make what is refused one line with the run."""
    try:
        yield
    except ValueError as error:
        raise Problem(f"{where}: {error}", next=cure) from None


def finite_or_none(value: Any) -> float | None:
    number = None if isinstance(value, str) else as_number(value)
    return number if number is not None and math.isfinite(number) else None


def _text_or_none(value: Any) -> str | None:
    return printable(value)[:500] if isinstance(value, str) and value else None


def _identity(where: str, cfg: object, seed: object, name: str) -> tuple[str, int]:
    """The arm and the seed of a run as it says them, else from a name like ``modified-seed0``.
    Problem if one is missing."""
    if match := NAME.fullmatch(name):
        cfg = match["cfg"] if cfg in (None, "") else cfg
        seed = match["seed"] if seed in (None, "") else seed
    if not isinstance(cfg, str) or not cfg.strip():
        raise Problem(
            f"{where} has no cfg: its config needs cfg and seed, or the name the form cfg-seed0"
        )
    if seed in (None, ""):
        raise Problem(f"{where} has no seed: config needs seed, a whole number, 0 or more")
    with _named(where):
        return arm_name(cfg, "its cfg"), seed_of_cell(seed)


def clean_json(value: Any, depth: int = 0) -> Any:
    """JSON from outside made safe to store: text without control characters and of bounded length,
    lists and depth bounded, numbers that are not finite replaced by null."""
    if isinstance(value, str):
        return storable_text(value)[:2000]
    if isinstance(value, int | float) and not isinstance(value, bool) and not abs(value) < 1e100:
        return None  # also NaN
    if isinstance(value, int) and abs(value) >= 1 << 63:
        return float(value)
    if isinstance(value, dict | list) and depth > 6:
        return None
    if isinstance(value, dict):
        return {
            storable_text(str(key))[:200]: clean_json(item, depth + 1)
            for key, item in list(value.items())[:500]
        }
    if isinstance(value, list):
        return [clean_json(item, depth + 1) for item in value[:2000]]
    return value
