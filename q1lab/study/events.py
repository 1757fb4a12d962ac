"""Reading the events that trainers append: one JSON object per line, only ever appended.

============ =====================================================================================
``start``    v, arm, variant, seed, attempt, pid, time, resumed_from, config, n_params, device,
             processor, dtype, threads, torch
``iter``     iter, train_loss (mean since the last one; null when not finite), numbers, tok_per_s,
             t; once no_gradient, names of parameters that no gradient has reached
``eval``     iter, val_loss, numbers, tokens, t; ``final`` true for the exact one at the end, with
             ``parts``, the val loss of each of the equal parts of the text
``note``     text: something a person should know (fewer at once after out of memory, say)
``exit``     state, and val_loss or message, iter, t
============ =====================================================================================

``val_loss`` is the study's metric, whatever that is called. ``numbers`` is anything else that a
trainer measures, by name: ``{"lr": 0.001, "grad_norm": 0.4}``. All of them can be charted and
exported; ``reported_numbers`` says under which names.

``t`` is seconds of this attempt by the monotonic clock, ``total`` those of all attempts so far.
Unknown types and fields are ignored, so that an older viewer can watch a newer trainer. Any
other line (binary junk, a torn line, a number where a text belongs) is counted and skipped: it
can't stop a viewer.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from q1lab.ground.errors import notice
from q1lab.ground.files import open_regular, os_reason, printable
from q1lab.judgment.metric import LARGEST_COUNT, LARGEST_LOSS, Metric
from q1lab.judgment.metric import TRAIN_LOSS as TRAIN_LOSS
from q1lab.judgment.run_states import ENDED, RunState

Event = dict[str, Any]

CHUNK_BYTES = 4 << 20
"""Bytes read at most per call: a poll stays short even when a study's history is long."""

NO_FILE = (errno.ENOENT, errno.ENOTDIR)
NO_EVENTS = (*NO_FILE, errno.EISDIR, errno.EINVAL, errno.ELOOP)
"""Errors for a missing file, or something else in its place: then there are no events."""

LONGEST_LINE = 4 << 20
"""Bytes of the longest line that can be an event."""

LONGEST_TEXT = 2000
"""Characters kept of a text."""

_KINDS = {"start", "iter", "eval", "note", "exit"}
_COUNTS = {"iter", "attempt", "resumed_from"}
_TEXTS = {"message", "text", "time", "reused_from", "state", "processor"}
_NUMBERS = {
    **dict.fromkeys(("train_loss", "val_loss"), LARGEST_LOSS),
    **dict.fromkeys(("tok_per_s", "t", "total", "tokens"), 1e15),
}
"""Fields that hold numbers, and the limit from which on a number is unfit."""

MOST_NUMBERS = 64
"""Names that one run reports numbers under; those that come later are passed over."""

MOST_PARTS = 4096
"""Parts of a text that one event has a loss of."""

LONGEST_NAME = 100
"""Characters of such a name; a longer one, or one that can't be printed, is dropped."""

LARGEST_NUMBER = 1e300

_STATES = {str(state) for state in RunState}
_DECODER = json.JSONDecoder()


def read_new_events(
    path: Path, offset: int = 0, limit: int = CHUNK_BYTES
) -> tuple[list[Event], int, int]:
    """Events after byte ``offset``: (events, the new offset, number of lines that could not be
    read).

    Consumes only through the last newline, so a torn tail waits for its rest. A missing file has no
    events; for something else in its place a notice is given. A file shorter than ``offset`` was
    replaced: it is read again from its start. A line longer than LONGEST_LINE is not an event: it
    is skipped in pieces, each counted.
    """
    try:
        with open_regular(path, refuse_link=True) as file:
            size = file.seek(0, 2)
            if size < offset:
                offset = 0
            file.seek(offset)
            block = file.read(limit)
            while b"\n" not in block and len(block) == limit < LONGEST_LINE:
                limit = min(2 * limit, LONGEST_LINE)
                file.seek(offset)
                block = file.read(limit)
    except OSError as error:
        if error.errno not in NO_EVENTS:
            raise
        if error.errno not in NO_FILE:
            notice(f"{path}: {os_reason(error)}")
        return [], offset, 0
    end = block.rfind(b"\n")
    if end < 0 and len(block) >= limit:
        return [], offset + len(block), 1
    events: list[Event] = []
    bad = 0
    for line in block[: end + 1].split(b"\n"):
        if not line or line.isspace():
            continue
        event = _parse_event(line)
        if event is not None:
            events.append(event)
        else:
            bad += 1
    return events, offset + end + 1, bad


def _parse_event(line: bytes) -> Event | None:
    """The event of one line; None when it holds none."""
    try:
        text = line.strip().decode()
        # (a third of the time of json.loads, which looks for encodings and spaces)
        value, end = _DECODER.raw_decode(text)
        return sanitize_event(value) if end == len(text) else None
    except (ValueError, RecursionError):
        return None


def cut_after_end(events: list[Event], over: bool = False) -> tuple[list[Event], int]:
    """A run's events up to the exit after which nothing is left to train, and the number of events
    behind it, which are ignored. ``over``: the exit came before these events."""
    if over:
        return [], len(events)
    ends = (n for n, event in enumerate(events, 1) if _is_end(event))
    until = next(ends, len(events))
    return events[:until], len(events) - until


def _is_end(event: Event) -> bool:
    return event["type"] == "exit" and event["state"] in ENDED


def read_ended_run(path: Path) -> tuple[list[Event], int]:
    """Read all events of a run that has ended, and the number of events behind its end."""
    events_so_far: list[Event] = []
    offset, before = 0, -1
    while offset != before:
        before = offset
        events, offset, _ = read_new_events(path, offset)
        events_so_far += events
    return cut_after_end(events_so_far)


def last_event(path: Path) -> Event | None:
    """The last readable event in a file's last bytes, or None."""
    try:
        with open_regular(path, refuse_link=True) as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - 4096))
            lines = file.read().split(b"\n")
    except OSError:
        return None
    return next((event for event in map(_parse_event, reversed(lines)) if event is not None), None)


def first_start(path: Path) -> Event | None:
    """The first readable ``start`` among a file's first bytes, or None: how the run began."""
    try:
        with open_regular(path, refuse_link=True) as file:
            lines = file.read(1 << 16).split(b"\n")
    except OSError:
        return None
    events = filter(None, map(_parse_event, lines))
    return next((event for event in events if event["type"] == "start"), None)


def closing_exit(path: Path) -> Event | None:
    """The exit event that closes a run's events; None while there is none."""
    event = last_event(path)
    return event if event is not None and event["type"] == "exit" else None


def has_ended(path: Path) -> bool:
    """True if a run's events close with an exit after which nothing is left to train."""
    event = last_event(path)
    return event is not None and _is_end(event)


def final_loss(path: Path) -> float | None:
    """The val loss of a finished run; None if it did not finish, or has no such number."""
    end = closing_exit(path)
    return end.get("val_loss") if end is not None and end["state"] == RunState.FINISHED else None


def sanitize_event(event: Any) -> Event | None:
    """``event`` with every known field of the right type; None if it is not an event.

    A number that isn't finite becomes None; a text is cut and loses escape sequences and characters
    that can't be stored; an unfit count is left out, and an ``iter`` or ``eval`` without its iter
    is no event. Unknown types pass unchanged.
    """
    if not isinstance(event, dict) or not isinstance(event.get("type"), str):
        return None
    if event["type"] not in _KINDS:
        return event
    # (one pass, and exact types: this runs for every line of every study)
    for key, value in [*event.items()]:
        limit = _NUMBERS.get(key)
        if limit is not None:
            if not (type(value) in (float, int) and -limit < value < limit):
                event[key] = None
        elif key in _LISTS:
            event[key] = _LISTS[key](value)
        elif key in _TEXTS and isinstance(value, str):
            event[key] = printable(value[:LONGEST_TEXT]).encode(errors="replace").decode()
        elif key in _TEXTS or (key in _COUNTS and not _is_count(value)):
            del event[key]
    if event["type"] in ("iter", "eval") and "iter" not in event:
        return None
    if event["type"] == "exit" and event.get("state") not in _STATES:
        event["state"] = str(RunState.FAILED)
    return event


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < LARGEST_COUNT


def _sanitize_numbers(value: Any) -> dict[str, float | None]:
    if not isinstance(value, dict):
        return {}
    names = [name for name in value if 0 < len(name) <= LONGEST_NAME and name.isprintable()]
    return {name: _finite_or_none(value[name]) for name in names[:MOST_NUMBERS]}


def _sanitize_names(value: Any) -> list[str]:
    names = value if isinstance(value, list) else []
    sound = [name for name in names[:MOST_NUMBERS] if isinstance(name, str)]
    return [printable(name[:LONGEST_NAME]) for name in sound]


def _finite_or_none(value: Any) -> float | None:
    sound = type(value) in (float, int) and -LARGEST_NUMBER < value < LARGEST_NUMBER
    return float(value) if sound else None


def _sanitize_parts(value: Any) -> list[float | None]:
    return [_finite_or_none(part) for part in value[:MOST_PARTS]] if isinstance(value, list) else []


_LISTS: dict[str, Callable[[Any], Any]] = {
    "parts": _sanitize_parts,
    "numbers": _sanitize_numbers,
    "no_gradient": _sanitize_names,
}


def standard_names(metric: Metric) -> tuple[str, str, str]:
    """The names of the numbers that every trainer reports: its training loss, the study's metric,
    and the exact value of it at the end. No other number has one of them."""
    return TRAIN_LOSS, metric.key(), metric.key("final")


def reported_numbers(
    event: Event, metric: Metric, other_names: set[str]
) -> dict[str, float | None]:
    """The numbers of a sanitized event, by the names that a run's metrics have everywhere; None for
    a number that is not finite. ``other_names`` are the run's other numbers so far; new ones are
    added while there are fewer than ``MOST_NUMBERS``."""
    train, value, final = standard_names(metric)
    number_by_name: dict[str, float | None] = {}
    if event["type"] == "eval":
        number_by_name[final if event.get("final") else value] = event.get("val_loss")
    elif event["type"] != "iter":
        return {}
    elif TRAIN_LOSS in event:
        number_by_name[train] = event[TRAIN_LOSS]
    for name, number in event.get("numbers", {}).items():
        if name in other_names or (
            len(other_names) < MOST_NUMBERS and name not in (train, value, final)
        ):
            other_names.add(name)
            number_by_name[name] = number
    return number_by_name
