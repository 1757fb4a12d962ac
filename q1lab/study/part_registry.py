"""The kinds of trainers and designs: their table, and the one reader of them in a plan.

Each kind is one class in one module, imported when a plan needs it. Nothing else in q1lab knows a
kind by name.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, ClassVar, NamedTuple, Self, cast

from q1lab.ground import json_records


def _has(key: str) -> Callable[[Mapping[str, Any]], bool]:
    return lambda record: record.get(key) is not None


class Kind(NamedTuple):
    """A kind of a part. ``is_in`` recognizes it in a plan's JSON before its class is loaded."""

    place: str
    """``module:attribute`` of its class."""
    is_in: Callable[[Mapping[str, Any]], bool] = lambda record: False
    draft: str = ""
    """Of a trainer: ``(Request, TypedSeeds, KeptStudy | None, Store) -> Draft``, the study that
    `q1lab run` would make."""


KINDS: Mapping[str, Mapping[str, Kind]] = {
    "trainer": {
        "own": Kind("q1lab.trainers.own_loop:OwnLoop", draft="q1lab.planning.own_loop_draft:draft"),
        "command": Kind(
            "q1lab.trainers.command:Command", _has("loop"), "q1lab.planning.command_draft:draft"
        ),
    },
    "design": {
        "fixed": Kind("q1lab.designs.fixed:Fixed"),
        "range": Kind("q1lab.designs.range:Range", _has("range")),
    },
}
"""Part of a study → kind → its class. A plan without a sign of another kind has the first."""


class StudyPart:
    """One part of a study: its trainer, or its design.

    A part's fields are keys of ``study.json``, by which its kind is recognized as ``KINDS`` says.
    """

    part: ClassVar[str]
    """``trainer`` or ``design``."""
    kind: ClassVar[str]

    @classmethod
    def load(cls, record: Mapping[str, Any]) -> Self:
        """The part as a plan holds it. ValueError that names the field for what doesn't fit."""
        return json_records.from_json(cls, record)

    def dump(self) -> dict[str, Any]:
        """The part's keys of ``study.json``."""
        return dict(json_records.to_json(self))


def load_part(part: str, record: Mapping[str, Any]) -> Any:
    """The ``trainer`` or ``design`` of a plan. ValueError that names the field for a plan of two
    kinds at once, and for what doesn't fit."""
    found = [name for name, kind in KINDS[part].items() if kind.is_in(record)]
    if len(found) > 1:
        raise ValueError(f"{part} is of two kinds at once: {' and '.join(found)}")
    return part_class(part, found[0] if found else next(iter(KINDS[part]))).load(record)


def part_classes(part: str) -> Iterator[type[Any]]:
    """The classes of all kinds: a request goes to the first that accepts it."""
    return (part_class(part, name) for name in KINDS[part])


@cache
def part_class(part: str, kind: str) -> type[StudyPart]:
    """The class of a kind."""
    return cast("type[StudyPart]", _load(KINDS[part][kind].place))


def draft_of(kind: str) -> Callable[..., Any]:
    """The function that drafts the study of a request for this kind of trainer."""
    return cast("Callable[..., Any]", _load(KINDS["trainer"][kind].draft))


def _load(place: str) -> Any:
    module, _, attribute = place.partition(":")
    return getattr(importlib.import_module(module), attribute)
