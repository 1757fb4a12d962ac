"""The blocks of studies that go on, beside a verdict, and of one in the list. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING

from q1lab.ground.text_formats import MINUS, plural, signed
from q1lab.judgment import difference_text, label_text, level_sentences, reasons
from q1lab.judgment.blocks import Bar, Block, Figure, HeadlineBlock, Sentence
from q1lab.judgment.figure import comparison_figure, pairs_bar
from q1lab.judgment.intervals import MIN_FOR_VERDICT
from q1lab.judgment.run_states import RunState

if TYPE_CHECKING:
    from q1lab.compare.result_rows import ResultRow
    from q1lab.journal.study_view import RunView
    from q1lab.judgment.records import Judgment
    from q1lab.study.design import Design
    from q1lab.study.studies import Study


def figure_blocks(c: Judgment) -> tuple[Block, ...]:
    """The figure beside a place that tells the verdict: its axis says what the difference is of."""
    base, modified = label_text.brief_names(label_text.arm_names(c))
    unit = f" in {c.metric.unit}" if c.metric.unit else ""
    sample = label_text.sample_text(c)
    axis = f"{modified} {MINUS} {base}{unit}; {c.metric.direction}; {sample}"
    figure = replace(comparison_figure(c), axis=axis)
    return (figure,) if figure.bars else ()


def progress_blocks(study: Study, runs: Sequence[RunView]) -> tuple[Block, ...]:
    """Why there is no verdict while a study goes on, and the finished pairs of ``runs``: last, so
    that nothing moves when one more finishes."""
    pairs, figure = finished_pairs(runs), pairs_figure(study, runs)
    names = label_text.short_name(study.baseline), label_text.short_name(study.variant)
    sample = f"{len(pairs)} of {plural(len(study.seeds), 'pair')}"
    return (
        HeadlineBlock("", "", names, "", sample, study.metric.direction),
        *(Sentence("caveat", text) for text in _progress_caveats(study, pairs)),
        *((figure,) if figure.bars else ()),
    )


def pairs_figure(study: Study, runs: Sequence[RunView]) -> Figure:
    """The finished pairs in a row. No mean and no interval: looking early invites stopping early;
    but for a design that declares its looks, which are paid for, the interval after each."""
    pairs = finished_pairs(runs)
    bars = [pairs_bar(pairs, signed)] if pairs else []
    if study.design.level is not None:
        bars += _narrowing(study.design, _first_pairs(runs, pairs))
    return Figure(tuple(bars), study.metric.difference)


def _progress_caveats(study: Study, pairs: Mapping[int, float]) -> Iterator[str]:
    """The reasons that there is no verdict while the study goes on."""
    planned, design = len(study.seeds), study.design
    if planned >= MIN_FOR_VERDICT and len(pairs) == planned:
        yield "All pairs have finished; the comparison is being computed."
        return
    if design.level is not None:
        yield level_sentences.planned_seeds_sentence(design.plan(), design.level)
    elif planned >= MIN_FOR_VERDICT:
        yield reasons.not_yet_sentence(planned)
    else:
        yield reasons.too_few_sentence(planned)


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


def row_blocks(row: ResultRow) -> tuple[Block, ...]:
    """A study of the list: its interval as a figure, or why there is none."""
    if row.problem:
        return (Sentence("short", f"{row.id} can't be read: {row.problem}"),)
    if row.mean is None:
        return (Sentence("short", f"{row.id}: {row.why_no_verdict}."),)
    return (Figure((_of_line(row),), f"{row.metric.difference}; {row.metric.direction}"),)


def _of_line(line: ResultRow) -> Bar:
    base, modified = label_text.brief_names((line.baseline, line.variant))
    mean = f"{modified} {MINUS} {base} = {difference_text.mean_text(line)}{line.metric.suffix}"
    points = () if line.mean is None else (line.mean,)
    if line.ends is None:
        return Bar("study", line.id, mean, points=points)
    note = f"{difference_text.level_text(line)} interval · {mean}"
    ends = difference_text.number_writer(line).ends(line.ends)
    return Bar("study", line.id, note, line.ends.low, line.ends.high, points, ends)
