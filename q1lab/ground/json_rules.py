"""Rules of a record's fields, for annotations: ``Annotated[int, whole_number(1, 1025)]``.
json_records.py applies them to what a file holds."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePath
from typing import Any

from q1lab.ground.errors import not_a_choice

Rule = Callable[[Any], Any]
"""Returns the value to use, or raises ValueError with the reason in words."""

INT_LIMIT = 1 << 53
"""Whole numbers must be smaller, because other programs read JSON's numbers as floats."""


def whole_number(least: int = 0, below: int = INT_LIMIT) -> Rule:
    """A whole number from ``least`` up, smaller than ``below``."""

    def rule(value: int) -> int:
        if not least <= value < below:
            raise ValueError(f"is out of range ({least:,} to {below - 1:,})")
        return value

    return rule


def max_chars(most: int, pattern: str | None = None) -> Rule:
    """Text of at most ``most`` characters, with newlines made spaces, that matches ``pattern``
    completely."""

    def rule(value: str) -> str:
        if len(value) > most:
            raise ValueError(f"has {len(value):,} characters, {most:,} at most")
        if pattern is not None and not re.fullmatch(pattern, value):
            raise ValueError(f"is {value[:60]!r}")
        return value.replace("\n", " ")

    return rule


def one_of(*words: str) -> Rule:
    """One of these words."""

    def rule(value: str) -> str:
        if value not in words:
            raise ValueError("; ".join(not_a_choice(value, words)))
        return value

    return rule


def inside_folder(value: str) -> str:
    """A relative path that stays inside its folder; an empty text means no file."""
    parts = PurePath(value)
    if len(value) > 1000 or parts.is_absolute() or ".." in parts.parts or "\0" in value:
        raise ValueError(f"names a file outside its folder: {value[:60]!r}")
    return value


def max_items(most: int) -> Rule:
    """A list or an object of at most ``most`` items."""

    def rule(value: Any) -> Any:
        if len(value) > most:
            raise ValueError(f"holds {len(value):,} items, {most:,} at most")
        return value

    return rule
