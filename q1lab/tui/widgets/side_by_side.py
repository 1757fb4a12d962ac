"""Several studies' headline intervals on one axis. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from q1lab.compare import wording
from q1lab.compare.results import ResultLine
from q1lab.formats import MINUS
from q1lab.tui.widgets.forest import Bar, Forest


def side_by_side(lines: Sequence[ResultLine]) -> Forest:
    """The forest plot of the chosen studies; they must be comparable
    (``results.why_not_comparable``)."""
    known = [line for line in lines if line.mean is not None]
    if len(lines) == 1 and lines[0].problem:
        return Forest(says=f"{lines[0].id} can't be read: {lines[0].problem}")
    if not known:
        says = (
            f"{lines[0].id}: {lines[0].done} of {lines[0].total} runs have ended; no verdict yet."
            if lines
            else ""
        )
        return Forest(says=says)
    bars = tuple(_bar(line) for line in known)
    notes = []
    if len({line.preset for line in known}) > 1:
        notes.append(
            "The presets differ: another size or budget may be the reason for another result."
        )
    if len({line.baseline for line in known}) > 1:
        notes.append("The baselines differ: these differences are from different starting points.")
    threads = sorted({line.threads for line in known if line.threads is not None})
    if len(threads) > 1:
        notes.append(
            f"Their runs had {' and '.join(map(str, threads))} threads: with another number the "
            "same code gives losses that differ in the last digits."
        )
    if len(known) > 1:
        notes.append(
            "Each verdict has its own chance of being false; the more of them, the likelier one is."
        )
    else:
        notes.append("Space marks studies; marked ones are shown here side by side.")
    levels = sorted({wording.level(line) for line in known})
    title = f"{' and '.join(levels)} intervals, {known[0].metric.direction}"
    return Forest(title, None, "", bars, tuple(notes))


def _bar(line: ResultLine) -> Bar:
    what = f"{line.variant} {MINUS} {line.baseline} = {wording.mean(line)}{line.metric.suffix}"
    parts = (what, line.verdict, f"n {line.n}", line.preset)
    note = " · ".join(part for part in parts if part)
    if line.ends is None:
        return Bar(line.id, None, None, line.mean, "modified", weight="bold", note=note)
    note = f"{wording.level(line)} interval {wording.between(line)}\n{note}"
    ends = (line.ends.low, line.ends.high)
    return Bar(line.id, *ends, line.mean, "modified", weight="bold", note=note)
