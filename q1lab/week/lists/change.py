"""What a change of one of the learner's lists prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class ListChange(NamedTuple):
    """The outcome of a change: one line, a few more for a terminal, a record for programs, and
    notes."""

    line: str
    board: Sequence[str] = ()
    record: Mapping[str, Any] | None = None
    notes: Sequence[str] = ()
