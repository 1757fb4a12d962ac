"""Lists of numbers as typed after --baseline and --modified."""

from __future__ import annotations

import re

from q1lab.ground.errors import Problem
from q1lab.judgment.tables.cells import BadCell
from q1lab.judgment.tables.found_runs import Found, TableOptions, named_metric


def two_lists(options: TableOptions) -> Found:
    """The runs of two arms."""
    if options.baseline is None or options.modified is None:
        raise Problem(
            "nothing to judge",
            next="give a SOURCE, or --baseline 1.91,1.90 --modified 1.79,1.80 --better lower",
        )
    found = Found("the command line", named_metric(options.metric, options.better), is_typed=True)
    _add(found, "baseline", "--baseline", options.baseline)
    _add(found, "modified", "--modified", options.modified)
    return found


def _add(found: Found, arm: str, option: str, text: str) -> None:
    words = [word for word in re.split(r"[,\s]+", text.strip()) if word]
    if not words:
        raise Problem(f"{option} is empty", next="give numbers, such as 1.91,1.90,1.92")
    try:
        found.add_numbers(arm, words)
    except BadCell as error:
        raise Problem(f"{option}: {error}") from None
