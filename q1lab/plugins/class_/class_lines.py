"""The hand-ins by what they compare: each change with its mean over all hand-ins. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from q1lab.ground.text_formats import plural
from q1lab.judgment.difference_text import NumberWriter
from q1lab.judgment.intervals import MIN_FOR_VERDICT, Interval
from q1lab.judgment.label_text import short_name
from q1lab.judgment.metric import Metric
from q1lab.plugins.class_.hand_in_results import REFUSED, HandInResult
from q1lab.plugins.class_.pooled_mean import Differences, PooledMean, pool
from q1lab.plugins.class_.standing_apart import stands_apart


@dataclass(frozen=True)
class ClassLine:
    """All hand-ins that compare the same two arms, on the same text, with the same settings."""

    title: str
    results: tuple[HandInResult, ...]
    metric: Metric | None = None
    pooled: PooledMean | str = ""
    """The mean over its hand-ins, or why there is none; empty where there is nothing to pool."""
    rest: PooledMean | str = ""
    """The same without the hand-ins that stand apart; empty where none does."""
    equal: int = 0
    """The hand-ins whose numbers are those of another one, at a seed of both: they count once."""
    left_out: int = 0
    """Hand-ins of it that are not in the mean: refused, or without a verdict."""


def class_lines(results: Iterable[HandInResult]) -> list[ClassLine]:
    """The lines of a class, largest first; what has no study comes last."""
    by_change: dict[Hashable, list[HandInResult]] = defaultdict(list)
    without: list[HandInResult] = []
    for result in _with_doubles(list(results)):
        study = result.study
        if study is None:
            without.append(result)
        else:
            arms = short_name(study.modified), short_name(study.baseline)
            by_change[*arms, study.settings].append(result)
    lines = [_line(members) for members in by_change.values()]
    titles = Counter(line.title for line in lines)
    lines = [
        replace(line, title=f"{line.title}, settings {_settings(line)}")
        if titles[line.title] > 1
        else line
        for line in lines
    ]
    lines.sort(key=lambda line: (-len(line.results), line.title))
    if without:
        lines.append(ClassLine("without a study", tuple(without)))
    return lines


def _with_doubles(results: list[HandInResult]) -> list[HandInResult]:
    """The results, with those that have the same runs named in each other."""
    same: dict[str, list[HandInResult]] = defaultdict(list)
    for result in results:
        if result.study is not None and result.study.runs:
            same[result.study.runs].append(result)
    return [
        replace(
            result,
            same_as=tuple(other.label for other in same[result.study.runs] if other is not result),
        )
        if result.study is not None and len(same[result.study.runs]) > 1
        else result
        for result in results
    ]


def _settings(line: ClassLine) -> str:
    study = line.results[0].study
    return "" if study is None else study.settings[:6]


def _line(results: Sequence[HandInResult]) -> ClassLine:
    study = results[0].study
    assert study is not None
    title = f"{short_name(study.modified)} against {short_name(study.baseline)}, {study.data}"
    counted = [result for result in results if _counts(result)]
    units = _units(counted)
    all_differences = [differences for _, differences in units]
    outliers = stands_apart(all_differences)
    outlier_ids = {id(result) for number in outliers for result in units[number][0]}
    others = [each for number, each in enumerate(all_differences) if number not in outliers]
    return ClassLine(
        title,
        tuple(replace(result, apart=id(result) in outlier_ids) for result in results),
        study.metric,
        pool(all_differences) if len(results) > 1 else "",
        pool(others) if outliers else "",
        equal=len(counted) - len(units),
        left_out=len(results) - len(counted),
    )


def _counts(result: HandInResult) -> bool:
    """True if a hand-in is in the mean over all: not refused, and with a verdict of its own."""
    has_verdict = result.verdict not in ("", "no verdict") and result.pairs >= MIN_FOR_VERDICT
    return has_verdict and result.verified != REFUSED


def _units(results: Sequence[HandInResult]) -> list[tuple[list[HandInResult], Differences]]:
    """The hand-ins that count, each with its differences by seed. Those with the same two numbers
    at a seed are one: the same files on the same kind of machine."""
    units: list[tuple[list[HandInResult], dict[tuple[int, float, float], float]]] = []
    for result in results:
        assert result.study is not None
        pairs = {
            (seed, pair.baseline, pair.modified): pair.modified - pair.baseline
            for seed, pair in islice(result.study.pairs.items(), result.pairs)
        }
        members = [result]
        for unit in [unit for unit in units if unit[1].keys() & pairs.keys()]:
            units.remove(unit)
            members, pairs = [*unit[0], *members], {**unit[1], **pairs}
        units.append((members, pairs))
    return [
        (members, {seed: difference for (seed, _, _), difference in pairs.items()})
        for members, pairs in units
    ]


def line_sentences(line: ClassLine) -> list[str]:
    """The sentences below a line's table: the mean over people, and who stands apart."""
    sentences = []
    if line.pooled:
        sentences.append(f"Over all hand-ins: {_mean_text(line, line.pooled)}.")
    if line.equal:
        sentences.append(
            f"{plural(line.equal, 'hand-in')} with the same numbers as another: they count once."
        )
    if line.left_out:
        sentences.append(f"Not in the mean: {line.left_out}, refused or without a verdict.")
    if outliers := [result.label for result in line.results if result.apart]:
        sentences.append(f"Stands apart from the others (◆): {', '.join(outliers)}.")
        sentences.append(
            f"Without what stands apart: {_mean_text(line, line.rest)}. Leaving it out is a choice "
            "made on the results: say so, or say why its file is wrong."
        )
    return sentences


def _mean_text(line: ClassLine, pooled: PooledMean | str) -> str:
    if isinstance(pooled, str) or line.metric is None:
        return str(pooled)
    number = NumberWriter(Interval(pooled.low, pooled.high), None, abs(pooled.mean))
    return (
        f"{number(pooled.mean)}{line.metric.suffix}, 95% interval {number.end(pooled.low)} to "
        f"{number.end(pooled.high)} (random effects of {plural(pooled.hand_ins, 'hand-in')} and "
        f"{plural(pooled.samples, 'seed')})"
    )
