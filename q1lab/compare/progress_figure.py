"""The figures of studies that go on, beside a verdict, and of one in the list. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile

from q1lab.compare.comparison import arm_names
from q1lab.compare.result_rows import ResultRow
from q1lab.ground.text_formats import MINUS, plural, signed
from q1lab.journal.study_view import RunView
from q1lab.judgment import arrange, difference_text, names
from q1lab.judgment.blocks import Bar, Figure
from q1lab.judgment.intervals import MIN_FOR_VERDICT
from q1lab.judgment.judgment import Judgment
from q1lab.judgment.lines import Line, packed, prose
from q1lab.judgment.run_states import RunState
from q1lab.judgment.terminal_figure import figure_pieces
from q1lab.study import plan_notes
from q1lab.study.design import Design
from q1lab.study.studies import Study


def figure_lines(j: Judgment, width: int) -> list[Line]:
    """The figure beside a place that tells the verdict: its axis says what the difference is of."""
    base, modified = j.names
    unit = f" in {j.metric.unit}" if j.metric.unit else ""
    axis = f"{modified} {MINUS} {base}{unit}; {j.metric.direction}; {names.sample(j)}"
    return figure_pieces(replace(arrange.figure(j), axis=axis), width)


def progress_lines(study: Study, runs: Sequence[RunView], width: int) -> list[Line]:
    """Why there is no verdict while a study goes on, and the finished pairs of ``runs``: last, so
    that nothing moves when one more finishes."""
    pairs = finished_pairs(runs)
    base, modified = names.told_apart(*arm_names(study))
    sample = f"{len(pairs)} of {plural(len(study.seeds), 'pair')}"
    head: list[Line] = [
        [(modified, "modified")],
        [(f" {MINUS} ", ""), (base, "baseline")],
        [(f" ({study.metric.direction};", "")],
        [(f" {sample})", "")],
    ]
    lines = [*packed(head, width), []]
    lines += prose(_why_not_yet(study, pairs), width, role="dim")
    drawn = figure_pieces(pairs_figure(study, runs), width)
    return [*lines, *([[]] if drawn else []), *drawn]


def pairs_figure(study: Study, runs: Sequence[RunView]) -> Figure:
    """The finished pairs in a row. No mean and no interval: looking early invites stopping early;
    but for a design that declares its looks, which are paid for, the interval after each."""
    pairs = finished_pairs(runs)
    bars = [arrange.pairs_bar(pairs, signed)] if pairs else []
    if study.design.level is not None:
        bars += _narrowing(study.design, _first_pairs(runs, pairs))
    return Figure(tuple(bars), study.metric.difference)


def _why_not_yet(study: Study, pairs: Mapping[int, float]) -> str:
    """The reason that there is no verdict while the study goes on."""
    planned, design = len(study.seeds), study.design
    if planned >= MIN_FOR_VERDICT and len(pairs) == planned:
        return "All pairs have finished; the comparison is being computed."
    if design.level is not None:
        note = plan_notes.range_note(design.pairs, design.level)
        return f"Planned: {note}."
    if planned >= MIN_FOR_VERDICT:
        return plan_notes.not_yet_note(planned)
    return plan_notes.too_few_note(planned)


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


def row_lines(row: ResultRow, width: int) -> list[Line]:
    """A study of the list: its interval as a figure, or why there is none."""
    if row.problem:
        return prose(f"{row.id} can't be read: {row.problem}", width)
    if row.mean is None:
        return prose(f"{row.id}: {row.why_no_verdict}.", width)
    figure = Figure((_of_line(row),), f"{row.metric.difference}; {row.metric.direction}")
    return figure_pieces(figure, width)


def _of_line(line: ResultRow) -> Bar:
    base, modified = names.told_apart(line.baseline, line.variant)
    mean = f"{modified} {MINUS} {base} = {difference_text.mean_text(line)}{line.metric.suffix}"
    points = () if line.mean is None else (line.mean,)
    if line.ends is None:
        return Bar("study", line.id, mean, points=points)
    note = f"{difference_text.level_text(line)} interval · {mean}"
    ends = difference_text.number_writer(line).ends(line.ends)
    return Bar("study", line.id, note, line.ends.low, line.ends.high, points, ends)
