"""A judgment: two arms of numbers, compared, and what is on record of their runs.

Numbers and names only. facts.py says it, arrange.py puts it into figures and tables, layout.py lays
it out; nothing of those is known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from q1lab.judgment.intervals import Analysis, Interval, Reason, Verdict
from q1lab.judgment.metric import VAL_LOSS, Metric
from q1lab.judgment.prediction_score import Score, score_prediction


@dataclass(frozen=True)
class ArmResult:
    """One arm's runs, in the judgment's metric; what is not known is None."""

    values: Mapping[int, float | None] = field(default_factory=dict)
    """The final value of each run by seed: None for one that diverged; one that has not ended is
    absent."""
    mean: float | None = None
    std: float | None = None
    costs: Mapping[str, float | None] = field(default_factory=dict)
    """What a finished run of the arm costs on average, by the keys of
    ``arrange.COSTS``; ``wall_s`` in seconds."""
    unfinished: tuple[int, ...] = ()
    """The seeds of planned runs that have no value."""
    n: int | None = None
    """The number of runs, where only their mean and std are known."""


@dataclass(frozen=True)
class Setting:
    """What all runs share; empty where it is not known."""

    data: str = ""
    sha256: str = ""
    command: str = ""
    """The program that trains, where it is not q1lab's own."""
    iters: int = 0
    values: Mapping[str, float] = field(default_factory=dict)
    """The hyperparameters of both arms that are numbers."""
    preset: str = ""
    number_format: str = ""
    passes: float | None = None
    """Passes of a run over its training text."""
    measured: str = ""
    """What the two runs of a pair share and how the metric is measured, in a sentence or two."""


@dataclass(frozen=True)
class Plan:
    """How many pairs there were to be, and with whom the study shares its error rate."""

    pairs: tuple[int, int] = (0, 0)
    """The fewest and the most after which the study is over."""
    has_seeds: bool = True
    """True if runs of one seed may be a pair."""
    siblings: int = 0
    """The comparisons that share one error rate, this one included; 0: none."""
    sibling_name: str = ""

    @property
    def is_range(self) -> bool:
        """True if the study can be over before its last pair."""
        return self.pairs[0] < self.pairs[1]


@dataclass(frozen=True)
class Asked:
    """The record of the question, and of all questions to the same program."""

    earlier: tuple[str, ...] = ()
    """The verdicts of the looks before this one, oldest first; empty where the runs are gone."""
    total: float = 0.0
    """The sum of the error rates of these looks and of this one."""
    about_it: int = 0
    """The questions about this modified arm."""
    questions: int = 0
    """All questions to the same program."""
    expected: float = 0.0
    """The sum of the error rates of all of them."""


@dataclass(frozen=True)
class Outlier:
    """A pair's difference, or a run's value, that lies far from all others."""

    arm: str
    """Empty for a pair."""
    seed: int
    value: float
    without: Verdict
    """The verdict that the others alone would have."""


@dataclass(frozen=True)
class Found:
    """What was found about the runs beside their final numbers."""

    differ: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    """Condition → value → the runs that had it, for conditions that differ."""
    changed_plan: tuple[str, ...] = ()
    """The parts of the plan that are not as declared."""
    later_trainer: bool = False
    """True if q1lab's trainer was upgraded between the runs."""
    damaged_lines: int = 0
    unfinished: tuple[str, ...] = ()
    """Planned runs without a result."""
    strays: tuple[tuple[str, int, int, int], ...] = ()
    """(arm, runs on record, of these diverged, ended far off)."""
    unchecked: bool = False
    """True if the model file was trained without its checks."""
    rises: tuple[int, float] | None = None
    """The iter at which the metric was best, and how much worse it was at the end."""
    still_falling: tuple[float, float] | None = None
    """The fall from a uniform guess, and its part in the last quarter."""
    items: tuple[int, int] | None = None
    """The items on which each run's share of right answers is counted, where they are few, and what
    the shares are of: 1, or 100."""
    text_error: tuple[float, int] | None = None
    """How far the difference may be off on another text like the one that all runs are judged on:
    half of its 95% interval over parts of that text (nats), and the number of parts."""
    cautions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Beside:
    """Another metric of the same pairs, such as the val loss beside the speed."""

    metric: Metric
    analysis: Analysis


@dataclass(frozen=True)
class Commands:
    """The commands that go on from here; empty where there is none."""

    go_on: str = ""
    watch: str = ""
    smaller: str = ""
    """Plans for a smaller difference."""
    shorter: str = ""
    """Trains up to where the metric was best."""
    corrected: str = ""
    """A sentence: how a study goes on that ended with a run that showed no number."""


@dataclass(frozen=True, kw_only=True)
class Judgment:
    """Two arms compared."""

    id: str = ""
    """The study's name; empty for numbers that are not kept."""
    names: tuple[str, str]
    """The arms for people, baseline first, told apart (names.py)."""
    metric: Metric = VAL_LOSS
    analysis: Analysis
    arms: Mapping[str, ArmResult]
    is_ours: bool = False
    """True if the record says which other runs of the question there were."""
    same_code: bool = False
    """True if both arms are the same file or command (A/A)."""
    setting: Setting = Setting()
    plan: Plan = Plan()
    asked: Asked = Asked()
    found: Found = Found()
    outlier: Outlier | None = None
    other_verdict: str = ""
    """The claim of the interval that does not decide, where the other can't tell."""
    false_claims: float = 0.05
    """The share of such studies that claim a difference where there is none."""
    floor: Interval | None = None
    """The interval of the baseline against itself, where a study measured it."""
    timed: Mapping[str, Interval] | None = None
    """tokens_per_s, wall_s → how much more or less the modified arm's is (0.1: a tenth more), as a
    95% interval, where there are runs enough; None where single runs are not known."""
    beside: Beside | None = None
    prediction: Mapping[str, Any] | None = None
    commands: Commands = Commands()

    @property
    def claims(self) -> bool:
        """True for HELPS and HURTS of a change."""
        return self.analysis.verdict in ("helps", "hurts") and not self.same_code

    @property
    def is_open(self) -> bool:
        """True if it can't tell."""
        return self.analysis.verdict == "cannot tell" and not self.same_code

    @property
    def is_range(self) -> bool:
        """True if the study can be over before its last pair."""
        return self.plan.is_range

    @property
    def has_verdict(self) -> bool:
        """True if there is a verdict on a change."""
        return self.analysis.reason is None and not self.same_code

    @property
    def diverged(self) -> int:
        """The number of runs that diverged."""
        return sum(map(len, self.analysis.diverged.values()))

    @property
    def score(self) -> Score | None:
        """The prediction against the outcome; None when nothing was predicted before results could
        be seen."""
        if not self.prediction or self.prediction.get("after"):
            return None
        return score_prediction(self.prediction, self.analysis)

    @property
    def word(self) -> str:
        """The verdict in capitals, or what stands in its place."""
        analysis = self.analysis
        if analysis.reason is Reason.EQUAL:
            return "ALL EQUAL"
        if analysis.reason is Reason.TOO_FEW and analysis.n == 1 and analysis.headline == "paired":
            return "ONE PAIR"
        same = self.same_code and analysis.reason is None
        return "NOTHING CHANGED" if same else analysis.verdict.upper()
