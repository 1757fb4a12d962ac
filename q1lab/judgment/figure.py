"""The differences of a comparison as one figure: its rows with their names, its axis, and the
sentences below it.

A finished study, one that still trains, and several studies side by side are figures of one form.
The terminal, the app, the pictures and the documents lay it out, and name nothing themselves. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from q1lab.ground.text_formats import MINUS, as_typed
from q1lab.judgment import difference_text, label_text
from q1lab.judgment.intervals import Interval
from q1lab.judgment.prediction_score import predicted_difference

if TYPE_CHECKING:
    from q1lab.judgment.records import Judgment

BarKind = Literal["interval", "bootstrap", "pairs", "floor", "delta", "prediction", "study"]


@dataclass(frozen=True)
class Bar:
    """A row: an interval, or points, on the axis of differences. ``ends`` are an interval's ends as
    text; ``text`` is the number of a row without an interval."""

    kind: BarKind
    label: str
    note: str = ""
    low: float | None = None
    high: float | None = None
    points: tuple[float, ...] = ()
    ends: tuple[str, str] | None = None
    text: str = ""
    parts: tuple[Bar, ...] = ()
    """The pairs one by one, where a layout has room for a row each."""


@dataclass(frozen=True)
class Figure:
    """Differences modified − baseline on one axis in which 0 is marked."""

    bars: tuple[Bar, ...] = ()
    axis: str = ""
    """``difference in nats``"""
    title: str = ""
    """``rope − baseline = −0.012 nats``"""
    basis: str = ""
    """The pairs behind the rows, and the direction that is better: ``3 pairs, lower is better``."""
    word: str = ""
    """The verdict in capitals; empty where none is told."""
    caveats: tuple[str, ...] = ()
    """The sentences below the figure while the study goes on."""


def comparison_figure(c: Judgment, *, published: bool = False) -> Figure:
    """The figure of a comparison, without rows where it has neither a pair nor an interval.
    ``published``: for a document that others read, which names the number of seeds."""
    analysis = c.analysis
    base, modified = label_text.brief_names(label_text.arm_names(c))
    title = f"{modified} {MINUS} {base}"
    if analysis.mean is not None:
        title += f" = {difference_text.mean_text(analysis)}{c.metric.suffix}"
    return Figure(
        tuple(_bars(c, published=published)) if analysis.pairs or analysis.ends is not None else (),
        c.metric.difference,
        title,
        f"{label_text.sample_text(c)}, {c.metric.direction}",
        label_text.verdict_word(c),
    )


def _bars(c: Judgment, *, published: bool) -> Iterator[Bar]:
    number = difference_text.number_writer(c.analysis)
    mean = () if c.analysis.mean is None else (c.analysis.mean,)

    def interval(kind: BarKind, label: str, note: str, ends: Interval) -> Bar:
        points = () if kind == "floor" else mean
        return Bar(kind, label, note, ends.low, ends.high, points, number.ends(ends))

    if c.analysis.ends is not None:
        yield interval(
            "interval",
            label_text.interval_label(c.analysis),
            label_text.interval_note(c),
            c.analysis.ends,
        )
    if c.analysis.bootstrap is not None:
        note = label_text.bootstrap_note(c, c.analysis.n if published else None)
        yield interval(
            "bootstrap", label_text.BOOTSTRAP_LABEL, note, c.analysis.bootstrap.interval()
        )
    if c.analysis.pairs:
        yield pairs_bar(c.analysis.pairs, number)
    if c.floor is not None:
        yield interval("floor", label_text.FLOOR_LABEL, label_text.floor_note(c), c.floor)
    if c.analysis.delta:
        text = f"±{c.analysis.delta:g}"
        yield Bar(
            "delta", label_text.DELTA_LABEL, "", -c.analysis.delta, c.analysis.delta, text=text
        )
    predicted = predicted_difference(c.subject.prediction) if c.subject.prediction else None
    if predicted is not None:
        label, text = label_text.prediction_label(c), as_typed(predicted, sign=True)
        yield Bar("prediction", label, points=(predicted,), text=text)


def pairs_bar(pairs: Mapping[int, float], write: Callable[[float], str]) -> Bar:
    """All pairs as one row, which has them one by one, too."""
    parts = tuple(
        Bar("pairs", label_text.pair_label(seed), points=(value,), text=write(value))
        for seed, value in pairs.items()
    )
    label = f"each of {len(pairs)} pairs" if len(pairs) > 1 else "1 pair"
    return Bar("pairs", label, points=tuple(pairs.values()), parts=parts)
