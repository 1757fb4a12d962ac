"""Reads what a program printed: numbers by a pattern, or under the names that stand before them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from q1lab.ground.errors import Problem
from q1lab.judgment.tables.cells import as_number
from q1lab.judgment.tables.outside_run import TRAIN
from q1lab.judgment.tables.run_log import RunLog

PATTERNS = {
    "nanogpt": r"step (?P<step>\d+): train loss (?P<train>\S+), val loss (?P<value>\S+)",
    "nanochat": r"Step (?P<step>\d+) \| Validation bpb: (?P<value>\S+)",
}
"""Patterns by name, as `q1lab run --metric-pattern` has them."""
LONGEST_LINE = 4096
"""Characters of a line that are looked at."""

NUMBER = r"[-+]?(?:\d++\.?+\d*+(?:[eE][-+]?\d++)?+|\.\d++(?:[eE][-+]?\d++)?+|[nN]a[nN]|[iI]nf\b)"
WORD = r"[A-Za-z_][\w/.@-]*+(?:'s\b)?+"
NAMED = re.compile(
    rf"(?<![\w/.@-])(?<![A-Za-z_][ ])(?P<name>{WORD}(?: {WORD}){{0,3}})[\"']?(?:\s*[=:]\s*|\s+)"
    rf"(?P<value>{NUMBER})(?!\w|[.,/:]\d)"
)
"""``val_loss=1.9``, ``val loss: 1.9``, ``val loss 1.9``, ``"val_loss": 1.9``. All words before the
number are its name: that of ``best val loss 1.8`` is another one."""
UNREAD = re.compile(
    rf"(?<![\w/.@-])(?<![A-Za-z_][ ])(?P<name>{WORD}(?: {WORD}){{0,3}})[\"']?(?:\s*[=:]\s*|\s+)"
    r"(?P<value>[-+]?\d+(?:[.,]\d+)+)(?![\w/:])"
)
"""The same with a decimal comma or with thousands, which may be either: ``acc 71,205``."""
STEP = re.compile(
    r"(?:^\s*\[|\b(?:global_?)?(?:step|iter|iteration|epoch)s?\b[\"']?\s*[=:]?\s*)(\d+)", re.I
)
"""``step 10``, and ``[10]`` at the beginning of a line, as boosting libraries print it."""
PLACE = re.compile(r"\.(?:py|c|cc|cpp|cu|h|hpp|rs|go|js|ts|java|jl|sh|ipynb)$")
"""The end of a file's name, before the number of a line."""


def read(lines: Iterator[str], log: RunLog, pattern: re.Pattern[str] | None, metric: str) -> None:
    """Fill the log of one run from its lines. With a ``pattern``, its group ``value`` is the
    ``metric``, and its groups ``step`` and ``train`` the step and the training loss."""
    step = -1.0
    for whole in lines:
        line = whole[:LONGEST_LINE]
        if pattern is None:
            pairs = [(match["name"], match["value"]) for match in NAMED.finditer(line)]
            for unread in UNREAD.finditer(line):
                if as_number(unread["value"]) is None:
                    log.leave(unread["name"], unread["value"])
            counted = STEP.search(line)
            step = float(counted[1]) if counted else max(step, 0.0) if pairs else step
        elif match := pattern.search(line):
            groups = match.groupdict() or dict(zip(("value", "step"), match.groups(), strict=False))
            values = {metric: groups.get("value", match[0]), TRAIN[0]: groups.get("train")}
            pairs = [(name, text) for name, text in values.items() if text is not None]
            counted_step = as_number(groups.get("step"))
            if counted_step is None:
                counted = STEP.search(line)
                counted_step = float(counted[1]) if counted else step + 1
            step = counted_step
        else:
            continue
        for name, text in pairs:
            number = as_number(text)
            if number is not None and not STEP.fullmatch(f"{name} 0") and not PLACE.search(name):
                log.add(name, step, number)


def compiled(typed: str, where: str = "--metric-pattern") -> re.Pattern[str]:
    """The pattern as typed. Problem, which begins with ``where``, for one that reads no number."""
    try:
        pattern = re.compile(PATTERNS.get(typed, typed))
    except (re.error, RecursionError, OverflowError) as error:
        raise Problem(f"{where} {typed[:60]!r}: {error}") from None
    if "value" not in pattern.groupindex and pattern.groups not in (1, 2):
        raise Problem(
            f"{where} {typed[:60]!r} has no group for the number",
            next=r"write it like 'val loss (?P<value>\S+)'; known by name: " + ", ".join(PATTERNS),
        )
    if pattern.search("") is not None:
        raise Problem(f"{where} {typed[:60]!r} matches everything")
    return pattern


def metric_of(typed: str) -> str:
    """The words before the number in a pattern, by which the metric is called. Problem where there
    are none."""
    before = PATTERNS.get(typed, typed).partition("(?P<value>")[0]
    words = re.findall(
        r"[A-Za-z_][\w/]*(?: [A-Za-z_][\w/]*)?", re.sub(r"\(\?P<\w+>[^)]*\)|\\.", "", before)
    )
    if not words:
        raise Problem(
            f"--metric-pattern {typed[:60]!r}: what the number is called is not clear",
            next="say --metric NAME",
        )
    return str(words[-1])
