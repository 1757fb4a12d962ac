"""The differences of a comparison as one figure: its rows with their names, and its axis.

A finished study, one that still trains, and several studies side by side are figures of one form.
The terminal, the app, the pictures and the documents lay it out, and name nothing themselves. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from q1lab.ground.text_formats import as_typed
from q1lab.judgment import difference_text, label_text
from q1lab.judgment.blocks import Bar, BarKind, Figure
from q1lab.judgment.intervals import Interval
from q1lab.judgment.prediction_score import predicted_difference

if TYPE_CHECKING:
    from q1lab.judgment.records import Judgment


def comparison_figure(c: Judgment, *, published: bool = False) -> Figure:
    """The figure of a comparison, without rows where it has neither a pair nor an interval.
    ``published``: for a document that others read, which names the number of seeds."""
    has_rows = bool(c.analysis.pairs) or c.analysis.ends is not None
    bars = tuple(_bars(c, published=published)) if has_rows else ()
    return Figure(bars, c.metric.difference)


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
