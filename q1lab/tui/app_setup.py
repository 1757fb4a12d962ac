"""Everything the app is given when it starts: one frozen record, so that tests can give it
something else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from q1lab.ground import paths
from q1lab.ground.config import Config
from q1lab.tui.snapshot import Snapshot
from q1lab.week.study_timer import ClockReading, read_clocks
from q1lab.week.syllabus import Week


@dataclass(frozen=True)
class Setup:
    """The app's collaborators."""

    week: Week
    """All variants' blocks still in; the app narrows it to the learner's choice."""
    config: Config = field(default_factory=Config)
    session: str | None = None
    """The session to open, by id; None: wherever the learner left off."""
    first: Snapshot | None = None
    """Taken before the first paint, so that nothing jumps; None on the very first start."""
    notice: str = ""
    """Something to say at the start, such as that a damaged database was made again."""
    database: Path = field(default_factory=paths.database)
    clocks: Callable[[], ClockReading] = read_clocks
    """The machine's clocks."""
    cwd: Path = field(default_factory=Path.cwd)
