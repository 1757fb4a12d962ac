"""Tables with a column of numbers for each run or arm: as a row for each number."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from q1lab.ground.errors import Problem
from q1lab.ground.files import printable
from q1lab.judgment.tables.cells import has_no_number, is_blank
from q1lab.judgment.tables.found_runs import TableOptions, check_known
from q1lab.judgment.tables.nested_names import flat_name
from q1lab.judgment.tables.outside_run import STEP
from q1lab.judgment.tables.summaries import SUMMARIES
from q1lab.judgment.tables.table_rows import (
    FORMS,
    NUMBER,
    OF_FILE,
    SEED,
    Row,
    Rows,
    chart_column,
)
from q1lab.judgment.tables.written_numbers import items_of


def chart_rows(rows: Rows) -> Rows:
    """The rows of a chart that W&B exported, a column for each run, as a row for each point."""
    step_key = flat_name(rows.columns, STEP)
    if step_key is None:
        raise Problem(f"{rows.name}: no column iter or Step", next=FORMS)
    runs = [
        (column, match["cfg"], match["seed"], column.partition(" - ")[2])
        for column in rows.columns
        if (match := chart_column(column))
    ]
    metrics = dict.fromkeys(metric for *_, metric in runs)

    def points() -> Iterator[tuple[int, Row]]:
        silent = set(runs)
        for line, row in rows:
            for run in runs:
                column, arm, seed, metric = run
                if not has_no_number(row[column]):
                    silent.discard(run)
                    point = {step_key: row[step_key], metric: row[column]}
                    yield line, {**metrics, **point, "cfg": arm, "seed": seed}
        for _, arm, seed, _ in silent:
            yield line, {**metrics, step_key: None, "cfg": arm, "seed": seed}

    return rows.reshaped(["cfg", "seed", step_key, *metrics], points())


REPEATS = frozenset({"seed", "seeds", "run", "trial", "repeat", "replicate", "rep", "fold", "s"})
"""Words of columns that differ in the number of a run alone: seed 0, seed 1."""


def columns_of_seeds(rows: Rows) -> tuple[dict[str, int], str]:
    """The columns that hold one seed's numbers each, with the seed, and the metric in their names
    (empty for none); no columns where there are none."""
    groups: dict[tuple[str, ...], dict[str, int]] = {}
    for column in rows.columns:
        words = re.findall(r"[^\W\d_]+|\d+", column.lower())
        numbers = [word for word in words if word.isdecimal()]
        rest = tuple(word for word in words if not word.isdecimal())
        is_repeat = not rest or REPEATS.intersection(rest)
        if len(numbers) == 1 and is_repeat and len(numbers[0]) < 10 and rows.is_numeric(column):
            groups.setdefault(rest, {})[column] = int(numbers[0])
    several = {rest: seeds for rest, seeds in groups.items() if len(set(seeds.values())) > 1}
    if len(several) != 1:
        return {}, ""
    ((rest, seeds),) = several.items()
    return seeds, "_".join(word for word in rest if word not in REPEATS)


def row_per_seed(rows: Rows, arm_key: str, seeds: Mapping[str, int]) -> Rows:
    """A row for each number of a table with a column of numbers for each seed."""
    kept = [column for column in rows.columns if column not in seeds]

    def numbers() -> Iterator[tuple[int, Row]]:
        for line, row in rows:
            if is_blank(row[arm_key]):
                continue
            for column, seed in seeds.items():
                number = {NUMBER: row[column], items_of(NUMBER): row.get(items_of(column))}
                yield line, {**{key: row[key] for key in kept}, SEED: seed, **number}

    return rows.reshaped([*kept, SEED, NUMBER], numbers())


DIFFERENCE = re.compile(r"(δ|∆).*|delta|diff|difference|differenz|différence|écart")
"""Columns, in lower case, with the difference between two arms beside them."""


def _is_summary(cell: object) -> bool:
    words = re.findall(r"[^\W\d_]+|±", str(cell).lower())
    return bool(words) and SUMMARIES.issuperset(words)


def without_summaries(rows: Rows, seed_key: str) -> tuple[Rows, list[str]]:
    """The rows of runs alone, and how the first rows that sum them up are called (mean, std)."""
    names = [str(cell).strip() for cell in rows.first_cells(seed_key) if _is_summary(cell)]
    kept = ((line, row) for line, row in rows if not _is_summary(row[seed_key]))
    return (rows.reshaped(rows.columns, kept), names) if names else (rows, [])


def row_per_number(
    rows: Rows, seed_key: str | None, state_key: str | None, options: TableOptions
) -> tuple[Rows, list[str]]:
    """A row for each number of a table with a column of numbers for each of two arms, and the
    columns of numbers that were left out."""
    name = rows.name
    numeric = [
        column
        for column in rows.columns
        if column != seed_key and column.lower() not in STEP and rows.is_numeric(column)
    ]
    chosen = [arm for arm in (options.baseline, options.modified) if arm is not None]
    arms = [column for column in numeric if not DIFFERENCE.fullmatch(column.lower())]
    has_baseline = any(column.lower() == "baseline" for column in arms)
    if len(chosen) < 2 and not (has_baseline and len(arms) == 2):
        shown = ", ".join(rows.columns)[:200]
        raise Problem(
            f"{name}: no column says which arm a row is of ({shown})",
            next="name it with --arm-key COLUMN, or the files of each arm with --arm NAME=PATTERN; "
            "where each arm is a column of numbers, name two with --baseline COLUMN --modified "
            "COLUMN",
        )
    pair = chosen if len(chosen) == 2 else arms
    for option, column in zip(("--baseline", "--modified"), pair, strict=True):
        check_known(column, numeric, f"{option} {printable(column)}: {name} has no such numbers")
    others = [key for key in (seed_key, state_key) if key is not None]

    def numbers() -> Iterator[tuple[int, Row]]:
        waiting: dict[str, list[tuple[int, Row]]] = {arm: [] for arm in pair}
        for line, row in rows:
            for arm in pair:
                kept = {key: row[key] for key in others}
                kept |= {NUMBER: row[arm], items_of(NUMBER): row.get(items_of(arm))}
                waiting[arm].append((line, {OF_FILE: arm, **kept}))
                # without seeds the shorter of two lists has blanks at its end
                if seed_key is not None or not has_no_number(row[arm]):
                    yield from waiting[arm]
                    waiting[arm].clear()

    left = [column for column in numeric if column not in (*pair, *others)]
    return rows.reshaped([OF_FILE, NUMBER, *others], numbers()), left
