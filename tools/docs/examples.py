"""The table of docs/runs-and-programs.md: public runs, as `q1lab judge` judges them."""

from __future__ import annotations

import json
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
            analysis = judged.judgment.analysis
            single = number_writer(analysis).end(losses[0] - baseline[0])
            runs = f"{len(baseline)} + {len(losses)}"
            interval = interval_text(analysis)
            rows.append(f"| {name} | {single} | {runs} | {interval} | {analysis.verdict} |")
    return "\n".join(rows)


def read_tables() -> list[dict[str, Any]]:
    tables: list[dict[str, Any]] = json.loads(PUBLIC.read_text())
    return tables
