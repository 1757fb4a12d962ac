"""Cells of a table, and numbers that stand in Python: each is a number, a seed, or refused."""

from __future__ import annotations

import math

from q1lab.ground.text_formats import printable
from q1lab.judgment.metric import LARGEST_LOSS

MOST_RUNS = 10_000
"""Runs of one arm."""


NO_NUMBER = frozenset({"", "-", "–", "—", "n/a", "na", "#n/a", "none", "null"})
"""Cells that stand for no number. NaN is one: that of a run that diverged."""


def too_many_runs(arm: str) -> str:
    """The reason that an arm with more than ``MOST_RUNS`` runs is refused."""
    return f"{arm} has more than {MOST_RUNS:,} runs, and more are not compared"


class BadCell(ValueError):
    """A cell that can't be used, in words; the caller knows its place."""


def is_blank(cell: object) -> bool:
    return cell is None or cell == "" or (isinstance(cell, str) and cell.isspace())


def has_no_number(cell: object) -> bool:
    return cell is None or (isinstance(cell, str) and cell.strip().lower() in NO_NUMBER)


def as_number(cell: object) -> float | None:
    """A cell as a float; None for one that is none."""
    if isinstance(cell, bool):
        return None
    try:
        return float(cell)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None


def no_number(cell: object) -> str:
    """The reason that a cell without a number is refused, with the cure."""
    return f"{printable(str(cell))[:40]!r} is not a number; write it plain, as 1234.5"


def number_of_cell(cell: object) -> float | None:
    """A cell as a number; None for NaN and the infinities, with which a run diverged."""
    value = as_number(cell)
    if value is None:
        raise BadCell(no_number(cell))
    if not math.isfinite(value):
        return None
    if abs(value) >= LARGEST_LOSS:
        raise BadCell(f"{value:g} is too large to be a metric")
    return value


def seed_of_cell(cell: object) -> int:
    """A cell as a seed."""
    value = as_number(cell)
    if value is None or not 0 <= value < 10**9 or value != int(value):
        raise BadCell(f"seed {printable(str(cell))[:40]!r} is not a whole number, 0 or more")
    return int(value)
