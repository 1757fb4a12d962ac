"""A trainer's description of a study's runs: the words that a verdict repeats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from q1lab.ground.json_records import max_chars, max_items

Sentence = Annotated[str, max_chars(10_000)]


@dataclass(frozen=True)
class Description:
    """Sentences and phrases for people, none of them markup."""

    within: Sentence
    """The scope of a verdict: ``at this size and budget``."""
    measured: Sentence
    """The shared part of a pair's runs, and the metric of each, in sentences."""
    pair_shares: Sentence
    """The common ground of a pair's two runs: they ``share their seed …``."""
    trains: Sentence = ""
    """The program that trains, for the scope, if it is not a model file on the study's text."""
    cautions: Annotated[tuple[Sentence, ...], max_items(20)] = ()
    """Cautions for readers about how the runs were made."""
