"""What commands note in the journal of what the learner has seen."""

from __future__ import annotations

import contextlib

from q1lab.commands._store import open_store
from q1lab.commands._week import current_week
from q1lab.compare.comparison import Comparison
from q1lab.ground.errors import Problem
from q1lab.journal.store import Store
from q1lab.week import evidence


def note_viewed(act: str, viewed: object, variant: str = "") -> None:
    """Note in the journal that the learner has seen ``viewed``: a step of the week may wait for it.
    What is printed as JSON, a program reads, and nobody has seen it.
    A command that has shown its result does not fail because the note can't be written."""
    with contextlib.suppress(Problem), open_store() as store:
        evidence.note_viewed(store, current_week().label, act, str(viewed), variant)


def note_comparison_read(store: Store, comparison: Comparison) -> None:
    """Note in the journal that the learner has read a comparison, as ``note_viewed``."""
    with contextlib.suppress(Problem):
        evidence.note_comparison_read(store, current_week().label, comparison)
