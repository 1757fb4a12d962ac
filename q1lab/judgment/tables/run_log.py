"""One run as its log tells it: numbers by step, final numbers, settings, and how it ended.

A reader of ``q1lab.judgment.tables.readers`` fills it. What a log says is untrusted data: it is
bounded and cleaned here, whichever reader it comes from."""

from __future__ import annotations

import math
from array import array
from collections.abc import Collection, Mapping
from typing import Any

from q1lab.ground.text_formats import printable
from q1lab.judgment.metric import LARGEST_COUNT
from q1lab.judgment.tables.cells import as_number
from q1lab.judgment.tables.nested_names import MOST_NAMES, flattened, last_part
from q1lab.judgment.tables.outside_run import SEED_KEYS, STEP
from q1lab.judgment.tables.written_numbers import looks_like_number

LONGEST_FACT = 200
"""Characters of a setting's value."""
MOST_NUMBERS = 10_000_000
"""Numbers that are kept of one log."""


class RunLog:
    """The log of one run. ``only`` are the names of the numbers that are wanted; None: all."""

    def __init__(self, only: Collection[str] | None = None) -> None:
        self._curves: dict[str, tuple[array[float], array[float]]] = {}
        """The steps and the values of each number, in the order in which they were logged."""
        self.finals: dict[str, float] = {}
        """Final numbers that the log says by themselves."""
        self.names: dict[str, float | None] = {}
        """All names of numbers, also of those that aren't wanted, each with its number if it never
        changes."""
        self.unread: dict[str, str] = {}
        """Names of which a text looks like a number, as "71,2" does, each with the first one."""
        self._told: dict[str, str] = {}
        self.last_step = 0.0
        self.unfinished = ""
        """Why the run did not come to its end, in words; empty where nothing says so."""
        self.kept = 0
        """Numbers that are kept."""
        self._only = only

    @property
    def facts(self) -> dict[str, str]:
        """Settings and properties of the run, nested ones joined by dots. A number that never
        changes is one, too."""
        constant = ((name, value) for name, value in self.names.items() if value is not None)
        return {**{name: f"{value:.12g}" for name, value in constant}, **self._told}

    def add(self, name: str, step: float, value: float) -> None:
        """Add a number of a step."""
        if self._wants(name, value) and 0 <= step < LARGEST_COUNT:
            self._count()
            steps, values = self._curves.setdefault(name, (array("d"), array("d")))
            steps.append(step)
            values.append(value)
        if 0 <= step < LARGEST_COUNT:
            self.last_step = max(self.last_step, step)

    def points(self, name: str) -> dict[float, float | None]:
        """A number by step, the later one where a step was logged twice; None for one that is not
        finite."""
        steps, values = self._curves.get(name, ((), ()))
        finite = (value if math.isfinite(value) else None for value in values)
        return dict(zip(steps, finite, strict=True))

    def latest(self, name: str) -> str:
        """The last value of a number, for a person; empty where this run has none."""
        _, values = self._curves.get(name, ((), ()))
        value = self.finals.get(name, next(reversed(values), None))
        return "" if value is None else f"{value:.6g}"

    def row(self, row: Mapping[str, Any], place: int) -> None:
        """Add the numbers of one row, under the step that it names, else its ``place``. Texts and
        a seed are settings."""
        flat = dict(flattened(row))
        step_key = next(
            (key for key in STEP if key in flat and as_number(flat[key]) is not None), None
        )
        step = float(place if step_key is None else as_number(flat[step_key]) or 0.0)
        for key, value in flat.items():
            number = None if value is None or last_part(key) in SEED_KEYS else as_number(value)
            if number is None:
                self._tell(key, value)
            elif key not in STEP and not key.startswith("_"):  # W&B's own: _runtime, _timestamp
                self.add(key, step, number)

    def end(self, numbers: Mapping[str, Any]) -> None:
        """Add final numbers."""
        for key, value in flattened(numbers):
            number = as_number(value)
            if number is not None and not key.startswith("_") and self._wants(key, number):
                self._count()
                self.finals[key] = number

    def leave(self, name: str, text: str) -> None:
        """Keep the name of a number in a writing that isn't read."""
        if name in self.unread or self._has_room(self.unread):
            self.unread.setdefault(name, printable(text).strip()[:LONGEST_FACT])

    def tell(self, facts: Mapping[str, Any]) -> None:
        """Add settings."""
        for key, value in flattened(facts):
            self._tell(key, value)

    def _tell(self, key: str, value: Any) -> None:
        shown = "" if value is None else printable(str(value)).strip()[:LONGEST_FACT]
        if shown and (key in self._told or self._has_room(self._told)):
            self._told[key] = shown
        if looks_like_number(value) and as_number(value) is None:
            self.leave(key, value)

    def _wants(self, name: str, value: float) -> bool:
        if name not in self.names:
            if not self._has_room(self.names):
                raise ValueError(f"it has numbers under more than {MOST_NAMES:,} names")
            self.names[name] = value
        elif self.names[name] != value:
            self.names[name] = None
        return self._only is None or name in self._only

    def _count(self) -> None:
        self.kept += 1
        if self.kept > MOST_NUMBERS:
            raise ValueError(f"it has more than {MOST_NUMBERS:,} numbers; name one with --metric")

    @staticmethod
    def _has_room(names: Mapping[str, Any]) -> bool:
        return len(names) < MOST_NAMES
