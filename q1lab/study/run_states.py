"""The states of a run, and what a study's runs say together. Standard library only."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class RunState(StrEnum):
    """``queued → running → finished | failed | stopped | crashed | diverged``."""

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    """The trainer met an error and wrote it down."""
    STOPPED = "stopped"
    """Somebody asked it to stop; it left a checkpoint."""
    CRASHED = "crashed"
    """It started, left no exit record, and nobody holds its lock."""
    DIVERGED = "diverged"
    """The loss stopped being a finite number. A result: shown, counted, never silently retried."""


ENDED = frozenset({RunState.FINISHED, RunState.DIVERGED})
"""Nothing is left to train here."""

MISSING = frozenset({RunState.QUEUED, RunState.STOPPED, RunState.CRASHED, RunState.FAILED})
"""The same command again trains these."""

STATE_SYMBOLS = {
    RunState.QUEUED: "·",
    RunState.RUNNING: "▶",
    RunState.FINISHED: "✓",
    RunState.FAILED: "✗",
    RunState.STOPPED: "■",
    RunState.CRASHED: "!",
    RunState.DIVERGED: "∞",
}


def study_state(states: Iterable[RunState], *, alive: bool) -> str:
    """A study's state, from its runs' and from whether its lock is held. It is never stored.

    One of ``running``, ``finished`` (every run ended; some may have diverged), ``stopped`` (can go
    on), ``failed`` (a run failed), ``crashed`` (a run died), ``planned`` (nothing started yet).
    """
    seen = set(states)
    if alive:
        return "running"
    if seen <= ENDED:
        return "finished"
    for state in (RunState.CRASHED, RunState.FAILED):
        if state in seen:
            return str(state)
    return "planned" if seen == {RunState.QUEUED} else "stopped"
