"""A table of final numbers, one for each run: read from CSV, TSV or JSON, or typed.

The columns of the arm, the seed and the metric are guessed by their names, or named by options.
What is read is untrusted data: it is bounded and cleaned, and nothing in it is executed.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from q1lab.designs.given import Given, TableRuns
from q1lab.doors.imports.outside_runs import FINAL, MAX_BYTES, MAX_ROWS, SEED_KEYS, STEP, VAL
from q1lab.ground.errors import Problem, nearest
from q1lab.ground.files import os_reason, printable, read_text
from q1lab.study.events import LARGEST_LOSS
from q1lab.study.metric import Metric
from q1lab.study.studies import ARMS, run_name

ARM_KEYS = ("cfg", "arm", "variant", "group", "model", "method", "condition", "config", "optimizer")
LOWER = ("loss", "error", "err", "perplexity", "ppl", "bpb", "bpc", "nll", "wer", "cer", "rmse")
LOWER_TOO = ("mae", "mse", "fid", "time", "seconds", "latency")
HIGHER = ("acc", "accuracy", "score", "f1", "bleu", "rouge", "reward", "return", "auc", "r2", "map")
"""Words of a metric's name that say which direction is better."""
MOST_RUNS = 10_000
"""Runs of one arm."""


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

    def __post_init__(self) -> None:
        for name, values in zip(self.names, self.values, strict=True):
            if len(values) > MOST_RUNS:
                raise Problem(too_many_runs(name))

    @property
    def is_paired(self) -> bool:
        """True if both arms ran with exactly the same seeds."""
        return self.has_seeds and set(self.values[0]) == set(self.values[1])


def design_of_table(table: NumberTable) -> Given:
    """The design of the study that a table makes: all of its runs, paired by seed where both arms
    have the same seeds."""
    seeds = sorted({*table.values[0], *table.values[1]})
    absent = (
        run_name(arm, seed)
        for arm, values in zip(ARMS, table.values, strict=True)
        for seed in seeds
        if seed not in values
    )
    return Given(
        batches=(tuple(seeds),),
        headline="paired" if table.is_paired else "welch",
        table=TableRuns(tuple(absent), table.has_seeds),
    )


@dataclass(frozen=True)
class TableOptions:
    """The columns and arms as a person names them; None to guess."""

    baseline: str | None = None
    """The baseline's name."""
    modified: str | None = None
    arm_key: str | None = None
    seed_key: str | None = None
    metric: str | None = None
    better: str | None = None


def too_many_runs(arm: str) -> str:
    """The reason that an arm with more than ``MOST_RUNS`` runs is refused."""
    return f"{arm} has more than {MOST_RUNS:,} runs, and more are not compared"


class BadCell(ValueError):
    """A cell that can't be used, in words; the caller knows its place."""


HEAD_ROWS = 1000
"""Rows by which a column is told to be one of numbers."""


class Rows:
    """The rows of a table, read one by one: a refused table is refused at the row that it is
    refused for."""

    def __init__(
        self, name: str, columns: list[str], lines: Iterator[tuple[int, Sequence[Any]]], word: str
    ) -> None:
        self.name = name
        self.columns = columns
        self._head = list(islice(lines, HEAD_ROWS))
        self._lines = lines
        self._word = word

    def __iter__(self) -> Iterator[tuple[int, Sequence[Any]]]:
        """Each row's line (or record), and its cells in the order of ``columns``."""
        return chain(self._head, self._lines)

    def place(self, line: int) -> str:
        """A row's place, for messages."""
        return f"{self.name}{self._word}{line}"

    def is_empty(self) -> bool:
        """True if there is no row."""
        return not self._head

    def is_blank(self, column: str) -> bool:
        """True if the first cells of a column hold nothing."""
        at = self.columns.index(column)
        return all(_is_blank(cells[at]) for _, cells in self._head)

    def is_numeric(self, column: str) -> bool:
        """True if the first cells of a column that hold something hold numbers."""
        at = self.columns.index(column)
        cells = [cells[at] for _, cells in self._head if not _is_blank(cells[at])]
        return bool(cells) and all(_as_number(cell) is not None for cell in cells)


def typed_numbers(baseline: str, modified: str, options: TableOptions) -> NumberTable:
    """Two lists of numbers as typed after --baseline and --modified."""
    arms = []
    for option, text in (("--baseline", baseline), ("--modified", modified)):
        words = [word for word in re.split(r"[,\s]+", text.strip()) if word]
        if not words:
            raise Problem(f"{option} is empty", next="give numbers, such as 1.91,1.90,1.92")
        try:
            arms.append({place: _number(word) for place, word in enumerate(words)})
        except BadCell as error:
            raise Problem(f"{option}: {error}") from None
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
    return _from_columns(_delimited(text, name), options)


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
            return data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
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
    head = text.lstrip().partition("\n")[0]
    delimiter = "\t" if "\t" in head else ";" if ";" in head and "," not in head else ","
    lines = _lines_of_cells(text, delimiter, name)
    columns = [printable(cell).strip() for cell in next(lines, (0, []))[1]]
    if len(set(columns)) < len(columns):
        raise Problem(f"{name}: two columns have the same name")
    rows = Rows(name, columns, _whole_rows(lines, columns, name), ":")
    if rows.is_empty():
        raise Problem(f"{name} has a header and no rows", next=FORMS)
    return rows


def _lines_of_cells(text: str, delimiter: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """The number and the cells of each line that is not blank, the header first."""
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            if any(map(str.strip, cells)):
                yield reader.line_num, cells
    except csv.Error as error:
        raise Problem(f"{name}:{reader.line_num}: {error}", line=reader.line_num) from None


def _whole_rows(
    lines: Iterator[tuple[int, list[str]]], columns: list[str], name: str
) -> Iterator[tuple[int, list[str]]]:
    for place, (line, cells) in enumerate(lines, 1):
        if len(cells) != len(columns):
            raise Problem(
                f"{name}:{line}: {len(cells)} cells where the header has {len(columns)}",
                line=line,
            )
        if place > MAX_ROWS:
            raise Problem(f"{name} has more than {MAX_ROWS:,} rows")
        yield line, cells


def _from_json(text: str, name: str, options: TableOptions) -> NumberTable:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Problem(f"{name} is not complete JSON: {str(error)[:80]}", next=FORMS) from None
    if isinstance(content, list) and content and all(isinstance(row, dict) for row in content):
        keys = list(dict.fromkeys(key for record in content for key in record))
        records = ([record.get(key) for key in keys] for record in content)
        columns = [printable(key) for key in keys]
        return _from_columns(Rows(name, columns, enumerate(records, 1), ", record "), options)
    if isinstance(content, dict) and all(isinstance(arm, list | dict) for arm in content.values()):
        arms: dict[str, dict[int, float | None]] = {}
        seeded = all(isinstance(arm, dict) for arm in content.values())
        for key, arm in content.items():
            items = arm.items() if isinstance(arm, dict) else enumerate(arm)
            arm_name = printable(key)
            try:
                arms[arm_name] = {_seed(seed): _number(value) for seed, value in items}
            except BadCell as error:
                raise Problem(f"{name}, {arm_name}: {error}") from None
        metric = named_metric(options.metric or "loss", options.better)
        return _two_arms(arms, seeded, metric, (), options, name)
    raise Problem(f"{name}: this JSON is neither rows nor arms", next=FORMS)


def _from_columns(rows: Rows, options: TableOptions) -> NumberTable:
    columns, name = rows.columns, rows.name
    seed_key = _column(options.seed_key, SEED_KEYS, columns, "--seed-key", name)
    if seed_key is not None and options.seed_key is None and rows.is_blank(seed_key):
        seed_key = None  # as `q1lab export` writes runs whose seeds are not known
    arm_key = _column(options.arm_key, ARM_KEYS, columns, "--arm-key", name)
    step_key = next((column for column in columns if column.lower() in STEP), None)
    guesses = [
        f"{label} from {column}"
        for label, column, typed_name in (
            ("arms", arm_key, options.arm_key),
            ("seeds", seed_key, options.seed_key),
        )
        if column is not None and typed_name is None
    ]
    if arm_key is None:
        return _from_two_columns(rows, seed_key, tuple(guesses), options)
    others = [column for column in columns if column not in (arm_key, seed_key, step_key)]
    metric_key = _metric_column(options.metric, others, rows)
    if options.metric is None:
        guesses.append(f"metric {metric_key}")
    arms = _last_numbers(rows, arm_key, seed_key, step_key, metric_key)
    metric = named_metric(metric_key, options.better)
    return _two_arms(arms, seed_key is not None, metric, tuple(guesses), options, name)


def _last_numbers(
    rows: Rows, arm_key: str, seed_key: str | None, step_key: str | None, metric_key: str
) -> dict[str, dict[int, float | None]]:
    """The number of each run, by arm and seed: that of its last step where rows have steps."""
    arm_at, metric_at = rows.columns.index(arm_key), rows.columns.index(metric_key)
    seed_at = None if seed_key is None else rows.columns.index(seed_key)
    step_at = None if step_key is None else rows.columns.index(step_key)
    last_steps: dict[tuple[str, int], float] = {}
    arms: dict[str, dict[int, float | None]] = {}
    arm_names: dict[str, str] = {}
    for line, cells in rows:
        if _is_blank(cells[metric_at]):
            continue
        try:
            label = str(cells[arm_at])
            arm = arm_names.get(label)
            if arm is None:
                arm = arm_names[label] = _arm_name(cells[arm_at], arm_key)
                arms.setdefault(arm, {})
            values = arms[arm]
            seed = len(values) if seed_at is None else _seed(cells[seed_at])
            step = 0.0 if step_at is None else _number(cells[step_at]) or 0.0
            if seed in values:
                if step_at is None:
                    raise Problem(
                        f"{rows.place(line)}: {arm} has seed {seed} twice",
                        next="leave one row of them, or say --arm-key and --seed-key",
                    )
                if step <= last_steps[arm, seed]:
                    continue
            last_steps[arm, seed] = step
            values[seed] = _number(cells[metric_at])
        except BadCell as error:
            raise Problem(f"{rows.place(line)}: {error}", line=line) from None
        if len(values) > MOST_RUNS:
            raise Problem(f"{rows.place(line)}: {too_many_runs(arm)}", line=line)
    return arms


def _from_two_columns(
    rows: Rows, seed_key: str | None, guesses: tuple[str, ...], options: TableOptions
) -> NumberTable:
    """A column of numbers for each arm, a row for each seed."""
    name = rows.name
    numeric = [
        column
        for column in rows.columns
        if column != seed_key and column.lower() not in STEP and rows.is_numeric(column)
    ]
    chosen = [arm for arm in (options.baseline, options.modified) if arm is not None]
    if len(numeric) < 2:
        raise Problem(
            f"{name}: no column says which arm a row is of ({', '.join(rows.columns)[:200]})",
            next=f"name it with --arm-key, or {FORMS}",
        )
    if len(numeric) > 2 and len(chosen) < 2:
        raise Problem(
            f"{name}: {len(numeric)} columns of numbers ({', '.join(numeric)[:200]})",
            next="name the arms' column with --arm-key, or two columns with --baseline and "
            "--modified",
        )
    seed_at = None if seed_key is None else rows.columns.index(seed_key)
    numbers_at = {column: rows.columns.index(column) for column in numeric}
    arms: dict[str, dict[int, float | None]] = {column: {} for column in numeric}
    for place, (line, cells) in enumerate(rows):
        try:
            seed = place if seed_at is None else _seed(cells[seed_at])
            for column, at in numbers_at.items():
                if _is_blank(cells[at]):
                    continue
                if seed in arms[column]:
                    raise BadCell(f"{column} has seed {seed} twice")
                arms[column][seed] = _number(cells[at])
        except BadCell as error:
            raise Problem(f"{rows.place(line)}: {error}", line=line) from None
        if place >= MOST_RUNS:
            raise Problem(f"{rows.place(line)}: {too_many_runs(numeric[0])}", line=line)
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
            f"{name} has {len(rest)} arms besides {baseline}: {', '.join(rest)[:200]}",
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
    column_option: str | None, usual: Sequence[str], columns: Sequence[str], option: str, name: str
) -> str | None:
    if column_option is not None:
        _check_known(
            column_option,
            columns,
            f"{option} {printable(column_option)}: {name} has no such column",
        )
        return column_option
    return next((column for key in usual for column in columns if column.lower() == key), None)


def _metric_column(metric_option: str | None, columns: Sequence[str], rows: Rows) -> str:
    if metric_option is not None:
        message = f"--metric {printable(metric_option)}: {rows.name} has no such column"
        _check_known(metric_option, columns, message)
        return metric_option
    for usual in (*FINAL, *VAL):
        if usual in columns:
            return usual
    numeric = [column for column in columns if rows.is_numeric(column)]
    if len(numeric) == 1:
        return numeric[0]
    shown = ", ".join(numeric or columns)[:200]
    raise Problem(f"{rows.name}: which column is the metric? ({shown})", next="say --metric COLUMN")


def _is_blank(cell: object) -> bool:
    return cell is None or cell == "" or (isinstance(cell, str) and cell.isspace())


def _arm_name(cell: object, arm_key: str) -> str:
    name = "" if cell is None else printable(str(cell)).strip()
    if not name:
        raise BadCell(f"{arm_key} is empty")
    return name


def _as_number(cell: object) -> float | None:
    if isinstance(cell, bool):
        return None
    try:
        return float(cell)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None


def _number(cell: object) -> float | None:
    """A cell as a number; None for NaN and the infinities, with which a run diverged."""
    value = _as_number(cell)
    if value is None:
        raise BadCell(f"{printable(str(cell))[:40]!r} is not a number")
    if not math.isfinite(value):
        return None
    if abs(value) >= LARGEST_LOSS:
        raise BadCell(f"{value:g} is too large to be a metric")
    return value


def _seed(cell: object) -> int:
    value = _as_number(cell)
    if value is None or not 0 <= value < 10**9 or value != int(value):
        raise BadCell(f"seed {printable(str(cell))[:40]!r} is not a whole number, 0 or more")
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
