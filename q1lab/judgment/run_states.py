"""The states of a run, and the state of a study that follows from them. Standard library only."""

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
    """It was asked to stop, and left a checkpoint."""
    CRASHED = "crashed"
    """It started, left no exit event, and no process holds its lock."""
    DIVERGED = "diverged"
    """The loss stopped being a finite number. A result: shown, counted, never silently retried."""


ENDED = frozenset({RunState.FINISHED, RunState.DIVERGED})
"""States in which nothing is left to train."""

MISSING = frozenset({RunState.QUEUED, RunState.STOPPED, RunState.CRASHED, RunState.FAILED})
"""States of runs that the same command trains when it is given again."""

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
    """A study's state, from its runs' and from its liveness. It is never stored.

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
