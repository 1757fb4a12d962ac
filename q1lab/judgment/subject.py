"""The subject of a comparison, in plain values: all that words need to know beside the numbers.

A study fills in what its plan knows (q1lab.compare.comparison); numbers that somebody brings know
less. Each default means "not known".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from q1lab.judgment.metric import Metric

ARMS = ("baseline", "modified")
"""The arms of a comparison; a difference is the second minus the first."""

MOST_MEMBERS = 24
"""Members of one sweep."""

Headline = Literal["paired", "welch"]


@dataclass(frozen=True)
class Description:
    """A description of the runs for people: sentences and phrases, none of them markup."""

    within: str
    """The scope of a verdict: ``at this size and budget``."""
    measured: str
    """The shared part of a pair's runs, and the metric of each, in sentences."""
    pair_shares: str
    """The common ground of a pair's two runs: they ``share their seed …``."""
    trains: str = ""
    """The program that trains, for the scope, if it is not a model file on the study's text."""
    cautions: tuple[str, ...] = ()
    """Cautions for readers about how the runs were made."""
    shared_at_start: float | None = None
    """The share of the baseline's weights that both arms start from."""


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


EXPLORATORY = "Exploratory: how many runs were left out is not known."
"""The limit of runs that were trained elsewhere."""

FULL_NAMES = {"val loss": "validation loss"}


def described_elsewhere(description: Description, metric: Metric) -> Description:
    """A description of runs as far as it holds where they were trained elsewhere."""
    unit = f" in {metric.unit}" if metric.unit else ""
    return replace(
        description,
        measured=(
            "The runs were trained elsewhere: what the two runs of a pair share besides the number "
            "of their seed is not known here. The metric is their final "
            f"{FULL_NAMES.get(metric.name, metric.name)}{unit}; {metric.direction}."
        ),
        pair_shares="have one seed's number; whether they share anything by it is not known here",
    )


@dataclass(frozen=True)
class Subject:
    """The subject of a comparison."""

    names: tuple[str, str] = ARMS
    """The arms as planned or typed, baseline first: a name, or a model file's path."""
    are_model_files: bool = False
    is_floor: bool = False
    """True if both arms are the same file or command: an A/A test."""
    id: str = ""
    """The study's name; empty for numbers that are not kept."""
    seeds: tuple[int, ...] = ()
    """The planned seeds."""
    plan: PairPlan = PairPlan()
    limit: str = EXPLORATORY
    """The limit of a verdict on runs that were trained elsewhere, in a sentence; empty for those
    that q1lab planned and trained."""
    knows_other_runs: bool = False
    """True if the record says which other runs of the question there were."""
    share: Share | None = None
    description: Description = Description("", "", "")
    prediction: Mapping[str, Any] | None = None
    data_name: str = ""
    data_title: str = ""
    """The text for people who don't know its short name."""
    data_sha256: str = ""
    passes: float | None = None
    """Passes of a run over its training text."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The hyperparameters of both arms."""
    preset: str = ""
    number_format: str = ""
    device: str = ""
    run_command: str = ""
    """The command that goes on with the study; empty where no more runs can come."""
    is_training: bool = False

    @property
    def is_question(self) -> bool:
        """True if it asks a question, which a single pair and an A/A test don't."""
        return len(self.seeds) > 1 and not self.is_floor


def outside_subject(
    names: tuple[str, str],
    metric: Metric,
    seeds: tuple[int, ...],
    *,
    has_seeds: bool,
    share: Share | None = None,
) -> Subject:
    """Numbers that were trained elsewhere, of which nothing else is known."""
    description = Description("under the same conditions", "", "")
    return Subject(
        names=names,
        seeds=seeds,
        plan=PairPlan((len(seeds), len(seeds)), has_seeds=has_seeds),
        share=share,
        description=described_elsewhere(description, metric),
        device="elsewhere",
    )
