"""Real studies of the baseline against itself: how often does a verdict claim something there?

    python benchmarks/floor.py FOLDER [--studies 40] [--iters 60] [--data FILE] [--write]

Study k compares seeds 3k to 3k+2 with as many other ones at preset quick with fewer iters, by
`q1lab run baseline`, with ``FOLDER`` as Q1LAB_HOME; no run belongs to two studies. ``--write``
keeps each study's raw results in ``docs/results/floor.jsonl`` as soon as it has ended, and trains
none that is there already.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
RESULTS = ROOT / "docs" / "results" / "floor.jsonl"
PAIRS = 3


def study(k: int, home: Path, iters: int, data: str) -> dict[str, Any]:
    """Train and compare one; its raw results."""
    seeds = range(PAIRS * k, PAIRS * (k + 1))
    command = [sys.executable, "-m", "q1lab", "run", "baseline", "--json"]
    command += ["--preset", "quick", "--max-iters", str(iters), "--data", data]
    command += ["--set", "warmup_iters=10", "--seeds", ",".join(map(str, seeds))]
    command += ["--wandb", "disabled", "--fresh"]  # else the seeds would join the study before
    env = {**os.environ, "Q1LAB_HOME": str(home), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"study {k}: {done.stderr.strip()}")
    record = json.loads(done.stdout)
    return {
        "study": k,
        "iters": iters,
        "data": record["data"]["name"],
        "dtype": record["dtype"],
        "torch": record["versions"]["torch"].partition("+")[0],
        "verdict": record["verdict"],
        "difference": record["difference"]["mean"],
        "paired": record["difference"]["paired"],
        "baseline": list(record["arms"]["baseline"]["values"].values()),
        "modified": list(record["arms"]["modified"]["values"].values()),
    }


def keep(found: dict[str, Any]) -> None:
    """Put a study's results in the place of older ones."""
    lines = RESULTS.read_text().splitlines() if RESULTS.exists() else []
    there = {one["study"]: one for one in map(json.loads, lines)} | {found["study"]: found}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text("".join(json.dumps(there[k]) + "\n" for k in sorted(there)))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("home", type=Path)
    parser.add_argument("--studies", type=int, default=40)
    parser.add_argument("--iters", type=int, default=60)
    parser.add_argument("--data", default="stdlib")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    lines = RESULTS.read_text().splitlines() if RESULTS.exists() else []
    there = [json.loads(line)["study"] for line in lines]
    for k in range(args.studies):
        if args.write and k in there:
            continue
        found = study(k, args.home, args.iters, args.data)
        print(f"{k}: {found['verdict']} {found['difference']:+.4f}", flush=True)
        if args.write:
            keep(found)


if __name__ == "__main__":
    main()
