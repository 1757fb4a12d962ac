"""Reads an offline run of W&B, ``run-ID.wandb``: LevelDB's log format, whose records are messages
of the client.

The client has no reader for Python any more: its service, in Go, has one. The numbers of fields are
those of its messages, which never change; a test compares with the messages of the client
that is installed.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from q1lab.ground.files import open_regular
from q1lab.judgment.tables.readers.wire_format import fields, of_number, text_of
from q1lab.judgment.tables.run_log import RunLog

BEGINNING = b":W&B"
HEADER, BLOCK = 7, 32 << 10
"""Bytes of the file's header and of each part's; of a block, over which no part goes."""
WHOLE, FIRST, MIDDLE, LAST = 1, 2, 3, 4
MOST_RECORD = 16 << 20
"""Bytes of a record."""

HISTORY, SUMMARY, CONFIG, RUN, EXIT, EXIT_CODE = 2, 3, 5, 17, 18, 1
"""Fields of a record, and of its end."""
RUN_CONFIG, RUN_TEXTS, RUN_TAGS = 4, {6: "group", 7: "job_type", 8: "name"}, 10
ITEMS, KEY, NESTED_KEY, VALUE_JSON = 1, 1, 2, 16
"""Fields of a history, a summary or a config, and of an item in it."""


def read(files: Sequence[Path], log: RunLog) -> None:
    """Fill the log of one run."""
    summary: dict[str, Any] = {}
    rows, begun, ended = 0, False, False
    (file,) = files
    for record in _records(file):
        for kind, message in fields(record):
            if not isinstance(message, bytes):
                continue
            if kind == HISTORY:
                log.row(dict(_items(message)), rows)
                rows += 1
            elif kind == SUMMARY:
                summary |= _items(message)
            elif kind == CONFIG:
                log.tell(dict(_items(message)))
            elif kind == RUN:
                begun = True
                _tell_run(message, log)
            elif kind == EXIT:
                codes = [value for number, value in fields(message) if number == EXIT_CODE]
                ended = True
                log.unfinished = f"ended with status {codes[0]!s}" if any(codes) else ""
    if not begun:
        raise ValueError(
            "its run was killed before the client wrote anything; if it was trained again, take "
            "this folder away"
        )
    log.end(summary)
    if not ended:
        log.unfinished = "no end on record: it crashed, or runs"


def _tell_run(message: bytes, log: RunLog) -> None:
    for number, key in RUN_TEXTS.items():
        log.tell({key: text_of(message, number)})
    tags = (tag.decode(errors="replace") for tag in of_number(message, RUN_TAGS))
    log.tell({"tags": " ".join(sorted(tags))})
    for config in of_number(message, RUN_CONFIG):
        log.tell(dict(_items(config)))


def _items(message: bytes) -> Iterator[tuple[str, Any]]:
    """The keys and values of a history row, a summary or a config."""
    for item in of_number(message, ITEMS):
        names = [name.decode(errors="replace") for name in of_number(item, NESTED_KEY)]
        key = ".".join(names) or text_of(item, KEY)
        try:
            value = json.loads(text_of(item, VALUE_JSON) or "null")
        except (ValueError, RecursionError):
            continue
        if key and key != "_wandb":  # the client's own settings
            yield key, value


def _records(file: Path) -> Iterator[bytes]:
    """The records of a file. A killed client leaves the last one cut off, and it is left out."""
    with open_regular(file) as stream:
        if stream.read(HEADER)[:4] != BEGINNING:
            raise ValueError("it is no file of W&B's client")
        record = bytearray()
        for kind, part in _parts(stream):
            if kind in (WHOLE, FIRST):
                record.clear()
            record += part
            if len(record) > MOST_RECORD:
                raise ValueError(f"it has a record of more than {MOST_RECORD >> 20} MB")
            if kind in (WHOLE, LAST):
                yield bytes(record)


def _parts(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The parts of records, each with its kind."""
    while True:
        left = BLOCK - stream.tell() % BLOCK
        if left < HEADER:
            stream.seek(left, 1)
        header = stream.read(HEADER)
        if len(header) < HEADER:
            return
        checksum, size, kind = struct.unpack("<IHB", header)
        part = stream.read(size)
        if len(part) < size:
            return
        if zlib.crc32(part, zlib.crc32(bytes([kind]))) != checksum:
            raise ValueError(f"it is damaged before byte {stream.tell():,}")
        yield kind, part
