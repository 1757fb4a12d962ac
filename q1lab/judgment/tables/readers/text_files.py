"""Reads text: a table (CSV, TSV, JSON, JSON lines), the log of one run in the same forms, one run's
numbers as JSON, or what a program printed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from q1lab.judgment.tables import json_text, number_table
from q1lab.judgment.tables.cells import as_number
from q1lab.judgment.tables.found_runs import TableOptions
from q1lab.judgment.tables.nested_names import flattened
from q1lab.judgment.tables.outside_run import VAL
from q1lab.judgment.tables.readers import DELIMITED, printed_log
from q1lab.judgment.tables.run_log import RunLog
from q1lab.judgment.tables.table_rows import Rows, markdown_header
from q1lab.judgment.tables.table_rows import read as read_source

JSON = frozenset({".json", ".jsonl", ".ndjson"})
JSON_BEGINS = re.compile(r"""\s*(?:\{\s*["}]|\[\s*[\[{"])""")
"""Printed lines begin otherwise, also with ``[INFO]`` and ``{'loss'``."""
A_NUMBER = re.compile(r"(?:^|[\s:=])[-+]?\.?\d")
"""In the cell of a first line: it is no header."""


def read(file: Path, log: RunLog, label: str | None, options: TableOptions) -> Rows | RunLog:
    """The rows of a table, or the log filled. A file with a ``label`` is of that arm."""
    text, name = read_source(str(file)), str(file)
    if options.pattern is not None:
        pattern = printed_log.compiled(options.pattern)
        metric = options.metric or printed_log.metric_of(options.pattern)
        printed_log.read(iter(text.splitlines()), log, pattern, metric)
        return log
    if not (file.suffix.lower() in DELIMITED or _is_json(file, text) or _is_table(text)):
        printed_log.read(iter(text.splitlines()), log, None, "")
        return log
    content = number_table.content_of(text, name)
    if isinstance(content, Rows):
        return _table_or_log(content, log, label, options)
    by_seed = _by_seed(content)
    if by_seed is not None:
        return json_text.rows_of_records(by_seed, name)
    log.tell({key: value for key, value in content.items() if not isinstance(value, list)})
    log.end(content)
    for key, value in flattened(content):  # a curve, as Keras has them
        for step, each in enumerate(value if isinstance(value, list) else ()):
            if (number := as_number(each)) is not None:
                log.add(key, step, number)
    return log


def _table_or_log(
    rows: Rows, log: RunLog, label: str | None, options: TableOptions
) -> Rows | RunLog:
    """Rows with steps and no seed are the log of one run."""
    if label is None and len(number_table.arms_named(rows, options)) > 1:
        return rows
    if number_table.has_seeds(rows) or not number_table.has_steps(rows):
        return rows
    fill_by_rows(log, rows)
    return log


def fill_by_rows(log: RunLog, rows: Rows) -> None:
    """Fill the log of one run with the rows of a table, in their order."""
    for place, (_, row) in enumerate(rows):
        log.row(row, place)


def _by_seed(content: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """The runs of an arm by seed, ``{"0": 1.91}`` or ``{"0": {"val_loss": 1.91}}``, on their own or
    under one key; None where there are none."""
    for seeds in (content, *(value for value in content.values() if isinstance(value, dict))):
        if seeds and all(str(seed).isdecimal() for seed in seeds):
            return [
                {
                    "seed": seed,
                    **(dict(flattened(number)) if isinstance(number, dict) else {VAL[0]: number}),
                }
                for seed, number in seeds.items()
            ]
    return None


def is_printed(file: Path, text: str) -> bool:
    """True for what a program printed: no table, no JSON, and a number with its name."""
    if _is_json(file, text) or _is_table(text):
        return False
    return printed_log.NAMED.search(text[:20_000]) is not None


def _is_json(file: Path, text: str) -> bool:
    return file.suffix.lower() in JSON or JSON_BEGINS.match(text) is not None


def _is_table(text: str) -> bool:
    return _has_header(text) or markdown_header(text) is not None


def _has_header(text: str) -> bool:
    """True if the first line names columns, and the second has as many cells."""
    lines = [line for line in text[:20_000].splitlines() if line.strip()][:2]
    if len(lines) < 2:
        return False
    delimiter = next((character for character in "\t;," if character in lines[0]), None)
    header, first = (line.split(delimiter) if delimiter else [line] for line in lines)
    names = not any(A_NUMBER.search(cell) for cell in header)
    numbers = any(as_number(cell) is not None for cell in first)
    return names and numbers and len(header) == len(first)
