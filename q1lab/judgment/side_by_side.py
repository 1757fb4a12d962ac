"""Several studies side by side: one table, and their intervals on one axis for each metric. Each
keeps the level that it is judged at by itself."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

from q1lab.ground.terminal_cells import cut_cells
from q1lab.ground.text_formats import DASH, MINUS, printable
from q1lab.judgment import difference_text, names
from q1lab.judgment.blocks import Bar, Figure
from q1lab.judgment.judgment import Judgment
from q1lab.judgment.lines import column_sizes, plain_lines, row_text
from q1lab.judgment.terminal_figure import figure_pieces

Studies = Mapping[str, Judgment]
"""Name → its judgment, in the order in which they stand."""

LONGEST = 26
"""Cells of a study's name, and of its arms."""

LEAST = 8
"""Cells that each of them keeps where the table is wider than the terminal."""

TO_THE_RIGHT = (3, 4, 5, 6)
"""The columns of numbers."""


def side_by_side_lines(studies: Studies, width: int = 80) -> list[str]:
    """The table, a figure for each metric, and what a reader of both needs."""
    lines = [*_table(studies, width)]
    for axis, figure in figures(studies).items():
        lines += ["", axis, *plain_lines(figure_pieces(figure, width))]
    for sentence in sentences(studies):
        lines += ["", *textwrap.wrap(sentence, min(width, 100), break_on_hyphens=False)]
    return lines


def by_metric(studies: Studies) -> dict[str, dict[str, Judgment]]:
    """The studies that measure the same, by the metric's axis; no two metrics share one."""
    groups: dict[str, dict[str, Judgment]] = {}
    for name, c in studies.items():
        groups.setdefault(c.metric.axis, {})[name] = c
    return groups


def figures(studies: Studies) -> dict[str, Figure]:
    """The intervals of the studies: a figure for each metric, by the metric's axis."""
    figures_by_axis = {}
    for axis, group in by_metric(studies).items():
        bars = tuple(_bar(name, c) for name, c in group.items() if c.analysis.ends is not None)
        metric = next(iter(group.values())).metric
        if bars:
            figures_by_axis[axis] = Figure(bars, metric.difference)
    return figures_by_axis


def _bar(name: str, c: Judgment) -> Bar:
    ends, mean = c.analysis.ends, c.analysis.mean
    assert ends is not None
    number = difference_text.number_writer(c.analysis)
    points = () if mean is None else (mean,)
    label = cut_cells(printable(name), LONGEST)
    return Bar("study", label, "", ends.low, ends.high, points, number.ends(ends))


def _table(studies: Studies, width: int) -> list[str]:
    """A row for each study, under the metric that it measures."""
    head = ("study", "arms", "verdict", "difference", "interval", "level", "n")
    rows = {name: _cells(name, c) for name, c in studies.items()}
    sizes = column_sizes([head, *rows.values()])
    room = width - sum(sizes[2:]) - 2 * (len(sizes) - 1)
    name, arms = sizes[:2]
    if name + arms > room:
        sizes[0] = max(LEAST, min(name, room // 2), room - arms)
        sizes[1] = max(LEAST, min(arms, room - sizes[0]))

    lines = [row_text(head, sizes, TO_THE_RIGHT)]
    groups = by_metric(studies)
    for axis, group in groups.items():
        lines += [axis] if len(groups) > 1 else []
        lines += [row_text(rows[name], sizes, TO_THE_RIGHT) for name in group]
    return lines


def _cells(name: str, c: Judgment) -> tuple[str, ...]:
    base, modified = c.names
    arms = f"{modified} {MINUS} {base}"
    words = cut_cells(printable(name), LONGEST), cut_cells(printable(arms), LONGEST)
    if c.analysis.mean is None:
        return (*words, c.analysis.verdict.upper(), DASH, DASH, DASH, names.sample_number(c))
    between = difference_text.interval_text(c.analysis)
    return (
        *words,
        c.analysis.verdict.upper(),
        difference_text.mean_text(c.analysis),
        between or DASH,
        difference_text.level_text(c.analysis) if between else DASH,
        names.sample_number(c),
    )


def sentences(studies: Studies) -> list[str]:
    """The sentences that a reader of the table needs."""
    result = [
        "Each interval is at its own study's level, as if it stood alone: read together, the "
        "chances of a false claim add up. Neighbors whose intervals overlap are not shown to be "
        "alike, and none of these studies compares two of the changes."
    ]
    for group in by_metric(studies).values():
        texts = {c.setting.data for c in group.values()}
        if len({c.setting.sha256 for c in group.values()}) > 1:
            result.append(
                f"Trained on different data ({', '.join(sorted(texts))}): "
                "a result on one says nothing about the other."
            )
    return result
