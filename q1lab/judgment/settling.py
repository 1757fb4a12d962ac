"""The pairs that would settle what a comparison leaves open. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from q1lab.judgment.intervals import MAX_SEEDS, UNDECIDED
from q1lab.judgment.notes import Outlier

if TYPE_CHECKING:
    from q1lab.judgment.intervals import SeedsNeeded
    from q1lab.judgment.records import Judgment


def takes_text(c: Judgment, needed: SeedsNeeded) -> str:
    """``takes about 54 pairs``; of more than were searched, ``would take 1,000 pairs or more``."""
    if needed.mid >= MAX_SEEDS:
        return f"would take {MAX_SEEDS:,} {pairs_word(c)} or more"
    return f"takes about {needed.mid:,} {pairs_word(c)}"


def pairs_word(c: Judgment) -> str:
    """The things of which more would settle it: ``pairs``, or ``seeds per arm``."""
    return "pairs" if c.analysis.headline == "paired" else f"{c.subject.plan.run_word}s per arm"


def pairs_to_settle(c: Judgment) -> SeedsNeeded | None:
    """The pairs that would find a difference as small as δ; None where more pairs would not settle
    the question, no δ is known, or the study had as many."""
    needed = c.analysis.seeds_needed
    return needed if needed and needed.mid > c.analysis.n and is_left_open(c) else None


def is_left_open(c: Judgment) -> bool:
    """True if more pairs would settle the question, and no outlier has to be examined first."""
    settled = c.analysis.verdict not in (*UNDECIDED, "no verdict") or not c.subject.is_question
    doubtful = any(isinstance(note, Outlier) for note in c.notes)
    return not (settled or doubtful or not c.analysis.complete or c.subject.plan.is_sequential)
