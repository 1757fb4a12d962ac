"""The kinds of trainers and designs: their table, and the one reader of them in a plan.

Each kind is one class in one module, imported when a plan needs it. A plug-in adds one
(ground/hooks.py). Nothing else in q1lab knows a kind by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, ClassVar, NamedTuple, Self

from q1lab.ground import hooks, json_records, plugin_finder
from q1lab.ground.errors import FAILED, Problem
from q1lab.ground.files import printable
from q1lab.study.series import TUNE


def _has(key: str) -> Callable[[Mapping[str, Any]], bool]:
    return lambda record: record.get(key) is not None


def _tries_a_value(record: Mapping[str, Any]) -> bool:
    series = record.get("series")
    return isinstance(series, dict) and series.get("kind") == TUNE


class Kind(NamedTuple):
    """A kind of a part. ``is_in`` recognizes it in a plan's JSON before its class is loaded."""

    place: hooks.Place
    """Its class."""
    is_in: Callable[[Mapping[str, Any]], bool] = lambda record: False
    draft: hooks.Place = ""
    """Of a trainer: what drafts the study of a request (hooks.PartKind)."""


CORE: Mapping[str, Mapping[str, Kind]] = {
    "trainer": {
        "own": Kind("q1lab.trainers.own_loop:OwnLoop", draft="q1lab.planning.own_loop_draft:draft"),
        "command": Kind(
            "q1lab.trainers.command:Command", _has("loop"), "q1lab.planning.command_draft:draft"
        ),
    },
    "design": {
        "fixed": Kind("q1lab.designs.fixed:Fixed"),
        "range": Kind("q1lab.designs.range:Range", _has("range")),
        "tuning": Kind("q1lab.designs.tuning:Tuning", _tries_a_value),
    },
}
"""Part of a study → kind → its class. A plan without a sign of another kind has the first."""


@cache
def kinds_of(part: str, *, installed: bool = False) -> Mapping[str, Kind]:
    """All kinds of a part: the core's, those of the plug-ins that ship, and with ``installed``
    those of other packages."""
    kinds = dict(CORE[part])
    signs = plugin_finder.signs(part)
    for plugin in plugin_finder.plugins(installed=installed):
        for name, kind in (plugin.trainers if part == "trainer" else plugin.designs).items():
            kinds.setdefault(name, Kind(kind.place, _sign(signs.get(name)), kind.draft))
    for name, key in signs.items():
        kinds.setdefault(name, Kind(AWAY, _sign(key)))
    return kinds


AWAY = ""
"""The place of a kind whose plug-in is not here."""


def _sign(key: str | None) -> Callable[[Mapping[str, Any]], bool]:
    return _has(key) if key else lambda record: False


class StudyPart:
    """One part of a study: its trainer, or its design.

    A part's fields are keys of ``study.json``. A kind of a plug-in is named there by the part's own
    key, such as ``"trainer": "toy"``; each of the core's is recognized as ``CORE`` says.
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
        is_told = self.kind in CORE[self.part] or self.kind in plugin_finder.signs(self.part)
        kind = {} if is_told else {self.part: self.kind}
        return {**kind, **json_records.to_json(self)}


def load_part(part: str, record: Mapping[str, Any]) -> Any:
    """The ``trainer`` or ``design`` of a plan. Problem for a kind that is not here,
    ValueError that names the field for a plan of two kinds at once, and for what doesn't fit."""
    kinds_of_part = kinds_of(part)
    kinds = [name for name, kind in kinds_of_part.items() if kind.is_in(record)]
    if (named_kind := record.get(part)) is not None:
        if isinstance(named_kind, str) and named_kind not in kinds_of_part:
            kinds_of_part = kinds_of(part, installed=True)
        if not isinstance(named_kind, str):
            raise ValueError(f"{part} is {str(named_kind)[:60]!r}, which is no name")
        kinds = [named_kind, *(kind for kind in kinds if kind != named_kind)]
    if len(kinds) > 1:
        raise ValueError(f"{part} is of two kinds at once: {' and '.join(kinds)}")
    if kinds and (kinds[0] not in kinds_of_part or kinds_of_part[kinds[0]].place == AWAY):
        name = printable(kinds[0])[:60]
        raise Problem(
            f"study.json has the {part} {name!r}, of a plug-in that is not here",
            FAILED,
            next="with the plug-in it opens again",
        )
    return part_class(part, kinds[0] if kinds else next(iter(kinds_of_part))).load(record)


def part_classes(part: str) -> Iterator[type[Any]]:
    """The classes of all kinds, those of plug-ins first: a request goes to the first that accepts
    it."""
    added = [name for name in kinds_of(part, installed=True) if name not in CORE[part]]
    for name in (*added, *CORE[part]):
        if kinds_of(part, installed=True)[name].place != AWAY:
            yield part_class(part, name)


@cache
def part_class(part: str, kind: str) -> type[StudyPart]:
    """The class of a kind. Problem if a plug-in's class can't be loaded."""
    place = kinds_of(part, installed=kind not in kinds_of(part))[kind].place
    try:
        kind_class: type[StudyPart] = plugin_finder.load(place)
    except Exception as error:
        if kind in CORE[part]:
            raise
        raise Problem(f"the {part} {kind!r} can't be loaded: {error}") from error
    return kind_class


def draft_of(kind: str) -> Callable[..., Any]:
    """The function that drafts the study of a request for this kind of trainer."""
    place = kinds_of("trainer", installed=kind not in kinds_of("trainer"))[kind].draft
    drafted: Callable[..., Any] = plugin_finder.load(place)
    return drafted
