"""The kinds of trainers, designs and origins: their table, and the one reader of them in a plan.

Each kind is one class in one module, imported when a plan needs it. Another package adds one by an
entry point of the group ``q1lab.trainers`` or ``q1lab.designs``, whose name is the kind. Nothing
else in q1lab knows a kind by name.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

from q1lab.ground import json_records
from q1lab.ground.errors import Problem
from q1lab.study.series import TUNE

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints


def _has(key: str) -> Callable[[Mapping[str, Any]], bool]:
    return lambda record: record.get(key) is not None


def _tries_a_value(record: Mapping[str, Any]) -> bool:
    series = record.get("series")
    return isinstance(series, dict) and series.get("kind") == TUNE


class BuiltIn(NamedTuple):
    """A built-in kind. ``is_in`` recognizes it in a plan's JSON before its class is loaded."""

    place: str
    """``module:class``."""
    is_in: Callable[[Mapping[str, Any]], bool] = lambda record: False


BUILT_IN: Mapping[str, Mapping[str, BuiltIn]] = {
    "trainer": {
        "own": BuiltIn("q1lab.trainers.own_loop:OwnLoop"),
        "command": BuiltIn("q1lab.trainers.command:Command", _has("loop")),
        "outside": BuiltIn("q1lab.trainers.outside:Outside", _has("measured")),
    },
    "design": {
        "fixed": BuiltIn("q1lab.designs.fixed:Fixed"),
        "range": BuiltIn("q1lab.designs.range:Range", _has("range")),
        "gate": BuiltIn("q1lab.designs.gate:Gate", _has("gate")),
        "given": BuiltIn("q1lab.designs.given:Given", _has("table")),
        "tuning": BuiltIn("q1lab.designs.tuning:Tuning", _tries_a_value),
    },
    "origin": {
        "planned": BuiltIn("q1lab.study.origin:Planned"),
        "imported": BuiltIn("q1lab.study.origin:Imported", _has("imported")),
    },
}
"""Part of a study → kind → its class. A plan without a sign of another kind has the first."""


class StudyPart:
    """One part of a study: its trainer, its design, or its origin.

    A part's fields are keys of ``study.json``. A kind of another package is recognized by the
    part's own key there, such as ``"trainer": "toy"``; each built-in kind as ``BUILT_IN`` says.
    """

    part: ClassVar[str]
    """``trainer``, ``design`` or ``origin``."""
    kind: ClassVar[str]

    @classmethod
    def load(cls, record: Mapping[str, Any]) -> Self:
        """The part as a plan holds it. ValueError that names the field for what doesn't fit."""
        return json_records.from_json(cls, record)

    def dump(self) -> dict[str, Any]:
        """The part's keys of ``study.json``."""
        kind = {} if self.kind in BUILT_IN[self.part] else {self.part: self.kind}
        return {**kind, **json_records.to_json(self)}


def load_part(part: str, record: Mapping[str, Any]) -> Any:
    """The ``trainer``, ``design`` or ``origin`` of a plan. ValueError that names the field for an
    unknown kind, for a plan of two kinds at once, and for what doesn't fit."""
    kinds = [kind for kind, kind_names in BUILT_IN[part].items() if kind_names.is_in(record)]
    if (named_kind := record.get(part)) is not None:
        kind_names = [*BUILT_IN[part], *_installed_kinds(part).names]
        if not isinstance(named_kind, str) or named_kind not in kind_names:
            raise ValueError(
                f"{part} is {str(named_kind)[:60]!r}; this q1lab knows {', '.join(kind_names)}"
            )
        kinds = [named_kind, *(kind for kind in kinds if kind != named_kind)]
    if len(kinds) > 1:
        raise ValueError(f"{part} is of two kinds at once: {' and '.join(kinds)}")
    return part_class(part, kinds[0] if kinds else next(iter(BUILT_IN[part]))).load(record)


def part_classes(part: str) -> Iterator[type[Any]]:
    """The classes of all kinds, those of other packages first: a request goes to the first that
    accepts it."""
    for kind in (*_installed_kinds(part).names, *BUILT_IN[part]):
        yield part_class(part, kind)


@cache
def part_class(part: str, kind: str) -> type[StudyPart]:
    """The class of a kind. Problem if another package's class can't be loaded."""
    if (built_in := BUILT_IN[part].get(kind)) is not None:
        module, name = built_in.place.split(":")
        kind_class: type[StudyPart] = getattr(importlib.import_module(module), name)
        return kind_class
    (entry,) = _installed_kinds(part).select(name=kind)
    try:
        kind_class = entry.load()
    except Exception as error:
        raise Problem(f"the {part} {kind!r} can't be loaded: {error}") from error
    return kind_class


@cache
def _installed_kinds(part: str) -> EntryPoints:
    """The kinds that other packages add. Looked up once: a form asks at every key."""
    from importlib import metadata

    return metadata.entry_points(group=f"q1lab.{part}s")
