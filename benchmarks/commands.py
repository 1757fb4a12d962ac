"""How long the quick commands take, as whole processes, against an empty Python start."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time

CASES = {
    "python -c pass": ["-c", "pass"],
    "q1lab --help": ["-m", "q1lab", "--help"],
    "q1lab status": ["-m", "q1lab", "status"],
}


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        env = {**os.environ, "Q1LAB_HOME": home}
        times: dict[str, list[float]] = {name: [] for name in CASES}
        for number in range(12):
            for name, args in CASES.items():
                began = time.perf_counter()
                subprocess.run(
                    [sys.executable, *args], env=env, check=True, stdout=subprocess.DEVNULL
                )
                if number:  # the first makes the schema and warms the disk
                    times[name].append((time.perf_counter() - began) * 1000)
        base = statistics.median(times["python -c pass"])
        print("\n| command | median ms | ratio to an empty Python |")
        print("|---|---|---|")
        for name, values in times.items():
            print(
                f"| `{name}` | {statistics.median(values):.0f} | "
                f"{statistics.median(values) / base:.1f} |"
            )


if __name__ == "__main__":
    main()
