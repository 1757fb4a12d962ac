"""Frozen dataclasses to JSON and back: a field's annotation says what a file may hold.

A record may come from another machine or another person, or from a bad disk. ``from_json``
checks all of it, so later code need not check again; an error is a ValueError that names the place:
``threads: expected `int` >= 1``. ``Annotated[int, whole_number(1, 1025)]`` is a field with bounds;
a rule between fields is the record's own ``__post_init__``. Unknown fields are ignored.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Hashable, Mapping
from functools import cache
from typing import Any, TypeVar, cast, get_type_hints

import msgspec
from msgspec import Meta

from q1lab.ground.errors import not_a_choice
from q1lab.ground.text_formats import storable_text

T = TypeVar("T")
INT_LIMIT = 1 << 53
"""Whole numbers must be smaller, because other programs read JSON's numbers as floats."""
DEEPEST, LARGEST = 12, 1e100
"""Levels of nesting, and the size of numbers, which leaves room to compute with them."""


def whole_number(least: int = 0, below: int = INT_LIMIT) -> Meta:
    """A whole number from ``least`` up, smaller than ``below``."""
    return Meta(ge=least, le=below - 1)


def max_chars(most: int, pattern: str | None = None) -> Meta:
    """Text of at most ``most`` characters that matches ``pattern`` completely."""
    return Meta(max_length=most, pattern=None if pattern is None else rf"\A(?:{pattern})\Z")


def one_of(*words: str) -> Meta:
    """One of these words."""
    return Meta(pattern=rf"\A(?:{'|'.join(words)})\Z")


def to_json(record: Any) -> Any:
    """A record in JSON's types, without fields that have their default value; a number that isn't
    finite becomes null."""
    if record is None or isinstance(record, str | int):
        return record
    if dataclasses.is_dataclass(record):
        values = [
            (field, key, getattr(record, field.name))
            for field, key in _keys(cast("Hashable", type(record)))
        ]
        return {
            key: to_json(value) for field, key, value in values if not _is_default(field, value)
        }
    if isinstance(record, Mapping):
        return {str(key): to_json(value) for key, value in record.items()}
    if isinstance(record, list | tuple):
        return [to_json(item) for item in record]
    return None if isinstance(record, float) and not math.isfinite(record) else record


@cache
def _keys(kind: Any) -> tuple[tuple[dataclasses.Field[Any], str], ...]:
    """Each field that a file holds, with its key there."""
    return tuple(
        (field, str(field.metadata.get("key", field.name)))
        for field in dataclasses.fields(kind)
        if field.init
    )


def _is_default(field: dataclasses.Field[Any], value: Any) -> bool:
    if field.default_factory is not dataclasses.MISSING:
        return bool(value == field.default_factory())
    return field.default is not dataclasses.MISSING and bool(value == field.default)


def stored_as(key: str) -> Mapping[str, str]:
    """The metadata of a record's field whose key in the file differs from its name in the code."""
    return {"key": key}


def from_json(kind: type[T], record: Any, **preset_fields: Any) -> T:
    """``record``, an object of JSON's types, as a dataclass ``kind``; ``preset_fields`` are used as
    passed, not read. In texts a newline becomes a space."""
    checked(dict[str, Any], record)
    values = dict(preset_fields)
    for field, key in _keys(cast("Hashable", kind)):
        if field.name in preset_fields:
            continue
        if key in record:
            value = bounded_json(record[key], key, newline=" ")
            values[field.name] = checked(_hints(cast("Hashable", kind))[field.name], value, key)
        elif field.default is field.default_factory is dataclasses.MISSING:
            raise ValueError(f"{key} is missing")
    return kind(**values)


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def checked(kind: Any, value: Any, where: str = "") -> Any:
    """``value``, which stands at ``where`` in a record, as a ``kind``. ValueError if it is none."""
    try:
        return msgspec.convert(value, kind, str_keys=True)
    except msgspec.ValidationError as error:
        fault, _, place = str(error).partition(" - at ")
        at = re.sub(r"`|\$", "", place.removeprefix("`key` in "))
        choices = re.search(r"regex '\\\\A\(\?:([\w|]+)\)\\\\Z'", fault)
        if choices and isinstance(value, str):
            words = not_a_choice(value, choices[1].split("|"))
            raise ValueError(f"{where} {'; '.join(words)}") from None
        raise ValueError(f"{where}{at}: {fault[0].lower()}{fault[1:]}".lstrip(": ")) from None


def bounded_json(value: Any, where: str = "it", *, newline: str = "\n", depth: int = 0) -> Any:
    """Any JSON that can be worked with: its numbers finite and not too large, its texts without
    escape sequences, not nested too deeply. ValueError otherwise."""
    if depth > DEEPEST:
        raise ValueError(f"{where}: nested too deeply")
    if isinstance(value, str):
        return storable_text(value).replace("\n", newline)
    if isinstance(value, list):
        return [bounded_json(each, where, newline=newline, depth=depth + 1) for each in value]
    if isinstance(value, dict):
        return {
            storable_text(key): bounded_json(each, where, newline=newline, depth=depth + 1)
            for key, each in value.items()
        }
    if isinstance(value, float | int) and not abs(value) < LARGEST:  # nor NaN
        raise ValueError(f"{where}: not a finite number")
    return value
