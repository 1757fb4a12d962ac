"""The blocks of which a comparison is told: plain text and numbers, nothing marked up.

The terminal, the app, the documents, the page and the pictures lay them out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

BarKind = Literal["interval", "bootstrap", "pairs", "floor", "delta", "prediction", "study"]


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


@dataclass(frozen=True)
class Figure:
    """Differences modified − baseline on one axis in which 0 is marked."""

    bars: tuple[Bar, ...] = ()
    axis: str = ""
    """``difference in nats``"""
    title: str = ""
    """``rope − baseline = −0.012 nats``"""
    basis: str = ""
    """The pairs behind the rows, and the direction that is better: ``3 pairs, lower is better``."""
    word: str = ""
    """The verdict in capitals; empty where none is told."""
    caveats: tuple[str, ...] = ()
    """The sentences below the figure while the study goes on."""


Part = Literal[
    "short", "verdict", "level", "power", "floor", "note", "prediction", "record", "scope"
]


@dataclass(frozen=True)
class HeadlineBlock:
    """The verdict in capitals, the arms, and the mean difference with its unit (empty without
    one)."""

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


Block = HeadlineBlock | Sentence | Figure | Table
