"""Write docs/engines.md's table: run the long engine tests on loopback, and table their figures.

``python tools/docs/engines.py`` needs Slurm on the PATH, and Ray beside this Python or named by
``RAY``; what is missing is skipped, and said. ``--figures FILE`` makes the table from a file of
figures (JSON lines) that an earlier run wrote.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from make import DOCS, ROOT, machine, put


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--figures", type=Path, help="a file of figures from an earlier run")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = args.figures or Path(folder) / "figures.jsonl"
        status = 0
        if args.figures is None:
            status = subprocess.run(
                [sys.executable, "-m", "pytest", "-q", "-m", "long", "tests/study/engines"],
                cwd=ROOT,
                env={**os.environ, "ENGINE_FIGURES": str(file)},
                check=False,
            ).returncode
        if status == 0:
            put(DOCS / "engines.md", "engines", table(file.read_text().splitlines()))
    return status


def table(lines: list[str]) -> str:
    """One row per measured thing; the last figure of each counts."""
    found = {}
    for line in lines:
        figure = json.loads(line)
        found[figure.pop("what")] = figure
    rows = [f"| {what} | {words(figure)} |" for what, figure in found.items()]
    head = f"On loopback, a {machine()}; the trainer is the one without torch, but where values are compared.\n\n"
    return head + "| what was done | what was seen |\n|---|---|\n" + "\n".join(rows)


def words(figure: dict[str, object]) -> str:
    parts = []
    for name, value in figure.items():
        if isinstance(value, dict):
            parts += [f"{key} {number} s" for key, number in value.items()]
        else:
            unit = " s" if name == "catching_up" else ""
            label = name.replace("_", " ")
            parts.append(f"over {value} s later" if name == "seconds" else f"{label} {value}{unit}")
    return "; ".join(parts) + "; no event lost or doubled"


if __name__ == "__main__":
    sys.exit(main())
