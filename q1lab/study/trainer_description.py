"""What a trainer says of a study's runs: the words that a verdict repeats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from q1lab.ground.json_records import at_most, text

Sentence = Annotated[str, text(10_000)]


@dataclass(frozen=True)
class Description:
    """Sentences and phrases for people, none of them markup."""

    within: Sentence
    """For what a verdict holds: ``at this size and budget``."""
    about: Sentence
    """What the questions on record are counted by: ``data``."""
    measured: Sentence
    """What the runs of a pair share, and what is measured of each, in sentences."""
    pair_shares: Sentence
    """What the two runs of a pair have in common: they ``share their seed …``."""
    trains: Sentence = ""
    """What trains, in the scope, where that is not a model file on the study's text."""
    cautions: Annotated[tuple[Sentence, ...], at_most(20)] = ()
    """What a reader should know of how the runs were made."""
