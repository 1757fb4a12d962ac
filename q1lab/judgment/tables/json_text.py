"""JSON: a list of objects or JSON lines are rows; an object may hold the numbers of each arm."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from q1lab.ground.errors import Problem
from q1lab.ground.files import printable
from q1lab.judgment.tables.cells import BadCell
from q1lab.judgment.tables.found_runs import Found, TableOptions, named_metric
from q1lab.judgment.tables.nested_names import flattened
from q1lab.judgment.tables.outside_run import MAX_ROWS, arm_name, visible_text
from q1lab.judgment.tables.table_rows import FORMS, Rows

OF_ONE = (
    "where it holds one run, or one arm's runs by seed, name the files of each arm with --arm "
    "NAME=PATTERN"
)


def parse(text: str, name: str) -> Rows | dict[str, Any]:
    """The rows in a list of JSON objects, or in JSON lines, one object a line; else one object."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        content = _json_lines(text, name)
        if content is None:
            raise Problem(f"{name} is not complete JSON: {str(error)[:80]}", next=FORMS) from None
    if isinstance(content, list) and content and all(isinstance(row, dict) for row in content):
        return rows_of_records(content, name)
    if not isinstance(content, dict):
        raise Problem(f"{name}: this JSON is neither rows nor arms", next=FORMS)
    return content


def _json_lines(text: str, name: str) -> list[Any] | None:
    """The objects of JSON lines; None where the first line is none by itself."""
    objects: list[Any] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            objects.append(json.loads(line))
        except (ValueError, RecursionError) as error:
            if len(objects) < 2:
                return None
            raise Problem(f"{name}:{number}: not JSON: {str(error)[:80]}", line=number) from None
        if len(objects) > MAX_ROWS:
            raise Problem(f"{name} has more than {MAX_ROWS:,} rows")
    return objects


def rows_of_records(records: Sequence[Mapping[str, Any]], name: str) -> Rows:
    """The rows of JSON objects; the keys of nested ones are joined by dots."""
    flat = [_flat(record) for record in records]
    keys = list(dict.fromkeys(key for record in flat for key in record))
    names = {visible_text(key): key for key in keys}
    rows = ({name: record.get(key) for name, key in names.items()} for record in flat)
    return Rows(name, list(names), enumerate(rows, 1), ", record ")


def _flat(record: Mapping[str, Any]) -> Mapping[str, Any]:
    is_nested = any(isinstance(value, dict) for value in record.values())
    return dict(flattened(record)) if is_nested else record


def found_in_arms(content: Mapping[str, Any], name: str, options: TableOptions) -> Found:
    """The runs of arms that are lists of numbers, or numbers by seed."""
    if not all(isinstance(arm, list | dict) for arm in content.values()):
        raise Problem(f"{name}: this JSON is neither rows nor arms", next=OF_ONE)
    found = Found(name, named_metric(options.metric, options.better))
    for key, arm in content.items():
        try:
            label = arm_name(key, "an arm's name")
            if label in found.arms:
                raise BadCell("this arm appears twice")
            found.add_numbers(label, arm)
        except ValueError as error:
            raise Problem(f"{name}, {printable(key)[:40]}: {error}", next=OF_ONE) from None
    return found
