"""Figures of studies that go on, and of several studies side by side. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING

from q1lab.ground.text_formats import MINUS, plural, signed
from q1lab.judgment import difference_text, label_text, level_sentences, reasons
from q1lab.judgment.blocks import Bar, Figure
from q1lab.judgment.figure import pairs_bar
from q1lab.judgment.intervals import MIN_FOR_VERDICT
from q1lab.study.run_states import RunState

if TYPE_CHECKING:
    from q1lab.index.study_view import RunView
    from q1lab.study.design import Design
    from q1lab.study.studies import Study
    from q1lab.verdict.result_rows import ResultRow


def progress_figure(study: Study, runs: Sequence[RunView]) -> Figure:
    """Finished pairs of ``runs`` while their study goes on. No mean and no interval: looking
    early invites stopping early; but for a design that declares its looks, which are paid for, the
    interval after each."""
    design, pairs = study.design, finished_pairs(runs)
    bars = [pairs_bar(pairs, signed)] if pairs else []
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
    if design.decided_elsewhere is not None:
        yield design.decided_elsewhere.long
        return
    if planned >= MIN_FOR_VERDICT and len(pairs) == planned:
        yield "All pairs have finished; the comparison is being computed."
        return
    if not pairs:
        yield "No pair has finished yet."
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
