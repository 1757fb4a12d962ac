"""The public lines that travel with a study: they leave with its bundle (declarations.jsonl), and
another home reads from them which questions were asked before."""

from __future__ import annotations

import json
from collections.abc import Sequence

from q1lab.ground.files import read_bytes
from q1lab.index.store import Store
from q1lab.record import declarations, on_record
from q1lab.record.declarations import declared_name
from q1lab.record.history import Line
from q1lab.record.on_record import study_key
from q1lab.study.bundle import DECLARATIONS, Bundle
from q1lab.study.studies import Study

MOST_BYTES = 16 << 20
"""Bytes of such a file."""


def lines_until(store: Store, study: Study) -> list[Line]:
    """The public lines up to the one that put the study on record with the seeds that it has; empty
    without one."""
    lines = on_record.public_lines(store)
    name = declared_name(*study_key(study))
    places = [at for at, line in enumerate(lines) if line["study"] == name]
    return lines[: places[-1] + 1] if places else []


def encode_lines(lines: Sequence[Line]) -> bytes:
    return "".join(f"{json.dumps(line, sort_keys=True)}\n" for line in lines).encode()


def read_lines(received: Bundle) -> list[Line]:
    """The lines in a bundle, the study's own last; empty where it has none. One of DAMAGE_ERRORS if
    they can't be read."""
    file = received.files.get(DECLARATIONS)
    if file is None:
        return []
    lines = [json.loads(line) for line in read_bytes(file, MOST_BYTES).splitlines()]
    for line in lines:
        declarations.check_declaration(line)
    return lines
