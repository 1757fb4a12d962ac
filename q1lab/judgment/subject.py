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


def run_word(has_seeds: bool) -> str:
    """The word before a run's number: ``seed``, or ``run`` where seeds are not known."""
    return "seed" if has_seeds else "run"


def run_label(*seeds: int, has_seeds: bool = True) -> str:
    """``seed 0``, ``seeds 0, 2``; where seeds are not known, places in the arm: ``run 1``."""
    numbers = ", ".join(str(seed if has_seeds else seed + 1) for seed in seeds)
    return f"{run_word(has_seeds)}{'s' * (len(seeds) > 1)} {numbers}"
