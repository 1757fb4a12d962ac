"""Nested settings and numbers, each under one name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
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


def usual_names(names: Iterable[str], usual: Sequence[str]) -> list[str]:
    """Those of ``names`` that are usual ones, in the order of ``usual``. A nested name counts by
    its last part, behind all that are less nested."""
    return sorted(
        (name for name in names if last_part(name) in usual),
        key=lambda name: (name.count("."), usual.index(last_part(name))),
    )


def flat_name(names: Iterable[str], usual: Sequence[str]) -> str | None:
    """The first of ``usual`` that is among ``names``; None for none."""
    by_name = {name.lower(): name for name in reversed([*names])}
    return next((by_name[key] for key in usual if key in by_name), None)


@lru_cache(maxsize=MOST_NAMES)
def last_part(name: str) -> str:
    """The last part of a nested name, in lower case."""
    return name.rpartition(".")[2].lower()


@lru_cache(maxsize=MOST_NAMES)
def _clean_name(prefix: str, key: str) -> str:
    return printable(f"{prefix}{key}")[:LONGEST_NAME]
