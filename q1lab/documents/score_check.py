"""The scores that a learner gave to the numbers predicted of the runs, against the runs. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from statistics import fmean, stdev

from q1lab.judgment.judgment import Judgment
from q1lab.judgment.prediction_score import SMALL

RANGE = re.compile(r"(\d+(?:\.\d+)?) *%? *(?:to|-|–) *(\d+(?:\.\d+)?)")


def contradicted_scores(predicted: str, scored: str, c: Judgment) -> Iterator[str]:
    """A sentence for each score that the runs of ``c`` contradict. ``predicted`` is a text with the
    ranges, ``scored`` has a line for each number."""
    clauses = re.split(r"[;\n]|\.(?!\d)", predicted)
    for name, measured in _measured(c):
        spans = (RANGE.search(clause) for clause in clauses if re.search(name, clause, re.I))
        span = next(filter(None, spans), None)
        for line in scored.splitlines() if span else ():
            grade = SMALL.match(line)
            if span is None or grade is None or not re.search(name, line, re.I):
                continue
            low, high = sorted(map(float, span.groups()))
            if (low <= measured <= high) != (grade[2].lower() == "right"):
                yield f"“{line.strip()}”: I predicted {span[0]}, and the runs say {measured:.4g}"


def _measured(c: Judgment) -> Iterator[tuple[str, float]]:
    """(words for a number of the runs, the number)."""
    base = [value for value in c.arms["baseline"].values.values() if value is not None]
    if len(base) > 1:
        yield r"\bfinal\b", fmean(base)
        yield r"\bsd\b|standard deviation", stdev(base)
    slow, fast = (arm.costs.get("tokens_per_s") for arm in c.arms.values())
    if slow and fast:
        yield r"\btokens\b|\bspeed\b", 100 * fast / slow
