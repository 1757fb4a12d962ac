"""The table of docs/floor.md: the runs of docs/results/floor.jsonl regrouped at random."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from scipy import stats

RESULTS = Path(__file__).resolve().parents[2] / "docs" / "results" / "floor.jsonl"
STUDIES = 20_000


def regrouped_text() -> str:
    """False verdicts among studies of 3, 5 and 8 pairs, in %, with twice their standard error."""
    rows = [json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines()]
    losses = np.array(
        [loss for row in rows for arm in ("baseline", "modified") for loss in row[arm]]
    )
    rng = np.random.default_rng(0)
    lines = ["| pairs | studies | false verdicts, % |", "| --- | --- | --- |"]
    for pairs in (3, 5, 8):
        losses_by_study = np.array([rng.permutation(losses)[: 2 * pairs] for _ in range(STUDIES)])
        differences = losses_by_study[:, pairs:] - losses_by_study[:, :pairs]
        t = differences.mean(axis=1) / differences.std(axis=1, ddof=1) * np.sqrt(pairs)
        share = float((np.abs(t) > stats.t.ppf(0.975, pairs - 1)).mean())
        error = 2 * (share * (1 - share) / STUDIES) ** 0.5
        lines.append(f"| {pairs} | {STUDIES:,} | {100 * share:.1f} ± {100 * error:.1f} |")
    return "\n".join(lines)
