"""Which trainer, design and origin a plan has: the table of the kinds, and the one reader of it.

Each kind is one class in one module, imported when a plan needs it. Another package adds one by an
entry point of the group ``q1lab.trainers`` or ``q1lab.designs``, whose name is the kind. Nothing
else in q1lab knows a kind by name.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Self

from q1lab import records
from q1lab.errors import Problem

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

BUILT_IN: Mapping[str, Mapping[str, str]] = {
    "trainer": {
        "own": "q1lab.trainers.own_loop:OwnLoop",
        "command": "q1lab.trainers.command:Command",
    },
    "design": {
        "fixed": "q1lab.designs.fixed:Fixed",
        "range": "q1lab.designs.range:Range",
        "gate": "q1lab.designs.gate:Gate",
        "tuning": "q1lab.designs.tuning:Tuning",
    },
    "origin": {
        "planned": "q1lab.study.origin:Planned",
        "imported": "q1lab.study.origin:Imported",
    },
}
"""Part of a study → kind → its class. The first kind of each is the one that a plan has where
nothing in it says otherwise."""


class Part:
    """One part of a study: how it trains, what is counted, or where it came from.

    A part's fields are keys of ``study.json``. A kind of another package is recognized by the
    part's own key there, such as ``"trainer": "toy"``; each built-in kind by ``sign``.
    """

    part: ClassVar[str]
    """``trainer``, ``design`` or ``origin``."""
    kind: ClassVar[str]
    sign: ClassVar[str] = ""
    """The key of ``study.json`` that only a plan of this built-in kind has."""

    @classmethod
    def is_in(cls, record: Mapping[str, Any]) -> bool:
        """Whether a plan, as JSON, has this built-in kind."""
        return bool(cls.sign) and record.get(cls.sign) is not None

    @classmethod
    def load(cls, record: Mapping[str, Any]) -> Self:
        """The part as a plan holds it. ValueError that names the field for what doesn't fit."""
        return records.load(cls, record)

    def dump(self) -> dict[str, Any]:
        """The part's keys of ``study.json``."""
        kind = {} if self.kind in BUILT_IN[self.part] else {self.part: self.kind}
        return {**kind, **records.dump(self)}


def load(part: str, record: Mapping[str, Any]) -> Any:
    """The ``trainer``, ``design`` or ``origin`` of a plan. ValueError that names the field for an
    unknown kind, for a plan of two kinds at once, and for what doesn't fit."""
    signed = [kind for kind in BUILT_IN[part] if of_kind(part, kind).is_in(record)]
    if (given := record.get(part)) is not None:
        known = [*BUILT_IN[part], *_others(part).names]
        if not isinstance(given, str) or given not in known:
            raise ValueError(f"{part} is {str(given)[:60]!r}; this q1lab knows {', '.join(known)}")
        signed = [given, *(kind for kind in signed if kind != given)]
    if len(signed) > 1:
        raise ValueError(f"{part} is of two kinds at once: {' and '.join(signed)}")
    return of_kind(part, signed[0] if signed else next(iter(BUILT_IN[part]))).load(record)


def every(part: str) -> Iterator[type[Any]]:
    """The classes of all kinds, those of other packages first: what is asked for is theirs where
    they say so."""
    for kind in (*_others(part).names, *BUILT_IN[part]):
        yield of_kind(part, kind)


@cache
def of_kind(part: str, kind: str) -> type[Part]:
    """The class of a kind. Problem for one of another package that can't be loaded."""
    if (place := BUILT_IN[part].get(kind)) is not None:
        module, name = place.split(":")
        found: type[Part] = getattr(importlib.import_module(module), name)
        return found
    (entry,) = _others(part).select(name=kind)
    try:
        found = entry.load()
    except Exception as error:
        raise Problem(f"the {part} {kind!r} can't be loaded: {error}") from error
    return found


@cache
def _others(part: str) -> EntryPoints:
    """The kinds that other packages add. Looked up once: a form asks at every key."""
    from importlib import metadata

    return metadata.entry_points(group=f"q1lab.{part}s")
