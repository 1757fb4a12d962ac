"""A table of runs: its text, its rows, or two typed lists. `judge` and `import` read it here.

The columns of the arm, the seed, the step and the metric are guessed by their names, or named by
options. A row is a run, or with a column of steps a point of one. What is read is untrusted data:
it is bounded and cleaned, and nothing in it is executed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from q1lab.ground.errors import Problem
from q1lab.ground.files import os_reason, printable, read_text
from q1lab.judgment.metric import LARGEST_COUNT
from q1lab.study.run_states import RunState
from q1lab.tables.cells import (
    BadCell,
    as_number,
    has_no_number,
    is_blank,
    number_of_cell,
    seed_of_cell,
)
from q1lab.tables.found_runs import (
    Found,
    NumberTable,
    TableOptions,
    check_known,
    has_diverged,
    mark_ended,
    named_metric,
    unfinished_state,
)
from q1lab.tables.nested_names import last_part, usual_names
from q1lab.tables.outside_run import (
    ARM_KEYS,
    FINAL,
    MAX_BYTES,
    NAME,
    SEED_KEYS,
    STEP,
    TRAIN,
    VAL,
    OutsideRun,
    arm_name,
)
from q1lab.tables.table_rows import FORMS, OF_FILE, Rows, delimited_rows

STATE_KEYS = ("state", "status", "run_state")
CONDITION_KEYS = (
    *("data", "dataset", "corpus", "data_sha256"),
    *("learning_rate", "lr", "batch_size"),
)
"""Columns of settings that both arms should share."""


def runs_of_values(name: str, values: Mapping[int, float | None]) -> dict[int, OutsideRun]:
    """The runs behind final numbers; None is the number of one that diverged."""
    return {seed: mark_ended(OutsideRun("", name, seed), value) for seed, value in values.items()}


def typed_numbers(baseline: str, modified: str, options: TableOptions) -> NumberTable:
    """Two lists of numbers as typed after --baseline and --modified."""
    arms = [runs_of_list("--baseline", baseline), runs_of_list("--modified", modified)]
    metric = named_metric(options.metric or "loss", options.better)
    return NumberTable(("baseline", "modified"), (arms[0], arms[1]), False, metric)


def runs_of_list(option: str, text: str) -> dict[int, OutsideRun]:
    """A list of numbers as typed after an option."""
    words = [word for word in re.split(r"[,\s]+", text.strip()) if word]
    if not words:
        raise Problem(f"{option} is empty", next="give numbers, such as 1.91,1.90,1.92")
    try:
        values = {place: number_of_cell(word) for place, word in enumerate(words)}
    except BadCell as error:
        raise Problem(f"{option}: {error}") from None
    return runs_of_values(option.removeprefix("--"), values)


def found_in_text(text: str, name: str, options: TableOptions) -> Found:
    """The runs in the text of a file, by arm. Problem, with the place, for a text that can't be
    understood."""
    if not text.strip():
        raise Problem(f"{name} is empty", next=FORMS)
    if text.lstrip()[0] not in "{[":
        return found_in_rows(delimited_rows(text, name), options)
    from q1lab.tables import json_text

    content = json_text.parse(text, name)
    if isinstance(content, Rows):
        return found_in_rows(content, options)
    return json_text.found_in_arms(content, name, options)


def read(source: str) -> str:
    """The text of a file, or of standard input for ``-``. Problem for one that can't be read."""
    name = "standard input" if source == "-" else source
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
        raise Problem(
            f"{name} is not UTF-8 text", next="export it as CSV, or save it as UTF-8", file=file
        ) from None
    except OSError as error:
        raise Problem(f"cannot read {name}: {os_reason(error, reading=True)}", file=file) from None


def arms_named(rows: Rows, options: TableOptions) -> set[str]:
    """The arms that the first rows of a table name; none where a row names none."""
    charts = [match for match in map(_chart_column, rows.columns) if match]
    if options.arm_key is None and charts:
        return {match["cfg"] for match in charts}
    if options.arm_key not in (None, *rows.columns):
        return set()
    column = _arm_column(rows, options)
    return rows.texts(column) if column is not None and rows.is_full(column) else set()


def has_seeds(rows: Rows, options: TableOptions) -> bool:
    """True if each row of a table says its seed."""
    if options.seed_key not in (None, *rows.columns):
        return False
    column = _seed_column(rows, options)
    return column is not None and rows.is_full(column)


def has_steps(rows: Rows) -> bool:
    """True if a table has a column of steps."""
    return _flat_column(rows.columns, STEP) is not None


def conditions_of(facts: Mapping[str, str]) -> dict[str, str]:
    """The settings of a run that both arms should share."""
    return {key: value[:60] for key, value in facts.items() if last_part(key) in CONDITION_KEYS}


def found_in_rows(rows: Rows, options: TableOptions) -> Found:
    """The runs in the rows of a table, by arm."""
    if options.arm_key is None and any(map(_chart_column, rows.columns)):
        rows = _chart_rows(rows)
    columns, name = rows.columns, rows.name
    arm_key, seed_key = _arm_column(rows, options), _seed_column(rows, options)
    used_keys = (arm_key, seed_key, options.metric)
    rest = [column for column in columns if column not in used_keys]
    state_key = _flat_column(rest, STATE_KEYS)
    step_key = _flat_column(rest, STEP)
    guesses = [
        f"{label} from {column}"
        for label, column, typed_name in (
            ("arms", arm_key, options.arm_key),
            ("seeds", seed_key, options.seed_key),
            ("states", state_key, None),
            ("steps", step_key, None),
        )
        if column is not None and typed_name is None
    ]
    if arm_key is None:
        metric = named_metric(options.metric or "loss", options.better)
        guesses += [f"numbers as a loss ({metric.direction})"] * (options.metric is None)
        keys = _Keys(OF_FILE, NUMBER, seed_key, state_key)
        rows = _row_per_number(rows, keys, options)
    else:
        results = [column for column in rest if column != state_key and column.lower() not in STEP]
        metric_key = _typed_column("--metric", options.metric, rows)
        if metric_key is None:
            metric_key = _metric_column(results, rows)
            guesses.append(f"metric {metric_key}")
        metric = named_metric(metric_key, options.better)
        keys = _Keys(arm_key, metric_key, seed_key, state_key, step_key)
    result = Found(name, metric, seed_key is not None, tuple(guesses))
    _read_rows(rows, result, keys)
    return result


class _Keys(NamedTuple):
    """The columns of a table that are read; None for one that it hasn't."""

    arm: str
    number: str
    seed: str | None
    state: str | None
    step: str | None = None


def _read_rows(rows: Rows, result: Found, keys: _Keys) -> None:
    """Add the runs of the rows, each of which says its arm."""
    at = rows.columns.index
    of_arm, of_number = at(keys.arm), at(keys.number)
    of_seed, of_state, of_step, of_train = (
        None if key is None else at(key)
        for key in (keys.seed, keys.state, keys.step, _train_column(rows, keys.number))
    )
    conditions = [
        (column, place)
        for place, column in enumerate(rows.columns)
        if last_part(column) in CONDITION_KEYS and column not in (keys.arm, keys.number)
    ]
    arm_names: dict[str, str] = {}
    points = _Points(result, keys.step or "")
    for line, cells in rows:
        number, state = cells[of_number], None if of_state is None else cells[of_state]
        try:
            label = "" if cells[of_arm] is None else str(cells[of_arm])
            if not label.strip() and has_no_number(number):
                continue  # of no run: a line below the table, say
            if label not in arm_names:
                arm_names[label] = arm_name(label, keys.arm)
            arm = arm_names[label]
            seed = (
                len(result.arms.get(arm, ())) if of_seed is None else seed_of_cell(cells[of_seed])
            )
            if of_step is None:
                run = result.add_number(arm, seed, number, state)
            else:
                train = None if of_train is None else cells[of_train]
                run = result.run(arm, seed)
                points.add(run, cells[of_step], number, state, train)
            for column, place in conditions:
                if not is_blank(cells[place]):
                    run.conditions[column] = printable(str(cells[place]).strip())[:60]
        except ValueError as error:
            raise Problem(f"{rows.place(line)}: {error}", line=line) from None
    if of_step is not None:
        points.end(keys.seed is not None)


def _train_column(rows: Rows, metric_key: str) -> str | None:
    """The column of the train loss, which is drawn."""
    return next((key for key in rows.columns if key in TRAIN and key != metric_key), None)


class _Points:
    """The points of runs, a row each, until all are read."""

    def __init__(self, result: Found, step_key: str) -> None:
        self._found = result
        self._step_key = step_key
        self._twice: dict[tuple[str, int], float] = {}
        """The latest step at which a run has two numbers that differ."""

    def add(
        self, run: OutsideRun, step_cell: object, cell: object, state: object, train: object
    ) -> None:
        step = _step(step_cell, self._step_key, has_no_number(cell))
        if run.ended_at is None or step >= run.ended_at:
            run.ended_at, run.message = step, unfinished_state(state)
            run.state = RunState.DIVERGED if has_diverged(state) else RunState.FAILED
        if not has_no_number(train):
            run.train[step] = number_of_cell(train)
        if has_no_number(cell):
            return
        value = number_of_cell(cell)
        if run.evals.get(step, value) != value:
            key = run.cfg, run.seed
            self._twice[key] = max(step, self._twice.get(key, 0.0))
        run.evals[step] = value

    def end(self, has_seeds: bool) -> None:
        """Give each run its last number. Problem where it isn't clear which number is a run's."""
        result = self._found
        runs = [run for arm in result.arms.values() for run in arm.values()]
        for run in runs:
            if run.state is RunState.DIVERGED:
                continue
            if not run.evals and run.message is None:
                run.message = f"no {result.metric.name}"
            if run.message is not None:
                continue
            last = max(run.evals)
            if self._twice.get((run.cfg, run.seed)) == last:
                raise Problem(
                    f"{result.name}: {run.cfg}, seed {run.seed}, ends at {self._step_key} {last:g} "
                    "with two numbers",
                    next="leave the rows of one run",
                )
            mark_ended(run, run.evals[last])
        differ = result.align_ends()
        if differ and not has_seeds:
            raise Problem(
                f"{result.name}: rows differ in {self._step_key}, and no column says which run a "
                "row is of",
                next="name the column of its number with --seed-key, or give a row per run",
            )


def _chart_column(column: str) -> re.Match[str] | None:
    """The run in the name of a column as W&B exports a chart: ``modified-seed0 - val_loss``."""
    head, dash, metric = column.partition(" - ")
    is_band = metric.endswith(("__MIN", "__MAX"))
    return NAME.fullmatch(head) if dash and not is_band else None


def _chart_rows(rows: Rows) -> Rows:
    """The rows of a chart that W&B exported, a column for each run, as a row for each point."""
    step_key = _flat_column(rows.columns, STEP)
    if step_key is None:
        raise Problem(f"{rows.name}: no column iter or Step", next=FORMS)
    runs = [
        (place, match["cfg"], match["seed"], column.partition(" - ")[2])
        for place, column in enumerate(rows.columns)
        if (match := _chart_column(column))
    ]
    metrics = list(dict.fromkeys(metric for *_, metric in runs))
    step_at = rows.columns.index(step_key)

    def points() -> Iterator[tuple[int, Sequence[Any]]]:
        silent = set(runs)
        for line, cells in rows:
            for run in runs:
                place, arm, seed, metric = run
                if not has_no_number(cells[place]):
                    silent.discard(run)
                    numbers = [cells[place] if key == metric else None for key in metrics]
                    yield line, [arm, seed, cells[step_at], *numbers]
        for _, arm, seed, _ in silent:
            yield line, [arm, seed, None, *(None for _ in metrics)]

    return rows.reshaped(["cfg", "seed", step_key, *metrics], points())


NUMBER = "--number"
"""The column of numbers in a table that had a column of them for each arm."""


def _row_per_number(rows: Rows, keys: _Keys, options: TableOptions) -> Rows:
    """A row for each number of a table with a column of numbers for each of two arms."""
    name, at = rows.name, rows.columns.index
    numeric = [
        column
        for column in rows.columns
        if column != keys.seed and column.lower() not in STEP and rows.is_numeric(column)
    ]
    chosen = [arm for arm in (options.baseline, options.modified) if arm is not None]
    has_baseline = any(column.lower() == "baseline" for column in numeric)
    if len(chosen) < 2 and not (has_baseline and len(numeric) == 2):
        columns = ", ".join(rows.columns)[:200]
        raise Problem(
            f"{name}: no column says which arm a row is of ({columns})",
            next="name it with --arm-key COLUMN, or the files of each arm with --arm NAME=PATTERN; "
            "where each arm is a column of numbers, name two with --baseline COLUMN --modified "
            "COLUMN",
        )
    pair = chosen if len(chosen) == 2 else numeric
    for option, column in zip(("--baseline", "--modified"), pair, strict=True):
        check_known(column, numeric, f"{option} {printable(column)}: {name} has no such numbers")
    others = [key for key in (keys.seed, keys.state) if key is not None]

    def numbers() -> Iterator[tuple[int, Sequence[Any]]]:
        waiting: dict[str, list[tuple[int, Sequence[Any]]]] = {arm: [] for arm in pair}
        for line, cells in rows:
            for arm in pair:
                waiting[arm].append((line, [arm, *(cells[at(key)] for key in (arm, *others))]))
                # without seeds the shorter of two lists has blanks at its end
                if keys.seed is not None or not has_no_number(cells[at(arm)]):
                    yield from waiting[arm]
                    waiting[arm].clear()

    return rows.reshaped([OF_FILE, NUMBER, *others], numbers())


def _typed_column(option: str, typed: str | None, rows: Rows) -> str | None:
    """The column that a person named; None where nobody did. Problem if there is no such column."""
    if typed is not None:
        message = f"{option} {printable(typed)}: {rows.name} has no such column"
        check_known(typed, rows.columns, message)
    return typed


def _arm_column(rows: Rows, options: TableOptions) -> str | None:
    """The column of the arms: the first usual one in which rows differ, else the first."""
    usual = usual_names(rows.columns, ARM_KEYS)
    differing = [column for column in usual if len(rows.texts(column)) > 1]
    return _typed_column("--arm-key", options.arm_key, rows) or next(
        iter((*differing, *usual)), None
    )


def _seed_column(rows: Rows, options: TableOptions) -> str | None:
    """The column of the seeds. `q1lab export` writes it blank where they are not known."""
    usual = usual_names(rows.columns, SEED_KEYS)
    return _typed_column("--seed-key", options.seed_key, rows) or next(
        filter(rows.texts, usual), None
    )


def _flat_column(columns: Sequence[str], usual: Sequence[str]) -> str | None:
    return next((column for key in usual for column in columns if column.lower() == key), None)


def _metric_column(columns: Sequence[str], rows: Rows) -> str:
    for usual in (*FINAL, *VAL):
        if usual in columns:
            return usual
    numeric = [
        column
        for column in columns
        if last_part(column) not in CONDITION_KEYS
        and not column.startswith("_")  # W&B's own: _runtime, _timestamp
        and rows.is_numeric(column)
    ]
    if len(numeric) == 1 or (not numeric and len(columns) == 1):
        return (numeric or columns)[0]
    shown = ", ".join(numeric or columns)[:200]
    raise Problem(f"{rows.name}: which column is the metric? ({shown})", next="say --metric COLUMN")


def _step(cell: object, key: str, may_be_blank: bool) -> float:
    if may_be_blank and is_blank(cell):
        return 0.0
    value = as_number(cell)
    if value is None or not 0 <= value < LARGEST_COUNT:
        raise BadCell(f"{key} {printable(str(cell))[:40]!r} is no number from 0 up, as a step is")
    return value
