"""One sample of runs against a number that was fixed beforehand: the interval of their mean, and
on which side of the number it lies. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from q1lab.ground.text_formats import DASH, MINUS, decimals_of, plural, unsigned
from q1lab.judgment import intervals
from q1lab.judgment.difference_text import level_text, number_writer
from q1lab.judgment.intervals import ALPHA, MIN_FOR_VERDICT, Analysis, Reason
from q1lab.judgment.metric import Metric
from q1lab.judgment.reasons import TRAIN_AGAIN
from q1lab.judgment.subject import PairPlan

BY_PLACE = PairPlan(has_seeds=False)
Side = Literal["below", "above", "cannot tell", "no verdict"]


@dataclass(frozen=True, kw_only=True)
class SampleJudgment:
    """The mean of one arm's runs, judged against a number."""

    name: str
    """The arm's."""
    metric: Metric
    threshold: float
    values: Mapping[int, float | None]
    """The final value of each run, by seed or place; None for one that diverged."""
    unfinished: tuple[str, ...]
    """Runs without a result, for people."""
    steps: tuple[int, ...]
    """The last steps of the runs, where these are not the same."""
    plan: PairPlan
    analysis: Analysis
    """Of the runs' distances from the number."""

    @property
    def verdict(self) -> Side:
        """``below`` or ``above`` the number, ``cannot tell`` or ``no verdict``."""
        ends = self.analysis.ends
        if self.analysis.reason is not None or ends is None:
            return "no verdict"
        if not ends.excludes_zero():
            return "cannot tell"
        return "below" if ends.high < 0 else "above"

    @property
    def mean(self) -> float | None:
        """The mean of the runs; None if one diverged."""
        return None if self.analysis.mean is None else self.threshold + self.analysis.mean

    @property
    def interval(self) -> tuple[float, float] | None:
        """The t interval of the true mean; None without one."""
        ends = self.analysis.ends
        return None if ends is None else (self.threshold + ends.low, self.threshold + ends.high)

    def short(self, width: int = 80) -> str:
        """The verdict in a few lines."""
        sentences = (
            _headline(self),
            _mean_sentence(self),
            _chance_sentence(self),
            *_cautions(self),
        )
        return "\n".join(line for text in sentences if text for line in textwrap.wrap(text, width))

    def full(self, width: int = 80) -> str:
        """The same with every run."""
        names = [self.plan.run_label(seed) for seed in self.values]
        size = max(map(len, [*names, "mean"]))
        values = [
            DASH if value is None else _written(self, value) for value in self.values.values()
        ]
        rows = [*zip(names, values, strict=True)]
        if self.mean is not None:
            rows.append(("mean", _written(self, self.mean)))
        table = [f"{name.ljust(size)}  {value}" for name, value in rows]
        return "\n".join([self.short(width), "", f"{self.metric.name} of {self.name}", *table])

    def to_dict(self) -> dict[str, Any]:
        """Every fact, in JSON's own types."""
        return {
            "arm": self.name,
            "metric": vars(self.metric),
            "against": self.threshold,
            "verdict": self.verdict,
            "reason": self.analysis.reason,
            "n": self.analysis.n,
            "mean": self.mean,
            "interval": self.interval,
            "level": self.analysis.level,
            "detectable": self.analysis.detectable,
            "permutation_p": self.analysis.permutation_p,
            "values": dict(self.values),
            "unfinished": list(self.unfinished),
            "last_steps": list(self.steps),
            "short": self.short().split("\n"),
        }


def judge_sample(
    values: Mapping[int, float | None],
    threshold: float,
    *,
    metric: Metric,
    name: str = "the runs",
    unfinished: tuple[str, ...] = (),
    steps: tuple[int, ...] = (),
    plan: PairPlan = BY_PLACE,
) -> SampleJudgment:
    """Judge whether the true mean of runs lies below or above a number, by the t interval of their
    mean at 95%. ``unfinished`` runs leave the verdict open."""
    fixed = dict.fromkeys(values, threshold)
    analysis = intervals.analyze(fixed, values, headline="paired", complete=not unfinished)
    return SampleJudgment(
        name=name,
        metric=metric,
        threshold=threshold,
        values=values,
        unfinished=unfinished,
        steps=steps,
        plan=plan,
        analysis=analysis,
    )


def _written(j: SampleJudgment, value: float) -> str:
    """A value with the decimals that its interval can tell, and those of the number."""
    decimals = max(number_writer(j.analysis).decimals, decimals_of([j.threshold], 6))
    return (MINUS if value < 0 else "") + unsigned(value, decimals)


def _number(j: SampleJudgment) -> str:
    return f"{j.threshold:.12g}".replace("-", MINUS)


def _headline(j: SampleJudgment) -> str:
    word = j.verdict.upper()
    side = f"{word} {_number(j)}" if j.verdict in ("below", "above") else word
    mean = "" if j.mean is None else f" = {_written(j, j.mean)}"
    runs = plural(sum(value is not None for value in j.values.values()), "run")
    return f"{side}   mean of {j.name}{mean} ({j.metric.direction}; {runs})"


def _mean_sentence(j: SampleJudgment) -> str:
    if j.analysis.reason is not None or j.interval is None:
        return _reason(j)
    low, high = (_written(j, end) for end in j.interval)
    ends = f"{low} to {high} ({level_text(j.analysis)} t interval)"
    if j.verdict == "cannot tell":
        return f"The true mean may be {ends}, and {_number(j)} lies in it."
    return f"The true mean is {ends}, so {j.verdict} {_number(j)}."


def _chance_sentence(j: SampleJudgment) -> str:
    if j.verdict in ("below", "above"):
        return (
            f"If the true mean were {_number(j)}, at most {100 * ALPHA:g} in 100 such samples "
            "would claim a side."
        )
    if j.verdict == "cannot tell" and j.analysis.detectable is not None:
        size = number_writer(j.analysis).size(j.analysis.detectable)
        return f"A true distance of about {size} is found in four samples out of five."
    return ""


def _cautions(j: SampleJudgment) -> tuple[str, ...]:
    exact = f"{_number(j)} is taken as exact, and what else differs from these runs is not known."
    steps = (
        f"These runs end at different steps, {min(j.steps):,} to {max(j.steps):,}."
        if j.steps
        else ""
    )
    last = "Exploratory: how many runs were left out is not known."
    return (steps, last) if j.verdict == "no verdict" else (exact, steps, last)


def _reason(j: SampleJudgment) -> str:
    """Why there is no verdict."""
    match j.analysis.reason:
        case Reason.DIVERGED:
            lost = sum(map(len, j.analysis.diverged.values()))
            return f"{lost} of {plural(len(j.values), 'run')} diverged. That is a result in itself."
        case Reason.INCOMPLETE:
            many = plural(len(j.values) + len(j.unfinished), "run")
            return f"{len(j.unfinished)} of {many} did not finish: {j.unfinished[0]}. {TRAIN_AGAIN}"
        case Reason.TOO_FEW:
            return (
                f"{plural(len(j.values), 'run')}: a verdict needs at least {MIN_FOR_VERDICT}, to "
                "see how much runs differ."
            )
    return "All runs have the same number, so there is no interval."
