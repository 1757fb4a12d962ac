"""Frozen dataclasses to JSON and back: a field's annotation says what a file may hold.

A record may come from another machine or another person, or from a bad disk. ``from_json``
checks all of it, so later code need not check again; an error is a ValueError that names the place:
``arms.baseline.n_params is a text, not a whole number``. ``Annotated[int, whole_number(1, 1025)]``
is a field with a rule. Unknown fields are ignored, so that a newer file still opens.
"""

from __future__ import annotations

import dataclasses
import math
import re
import types
from collections.abc import Callable, Hashable, Mapping
from enum import Enum
from functools import cache, partial
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin
from typing import get_type_hints as hints_of

from q1lab.ground.errors import not_a_choice
from q1lab.ground.json_rules import INT_LIMIT, Rule
from q1lab.ground.text_formats import storable_text

T = TypeVar("T")
MOST_VALUES, DEEPEST = 20_000, 8
"""Limits of a field that accepts any JSON: values, and levels of nesting."""

WORDS = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "an object",
    list: "a list",
}


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
    return tuple((field, key_of(field)) for field in dataclasses.fields(kind) if field.init)


def _is_default(field: dataclasses.Field[Any], value: Any) -> bool:
    if field.default_factory is not dataclasses.MISSING:
        return bool(value == field.default_factory())
    return field.default is not dataclasses.MISSING and bool(value == field.default)


def from_json(kind: type[T], value: Any, where: str = "", **preset_fields: Any) -> T:
    """``value`` (of JSON's types) as a ``kind``; fields in ``preset_fields`` are used
    as passed, not read from ``value``."""
    if preset_fields:
        return cast("T", _record(cast("type[Any]", kind), value, where, preset_fields))
    return cast("T", _loader(cast("Hashable", kind))(value, where))


Loader = Callable[[Any, str], Any]
"""Checks a value of JSON's types that stands at a place, and returns it as the field's type."""


@cache
def _loader(kind: Any) -> Loader:
    """The loader of a field's annotation, which is taken apart once."""
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _ruled(_loader(args[0]), args[1:])
    if origin in (Union, types.UnionType):
        return _optional(
            _loader(next(arg for arg in args if arg is not types.NoneType)),
            types.NoneType in args,
        )
    if kind is Any:
        return bounded_json
    if dataclasses.is_dataclass(kind):
        return partial(_record, cast("type[Any]", kind))
    if origin is Literal:
        return partial(_literal, args)
    if origin is tuple and len(args) > 1 and args[1] is not Ellipsis:
        return partial(_fixed, [_loader(arg) for arg in args])
    if origin in (tuple, list):
        return partial(_items, origin, _loader(args[0]))
    if origin in (dict, Mapping):
        return partial(_object, args[0], _loader(args[1]))
    if kind is float:
        return _number
    if issubclass(kind, Enum):
        return lambda value, _: kind(value)
    return {str: _text, int: _whole}.get(kind, partial(_plain, kind))


def _ruled(load: Loader, rules: tuple[Rule, ...]) -> Loader:
    def loader(value: Any, where: str) -> Any:
        loaded = load(value, where)
        try:
            for rule in rules:
                loaded = rule(loaded)
        except ValueError as error:
            raise ValueError(f"{where} {error}") from None
        return loaded

    return loader


def _optional(load: Loader, is_optional: bool) -> Loader:
    def loader(value: Any, where: str) -> Any:
        return None if value is None and is_optional else load(value, where)

    return loader


def _literal(words: tuple[str, ...], value: Any, where: str) -> Any:
    _check(str, value, where)
    if value not in words:
        raise ValueError(f"{where} {'; '.join(not_a_choice(str(value), words))}")
    return value


def _fixed(loaders: list[Loader], value: Any, where: str) -> Any:
    _check(list, value, where)
    if len(value) != len(loaders):
        raise ValueError(f"{where} holds {len(value)} items, not {len(loaders)}")
    items = zip(loaders, value, strict=True)
    return tuple(load(item, f"{where}[{n}]") for n, (load, item) in enumerate(items))


def _items(kind: type, load: Loader, value: Any, where: str) -> Any:
    _check(list, value, where)
    return kind(load(item, f"{where}[{n}]") for n, item in enumerate(value))


def _object(key_kind: Any, load: Loader, value: Any, where: str) -> Any:
    _check(dict, value, where)
    return {
        _key(key_kind, key, where): load(item, f"{where}.{storable_text(key)[:60]}")
        for key, item in value.items()
    }


def _text(value: Any, where: str) -> str:
    _check(str, value, where)
    return storable_text(value)


def _whole(value: Any, where: str) -> int:
    _check(int, value, where)
    if not abs(value) < INT_LIMIT << 10:
        raise ValueError(f"{where} is out of range")
    return cast("int", value)


def _plain(kind: type, value: Any, where: str) -> Any:
    _check(kind, value, where)
    return value


def _key(kind: Any, key: str, where: str) -> Any:
    """A key of an object; JSON writes a whole number as a text."""
    if kind is int and re.fullmatch("-?[0-9]+", key):
        return int(key)
    return _loader(kind)(key, where)


def _record(kind: type[Any], value: Any, where: str, preset_fields: Mapping[str, Any] = {}) -> Any:
    _check(dict, value, where)
    arguments = dict(preset_fields)
    for name, key, load, is_required in _fields(cast("Hashable", kind)):
        if name in preset_fields:
            continue
        if key in value:
            arguments[name] = load(value[key], f"{where}.{key}" if where else key)
        elif is_required:
            raise ValueError(f"{where}.{key} is missing" if where else f"{key} is missing")
    try:
        return kind(**arguments)
    except ValueError as error:  # a rule between fields failed
        raise ValueError(f"{where} {error}".strip()) from None


def stored_as(key: str) -> Mapping[str, str]:
    """The metadata of a dataclass field whose key in the file differs from its name in the code."""
    return {"key": key}


def key_of(field: dataclasses.Field[Any]) -> str:
    """The key of this field in a file."""
    return str(field.metadata.get("key", field.name))


@cache
def _fields(kind: Any) -> tuple[tuple[str, str, Loader, bool], ...]:
    """The name of each field, its key in the file, its loader, and True if the file must have
    it."""
    hints = hints_of(kind, include_extras=True)
    return tuple(
        (
            field.name,
            key_of(field),
            _loader(hints[field.name]),
            field.default is field.default_factory is dataclasses.MISSING,
        )
        for field in dataclasses.fields(kind)
        if field.init
    )


def _check(kind: type, value: Any, where: str) -> None:
    if type(value) is not kind:
        raise ValueError(f"{where or 'it'} is {_kind(value)}, not {WORDS[kind]}")


def _kind(value: Any) -> str:
    return "null" if value is None else WORDS.get(type(value), type(value).__name__)


def _number(value: Any, where: str) -> float:
    """A finite number that leaves room to compute with; a whole one stays whole."""
    if type(value) not in (int, float):
        raise ValueError(f"{where} is {_kind(value)}, not a number")
    if not abs(value) < 1e100:  # nor NaN; an int may be too large for a float
        raise ValueError(f"{where} is not a finite number")
    return cast("float", value)


def bounded_json(value: Any, where: str = "it") -> Any:
    """Any JSON of a bounded size: objects, lists, texts, finite numbers, true, false and null."""
    values_left = MOST_VALUES

    def copy(item: Any, depth: int) -> Any:
        nonlocal values_left
        values_left -= 1
        if depth > DEEPEST or values_left < 0:
            raise ValueError(f"{where} holds too much")
        if isinstance(item, dict):
            return {copy(str(key), depth): copy(each, depth + 1) for key, each in item.items()}
        if isinstance(item, list):
            return [copy(each, depth + 1) for each in item]
        if isinstance(item, str):
            if len(item) > 200_000:
                raise ValueError(f"{where} holds a text that is too long")
            return storable_text(item)
        if item is None or isinstance(item, bool):
            return item
        if isinstance(item, int) and abs(item) < 1 << 63:
            return item
        return _number(item, where)

    return copy(value, 0)
