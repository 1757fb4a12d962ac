"""The table of docs/cost.md, from docs/results/cost.jsonl (benchmarks/cost.py --write) and the
measured speed in docs/performance.md."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from looks import RESULTS, table

ITERS, TOKENS, VAL = 2000, 12 * 64, 111_539
OURS = 3 * ITERS + (10 * 64 * 64 + VAL) / TOKENS
"""Forward passes of 768 tokens, a step being three: ten evaluations on 64 windows, one exact."""
THEIRS = 3 * ITERS + 9 * 2 * 20
"""Nine evaluations of both splits, 20 batches each."""


def speed() -> float:
    """Six trainings one after the other by nanoGPT, in times of q1lab's own six; bf16."""
    page = (RESULTS.parent / "performance.md").read_text(encoding="utf-8")
    found = re.search(r"six `train.py` in a row \| \d+ \| ([\d.]+) \|", page)
    assert found is not None
    return float(found[1])


def lines() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (RESULTS / "cost.jsonl").read_text().splitlines()]


def measured_text() -> str:
    rows = []
    for one in lines():
        noise = [sd / math.sqrt(240) for sd in one["window_sds"]]
        rows.append(
            [
                f"`{one['variant']}`",
                f"{one['pair_sd']:.4f}",
                *(f"{sd:.4f}" for sd in one["seed_sds"]),
                f"{max(noise):.4f}",
                f"{one['apart_sd']:.4f}",
                f"{(one['apart_sd'] / one['pair_sd']) ** 2:.1f}",
            ]
        )
    return table(
        [
            "modification",
            "sd of a pair's difference",
            "sd of seeds, baseline",
            "modified",
            "standard error of 20 random batches",
            "sd of a difference, nanoGPT's protocol",
            "ratio of variances",
        ],
        rows,
    )


def cost_text() -> str:
    factor = speed()
    rows = []
    for one in lines():
        for row in one["rows"]:
            runs = row["seeds"] / row["pairs"]
            rows.append(
                [
                    f"`{one['variant']}`",
                    str(row["pairs"]),
                    f"{row['sees']:.4f}",
                    str(row["seeds"]),
                    f"{runs:.1f}",
                    f"{runs * THEIRS / OURS:.1f}",
                    f"{runs * factor:.0f}",
                ]
            )
    return table(
        [
            "modification",
            "our pairs",
            "effect they see, nats",
            "nanoGPT's seeds per arm for it",
            "times as many runs",
            "as much compute",
            "as long",
        ],
        rows,
    )


def texts() -> dict[str, str]:
    return {"measured": measured_text(), "cost": cost_text()}
