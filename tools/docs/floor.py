"""The table of docs/floor.md, from docs/results/floor.jsonl (benchmarks/floor.py --write)."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from typing import Any

from looks import RESULTS, table


def lines() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (RESULTS / "floor.jsonl").read_text().splitlines()]


def counted_text() -> str:
    from scipy import stats

    found = lines()
    many = len(found)
    verdicts = Counter(one["verdict"] for one in found)
    wrong = many - verdicts["cannot tell"]
    ends = stats.binomtest(wrong, many).proportion_ci(method="exact")
    covers = sum(one["paired"]["low"] <= 0 <= one["paired"]["high"] for one in found)
    runs = [loss for one in found for arm in ("baseline", "modified") for loss in one[arm]]
    rows = [
        ["studies, each of 3 pairs", str(many)],
        ["runs", str(len(runs))],
        *([verdict.upper(), str(verdicts[verdict])] for verdict in sorted(verdicts)),
        [
            "false verdicts (95% interval of the share)",
            f"{wrong} of {many}: {100 * wrong / many:.1f}% "
            f"({100 * ends.low:.1f} to {100 * ends.high:.1f})",
        ],
        ["95% intervals that hold 0", f"{covers} of {many}"],
        ["mean difference, nats", f"{statistics.fmean(one['difference'] for one in found):+.4f}"],
        ["sd of a run's loss, nats", f"{statistics.stdev(runs):.4f}"],
    ]
    first = found[0]
    return (
        table(["counted", ""], rows) + f"\n\nPreset `quick` with {first['iters']} iters, "
        f"{first['data']}, {first['dtype']}, torch {first['torch']}, cpu."
    )


def texts() -> dict[str, str]:
    return {"counted": counted_text()}
