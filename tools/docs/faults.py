"""Run the tests that measure what survives, long ones too, and print their figures (forty minutes)."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from q1lab.train.machine import cores

ROOT = Path(__file__).parents[2]
TESTS = [
    "tests/faults",
    "tests/journal/test_many_studies.py",
    "tests/train/weights_and_biases/test_relay.py",
]


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "figures.jsonl"
        file.touch()
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", *TESTS],
            cwd=ROOT,
            env={**os.environ, "FIGURES": str(file), "OMP_NUM_THREADS": "1"},
            check=False,
        )
        figures = [json.loads(line) for line in file.read_text().splitlines()]
    print(
        f"Measured on {datetime.now(UTC).date()} at commit {commit()} on a {cores()}-core "
        f"{platform.machine()} {platform.system()} machine, Python {platform.python_version()}.\n"
    )
    print(table(figures))
    return done.returncode


def commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def table(figures: Sequence[tuple[str, str, str]]) -> str:
    """One row for each thing that was done. Where a test ran more than once, its last run counts:
    the long version. A column without a word is left out."""
    rows = {fault: (passes_when, measured) for fault, passes_when, measured in figures}
    lines = [("what was done", "passes when", "measured"), ("---",) * 3]
    lines += [(fault, *rest) for fault, rest in rows.items()]
    kept = [n for n in range(3) if any(line[n] for line in lines[2:])]
    return "\n".join(f"| {' | '.join(line[n] for n in kept)} |" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
