"""Notes about how runs were made, and about what is on record of them: each in one place, as
notes.py says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from q1lab.ground.text_formats import MINUS, cut_cells, cut_middle, plural, printable
from q1lab.judgment.difference_text import more_or_fewer
from q1lab.judgment.label_text import arm_names, brief_names, names_in_text
from q1lab.judgment.notes import Note
from q1lab.judgment.scope_text import iters_text
from q1lab.judgment.subject import ARMS

if TYPE_CHECKING:
    from q1lab.judgment.records import Judgment

MOST_NAMED = 12
"""Runs, checks or openings that a note names one by one."""
METRIC_CELLS, RUN_CELLS = 24, 24
"""Columns of such a name in one line."""


@dataclass(frozen=True)
class Conditions(Note):
    """The runs differ in something besides the modification."""

    kind = "conditions"
    weight = 170
    may_explain = True
    differ: Mapping[str, Mapping[str, tuple[str, ...]]]
    """Condition → value → the runs that had it."""

    def long(self, j: Judgment) -> str:
        parts = []
        for key, values in self.differ.items():
            values_text = "; ".join(
                f"{printable(value)} in {len(runs)} of them "
                f"({printable(runs[0])}{', …' if runs[1:] else ''})"
                for value, runs in values.items()
            )
            parts.append(f"{key.replace('_', ' ')} ({values_text})")
        return (
            f"The runs differ in {' and in '.join(parts)}. That alone may explain the difference."
        )

    def short(self, j: Judgment) -> str:
        if early := _early_line(self.differ.get("last step", {})):
            return early
        keys = " and ".join(key.replace("_", " ") for key in self.differ)
        return f"The runs differ in {keys}, which may be the reason instead."


def _early_line(runs_by_step: Mapping[str, Sequence[str]]) -> str:
    """The run that ended before all others, or how many did; empty where most did."""
    last = max(map(int, runs_by_step), default=0)
    early = [
        (int(step), run) for step, runs in runs_by_step.items() if int(step) < last for run in runs
    ]
    many = sum(map(len, runs_by_step.values()))
    if not early or 2 * len(early) > many:
        return ""
    if len(early) > 1:
        return f"{len(early)} of {many} runs ended before step {last:,}, which may be the reason."
    step, run = early[0]
    name = cut_cells(printable(run), RUN_CELLS)
    return f"{name} ended at step {step:,}, not {last:,}, which may be the reason."


@dataclass(frozen=True)
class ChangedTrainer(Note):
    """Some runs were trained by a later version of q1lab's trainer."""

    kind = "trainer"
    weight = 150
    may_explain = True

    def long(self, j: Judgment) -> str:
        return (
            "Some of these runs were trained after an upgrade of q1lab's trainer, which alone can "
            "change a result."
        )

    def short(self, j: Judgment) -> str:
        return "q1lab's trainer changed between the runs, which may be the reason instead."


@dataclass(frozen=True)
class DamagedLines(Note):
    """Lines of event files that could not be read."""

    kind = "damaged lines"
    weight = 130
    lines: int

    def long(self, j: Judgment) -> str:
        lines, were = plural(self.lines, "damaged line"), "was" if self.lines == 1 else "were"
        return f"{lines} in the event files could not be read and {were} left out."

    def short(self, j: Judgment) -> str:
        return f"{plural(self.lines, 'damaged line')} of the event files can't be read."


@dataclass(frozen=True)
class DivergedOrStuck(Note):
    """Runs on record of an arm that diverged or got stuck."""

    kind = "strays"
    weight = 100
    may_explain = True
    arms: tuple[tuple[str, int, int, int], ...]
    """(arm, runs, of these diverged, got stuck)."""

    def long(self, j: Judgment) -> str:
        names, parts = dict(zip(ARMS, arm_names(j), strict=True)), []
        for arm, runs, diverged, stuck in self.arms:
            how = [f"{diverged} diverged"] * bool(diverged) + [f"{stuck} got stuck"] * bool(stuck)
            parts.append(f"of {plural(runs, 'run')} of {names[arm]} on record {' and '.join(how)}")
        text = "; ".join(parts)
        return (
            f"{text[0].upper()}{text[1:]}. With such an arm, false claims are more frequent than "
            "the level says, and more seeds do not change that."
        )

    def short(self, j: Judgment) -> str:
        return "Runs of these arms diverged or got stuck, which makes false claims likelier."


def _listed(items: Sequence[str], longest: int) -> str:
    """The first items, each cut, and how many more there are."""
    more = len(items) - MOST_NAMED
    listed = "; ".join(cut_middle(printable(item), longest) for item in items[:MOST_NAMED])
    return listed + (f"; and {more} more" if more > 0 else "")


@dataclass(frozen=True)
class Unchecked(Note):
    """The model file was trained without its checks."""

    kind = "unchecked"
    weight = 80
    may_explain = True

    def long(self, j: Judgment) -> str:
        return "The model file was trained without its checks (--unchecked)."

    def short(self, j: Judgment) -> str:
        return "The model file was not checked."


@dataclass(frozen=True)
class RisingLoss(Note):
    """The metric was lowest well before the end: the models are overfitted."""

    kind = "val loss rises"
    weight = 70
    at: int
    """The iter at which it was lowest."""
    rise: float
    command: str
    """The command that trains up to there."""

    def long(self, j: Judgment) -> str:
        return (
            f"The {j.metric.name} was lowest at iter {self.at:,} and rose by "
            f"{self.rise:.2f}{j.metric.suffix} by the end, so these models are overfitted, and the "
            "arm that learns faster may look worse for that reason alone."
        )

    def advice(self, j: Judgment) -> str:
        return f"To compare them at the minimum, ask it as a new question: {self.command}"

    def short(self, j: Judgment) -> str:
        return f"The {_metric(j)} rose from iter {self.at:,} on: the models overfit."


@dataclass(frozen=True)
class DifferentSize(Note):
    """The arms differ in parameters, and size may be the reason."""

    kind = "size"
    weight = 60
    may_explain = True

    def long(self, j: Judgment) -> str:
        base, modified = names_in_text(j)
        return (
            f"{modified} has {self._size(j)} than {base}, so a difference may come from size "
            "alone. A baseline of equal size could separate size from change."
        )

    def short(self, j: Judgment) -> str:
        modified = brief_names(arm_names(j))[1]
        return f"{modified} has {self._size(j)}, which may be the reason instead."

    def _size(self, j: Judgment) -> str:
        base, modified = (j.arms[arm].costs.get("n_params") or 1 for arm in ARMS)
        return f"{more_or_fewer(base, modified)} parameters"


@dataclass(frozen=True)
class ShortBudget(Note):
    """The curves still fall fast at the end."""

    kind = "short budget"
    weight = 50
    fallen: float
    """The metric's fall from that of a uniform guess, and its share in the last quarter."""
    lately: float

    def long(self, j: Judgment) -> str:
        return (
            f"After {iters_text(j) or 'so few iters'} the models have learned little: the "
            f"{j.metric.name} is {self.fallen:.2f}{j.metric.suffix} below that of a uniform guess, "
            f"and {self.lately:.2f} of that came in the last quarter of the run. The verdict says "
            "nothing about longer runs, whose curves level off."
        )

    def short(self, j: Judgment) -> str:
        return f"The {_metric(j)} still falls fast at the end: longer runs may say otherwise."


def _metric(j: Judgment) -> str:
    return cut_cells(printable(j.metric.name), METRIC_CELLS)


# ── in the full form alone


@dataclass(frozen=True)
class OfSeries(Note):
    """The study shares its level with others; the sentence of the level tells it."""

    kind = "series"

    def long(self, j: Judgment) -> str:
        from q1lab.judgment import level_sentences

        share = j.subject.share
        return "" if share is None else level_sentences.series_share_sentence(share)


@dataclass(frozen=True)
class LookedAgain(Note):
    """The question was looked at before; the sentence of the level tells it."""

    kind = "asked"

    def long(self, j: Judgment) -> str:
        from q1lab.judgment import level_sentences

        return level_sentences.looks_sentence(j)


OF_THE_LEVEL = (OfSeries, LookedAgain)
"""Notes that the sentence of the level tells."""


@dataclass(frozen=True)
class ChangedPlan(Note):
    """The plan is not what was declared."""

    kind = "changed plan"
    parts: tuple[str, ...]

    def long(self, j: Judgment) -> str:
        names = {
            "seeds": "its seeds",
            "source": "its model files",
            "data": "its text",
            "budget": "its settings",
            "judged": "its way to judge",
            "plan": "its names and other facts",
        }
        changed = ", ".join(names.get(part, part) for part in self.parts)
        return (
            f"The plan (study.json) is not what was declared when the study was begun: {changed}."
        )


@dataclass(frozen=True)
class UnfinishedRuns(Note):
    """Planned runs that have no result."""

    kind = "unfinished"
    runs: tuple[str, ...]
    of: int

    def long(self, j: Judgment) -> str:
        more = len(self.runs) - MOST_NAMED
        comma = "; " if any("," in run for run in self.runs) else ", "
        listed = printable(comma.join(self.runs[:MOST_NAMED]))
        left = listed + (f" and {more} more" if more > 0 else "")
        have = "has" if len(self.runs) == 1 else "have"
        return f"{len(self.runs)} of {plural(self.of, 'run')} {have} not finished: {left}."

    def short(self, j: Judgment) -> str:
        name = cut_cells(printable(self.runs[0]), 40)
        return f"{len(self.runs)} of {plural(self.of, 'run')} did not finish: {name}."


@dataclass(frozen=True)
class CommandCautions(Note):
    """Cautions about how the runs were made, and the correlation of the arms over the seeds."""

    kind = "command"
    correlation: float | None = None
    between: tuple[float, float] | None = None

    def long(self, j: Judgment) -> str:
        parts = list(j.subject.description.cautions)
        if self.correlation is not None and self.between is not None:
            r, low, high = (
                f"{value:.2f}".replace("-", MINUS) for value in (self.correlation, *self.between)
            )
            parts.insert(
                max(0, len(parts) - 1),
                f"Over the seeds, the results of the two arms correlate by r = {r} ({low} to "
                f"{high}).",
            )
        return " ".join(parts)
