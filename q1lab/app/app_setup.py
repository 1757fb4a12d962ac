"""The app's inputs in one frozen dataclass, so that tests can replace them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from q1lab.app.snapshot import Snapshot
from q1lab.ground import paths
from q1lab.ground.config import Config
from q1lab.week.syllabus import Week

if TYPE_CHECKING:
    import click


@dataclass(frozen=True)
class AppSetup:
    """The inputs with which the app starts."""

    week: Week
    """With the blocks of all variants; the app narrows it to the learner's variant."""
    command: Callable[[str], click.Command]
    """Loads the command of these words, without ``q1lab``: its options make the app's forms."""
    config: Config = field(default_factory=Config)
    session: str | None = None
    """The id of the session to open; None opens the page where the learner left off."""
    first: Snapshot | None = None
    """Read before the first paint, so that nothing jumps; None on the very first start."""
    notice: str = ""
    """A message for the start, for example that a damaged database was rebuilt."""
    starts_in_lab: bool = False
    """True for who has studies of their own and no step of the week, or has put the week away."""
    database: Path = field(default_factory=paths.database_file)
    clocks: Callable[[], float] = time.monotonic
    """The timer's stopwatch: it stands still while the machine sleeps."""
    cwd: Path = field(default_factory=Path.cwd)
