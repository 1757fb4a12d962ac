"""The wire format of protocol buffers: the fields of a message, without its description."""

from __future__ import annotations

import struct
from collections.abc import Iterator

VARINT, EIGHT, BYTES, FOUR = 0, 1, 2, 5
"""Kinds of a field."""
Field = tuple[int, int | bytes]


def fields(message: bytes) -> Iterator[Field]:
    """The number of each field with its value: a whole number, or bytes (of a text, a message or a
    float). ValueError for what is no message."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if kind == BYTES:
            size, at = _varint(message, at)
        elif kind in (EIGHT, FOUR):
            size = 8 if kind == EIGHT else 4
        else:
            raise ValueError("it holds a message that can't be read")
        if at + size > len(message):
            raise ValueError("it holds a message that is cut off")
        yield number, message[at : at + size]
        at += size


def of_number(message: bytes, field: int) -> Iterator[bytes]:
    """The values of one field, each of them bytes."""
    for number, value in fields(message):
        if number == field and isinstance(value, bytes):
            yield value


def text_of(message: bytes, field: int) -> str:
    """A field that is a text; empty if it is absent."""
    return next(of_number(message, field), b"").decode(errors="replace")


def float_of(value: bytes) -> float | None:
    """A float or a double; None for other bytes."""
    form = {4: "<f", 8: "<d"}.get(len(value))
    return None if form is None else float(struct.unpack(form, value)[0])


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """A whole number, and where it ends."""
    value = shift = 0
    while at < len(message) and shift < 64:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise ValueError("it holds a message that is cut off")
