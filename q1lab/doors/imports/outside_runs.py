"""Runs that were trained elsewhere, in one form, read from W&B and from event files;
number_table.py reads them from tables.

Everything read here is untrusted data: it is bounded, checked and stripped of control characters,
and nothing in it is executed or used as a path."""

from __future__ import annotations

import math
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import printable
from q1lab.ground.text_formats import storable_text
from q1lab.judgment.metric import LARGEST_COUNT, LARGEST_LOSS
from q1lab.study.events import cut_after_end, read_new_events
from q1lab.study.run_states import RunState
from q1lab.tables.nested_names import flattened, usual_names
from q1lab.tables.outside_run import (
    FINAL,
    MAX_BYTES,
    MAX_FILES,
    NAME,
    SEED_KEYS,
    STEP,
    TRAIN,
    VAL,
    OutsideRun,
    arm_name,
)

# ── reading: W&B


@dataclass(frozen=True)
class RunKeys:
    """The keys of a W&B run that hold its arm, its seed and its final number, as a person names
    them; None: the usual ones."""

    arm: str | None = None
    """A key of the config (of a nested one with dots), or one of ``WANDB_FIELDS``."""
    seed: str | None = None
    metric: str | None = None
    """A key of the run's summary."""


WANDB_FIELDS = ("group", "tags", "job_type", "name")
"""Properties of a W&B run, outside its config, that may name its arm."""


USUAL_KEYS = RunKeys()


def from_wandb(record: Mapping[str, Any], keys: RunKeys = USUAL_KEYS) -> list[OutsideRun]:
    """The runs of a pull (``q1lab.doors.weights_and_biases.relay --pull``).

    With a metric in ``keys`` a run counts by that number, and has no curve of it. Problem for a run
    whose arm or seed can't be told, and for a metric that no run has."""
    pulled_runs = record["runs"]
    if keys.metric is not None:
        _check_reported(keys.metric, pulled_runs)
    runs = []
    for pulled in pulled_runs:
        name = str(pulled.get("name") or "")
        where = printable(f"{name} ({pulled.get('id')})")
        config = dict(flattened(pulled.get("config") or {}))
        summary = dict(pulled.get("summary") or {})
        cfg, seed = _identity(where, _with_named_keys(where, pulled, keys, pulled_runs), name)
        run = OutsideRun(where, cfg, seed, config, began=_text_or_none(pulled.get("created")))
        add_history_rows(run, pulled.get("history") or [])
        for key in (*FINAL, *VAL) if keys.metric is None else (keys.metric,):
            if key in summary and (value := parse_number(summary[key])) is not None:
                run.final = _check_loss(value, where, key)
                break
        else:
            run.final = _last_loss(run.evals) if keys.metric is None else None
        if keys.metric is not None:
            run.evals.clear()
        run.seconds = finite_or_none(summary.get("seconds")) or finite_or_none(
            summary.get("_runtime")
        )
        run.tok_per_s = finite_or_none(summary.get("tok_per_s"))
        run.state, run.message = _wandb_state(pulled.get("state"), summary, run)
        runs.append(run)
    return runs


def _fields(pulled: Mapping[str, Any]) -> dict[str, str]:
    """Everything of a pulled run that may name its arm, as text."""
    tags = " ".join(sorted(map(str, pulled.get("tags") or ())))
    properties = {name: pulled.get(name) for name in WANDB_FIELDS} | {"tags": tags}
    fields = {**properties, **dict(flattened(pulled.get("config") or {}))}
    return {key: str(value) for key, value in fields.items() if value not in (None, "")}


def _with_named_keys(
    where: str, pulled: Mapping[str, Any], keys: RunKeys, all_pulled: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    """A run's config, in which ``cfg`` and ``seed`` hold what the keys name."""
    config, fields = dict(flattened(pulled.get("config") or {})), _fields(pulled)
    for key, source_key, option in (
        ("cfg", keys.arm, "--arm-key"),
        ("seed", keys.seed, "--seed-key"),
    ):
        if source_key is not None and source_key not in fields:
            raise Problem(
                f"{where} has no {printable(source_key)}",
                next=f"name another {option} (these differ: {_differing_keys(all_pulled)}), or a "
                "--group whose runs all have it",
            )
        if source_key is not None:
            config[key] = fields[source_key]
    if seed_keys := usual_names(config, SEED_KEYS):
        config.setdefault("seed", config[seed_keys[0]])
    if not config.get("cfg") and not NAME.fullmatch(fields.get("name", "")):
        raise Problem(
            f"{where} has no cfg",
            next="say which key holds the arm with --arm-key; these differ: "
            f"{_differing_keys(all_pulled)}",
        )
    return config


def _differing_keys(all_pulled: Iterable[Mapping[str, Any]]) -> str:
    """The keys that could name an arm: more than one value among the runs, and not the seed."""
    values: dict[str, set[str]] = defaultdict(set)
    for pulled in all_pulled:
        for key, value in _fields(pulled).items():
            values[key].add(value)
    names = [
        key for key, seen in values.items() if len(seen) > 1 and key not in (*SEED_KEYS, "name")
    ]
    return printable(", ".join(sorted(names)))[:300] or "none"


def _check_reported(metric: str, all_pulled: Iterable[Mapping[str, Any]]) -> None:
    """Raise a Problem, with the metrics there are, if no run reported this one."""
    reported = {key for pulled in all_pulled for key in pulled.get("summary") or {}}
    if metric not in reported:
        names = ", ".join(sorted(key for key in reported if not key.startswith("_")))
        raise Problem(
            f"no run reported {printable(metric)}", next=printable(f"there is: {names}")[:300]
        )


def _wandb_state(
    state_at_wandb: Any, summary: Mapping[str, Any], run: OutsideRun
) -> tuple[RunState, str | None]:
    message = _text_or_none(summary.get("message"))
    summary_state = summary.get("state")
    if summary_state in set(RunState) and RunState(summary_state) not in (
        RunState.QUEUED,
        RunState.RUNNING,
    ):
        return RunState(summary_state), message
    if state_at_wandb in ("running", "pending", "preempting"):
        raise Problem(f"{run.where} is still running at W&B", FAILED, next="pull when it has ended")
    if state_at_wandb != "finished":
        return RunState.FAILED, message or f"{printable(str(state_at_wandb))} at W&B"
    if run.final is not None and not math.isfinite(run.final):
        return RunState.DIVERGED, message
    return RunState.FINISHED, message


# ── reading: events


def from_folder(folder: Path) -> list[OutsideRun]:
    """Runs from all ``events.jsonl`` below ``folder``; links are not followed. Problem if there
    are none."""
    files = sorted(_event_files(folder))
    if not files:
        raise Problem(
            f"{folder} holds no events.jsonl",
            next="give the folder of a study or of its runs",
            file=folder,
        )
    return [run_from_events(file, str(file.relative_to(folder))) for file in files]


def has_events(folder: Path) -> bool:
    """True if there is an ``events.jsonl`` below a folder."""
    return next(_event_files(folder), None) is not None


def _event_files(folder: Path) -> Iterator[Path]:
    count = 0
    for root, _, names in os.walk(folder, followlinks=False):
        for name in names:
            file = Path(root) / name
            if (name == "events.jsonl" or name.endswith(".events.jsonl")) and not file.is_symlink():
                count += 1
                if count > MAX_FILES:
                    raise Problem(
                        f"{folder} holds more than {MAX_FILES} event files",
                        next="give one study's folder",
                        file=folder,
                    )
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
    cfg, seed = _identity(
        where, {**config, "cfg": start.get("arm"), "seed": start.get("seed")}, file.parent.name
    )
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
    if run.state is RunState.FINISHED and run.final is None:
        run.final = _last_loss(run.evals)
    if bad := bad + after_exit:
        run.message = f"{bad} damaged lines were passed over"
    return run


# ── reading: shared by all


def _check_loss(value: float, where: str, name: str) -> float:
    """``value`` unchanged. Problem if it is finite and too large for a loss; inf and NaN are
    allowed, as losses of a run that diverged."""
    if math.isfinite(value) and abs(value) >= LARGEST_LOSS:
        raise Problem(f"{where}: {printable(name)} is {value:g}; no loss is as large as that")
    return value


def add_history_rows(run: OutsideRun, rows: Iterable[Mapping[str, Any]]) -> None:
    """Add the losses in history rows to ``run``, under whichever names the trainer gave them."""
    rows = list(rows)
    keys = {key for row in rows for key in row}
    step = next((key for key in STEP if key in keys), None)
    train = next((key for key in TRAIN if key in keys), None)
    val = next((key for key in VAL if key in keys), None)
    final = next((key for key in FINAL if key in keys), None)
    if step is None:
        return
    for row in rows:
        n = parse_number(row.get(step))
        if n is None or not 0 <= n < LARGEST_COUNT:
            continue
        for key, curve in ((train, run.train), (val, run.evals)):
            if key is not None and key in row and (value := parse_number(row[key])) is not None:
                value = _check_loss(value, run.where, key)
                curve[int(n)] = value if math.isfinite(value) else None
        if final is not None and (value := parse_number(row.get(final))) is not None:
            run.final = _check_loss(value, run.where, final)


def parse_number(value: Any) -> float | None:
    """``value`` as a float if it is a number, or the text "NaN" or "Infinity", which W&B writes for
    numbers that JSON lacks; else None."""
    if isinstance(value, str):
        return {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}.get(value)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        return float(value)
    except OverflowError:  # a whole number of 309 digits
        return math.inf if value > 0 else -math.inf


def finite_or_none(value: Any) -> float | None:
    number = parse_number(value)
    return number if number is not None and math.isfinite(number) else None


def _last_loss(curve: Mapping[float, float | None]) -> float | None:
    """The last loss of a curve; NaN if it was not finite; None if the curve is empty."""
    if not curve:
        return None
    value = curve[max(curve)]
    return math.nan if value is None else value


def _text_or_none(value: Any) -> str | None:
    return printable(value)[:500] if isinstance(value, str) and value else None


def _identity(where: str, config: Mapping[str, Any], name: str) -> tuple[str, int]:
    """(cfg, seed) from the config, else from a name like ``modified-seed0``. Problem if one is
    missing."""
    cfg, seed = config.get("cfg"), config.get("seed")
    name_match = NAME.fullmatch(name)
    if name_match:
        cfg = cfg if cfg not in (None, "") else name_match["cfg"]
        seed = seed if seed not in (None, "") else name_match["seed"]
    if isinstance(seed, str) and re.fullmatch(r"\d{1,9}", seed.strip()):
        seed = int(seed)
    if isinstance(seed, float) and seed.is_integer():
        seed = int(seed)
    if not isinstance(cfg, str) or not cfg.strip():
        raise Problem(
            f"{where} has no cfg: its config needs cfg and seed, or the name the form cfg-seed0"
        )
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 10**9:
        raise Problem(f"{where} has no seed: config needs seed, a whole number, 0 or more")
    try:
        return arm_name(cfg, "its cfg"), seed
    except ValueError as error:
        raise Problem(f"{where}: {error}") from None


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
