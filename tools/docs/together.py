"""The table of docs/card.md: all four modifications at once against the sum of the four alone."""

from __future__ import annotations

import json
from pathlib import Path

from q1lab.ground.text_formats import signed
from q1lab.judgment import intervals

RESULTS = Path(__file__).parents[2] / "docs" / "results" / "card.jsonl"
ALONE = ("rmsnorm", "rope", "swiglu", "gqa")
TOGETHER = "llama"
BUDGETS = (500, 1000, 2000)


def joint_effect(iters: int) -> tuple[float, float, intervals.Interval]:
    """The sum of the four differences, the difference of all four together, and the interval of
    the second minus the first, in nats. Runs of one seed are compared with each other."""
    runs = [json.loads(line) for line in RESULTS.read_text().splitlines()]
    loss = {
        (run["model"], run["seed"]): run["val_loss"]
        for run in runs
        if run["kind"] == "run" and run["iters"] == iters
    }
    seeds = sorted(seed for model, seed in loss if model == TOGETHER)
    sums = {
        seed: sum(loss[name, seed] - loss["baseline", seed] for name in ALONE) for seed in seeds
    }
    joint_changes = {seed: loss[TOGETHER, seed] - loss["baseline", seed] for seed in seeds}
    interval = intervals.analyze(sums, joint_changes, headline="paired").ends
    assert interval is not None
    return sum(sums.values()) / len(seeds), sum(joint_changes.values()) / len(seeds), interval


def text() -> str:
    rows = [
        ["iters", "sum of the four alone", "all four together", "beyond the sum", "95% interval"],
        ["---"] * 5,
    ]
    for iters in BUDGETS:
        alone, joint, beyond = joint_effect(iters)
        numbers = [signed(value, 3) for value in (alone, joint, joint - alone)]
        interval = f"{signed(beyond.low, 3)} to {signed(beyond.high, 3)}"
        rows.append([f"{iters:,}", *numbers, interval])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
