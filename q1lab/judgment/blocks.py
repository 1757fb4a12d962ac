"""The blocks of which a comparison is told: plain text and numbers, nothing marked up.

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


Part = Literal[
    "short",
    "verdict",
    "level",
    "power",
    "floor",
    "note",
    "prediction",
    "record",
    "scope",
    "caveat",
    "series",
]


@dataclass(frozen=True)
class HeadlineBlock:
    """The verdict in capitals (empty where it stands elsewhere, or is not known yet), the arms, and
    the mean difference with its unit (empty without one)."""

    word: str
    verdict: str
    names: tuple[str, str]
    mean: str
    seeds: str
    better: str


@dataclass(frozen=True)
class Sentence:
    """One thing that is said, a sentence or a few."""

    part: Part
    text: str


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

    kind: Literal["losses", "costs"]
    heads: tuple[str, str, str, str]
    rows: tuple[TableRow, ...]
    foot: str = ""


@dataclass(frozen=True)
class Ranking:
    """Several judgments, a row of cells each below the row of heads; the first three are words, the
    others numbers. ``below`` has a text for below each row (empty without one)."""

    rows: tuple[tuple[str, ...], ...]
    below: tuple[str, ...]


Block = HeadlineBlock | Sentence | Figure | Table | Ranking
