"""Run the tests that measure what survives, long ones too, and write their figures into docs.

python tools/docs/faults.py            the fault tests, into docs/reliability.md (half an hour)
python tools/docs/faults.py engines    the engines' long tests, into docs/engines.md; they need
                                       Slurm on the PATH, and Ray beside this Python or named by
                                       RAY, and skip what is missing
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from make import DOCS, ROOT, put

from q1lab.runner.machine import cores

TESTS = {
    "faults": ["tests/faults", "tests/index/test_many_studies.py"],
    "engines": ["-m", "long", "tests/doors"],
}
PAGES = {"faults": DOCS / "reliability.md", "engines": DOCS / "engines.md"}


def main(which: str = "faults") -> int:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "figures.jsonl"
        file.touch()
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", *TESTS[which]],
            cwd=ROOT,
            env={**os.environ, "FIGURES": str(file), "OMP_NUM_THREADS": "1"},
            check=False,
        )
        figures = [json.loads(line) for line in file.read_text().splitlines()]
    if done.returncode == 0:
        rows = dict.fromkeys(row(figure) for figure in figures)
        machine = f"{cores()}-core {platform.machine()} {platform.system()} machine"
        head = f"On a {machine}.\n\n| what was done | measured |\n|---|---|\n"
        put(PAGES[which], which, head + "\n".join(rows))
    return done.returncode


def row(figure: dict[str, Any]) -> str:
    """What a test did, with the words that tell it from its siblings, and what it counted."""
    words = [str(figure.pop("fault"))]
    words += [
        figure.pop(name)
        for name in ("who", "under", "kind", "copy", "does", "what")
        if name in figure
    ]
    counts = (f"{name.replace('_', ' ')} {value}" for name, value in figure.items())
    return f"| {', '.join(words)} | {', '.join(counts)} |"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
