"""Runs that were trained elsewhere, read into one form: from W&B, from event files, from a CSV.

Everything read here is untrusted data: it is bounded, checked and stripped of control characters,
and nothing in it is executed or used as a path."""

from __future__ import annotations

import csv
import json
import math
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import os_reason, printable, read_text
from q1lab.ground.json_records import storable_text
from q1lab.study.events import LARGEST_COUNT, LARGEST_LOSS, cut_after_end, read_new_events
from q1lab.study.run_states import RunState
from q1lab.study.studies import run_name

MAX_FILES, MAX_BYTES, MAX_ROWS = 4000, 64 << 20, 2_000_000
"""Bounds of an import: event files in a folder, bytes of one file, rows of a CSV."""
MAX_RUNS = 20_000
"""Runs of one import, of both arms together."""

STEP = ("iter", "iteration", "step", "global_step", "_step")
TRAIN = ("train_loss", "train/loss", "loss/train", "training_loss", "loss")
VAL = (
    "val_loss",
    "val/loss",
    "loss/val",
    "eval_loss",
    "eval/loss",
    "valid_loss",
    "validation_loss",
)
FINAL = ("final_val_loss", "final/val_loss")
"""Names that trainers give the same quantity. The first one present counts."""
SEED_KEYS = ("seed", "random_seed", "rng_seed", "global_seed")
"""Names of the seed, in a run's config or a table."""

NAME = re.compile(r"(?P<cfg>.+?)[-_ ]seed[-_ ]?(?P<seed>\d{1,9})")


class OtherColumns(Problem):
    """A CSV without the columns of a curve: its final numbers may still be read by
    ``number_table``."""


@dataclass
class OutsideRun:
    """One run that was trained elsewhere."""

    where: str
    """Its name and id, or its file, for messages."""
    cfg: str
    seed: int
    config: dict[str, Any] = field(default_factory=dict)
    train: dict[int, float | None] = field(default_factory=dict)
    evals: dict[int, float | None] = field(default_factory=dict)
    """Loss by iter; None where it was not finite."""
    final: float | None = None
    """Val loss at the end."""
    state: RunState = RunState.FINISHED
    message: str | None = None
    seconds: float | None = None
    tok_per_s: float | None = None
    began: str | None = None
    events: list[dict[str, Any]] | None = None
    """The events that came with the run; None if it has only numbers."""

    @property
    def last(self) -> int:
        return max([*self.train, *self.evals], default=0)


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
        config = _flat(pulled.get("config") or {})
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


def _flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A config without nested ones: their keys are joined by dots, as W&B shows them."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, dict) and value and prefix.count(".") < 6:
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _fields(pulled: Mapping[str, Any]) -> dict[str, str]:
    """Everything of a pulled run that may name its arm, as text."""
    tags = " ".join(sorted(map(str, pulled.get("tags") or ())))
    properties = {name: pulled.get(name) for name in WANDB_FIELDS} | {"tags": tags}
    fields = {**properties, **_flat(pulled.get("config") or {})}
    return {key: str(value) for key, value in fields.items() if value not in (None, "")}


def _with_named_keys(
    where: str, pulled: Mapping[str, Any], keys: RunKeys, all_pulled: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    """A run's config, in which ``cfg`` and ``seed`` hold what the keys name."""
    config, fields = _flat(pulled.get("config") or {}), _fields(pulled)
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
    usual_seeds = [config[key] for key in SEED_KEYS if key in config]
    if usual_seeds:
        config.setdefault("seed", usual_seeds[0])
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


# ── reading: CSV


def from_csv(file: Path) -> list[OutsideRun]:
    """Runs from a CSV, in one of three forms.

    Long: columns ``cfg``, ``seed``, ``iter``, and ``train_loss`` or ``val_loss``, a row per point.
    Short: ``cfg``, ``seed``, ``val_loss``, a row per run. Wide, as W&B exports a chart: ``iter``
    (or ``Step``) and a column ``modified-seed0 - val_loss`` per run. Further columns of the first
    two forms are config.
    """
    try:
        text = read_text(file, MAX_BYTES, "utf-8-sig")
    except UnicodeDecodeError:
        raise Problem(
            f"{file} is not UTF-8 text", next="export it again as UTF-8 CSV", file=file
        ) from None
    except OSError as error:
        raise Problem(f"cannot read {file}: {os_reason(error)}", file=file) from None
    reader = csv.DictReader(text.splitlines(), strict=True)
    rows = _csv_rows(file, reader)
    first_row = next(rows, None)
    if first_row is None:
        raise Problem(f"{file} has no rows", next=CSV_FORMS, file=file)
    rows = chain([first_row], rows)
    names = list(reader.fieldnames or [])
    if {"cfg", "seed"} <= set(names):
        return _runs_of_points(file, _long_points(file, names, rows))
    if any(" - " in name and NAME.fullmatch(name.split(" - ")[0]) for name in names):
        return _runs_of_points(file, _wide_points(file, names, [*rows]), wide=True)
    raise OtherColumns(
        f"{file}: columns {', '.join(map(printable, names))[:200]}", next=CSV_FORMS, file=file
    )


def _csv_rows(file: Path, reader: csv.DictReader[str]) -> Iterator[Row]:
    try:
        reader.fieldnames = [name.strip() for name in reader.fieldnames or []]
        for count, row in enumerate(reader, 1):
            if None in row or None in row.values():
                raise Problem(
                    f"{file}:{reader.line_num}: the row has more or fewer cells than the header",
                    file=file,
                    line=reader.line_num,
                )
            if count > MAX_ROWS:
                raise Problem(f"{file} has more than {MAX_ROWS:,} rows", file=file)
            yield reader.line_num, row
    except csv.Error as error:
        raise Problem(
            f"{file}:{reader.line_num}: {error}", file=file, line=reader.line_num
        ) from None


CSV_FORMS = (
    "it needs cfg, seed, iter, train_loss and/or val_loss (a row per point), "
    "or cfg, seed, val_loss (a row per run), or a chart's export with columns like `modified-seed0 "
    "- val_loss`"
)


Row = tuple[int, dict[str, Any]]
"""The line of a row in the file, and its cells by column."""
Point = tuple[str, tuple[str, int], dict[str, Any], dict[str, Any]]
"""The place in the file, (cfg, seed), the point (iter and losses), and the run's config."""


def _long_points(file: Path, names: list[str], rows: Iterable[Row]) -> Iterator[Point]:
    step = next((name for name in STEP if name in names), None)
    losses = [name for name in names if name in (*TRAIN, *VAL, *FINAL)]
    if not losses:
        raise Problem(f"{file}: no column train_loss or val_loss", next=CSV_FORMS, file=file)
    known_columns = (*STEP, *TRAIN, *VAL, *FINAL, "cfg", "seed", "state")
    for line, row in rows:
        where = f"{file}:{line}"
        config = {
            name: _cell(row[name])
            for name in names
            if name not in known_columns and row[name] != ""
        }
        point = {
            name: _number_cell(row[name], where, name) for name in losses if row[name].strip() != ""
        }
        if step:
            point["iter"] = _iter_cell(row[step], where, step)
        yield where, _identity(where, row, ""), point, config


def _wide_points(file: Path, names: list[str], rows: list[Row]) -> Iterator[Point]:
    step = next((name for name in names if name.lower() in STEP), None)
    if step is None:
        raise Problem(f"{file}: no column iter or Step", next=CSV_FORMS, file=file)
    for name in names:
        head, _, metric = name.partition(" - ")
        run_id = NAME.fullmatch(head)
        if not run_id or metric not in (*TRAIN, *VAL, *FINAL):
            continue  # wandb adds __MIN and __MAX columns
        for line, row in rows:
            if row[name].strip() != "":
                where = f"{file}:{line}"
                n = _iter_cell(row[step], where, step)
                point = {"iter": n, metric: _number_cell(row[name], where, name)}
                yield where, (run_id["cfg"], int(run_id["seed"])), point, {}


def _runs_of_points(file: Path, points: Iterable[Point], *, wide: bool = False) -> list[OutsideRun]:
    """The runs of a CSV, from its points."""
    runs: dict[tuple[str, int], OutsideRun] = {}
    points_by_run: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    for where, (cfg, seed), point, config in points:
        name = f"{run_name(printable(cfg), seed)} of {file.name}"
        run = runs.setdefault((cfg, seed), OutsideRun(name, cfg, seed, config))
        if len(runs) > MAX_RUNS:
            raise Problem(f"{where}: more than {MAX_RUNS:,} runs, and more are not compared")
        if config != run.config:
            key = next(k for k in {*config, *run.config} if config.get(k) != run.config.get(k))
            raise Problem(
                f"{where}: {printable(key)} changes within {run.where}; a run has one config"
            )
        points_by_run[cfg, seed].append(point)
    for run_key, run in runs.items():
        rows = points_by_run[run_key]
        if "iter" in rows[0]:
            add_history_rows(run, rows)
            run.final = run.final if run.final is not None else _last_loss(run.evals)
        else:
            value = next((name for name in (*FINAL, *VAL) if name in rows[0]), None)
            if value is None or len(rows) != 1:
                raise Problem(f"{run.where}: {len(rows)} rows but no iter column", next=CSV_FORMS)
            run.final = rows[0][value]
        if run.final is None and wide:
            raise Problem(f"{run.where} has no val_loss", next="export the chart of val_loss")
        if run.final is None:
            run.state, run.message = RunState.FAILED, "no val_loss in the CSV"
        elif not math.isfinite(run.final):
            run.state = RunState.DIVERGED
    return list(runs.values())


def _cell(text: str) -> Any:
    """A cell parsed as JSON if it is JSON, else as text."""
    try:
        return json.loads(text, parse_constant=str)
    except (ValueError, RecursionError):
        return printable(text)


def _number_cell(text: str, where: str, name: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise Problem(
            f"{where}: {printable(name)} is {printable(text)[:40]!r}, which is not a number"
        ) from None
    return _check_loss(value, where, name)


def _iter_cell(text: str, where: str, name: str) -> int:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < LARGEST_COUNT or value != int(value):
        raise Problem(
            f"{where}: {printable(name)} is {printable(text)[:40]!r}, no whole number "
            f"from 0 up that an "
            "iter can be"
        )
    return int(value)


def _check_loss(value: float, where: str, name: str) -> float:
    """``value`` unchanged. Problem if it is finite and too large for a loss; inf and NaN are
    allowed, as losses of a run that diverged."""
    if math.isfinite(value) and abs(value) >= LARGEST_LOSS:
        raise Problem(f"{where}: {printable(name)} is {value:g}; no loss is as large as that")
    return value


# ── reading: shared by all


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


def _last_loss(curve: Mapping[int, float | None]) -> float | None:
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
    if not isinstance(cfg, str) or not cfg.strip() or len(cfg) > 60:
        raise Problem(
            f"{where} has no cfg: its config needs cfg and seed, or the name the form cfg-seed0"
        )
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 10**9:
        raise Problem(f"{where} has no seed: config needs seed, a whole number, 0 or more")
    cfg = storable_text(cfg).strip()
    if not cfg:
        raise Problem(f"{where}: its cfg has no printable character")
    return cfg, seed


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
