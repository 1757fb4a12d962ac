"""Nested settings and numbers, each under one name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from q1lab.ground.text_formats import printable

MOST_NAMES, LONGEST_NAME, DEEPEST = 2000, 200, 6
"""Names in one log, characters of a name, and levels of nested ones."""


def flattened(nested: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The keys and values of a mapping, those of a nested one joined by dots, as W&B shows them."""
    for key, value in nested.items():
        name = _clean_name(prefix, str(key))
        if isinstance(value, dict) and value and prefix.count(".") < DEEPEST:
            yield from flattened(value, f"{name}.")
        else:
            yield name, value


@lru_cache(maxsize=MOST_NAMES)
def _clean_name(prefix: str, key: str) -> str:
    return printable(f"{prefix}{key}")[:LONGEST_NAME]
