"""A table of runs: `judge` reads its rows here.

The columns of the arm, the seed, the step and the metric are guessed by their names, or named by
options. A row is a run, or with a column of steps a point of one. What is read is untrusted data:
it is bounded and cleaned, and nothing in it is executed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from q1lab.ground.errors import Problem
from q1lab.ground.files import printable
from q1lab.ground.text_formats import first_names, in_list
from q1lab.judgment import metric_names
from q1lab.judgment.metric import LARGEST_COUNT, Metric
from q1lab.judgment.tables import json_text, wide_tables
from q1lab.judgment.tables.cells import (
    BadCell,
    as_number,
    has_no_number,
    is_blank,
    no_number,
    seed_of_cell,
)
from q1lab.judgment.tables.found_runs import (
    Found,
    OpenMetric,
    TableOptions,
    Understood,
    check_known,
    named_metric,
)
from q1lab.judgment.tables.nested_names import flat_name, last_part, usual_names
from q1lab.judgment.tables.outside_run import ARM_KEYS, FINAL, SEED_KEYS, STEP, VAL, arm_name
from q1lab.judgment.tables.summaries import COUNT, add_summaries, is_spread, summary_columns
from q1lab.judgment.tables.table_rows import (
    FORMS,
    NUMBER,
    OF_FILE,
    SEED,
    Rows,
    chart_column,
    delimited_rows,
    markdown_header,
    markdown_rows,
)
from q1lab.judgment.tables.written_numbers import (
    Writing,
    items_of,
    looks_like_number,
    plain_rows,
    writings,
)

STATE_KEYS = ("state", "status", "run_state")
CONDITION_KEYS = (
    *("data", "dataset", "corpus", "data_sha256"),
    *("learning_rate", "lr", "batch_size"),
)
"""Columns of settings that both arms should share."""


def content_of(text: str, name: str) -> Rows | dict[str, Any]:
    """The rows in a text, or the one JSON object that it is."""
    if not text.strip():
        raise Problem(f"{name} is empty", next=FORMS)
    if text.lstrip()[0] not in "{[":
        header = markdown_header(text)
        if header is not None:
            return markdown_rows(text, name, header)
        return delimited_rows(text, name)
    return json_text.parse(text, name)


def found_in_text(text: str, name: str, options: TableOptions) -> Found:
    """The runs in the text of a file, by arm. Problem, with the place, for a text that can't be
    understood."""
    content = content_of(text, name)
    if isinstance(content, Rows):
        return found_in_rows(content, options)
    return json_text.found_in_arms(content, name, options)


def arms_named(rows: Rows, options: TableOptions) -> set[str]:
    """The arms that the first rows of a table name; none where a row names none."""
    charts = [match for match in map(chart_column, rows.columns) if match]
    if options.arm_key is None and charts:
        return {match["cfg"] for match in charts}
    column = _arm_column(rows, options)
    return rows.texts(column) if column is not None and rows.is_full(column) else set()


def has_seeds(rows: Rows) -> bool:
    """True if each row of a table says its seed."""
    column = _seed_column(rows)
    return column is not None and rows.is_full(column)


def has_steps(rows: Rows) -> bool:
    """True if a table has a column of steps."""
    return flat_name(rows.columns, STEP) is not None


def conditions_of(facts: Mapping[str, str]) -> dict[str, str]:
    """The settings of a run that both arms should share."""
    return {key: value[:60] for key, value in facts.items() if last_part(key) in CONDITION_KEYS}


ITEM_KEYS = ("n_items", "items", "n_examples", "num_examples", "examples", "n_questions")
"""Columns with the number of items that a metric is counted on."""


class Keys(NamedTuple):
    """The columns of a table that are read; None for one that it hasn't."""

    arm: str
    number: str
    seed: str | None
    state: str | None
    step: str | None = None


def found_in_rows(rows: Rows, options: TableOptions) -> Found:
    """The runs in the rows of a table, by arm; or of a table with one row an arm, their means."""
    if options.arm_key is None and any(map(chart_column, rows.columns)):
        rows = wide_tables.chart_rows(rows)
    _check_column("--arm-key", options.arm_key, rows)
    arm_key, seed_key = _arm_column(rows, options), _seed_column(rows)
    summaries: list[str] = []
    if seed_key is not None:
        rows, summaries = wide_tables.without_summaries(rows, seed_key)
    written = {key: found for key, found in writings(rows).items() if key != arm_key}
    rows = plain_rows(rows, written)
    rest = [column for column in rows.columns if column not in (arm_key, seed_key, options.metric)]
    state_key, step_key = flat_name(rest, STATE_KEYS), flat_name(rest, STEP)
    understood = Understood(
        _column(arm_key, options.arm_key),
        _column(seed_key) + _without(summaries),
        rest=(("steps", _column(step_key)), ("states", _column(state_key))),
    )
    seeds, of_seeds = wide_tables.columns_of_seeds(rows)
    if arm_key is None:
        if len(seeds) > 1 and not (options.baseline and options.modified):
            raise Problem(
                f"{rows.name}: no column says which arm a row is of", next="say --arm-key COLUMN"
            )
        rows, left = wide_tables.row_per_number(rows, seed_key, state_key, options)
        metric = named_metric(options.metric, options.better)
        keys = Keys(OF_FILE, NUMBER, seed_key, state_key)
        understood = replace(understood, arms="the columns' names" + _without(left))
        writing = written.get(rows.head[0][1][OF_FILE], Writing()) if rows.head else Writing()
    elif seed_key is None and step_key is None and seeds and options.metric not in rows.columns:
        metric = named_metric(options.metric or of_seeds or None, options.better)
        _check_doubt(rows, written, *seeds)
        writing = written.get(next(iter(seeds)), Writing())
        understood = replace(understood, seeds="the columns' names", numbers=str(writing))
        rows = wide_tables.row_per_seed(rows, arm_key, seeds)
        keys = Keys(arm_key, NUMBER, SEED, state_key)
    else:
        number_key = _number_column(rows, rest, state_key, options)
        _check_doubt(rows, written, number_key)
        metric = named_metric(number_key, options.better)
        writing = written.get(number_key, Writing())
        understood = replace(understood, numbers=str(writing))
        keys = Keys(arm_key, number_key, seed_key, state_key, step_key)
        if seed_key is None and step_key is None:
            columns = summary_columns(rows, number_key, arm_key, written)
            if columns is not None:
                found = Found(rows.name, metric, understood)
                add_summaries(found, rows, arm_key, columns)
                return found
    found = Found(rows.name, metric, understood, whole=_whole(keys.number, metric, writing))
    _read_rows(rows, found, keys)
    return found


def _column(name: str | None, typed: str | None = None) -> str:
    """A column that was guessed, in words."""
    return "" if name is None or typed is not None else f"column {printable(name)}"


def _without(names: Sequence[str]) -> str:
    """Names of columns or rows that were left out, in words."""
    return f" without {first_names([in_list(name) for name in names])}" if names else ""


def _number_column(
    rows: Rows, rest: Sequence[str], state_key: str | None, options: TableOptions
) -> str:
    """The column of the metric, as named or guessed."""
    _check_column("--metric", options.metric, rows)
    others = [key for key in rest if key != state_key and key.lower() not in STEP]
    return options.metric or _metric_column(others, rows)


def _whole(name: str, metric: Metric, writing: Writing) -> int | None:
    """What the metric is a share of: 1, or 100 in percent; None where it is no share of items."""
    if metric.better != "higher" and not writing.has_items:
        return None
    return 100 if writing.unit == "%" or "%" in name else 1


def _check_doubt(rows: Rows, written: Mapping[str, Writing], *columns: str) -> None:
    """Raise a Problem, with its place, for a cell of these columns that may be two numbers."""
    for column in columns:
        if column in written and (doubt := written[column].doubt):
            line = next(line for line, row in rows.head if row[column] == doubt)
            raise Problem(
                f"{rows.place(line)}: {printable(column)} {doubt.strip()!r} may have a decimal "
                "mark, or one of thousands",
                next="write it plain, as 1234.5",
                line=line,
            )


def _read_rows(rows: Rows, found: Found, keys: Keys) -> None:
    """Add the runs of the rows, each of which says its arm."""
    conditions = [
        column
        for column in rows.columns
        if last_part(column) in CONDITION_KEYS and column not in (keys.arm, keys.number)
    ]
    items_key = flat_name([each for each in rows.columns if each not in keys], ITEM_KEYS)
    arm_names: dict[str, str] = {}
    for line, row in rows:
        number, state = row[keys.number], None if keys.state is None else row[keys.state]
        try:
            label = "" if row[keys.arm] is None else str(row[keys.arm])
            if not label.strip() and has_no_number(number):
                continue  # of no run: a line below the table, say
            if label not in arm_names:
                arm_names[label] = arm_name(label, keys.arm)
            arm, seed = (
                arm_names[label],
                None if keys.seed is None else seed_of_cell(row[keys.seed]),
            )
            if keys.step is None:
                run = found.number(arm, seed, number, state)
            else:
                run = found.curve(arm, seed)
                step = _step(row[keys.step], keys.step, has_no_number(number))
                run.add_point(step, number, state)
            items = as_number(row.get(items_of(keys.number)) or row.get(items_key or ""))
            run.items = None if items is None or not items.is_integer() else int(items)
            for column in conditions:
                if not is_blank(row[column]):
                    run.conditions[column] = printable(str(row[column]).strip())[:60]
        except ValueError as error:
            raise Problem(f"{rows.place(line)}: {error}", line=line) from None
    if keys.step is not None:
        found.end_curves(keys.step)


def _check_column(option: str, typed: str | None, rows: Rows) -> None:
    if typed is not None:
        message = f"{option} {printable(typed)}: {rows.name} has no such column"
        check_known(typed, rows.columns, message)


def _arm_column(rows: Rows, options: TableOptions) -> str | None:
    """The column of the arms: the first usual one in which rows differ, else the first."""
    if options.arm_key is not None:
        return options.arm_key if options.arm_key in rows.columns else None
    usual = usual_names(rows.columns, ARM_KEYS)
    differing = (column for column in usual if len(rows.texts(column)) > 1)
    return next(differing, next(iter(usual), None)) or _only_text_column(rows, options)


def _only_text_column(rows: Rows, options: TableOptions) -> str | None:
    """The one column of names, in a table whose columns are no arms."""
    named = {options.baseline, options.modified, "baseline"} & {*rows.columns}
    known = (*STATE_KEYS, *CONDITION_KEYS, *SEED_KEYS, *STEP)
    numbers = {*writings(rows)}
    texts = [
        column
        for column in rows.columns
        if last_part(column) not in known
        and column not in numbers
        and not rows.is_numeric(column)
        and not metric_names.measures(column)
        and rows.is_full(column)
    ]
    return texts[0] if len(texts) == 1 and not named else None


def _seed_column(rows: Rows) -> str | None:
    """The column of the seeds. `q1lab export` writes it blank where they are not known."""
    return next(filter(rows.texts, usual_names(rows.columns, SEED_KEYS)), None)


def _metric_column(columns: Sequence[str], rows: Rows) -> str:
    for usual in (*FINAL, *VAL):
        if usual in columns:
            return usual
    columns = [key for key in columns if not (key.lower() in COUNT or is_spread(key))] or columns
    numeric = [
        column
        for column in columns
        if last_part(column) not in CONDITION_KEYS
        and not column.startswith("_")  # W&B's own: _runtime, _timestamp
        and rows.is_numeric(column)
    ]
    texts = [
        column
        for column in columns
        if column not in numeric and metric_names.may_be_metric(column) and rows.texts(column)
    ]
    for column in texts:
        if metric_names.measures(column):
            return column  # so that its first cell is refused by its place
    if not any(map(metric_names.measures, numeric)):
        for line, row in rows.head:
            for column in texts:
                cell = row[column]
                if looks_like_number(cell) and as_number(cell) is None:
                    raise Problem(
                        f"{rows.place(line)}: {printable(column)} {no_number(cell)}",
                        next="or name another column with --metric COLUMN",
                        line=line,
                    )
    measuring = [column for column in numeric if metric_names.measures(column)]
    for few in (measuring, list(filter(metric_names.may_be_metric, numeric)), numeric or columns):
        if len(few) == 1:
            return few[0]
    looks = {
        column: ", ".join(map(str, rows.first_cells(column)[:3])) for column in numeric or columns
    }
    raise OpenMetric(f"{rows.name}: which column is the metric?", looks)


def _step(cell: object, key: str, may_be_blank: bool) -> float:
    if may_be_blank and is_blank(cell):
        return 0.0
    value = as_number(cell)
    if value is None or not 0 <= value < LARGEST_COUNT:
        raise BadCell(f"{key} {printable(str(cell))[:40]!r} is no number from 0 up, as a step is")
    return value
