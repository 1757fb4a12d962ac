"""A table of final numbers, one for each run: read from CSV, TSV or JSON, or typed.

Which column holds the arm, the seed and the metric is guessed by its name, and can be said. What is
read is untrusted data: it is bounded and cleaned, and nothing in it is executed.
"""

from __future__ import annotations

import csv
import json
import math
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from q1lab.doors.imports.outside_runs import FINAL, MAX_BYTES, MAX_ROWS, SEED_KEYS, STEP, VAL
from q1lab.ground.errors import Problem, nearest
from q1lab.ground.files import os_reason, printable, read_text
from q1lab.study.events import LARGEST_LOSS
from q1lab.study.metric import Metric

ARM_KEYS = ("cfg", "arm", "variant", "group", "model", "method", "condition", "config", "optimizer")
LOWER = ("loss", "error", "err", "perplexity", "ppl", "bpb", "bpc", "nll", "wer", "cer", "rmse")
LOWER_TOO = ("mae", "mse", "fid", "time", "seconds", "latency")
HIGHER = ("acc", "accuracy", "score", "f1", "bleu", "rouge", "reward", "return", "auc", "r2", "map")
"""Words of a metric's name that say which direction is better."""


@dataclass(frozen=True)
class NumberTable:
    """The final numbers of two arms, baseline first."""

    names: tuple[str, str]
    values: tuple[Mapping[int, float | None], Mapping[int, float | None]]
    """Each arm's numbers by seed, by their place where no seed is known; None for a run that
    diverged."""
    has_seeds: bool
    metric: Metric
    guesses: tuple[str, ...] = ()
    """The columns that were guessed, in words."""

    @property
    def is_paired(self) -> bool:
        """True if both arms ran with exactly the same seeds."""
        return self.has_seeds and set(self.values[0]) == set(self.values[1])


@dataclass(frozen=True)
class TableOptions:
    """The columns and arms as a person names them; None: guess it."""

    baseline: str | None = None
    """The baseline's name."""
    modified: str | None = None
    arm_key: str | None = None
    seed_key: str | None = None
    metric: str | None = None
    better: str | None = None


Rows = list[tuple[str, dict[str, Any]]]
"""The place of each row in the file, and its cells by column."""


def typed_numbers(baseline: str, modified: str, options: TableOptions) -> NumberTable:
    """Two lists of numbers as typed after --baseline and --modified."""
    arms = []
    for option, text in (("--baseline", baseline), ("--modified", modified)):
        words = [word for word in re.split(r"[,\s]+", text.strip()) if word]
        if not words:
            raise Problem(f"{option} is empty", next="give numbers, such as 1.91,1.90,1.92")
        arms.append({place: _number(word, option) for place, word in enumerate(words)})
    metric = named_metric(options.metric or "loss", options.better)
    return NumberTable(("baseline", "modified"), (arms[0], arms[1]), False, metric)


def read_table(source: str, options: TableOptions) -> NumberTable:
    """The table in a file, or on standard input for ``-``. Problem, with the place, for a file that
    can't be read or understood."""
    name = "standard input" if source == "-" else source
    text = _read(source, name)
    if not text.strip():
        raise Problem(f"{name} is empty", next=FORMS)
    if text.lstrip()[0] in "{[":
        return _from_json(text, name, options)
    return _from_columns(_delimited(text, name), name, options)


FORMS = (
    "give a row per run with an arm, a seed and a metric, two columns of numbers, or JSON such as "
    '{"baseline": [1.91, 1.90], "modified": [1.79, 1.80]}'
)


def _read(source: str, name: str) -> str:
    if source == "-":
        data = sys.stdin.buffer.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise Problem(f"{name} is larger than {MAX_BYTES >> 20} MB")
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise Problem(f"{name} is not UTF-8 text") from None
    file = Path(source)
    try:
        return read_text(file, MAX_BYTES, "utf-8-sig")
    except UnicodeDecodeError:
        raise Problem(f"{name} is not UTF-8 text", next="save it as UTF-8", file=file) from None
    except OSError as error:
        raise Problem(f"cannot read {name}: {os_reason(error)}", file=file) from None


def _delimited(text: str, name: str) -> Rows:
    head = text.lstrip().splitlines()[0]
    delimiter = "\t" if "\t" in head else ";" if ";" in head and "," not in head else ","
    reader = csv.reader(text.splitlines(), delimiter=delimiter, strict=True)
    rows: Rows = []
    columns: list[str] = []
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if not columns:
                columns = [printable(cell).strip() for cell in cells]
                if len(set(columns)) < len(columns):
                    raise Problem(f"{name}: two columns have the same name")
                continue
            where = f"{name}:{reader.line_num}"
            if len(cells) != len(columns):
                raise Problem(
                    f"{where}: {len(cells)} cells where the head line has {len(columns)}",
                    line=reader.line_num,
                )
            rows.append((where, dict(zip(columns, cells, strict=True))))
            if len(rows) > MAX_ROWS:
                raise Problem(f"{name} has more than {MAX_ROWS:,} rows")
    except csv.Error as error:
        raise Problem(f"{name}:{reader.line_num}: {error}", line=reader.line_num) from None
    if not rows:
        raise Problem(f"{name} has a head line and no rows", next=FORMS)
    return rows


def _from_json(text: str, name: str, options: TableOptions) -> NumberTable:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Problem(f"{name} is not whole JSON: {str(error)[:80]}", next=FORMS) from None
    if isinstance(content, list) and content and all(isinstance(row, dict) for row in content):
        rows = [
            (f"{name}, record {place}", {printable(str(key)): value for key, value in row.items()})
            for place, row in enumerate(content, 1)
        ]
        return _from_columns(rows, name, options)
    if isinstance(content, dict) and all(isinstance(arm, list | dict) for arm in content.values()):
        arms: dict[str, dict[int, float | None]] = {}
        seeded = all(isinstance(arm, dict) for arm in content.values())
        for key, arm in content.items():
            items = arm.items() if isinstance(arm, dict) else enumerate(arm)
            arms[printable(str(key))] = {
                _seed(seed, f"{name}, {printable(str(key))}"): _number(value, f"{name}, {key}")
                for seed, value in items
            }
        metric = named_metric(options.metric or "loss", options.better)
        return _two_arms(arms, seeded, metric, (), options, name)
    raise Problem(f"{name}: this JSON is neither rows nor arms", next=FORMS)


def _from_columns(rows: Rows, name: str, options: TableOptions) -> NumberTable:
    columns = list(dict.fromkeys(column for _, row in rows for column in row))
    seed_key = _column(options.seed_key, SEED_KEYS, columns, "--seed-key", name)
    arm_key = _column(options.arm_key, ARM_KEYS, columns, "--arm-key", name)
    step_key = next((column for column in columns if column.lower() in STEP), None)
    guesses = [
        f"{label} from {column}"
        for label, column, said in (
            ("arms", arm_key, options.arm_key),
            ("seeds", seed_key, options.seed_key),
        )
        if column is not None and said is None
    ]
    if arm_key is None:
        return _from_two_columns(rows, name, columns, seed_key, tuple(guesses), options)
    others = [column for column in columns if column not in (arm_key, seed_key, step_key)]
    metric_key = _metric_column(options.metric, others, rows, name)
    if options.metric is None:
        guesses.append(f"metric {metric_key}")
    last_steps: dict[tuple[str, int], float] = {}
    arms: dict[str, dict[int, float | None]] = {}
    for where, row in rows:
        value = row.get(metric_key)
        if value is None or str(value).strip() == "":
            continue
        arm = printable(str(row.get(arm_key, ""))).strip()
        if not arm:
            raise Problem(f"{where}: {arm_key} is empty")
        values = arms.setdefault(arm, {})
        seed = len(values) if seed_key is None else _seed(row.get(seed_key), where)
        step = 0.0 if step_key is None else _number(row.get(step_key), where) or 0.0
        if seed in values:
            if step_key is None:
                raise Problem(
                    f"{where}: {arm} has seed {seed} twice",
                    next="leave one row of them, or say --arm-key and --seed-key",
                )
            if step <= last_steps[arm, seed]:
                continue
        last_steps[arm, seed] = step
        values[seed] = _number(value, where)
    metric = named_metric(metric_key, options.better)
    return _two_arms(arms, seed_key is not None, metric, tuple(guesses), options, name)


def _from_two_columns(
    rows: Rows,
    name: str,
    columns: Sequence[str],
    seed_key: str | None,
    guesses: tuple[str, ...],
    options: TableOptions,
) -> NumberTable:
    """A column of numbers for each arm, a row for each seed."""
    numeric = [
        column
        for column in columns
        if column != seed_key and column.lower() not in STEP and _is_numeric(column, rows)
    ]
    chosen = [arm for arm in (options.baseline, options.modified) if arm is not None]
    if len(numeric) < 2:
        raise Problem(
            f"{name}: no column says which arm a row is of ({', '.join(columns)[:200]})",
            next=f"name it with --arm-key, or {FORMS}",
        )
    if len(numeric) > 2 and len(chosen) < 2:
        raise Problem(
            f"{name}: {len(numeric)} columns of numbers ({', '.join(numeric)[:200]})",
            next="name the arms' column with --arm-key, or two columns with --baseline and "
            "--modified",
        )
    arms: dict[str, dict[int, float | None]] = {}
    for place, (where, row) in enumerate(rows):
        seed = place if seed_key is None else _seed(row.get(seed_key), where)
        for column in numeric:
            value = row.get(column)
            if value is None or str(value).strip() == "":
                continue
            if seed in arms.setdefault(column, {}):
                raise Problem(f"{where}: {column} has seed {seed} twice")
            arms[column][seed] = _number(value, where)
    metric = named_metric(options.metric or "loss", options.better)
    if options.metric is None:
        guesses = (*guesses, f"numbers as a loss ({metric.direction})")
    return _two_arms(arms, seed_key is not None, metric, guesses, options, name)


def _two_arms(
    arms: Mapping[str, Mapping[int, float | None]],
    has_seeds: bool,
    metric: Metric,
    guesses: tuple[str, ...],
    options: TableOptions,
    name: str,
) -> NumberTable:
    """The two arms that were named, or the only two: the one called baseline comes first."""
    names = list(arms)
    for option, arm in (("--baseline", options.baseline), ("--modified", options.modified)):
        if arm is not None:
            _check_known(arm, names, f"{option} {printable(arm)}: {name} has no such arm")
    if len(names) < 2:
        raise Problem(f"{name} has one arm, {', '.join(names) or 'without numbers'}", next=FORMS)
    baseline = options.baseline or next((arm for arm in names if arm.lower() == "baseline"), None)
    if baseline is None and len(names) == 2 and options.modified is not None:
        baseline = next(arm for arm in names if arm != options.modified)
    if baseline is None:
        raise Problem(f"{name} has the arms {', '.join(names)[:200]}", next="say --baseline NAME")
    rest = [arm for arm in names if arm != baseline]
    modified = options.modified or (rest[0] if len(rest) == 1 else None)
    if modified is None:
        raise Problem(
            f"{name} has {len(rest)} arms beside {baseline}: {', '.join(rest)[:200]}",
            next="say --modified NAME",
        )
    if modified == baseline:
        raise Problem("--baseline and --modified are the same arm")
    for arm in (baseline, modified):
        if not arms[arm]:
            raise Problem(f"{name}: {arm} has no number")
    return NumberTable(
        (baseline, modified), (arms[baseline], arms[modified]), has_seeds, metric, guesses
    )


# ── columns and cells


def _check_known(word: str, names: Sequence[str], message: str) -> None:
    """Raise a Problem, with the nearest name, if ``word`` is not among ``names``."""
    if word not in names:
        raise Problem(message, next=nearest(word, names))


def _column(
    said: str | None, usual: Sequence[str], columns: Sequence[str], option: str, name: str
) -> str | None:
    if said is not None:
        _check_known(said, columns, f"{option} {printable(said)}: {name} has no such column")
        return said
    return next((column for key in usual for column in columns if column.lower() == key), None)


def _metric_column(said: str | None, columns: Sequence[str], rows: Rows, name: str) -> str:
    if said is not None:
        _check_known(said, columns, f"--metric {printable(said)}: {name} has no such column")
        return said
    for usual in (*FINAL, *VAL):
        if usual in columns:
            return usual
    numeric = [column for column in columns if _is_numeric(column, rows)]
    if len(numeric) == 1:
        return numeric[0]
    shown = ", ".join(numeric or columns)[:200]
    raise Problem(f"{name}: which column is the metric? ({shown})", next="say --metric COLUMN")


def _is_numeric(column: str, rows: Rows) -> bool:
    cells = [row.get(column) for _, row in rows[:1000]]
    cells = [cell for cell in cells if cell is not None and str(cell).strip() != ""]
    return bool(cells) and all(_as_number(cell) is not None for cell in cells)


def _as_number(cell: object) -> float | None:
    if isinstance(cell, bool):
        return None
    try:
        return float(cell)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None


def _number(cell: object, where: str) -> float | None:
    """A cell as a number; None for NaN and the infinities, with which a run diverged."""
    value = _as_number(cell)
    if value is None:
        raise Problem(f"{printable(where)}: {printable(str(cell))[:40]!r} is not a number")
    if math.isfinite(value) and abs(value) >= LARGEST_LOSS:
        raise Problem(f"{printable(where)}: {value:g} is too large to be a metric")
    return value if math.isfinite(value) else None


def _seed(cell: object, where: str) -> int:
    value = _as_number(cell)
    if value is None or not 0 <= value < 10**9 or value != int(value):
        raise Problem(
            f"{printable(where)}: seed {printable(str(cell))[:40]!r} is not a whole number from 0"
        )
    return int(value)


def named_metric(name: str, better: str | None) -> Metric:
    """The metric of this name. Problem if nobody said which direction is better and the name
    doesn't tell."""
    words = [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word]
    directions: Iterable[str] = (
        "lower" if word in (*LOWER, *LOWER_TOO) else "higher"
        for word in words
        if word in (*LOWER, *LOWER_TOO, *HIGHER)
    )
    direction = better or next(iter(directions), None)
    if direction is None:
        raise Problem(
            f"{printable(name)}: whether lower or higher is better can't be told by its name",
            next="add --better lower, or --better higher",
        )
    return Metric(printable(name)[:100], "", direction)
