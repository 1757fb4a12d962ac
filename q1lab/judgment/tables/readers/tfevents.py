"""Reads the scalars and settings of TensorBoard's event files: TFRecord frames around protocol
buffers. tensorboard need not be installed; tests/tables compares with it where it is."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from q1lab.ground.files import open_regular
from q1lab.judgment.tables.readers.wire_format import fields, float_of, of_number, text_of
from q1lab.judgment.tables.run_log import RunLog

STEP, SUMMARY = 2, 5
"""Fields of an event."""
TAG, SIMPLE_VALUE, TENSOR, METADATA = 1, 2, 8, 9
"""Fields of a value of a summary."""
CONTENT, FLOATS, DOUBLES = 4, 5, 6
"""Fields of a tensor with its numbers."""
LARGEST = 1 << 16
"""Bytes of an event that is read; a larger one holds no scalar, but an image or a histogram."""
MOST_EVENTS = 2_000_000


def read(files: Sequence[Path], log: RunLog) -> None:
    """Fill the log of one run from its files, oldest first (their names begin with the time)."""
    for file in sorted(files):
        for event in _events(file):
            step = 0
            for number, value in fields(event):
                if number == STEP and isinstance(value, int):
                    step = value
                elif number == SUMMARY and isinstance(value, bytes):
                    for item in of_number(value, 1):
                        _take(item, step, log)


def _take(value: bytes, step: int, log: RunLog) -> None:
    tag, scalar = "", None  # of a field that comes again, the last one counts
    for number, content in fields(value):
        if not isinstance(content, bytes):
            continue
        if number == SIMPLE_VALUE:
            scalar = float_of(content)
        elif number == TENSOR:
            scalar = _scalar(content)
        elif number == METADATA:
            _tell_settings(content, log)
        elif number == TAG:
            tag = content.decode(errors="replace")
    if scalar is not None:
        log.add(tag, step, scalar)


def _scalar(tensor: bytes) -> float | None:
    """The number of a tensor of one float or double; None for another one."""
    for number, content in fields(tensor):
        if number in (CONTENT, FLOATS, DOUBLES) and isinstance(content, bytes):
            return float_of(content)
    return None


def _tell_settings(metadata: bytes, log: RunLog) -> None:
    """Add the hyperparameters that the plug-in "hparams" wrote at a run's start."""
    for plugin in of_number(metadata, 1):
        if text_of(plugin, 1) != "hparams":
            continue
        for content in of_number(plugin, 2):
            for start in of_number(content, 3):
                for pair in of_number(start, 1):
                    log.tell({text_of(pair, 1): _setting(next(of_number(pair, 2), b""))})


def _setting(value: bytes) -> object:
    """A value of a setting: a number, a text or a truth value."""
    for number, content in fields(value):
        if number == 2 and isinstance(content, bytes):
            amount = float_of(content)
            return f"{amount:.12g}" if amount is not None else None
        if number == 3 and isinstance(content, bytes):
            return content.decode(errors="replace")
        if number == 4:
            return bool(content)
    return None


def _events(file: Path) -> Iterator[bytes]:
    """The events of a file. A killed writer leaves the last one cut off, and it is left out."""
    with open_regular(file) as stream:
        for _ in range(MOST_EVENTS):
            header = stream.read(12)
            if len(header) < 12:
                return
            size, checksum = struct.unpack("<QI", header)
            if checksum != _masked(header[:8]):
                raise ValueError(f"it is damaged at byte {stream.tell() - 12:,}")
            if size > LARGEST:
                stream.seek(size + 4, 1)
                continue
            event, end = stream.read(size), stream.read(4)
            if len(end) < 4:
                return
            if struct.unpack("<I", end)[0] != _masked(event):
                raise ValueError(f"it is damaged before byte {stream.tell():,}")
            yield event
        raise ValueError(f"it has more than {MOST_EVENTS:,} events")


def _masked(data: bytes) -> int:
    """CRC-32C as TFRecord writes it."""
    table, crc = _table(), 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


@cache
def _table() -> tuple[int, ...]:
    """The part of CRC-32C that each byte adds."""
    rows = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        rows.append(crc)
    return tuple(rows)
