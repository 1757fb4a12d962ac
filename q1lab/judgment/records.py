"""The records of a judgment: each arm's numbers, the noise floor, what the looks at a question
cost, and the judgment itself. All frozen, all plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

from q1lab.judgment import intervals
from q1lab.judgment.intervals import Analysis, Interval
from q1lab.judgment.metric import VAL_LOSS, Metric
from q1lab.judgment.notes import Note
from q1lab.judgment.subject import ARMS, Subject

if TYPE_CHECKING:
    from q1lab.judgment.prediction_score import Score
    from q1lab.judgment.reasons import Instead


@dataclass(frozen=True)
class ArmResult:
    """One arm's runs, in the comparison's metric; what is not known is None."""

    values: Mapping[int, float | None] = field(default_factory=dict)
    """The final value of each run, by seed: None for one that diverged; those that have not ended
    are absent."""
    mean: float | None = None
    std: float | None = None
    costs: Mapping[str, float | None] = field(default_factory=dict)
    """By the keys of cost_columns.COST_COLUMNS."""
    tokens_per_s_ends: tuple[float, float] | None = None
    """The slowest and the fastest run, where two or more have ended."""
    unfinished: tuple[int, ...] = ()
    """The seeds of planned runs that have no value."""


@dataclass(frozen=True)
class Floor(Interval):
    """The spread of baseline runs that differ in nothing but their seed."""

    study: str | None = None
    """The study of the baseline against itself whose interval this is; None: it is the widest
    difference between this study's own baseline runs."""


@dataclass(frozen=True)
class SeenLook:
    """A look at a question, with its verdict."""

    study: str
    """The study's id."""
    pairs: int
    level: float
    verdict: str
    """Empty where its numbers are not known here."""


@dataclass(frozen=True)
class LevelSum:
    """Questions that were looked at, and the sum of the levels of all looks at them: if no
    change ever made a difference, at most so many would claim one."""

    questions: int = 0
    total: float = 0.0


NOTHING_ON_RECORD = LevelSum()


@dataclass(frozen=True)
class QuestionCost:
    """The looks at the question, and what they and the other questions on record spend."""

    looks: tuple[SeenLook, ...] = ()
    """Every look at the question, oldest first."""
    total: float = intervals.ALPHA
    """The sum of their levels: if nothing had changed, at most so many would claim something."""
    of_arm: LevelSum = NOTHING_ON_RECORD
    """The questions about this modified arm."""
    of_home: LevelSum = NOTHING_ON_RECORD
    """All questions on record."""

    def looks_at(self, study: str) -> tuple[SeenLook, ...]:
        return tuple(look for look in self.looks if look.study == study)


@dataclass(frozen=True, kw_only=True, repr=False)
class Judgment:
    """Two arms of numbers, compared. Screens, documents and files tell from it; for Python and
    notebooks its ``repr`` is the short verdict, and a notebook shows the figure below it."""

    subject: Subject
    metric: Metric = VAL_LOSS
    """The metric of the arms' values and of their differences."""
    analysis: Analysis
    arms: Mapping[str, ArmResult]
    asking: QuestionCost = QuestionCost()
    floor: Floor | None = None
    notes: tuple[Note, ...] = ()
    timed: Mapping[str, Interval] | None = None
    """tokens_per_s, wall_s → how much more or less the modified arm's is (0.1: a tenth more), as a
    95% interval, where there are runs enough; None where single runs are not known."""

    @property
    def score(self) -> Score | None:
        """The prediction against the outcome; None when nothing was predicted before results could
        be seen."""
        from q1lab.judgment.prediction_score import score_prediction

        predicted = self.subject.prediction
        return (
            score_prediction(predicted, self.analysis)
            if predicted and not predicted.get("after")
            else None
        )

    @property
    def instead(self) -> Instead | None:
        """The words in a verdict's place; None where there is a verdict on a change."""
        analysis = self.analysis
        if analysis.reason is None and analysis.ends is not None and not self.subject.is_floor:
            return None
        from q1lab.judgment.reasons import told_instead

        return told_instead(self)

    @property
    def lost(self) -> int:
        """The number of runs that diverged."""
        return sum(len(seeds) for seeds in self.analysis.diverged.values())

    @property
    def has_means(self) -> bool:
        """True if the mean and sd of each arm are told in the short form, too: of a study of model
        files that has a verdict."""
        return self.subject.are_model_files and self.analysis.reason is None

    @property
    def overstated(self) -> tuple[float, float] | None:
        """The factors by which claims of such studies overstate a true difference of one sd of a
        pair's difference and of half an sd; None if unknown."""
        from q1lab.judgment import interim_analyses

        analysis, plan = self.analysis, self.subject.plan
        if analysis.headline != "paired" or analysis.detectable is None:
            return None
        pairs = plan.pairs if plan.is_sequential else (analysis.n, analysis.n)
        return interim_analyses.overstatement(*pairs, analysis.alpha)

    @property
    def verdict(self) -> str:
        """``helps``, ``hurts``, ``cannot tell`` … (``intervals.Verdict``)."""
        return self.analysis.verdict

    @property
    def difference(self) -> float | None:
        """The mean of modified − baseline, in the metric's unit; None if a run diverged."""
        return self.analysis.mean

    @property
    def interval(self) -> tuple[float, float] | None:
        """The interval that decides; None without one."""
        ends = self.analysis.ends
        return None if ends is None else (ends.low, ends.high)

    @property
    def level(self) -> float:
        """The interval's coverage: 0.95."""
        return self.analysis.level

    def short(self, width: int = 80) -> str:
        """The verdict in six lines at most."""
        from q1lab.judgment.terminal_text import short_lines

        return "\n".join(short_lines(self, width))

    def full(self, width: int = 80) -> str:
        """Everything that there is to say, as text."""
        from q1lab.judgment.terminal_text import comparison_lines

        return "\n".join(comparison_lines(self, width))

    def svg(self) -> str:
        """The figure."""
        from q1lab.judgment.picture import draw_comparison

        return draw_comparison(self, {}, "svg").decode()

    def html(self) -> str:
        """The figure and the full text as one page."""
        from q1lab.judgment.page import judgment_page

        return judgment_page(self)

    def to_dict(self) -> dict[str, Any]:
        """Everything that ``q1lab compare --json`` prints."""
        from q1lab.judgment.comparison_record import comparison_json

        return comparison_json(self)

    def to_frame(self) -> Any:
        """A pandas DataFrame with a row for each run: study, arm (``baseline`` or ``modified``),
        name (the arm's own), seed, metric, value (NaN for a run that diverged) and difference (of
        its pair, in both rows; NaN without one). ImportError without pandas."""
        try:
            import pandas as pd  # type: ignore[import-not-found, import-untyped, unused-ignore]
        except ImportError:
            raise ImportError("to_frame needs pandas: pip install pandas") from None
        nan = float("nan")
        columns = ("study", "arm", "name", "seed", "metric", "value", "difference")
        names = dict(zip(ARMS, self.subject.names, strict=True))
        rows = [
            (
                *(self.subject.id, arm, names[arm], seed, self.metric.name),
                nan if value is None else value,
                self.analysis.pairs.get(seed, nan),
            )
            for arm, result in self.arms.items()
            for seed, value in result.values.items()
        ]
        return pd.DataFrame(rows, columns=columns)

    def __repr__(self) -> str:
        return self.short()

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.short())}</pre>\n{self.svg()}"

    def facts(self) -> dict[str, Any]:
        """Every fact as programs get it, in JSON's own types; what is not finite is null."""
        from q1lab.ground import json_records

        dumped: dict[str, Any] = json_records.to_json(_facts(self))
        return dumped


def _facts(j: Judgment) -> dict[str, Any]:
    subject, analysis, asking = j.subject, j.analysis, j.asking
    first, most = subject.plan.pairs
    return {
        "study": subject.id,
        "variant": subject.names[1],
        "baseline": subject.names[0],
        "metric": asdict(j.metric),
        "verdict": analysis.verdict,
        "reason": analysis.reason,
        "level": analysis.level,
        "n": analysis.n,
        "alpha": analysis.alpha,
        "delta": analysis.delta,
        "difference": {
            "mean": analysis.mean,
            "headline": analysis.headline,
            "welch": analysis.welch,
            "paired": analysis.paired,
            "bootstrap": analysis.bootstrap,
            "permutation_p": analysis.permutation_p,
            "pairs": analysis.pairs,
        },
        "detectable": analysis.detectable,
        "seeds_needed": analysis.seeds_needed,
        "diverged": analysis.diverged,
        "notes": [note.to_dict() for note in j.notes],
        "arms": {
            arm: {
                "variant": name,
                "values": result.values,
                "mean": result.mean,
                "std": result.std,
                **result.costs,
                "tokens_per_s_ends": result.tokens_per_s_ends,
            }
            for (arm, result), name in zip(j.arms.items(), subject.names, strict=True)
        },
        "floor": None if j.floor is None else asdict(j.floor),
        "seeds": subject.seeds,
        "data": {"name": subject.data_name, "sha256": subject.data_sha256},
        "preset": subject.preset,
        "dtype": subject.number_format,
        "device": subject.device,
        "prediction": subject.prediction,
        "complete": analysis.complete,
        "plan": {"first": first, "most": most} if subject.plan.is_sequential else None,
        "shared_at_start": subject.description.shared_at_start,
        "looks": max(1, len(asking.looks_at(subject.id))),
        "asked": {"looks": asking.looks, "total": asking.total},
        "questions": {"of_arm": asking.of_arm, "in_all": asking.of_home},
        "timed": j.timed,
        "overstated": j.overstated,
        "imported": bool(subject.limit),
        "still_falling": next(
            ([*note.to_dict().values()][1:] for note in j.notes if note.kind == "short budget"),
            None,
        ),
        "passes": subject.passes,
        "description": subject.description,
    }
