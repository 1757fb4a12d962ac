"""The tables of docs/examples.md: public runs, as `q1lab judge` judges them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import q1lab
from q1lab.judgment.difference_text import interval_text, number_writer

PUBLIC = Path(__file__).parents[2] / "docs" / "results" / "public.json"


def changes_table() -> str:
    """Each change: what the first run of each arm says, and what all runs say."""
    rows = [
        "| change | first runs alone | runs | all runs (95% interval) | verdict |",
        "|---|---:|---:|---:|---|",
    ]
    for table in read_tables():
        baseline = table["baseline"]
        for name, losses in table["changes"].items():
            judged = q1lab.judge(baseline, losses, metric=table["metric"])
            analysis = judged.analysis
            single = number_writer(analysis).end(losses[0] - baseline[0])
            runs = f"{len(baseline)} + {len(losses)}"
            interval = interval_text(analysis)
            rows.append(f"| {name} | {single} | {runs} | {interval} | {judged.verdict} |")
    return "\n".join(rows)


def read_tables() -> list[dict[str, Any]]:
    tables: list[dict[str, Any]] = json.loads(PUBLIC.read_text())
    return tables


CONTEST = (
    ("#11 against #9", 3.2785, 16, 3225, 3.2771, 8, 3250),
    ("#13 against #11", 3.2785, 10, 3210, 3.2785, 16, 3225),
    ("#16 against #14", 3.2784, 8, 3125, 3.2776, 4, 3150),
    ("#34 against #30", 3.2781, 8, 2925, 3.2784, 16, 2930),
)
"""Pairs of records of the contest: mean val loss, runs and steps of the newer and the older one."""
CONTEST_SD, LOSS_PER_STEP = 0.0013, 0.0045 / 100
"""The spread over seeds, and the worth of a step, that the contest's page assumes."""


def contest_table() -> str:
    """The contest's own rule for two records, with its assumed spread, worked out again."""
    rows = ["| records | difference at equal steps | one-sided p |", "|---|---:|---:|"]
    for name, *numbers in CONTEST:
        gain, p = contest_p(*numbers)
        rows.append(f"| {name} | {gain:+.4f} | {p:.3f} |".replace("-", "−"))
    return "\n".join(rows)


def contest_p(
    new: float, new_runs: int, new_steps: int, old: float, old_runs: int, old_steps: int
) -> tuple[float, float]:
    """The difference at equal steps, and the chance of one at least as low if nothing changed."""
    gain = new - old - (old_steps - new_steps) * LOSS_PER_STEP
    z = gain / (CONTEST_SD * math.sqrt(1 / new_runs + 1 / old_runs))
    return gain, 0.5 * math.erfc(-z / math.sqrt(2))
