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
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
    """Two tables: what an engine adds, and what faults cost. The last figure of each thing
    counts."""
    found: dict[str, dict[str, Any]] = {}
    for line in lines:
        figure = json.loads(line)
        found[figure.pop("what")] = figure
    loads = [figure["load"] for figure in found.values()]
    parts = [
        f"On loopback, a {machine()} with a load of {min(loads)} to {max(loads)} by other work; the\n"
        "trainer is the one without torch, but where losses are compared."
    ]
    times = {what: figure for what, figure in found.items() if what.startswith("time ")}
    if times:
        rows = [
            f"| {what.removeprefix('time ')} | {figure['first']} s | {figure['total']} s "
            f"| {figure['more']} s |"
            for what, figure in times.items()
        ]
        head = (
            "| engine | first event after | two runs after | more than here |\n|---|---|---|---|\n"
        )
        parts.append(head + "\n".join(rows))
    equal = found.get("equal")
    if equal:
        where = ", ".join(equal["where"])
        parts.append(
            f"Equal to the last digit ({where}): all {equal['losses']} losses of two runs."
        )
    head = (
        "| what was done | seen again after | goes on at iter | runs | attempts of one at most "
        "| events lost, doubled |\n|---|---|---|---|---|---|\n"
    )
    rows = [row(what, figure) for what, figure in found.items() if what not in (*times, "equal")]
    parts.append(head + "\n".join(rows))
    return "\n\n".join(parts)


def row(what: str, figure: Mapping[str, Any]) -> str:
    if "kills" in figure:
        what += f" {figure['kills']} times"
    if "took" in figure:
        what += f" (in {figure['took']} s), then caught up by a fresh process"
    again = f"{figure['again']} s" if "again" in figure else ""
    if "processor" in figure:
        again = f"{figure['processor']} s of processor time"
    harm = f"{figure['lost']}, {figure['doubled']}" if "lost" in figure else ""
    rest = [figure.get(key, "") for key in ("goes_on_at", "runs", "attempts")]
    return "| " + " | ".join(str(part) for part in (what, again, *rest, harm)) + " |"


if __name__ == "__main__":
    sys.exit(main())
