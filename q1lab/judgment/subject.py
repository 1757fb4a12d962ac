"""The words that a study and its judgment share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ARMS = ("baseline", "modified")
"""The arms of a comparison; a difference is the second minus the first."""

MOST_MEMBERS = 24
"""Members of one sweep."""

Headline = Literal["paired", "welch"]


@dataclass(frozen=True)
class Description:
    """A description of the runs for people: sentences and phrases, none of them markup."""

    measured: str
    """What the two runs of a pair share, and the metric of each, in sentences."""
    trains: str = ""
    """The program that trains, if it is not a model file on the study's text."""
    cautions: tuple[str, ...] = ()
    """Cautions for readers about how the runs were made."""


@dataclass(frozen=True)
class Share:
    """The share of a sweep's 5% that this study may spend."""

    id: str
    """The sweep's name."""
    many: int
    """The studies that share."""
    alpha: float
    """The share of each."""


@dataclass(frozen=True)
class PairPlan:
    """The number of pairs that there were to be, and whether seeds are known."""

    pairs: tuple[int, int] = (0, 0)
    """The fewest and the most pairs after which the study can be over."""
    has_seeds: bool = True
    """True if the seeds are those that the runs were trained with, so that runs of one seed may be
    a pair."""

    @property
    def is_sequential(self) -> bool:
        """True if the study can be over before its last pair."""
        return self.pairs[0] < self.pairs[1]

    @property
    def run_word(self) -> str:
        """``seed``, or ``run`` where seeds are not known: it stands before a run's number."""
        return "seed" if self.has_seeds else "run"

    def run_number(self, seed: int) -> int:
        """The number of an arm's run as people read it: its seed; where seeds are not known, its
        place in the arm, from 1."""
        return seed if self.has_seeds else seed + 1

    def run_label(self, *seeds: int) -> str:
        """``seed 0``, ``seeds 0, 2``; where seeds are not known, places in the arm: ``run 1``."""
        numbers = ", ".join(str(self.run_number(seed)) for seed in seeds)
        return f"{self.run_word}{'s' * (len(seeds) > 1)} {numbers}"

    def known_seed(self, seed: int) -> int | None:
        """A run's seed for a record; None where seeds are not known."""
        return seed if self.has_seeds else None
