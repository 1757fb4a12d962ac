"""Reading the events that trainers append: one JSON object a line, only ever appended.

============ =====================================================================================
``start``    v, arm, variant, seed, attempt, pid, time, resumed_from, config, n_params, device, dtype, torch
``iter``     iter, train_loss (mean since the last one; null when not finite), lr, tok_per_s, t
``eval``     iter, val_loss, tokens, t; ``final`` true for the exact one at the end
``note``     text: something a person should know (fewer at once after out of memory, say)
``exit``     state, and val_loss or message, iter, t
============ =====================================================================================

``t`` is seconds of this attempt by the monotonic clock. Unknown types and fields are ignored, so that an older
viewer can watch a newer trainer.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Event = dict[str, Any]

CHUNK = 4 << 20
"""Bytes read at most per call: a poll stays short even when a study's history is long."""


def read_new(path: Path, offset: int = 0, limit: int = CHUNK) -> tuple[list[Event], int, int]:
    """Events after byte ``offset``: (events, the new offset, number of lines that could not be read).

    Consumes only through the last newline, so a torn tail waits for its rest. A missing file has no events. A
    file shorter than ``offset`` was replaced: it is read again from its start.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            if size < offset:
                offset = 0
            file.seek(offset)
            block = file.read(limit)
            end = block.rfind(b"\n")
            while end < 0 and len(block) == limit:  # a line longer than the limit
                limit *= 2
                file.seek(offset)
                block = file.read(limit)
                end = block.rfind(b"\n")
    except FileNotFoundError:
        return [], offset, 0
    events: list[Event] = []
    bad = 0
    for line in block[: end + 1].splitlines():
        if not line.strip():
            continue
        try:
            event = json.loads(line)
        except ValueError:
            bad += 1
            continue
        if isinstance(event, dict) and isinstance(event.get("type"), str):
            events.append(event)
        else:
            bad += 1
    return events, offset + end + 1, bad
