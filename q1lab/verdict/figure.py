"""The differences of a comparison as one figure: its rows with their names, its axis, and the
sentences below it.

A finished study, one that still trains, and several studies side by side are figures of one form.
The terminal, the app, the pictures and the documents lay it out, and name nothing themselves. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Literal

from q1lab.ground.text_formats import MINUS, as_typed, plural, signed
from q1lab.statistics.intervals import MIN_FOR_VERDICT, Interval
from q1lab.statistics.prediction_score import predicted_difference
from q1lab.study.run_states import RunState
from q1lab.verdict import difference_text, label_text, level_text, verdict_text

if TYPE_CHECKING:
    from q1lab.index.study_view import RunView
    from q1lab.study.design import Design
    from q1lab.study.studies import Study
    from q1lab.verdict.comparison import Comparison
    from q1lab.verdict.result_rows import ResultRow

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


def comparison_figure(c: Comparison, *, published: bool = False) -> Figure:
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


def _bars(c: Comparison, *, published: bool) -> Iterator[Bar]:
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
        yield _pairs(c.analysis.pairs, number)
    if c.floor is not None:
        yield interval("floor", label_text.FLOOR_LABEL, label_text.floor_note(c), c.floor)
    if c.analysis.delta:
        text = f"±{c.analysis.delta:g}"
        yield Bar(
            "delta", label_text.DELTA_LABEL, "", -c.analysis.delta, c.analysis.delta, text=text
        )
    predicted = predicted_difference(c.study.prediction) if c.study.prediction else None
    if predicted is not None:
        label, text = label_text.prediction_label(c), as_typed(predicted, sign=True)
        yield Bar("prediction", label, points=(predicted,), text=text)


def _pairs(pairs: Mapping[int, float], write: Callable[[float], str]) -> Bar:
    """All pairs as one row, which has them one by one, too."""
    parts = tuple(
        Bar("pairs", label_text.pair_label(seed), points=(value,), text=write(value))
        for seed, value in pairs.items()
    )
    label = f"each of {len(pairs)} pairs" if len(pairs) > 1 else "1 pair"
    return Bar("pairs", label, points=tuple(pairs.values()), parts=parts)


def progress_figure(study: Study, runs: Sequence[RunView]) -> Figure:
    """Finished pairs of ``runs`` while their study goes on. No mean and no interval: looking
    early invites stopping early; but for a design that declares its looks, which are paid for, the
    interval after each."""
    design, pairs = study.design, finished_pairs(runs)
    bars = [_pairs(pairs, signed)] if pairs else []
    if design.level is not None:
        bars += _narrowing(design, _first_pairs(runs, pairs))
    names = label_text.short_name(study.baseline), label_text.short_name(study.variant)
    base, modified = label_text.brief_names(names)
    return Figure(
        tuple(bars),
        study.metric.difference,
        f"{modified} {MINUS} {base}",
        f"{len(pairs)} of {plural(len(study.seeds), 'pair')}, {study.metric.direction}",
        caveats=tuple(_progress_caveats(study, pairs)),
    )


def _progress_caveats(study: Study, pairs: Mapping[int, float]) -> Iterator[str]:
    """The reasons that there is no verdict while the study goes on."""
    planned, design = len(study.seeds), study.design
    if not design.has_verdict:
        yield verdict_text.GATED
        return
    if planned >= MIN_FOR_VERDICT and len(pairs) == planned:
        yield "All pairs have finished; the comparison is being computed."
        return
    if not pairs:
        yield "No pair has finished yet."
    if design.level is not None:
        yield level_text.planned_seeds_sentence(design, design.level)
    elif planned >= MIN_FOR_VERDICT:
        yield verdict_text.not_yet_sentence(planned)
    else:
        yield verdict_text.too_few_sentence(planned)


def finished_pairs(runs: Sequence[RunView]) -> dict[int, float]:
    """Modified − baseline by seed, for seeds that both arms have finished."""
    ends = {(run.arm, run.seed): run.val_loss for run in runs if run.state is RunState.FINISHED}
    differences = {}
    for (arm, seed), value in sorted(ends.items()):
        other = ends.get(("modified", seed))
        if arm == "baseline" and value is not None and other is not None:
            differences[seed] = other - value
    return differences


def _first_pairs(runs: Sequence[RunView], pairs: Mapping[int, float]) -> list[float]:
    """The differences of the first pairs, up to the first seed whose pair has not finished."""
    seeds = dict.fromkeys(run.seed for run in runs)
    return [pairs[seed] for seed in takewhile(pairs.__contains__, seeds)]


def _narrowing(design: Design, values: Sequence[float]) -> Iterator[Bar]:
    """The interval after each pair at which the design declares a look: it may be seen, since each
    look is paid for."""
    for n in range(design.pairs[0], len(values) + 1):
        ends = design.interval_at(values[:n])
        if ends is not None:
            yield Bar("interval", f"after {n} pairs", "", *ends, (sum(values[:n]) / n,))


def side_by_side_figure(lines: Sequence[ResultRow]) -> Figure:
    """The chosen studies' headline intervals on one axis; they must be comparable
    (``result_rows.why_not_comparable``)."""
    measured = [line for line in lines if line.mean is not None]
    if len(lines) == 1 and lines[0].problem:
        return Figure(title=f"{lines[0].id} can't be read: {lines[0].problem}")
    if not measured:
        return Figure(title=f"{lines[0].id}: {lines[0].why_no_verdict}." if lines else "")
    caveats = []
    if len({line.preset for line in measured}) > 1:
        caveats.append(
            "The presets differ: another size or budget may be the reason for another result."
        )
    if len({line.baseline for line in measured}) > 1:
        caveats.append(
            "The baselines differ: these differences are from different starting points."
        )
    threads = sorted({line.threads for line in measured if line.threads is not None})
    if len(threads) > 1:
        caveats.append(
            f"Their runs had {' and '.join(map(str, threads))} threads: with another number the "
            "same code gives losses that differ in the last digits."
        )
    if len(measured) > 1:
        caveats.append(
            "Each verdict has its own chance of being false; the more of them, the likelier one is."
        )
    else:
        caveats.append("Space marks studies; marked ones are shown here side by side.")
    levels = sorted({difference_text.level_text(line) for line in measured})
    metric = measured[0].metric
    return Figure(
        tuple(_of_line(line) for line in measured),
        metric.difference,
        basis=f"{' and '.join(levels)} intervals, {metric.direction}",
        caveats=tuple(caveats),
    )


def _of_line(line: ResultRow) -> Bar:
    mean = f"{difference_text.mean_text(line)}{line.metric.suffix}"
    base, modified = label_text.brief_names((line.baseline, line.variant))
    parts = (
        f"{modified} {MINUS} {base} = {mean}",
        line.answer,
        f"n {line.sample}",
        line.preset,
    )
    note = " · ".join(part for part in parts if part)
    points = () if line.mean is None else (line.mean,)
    if line.ends is None:
        return Bar("study", line.id, note, points=points)
    note = (
        f"{difference_text.level_text(line)} interval {difference_text.interval_text(line)}\n{note}"
    )
    return Bar("study", line.id, note, line.ends.low, line.ends.high, points)
