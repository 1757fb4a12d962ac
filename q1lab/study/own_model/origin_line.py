"""The comment line on top of a file that `q1lab new` made: its modification and its parent file.

``# q1lab: rope, made from model.py, sha256 9f2c… (q1lab reads this line)``. The hash is that of
the text it was made from, so the parent is known for certain, whatever has become of it since.
Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

BASELINE = "the baseline"
"""The source of a file that was made from q1lab's own baseline."""

SEARCHED_BYTES = 2000
"""Bytes at a file's beginning in which the line is looked for."""

_LINE = (
    r"# q1lab: (?P<variant>\w+), made from (?P<source>[^\n]*), sha256 (?P<sha>[0-9a-f]{64})"
    r"[^\n]*(?:\n|\Z)"
)
_TEXT, _BYTES = re.compile(_LINE), re.compile(_LINE.encode())


@dataclass(frozen=True)
class Marker:
    """The content of the line: the modification, the name of the parent, the SHA-256 of its
    text."""

    variant: str
    source: str
    sha256: str


def marker_line(marker: Marker) -> str:
    """The line without its end."""
    return (
        f"# q1lab: {marker.variant}, made from {marker.source}, sha256 {marker.sha256} "
        "(q1lab reads this line)"
    )


def read_marker(text: bytes) -> Marker | None:
    """The marker of a file's text; None without one."""
    match = _BYTES.search(text[:SEARCHED_BYTES])
    if match is None:
        return None
    return Marker(
        match["variant"].decode("utf-8", "replace"),
        match["source"].decode("utf-8", "replace"),
        match["sha"].decode(),
    )


def strip_marker(text: bytes) -> bytes:
    """A file's text without the line."""
    return _BYTES.sub(b"", text[:SEARCHED_BYTES], count=1) + text[SEARCHED_BYTES:]


def strip_marker_text(text: str) -> str:
    """The same for text that is decoded already."""
    return _TEXT.sub("", text[:SEARCHED_BYTES], count=1) + text[SEARCHED_BYTES:]
