"""The figure and the tables of a judgment: plain text and numbers, nothing marked up.

The terminal, the app, the documents, the page and the pictures lay them out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

BarKind = Literal["interval", "bootstrap", "pairs", "floor", "delta", "prediction", "study"]


MOST_ROWS = 12
"""Pairs that have a row each; more share one."""


@dataclass(frozen=True)
class Bar:
    """A row: an interval, or points, on the axis of differences. ``ends`` are an interval's ends as
    text; ``text`` is the number of a row without an interval."""

    kind: BarKind
    label: str
    note: str = ""
    low: float | None = None
    high: float | None = None
    points: tuple[float, ...] = ()
    ends: tuple[str, str] | None = None
    text: str = ""
    parts: tuple[Bar, ...] = ()
    """The pairs one by one, where a layout has room for a row each."""

    @property
    def values(self) -> list[float]:
        """Its ends and its points."""
        return [value for value in (self.low, self.high, *self.points) if value is not None]


@dataclass(frozen=True)
class Figure:
    """Differences modified − baseline on one axis in which 0 is marked."""

    bars: tuple[Bar, ...] = ()
    axis: str = ""
    """``difference in nats``"""

    def one_by_one(self) -> Figure:
        """The figure with a row for each pair, while they are few."""
        parts = (bar.parts if 0 < len(bar.parts) <= MOST_ROWS else (bar,) for bar in self.bars)
        return replace(self, bars=tuple(bar for row in parts for bar in row))


@dataclass(frozen=True)
class TableRow:
    """A row of numbers: the baseline's, the modified arm's, and what lies between them."""

    label: str
    baseline: str
    modified: str
    change: str


@dataclass(frozen=True)
class Table:
    """Numbers of both arms side by side, with a sentence below (empty without one)."""

    heads: tuple[str, str, str, str]
    rows: tuple[TableRow, ...]
    foot: str = ""
