"""What an engine is: something on another machine that runs cells of the grid arm × seed.

An engine starts, counts and restarts runs with its own means. q1lab hands it cells, asks how they
stand, and takes the events in; nothing outside this folder knows which engine it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from q1lab.study.studies import Study

WAITING, RUNNING, ENDED, LOST, CANCELLED = "waiting", "running", "ended", "lost", "cancelled"
"""How an engine says a cell stands: not started yet; at work; over, with the run's own last word
or without; over because worker or node died; over because somebody ended it at the engine."""


class OutOfReach(Exception):
    """The engine did not answer. What it works on goes on; ask again later."""


class Refused(Exception):
    """The engine answered, and said no: the message says why. Asking again changes nothing."""


@dataclass(frozen=True)
class Finding:
    """One thing that ``q1lab doctor --engine`` looked at."""

    name: str
    good: bool
    words: str


@dataclass(frozen=True)
class Job:
    """A batch of cells, handed over in one act that may be repeated: ``name`` makes it one job."""

    name: str
    cells: tuple[str, ...]
    attempts: Mapping[str, int] = field(default_factory=dict)
    """How often each cell was started before, so that attempts keep counting."""
    last: Mapping[str, str] = field(default_factory=dict)
    """The last event line of each cell that came from an engine before."""
    id: str = ""
    """What the engine calls it, where that is not ``name``."""


@dataclass(frozen=True)
class Seen:
    """How one cell stands, by the engine's last word."""

    state: str
    words: str = ""
    """What only the engine knows, in its words: ``waits: Resources``, ``attempt 2, node lost``."""
    node: str = ""


@dataclass(frozen=True)
class News:
    """What came since ``cursor``."""

    cells: Mapping[str, Seen]
    lines: tuple[tuple[int, str, str], ...] = ()
    """Numbered event lines (n, cell, line), joined to what came before. Empty where trainers write
    into the study's folder themselves."""
    over: bool = False
    """Nothing of the job is left at the engine."""
    why: str = ""
    """Why the job ended as a whole, where that was not by its cells' ends."""


class Engine(Protocol):
    """``kind`` names it in files; the methods raise OutOfReach and Refused."""

    kind: str

    def check(self) -> list[Finding]:
        """What is there and what is missing, in words."""

    def ask(self, question: Mapping[str, Any], files: Mapping[str, str]) -> dict[str, Any]:
        """The probe's answer from the machine that will train (labs/probe.py). ``files`` are the
        model files by arm, as text."""

    def submit(self, study: Study, job: Job) -> Job:
        """Hand the job over, once however often this is called; returns it with its id."""

    def look(self, study: Study, job: Job, cursor: int) -> News:
        """How the job stands, and the lines after ``cursor``."""

    def stop(self, job: Job) -> None:
        """Ask the job to stop; each run keeps a checkpoint where it can."""
