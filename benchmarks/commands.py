"""How much processor time the quick commands take, as whole processes, against an empty Python.

    python benchmarks/commands.py [--runs 1000] [--rounds 11] [--against CHECKOUT]

Also with a study of many runs in the home, where `status` is one look at them after four runs went
on. With --against, another checkout (with its own .venv) is measured in turn with this one.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
GROWING = 4
"""How many of the runs train while the study is looked at."""


def build(home: Path, runs: int) -> list[Path]:
    """Write a study of ``runs`` runs as files; returns the events of those that train."""
    sys.path.insert(0, str(ROOT))
    from tests.kit import lab_home

    os.environ["Q1LAB_HOME"] = str(home)
    study = lab_home.make_study(seeds=tuple(range(runs // 2)))
    lab_home.finish(study)
    return [
        lab_home.train(study, run.arm, run.seed, 1000, state=None) for run in study.runs[-GROWING:]
    ]


def iteration(i: int) -> dict[str, Any]:
    return {"type": "iter", "iter": i, "train_loss": 4.0 - i / 1000, "tok_per_s": 22e3, "t": i}


def spent(checkout: Path, home: Path, args: list[str]) -> float:
    """Milliseconds of processor time that a Python with these arguments takes."""
    python = checkout / ".venv" / "bin" / "python"
    command = [str(python if python.exists() else sys.executable), *args]
    env = {**os.environ, "Q1LAB_HOME": str(home), "PYTHONPATH": str(checkout)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=checkout, env=env, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--against", type=Path)
    given = parser.parse_args()
    checkouts = [ROOT, *([given.against.absolute()] if given.against else [])]
    many = f"q1lab status, {given.runs:,} runs"
    cases = {
        "python -c pass": ["-c", "pass"],
        "q1lab --help": ["-m", "q1lab", "--help"],
        "q1lab status": ["-m", "q1lab", "status"],
        many: ["-m", "q1lab", "status"],
    }
    times: dict[tuple[str, Path], list[float]] = {}
    with tempfile.TemporaryDirectory() as place:
        homes = {checkout: Path(place) / str(n) for n, checkout in enumerate(checkouts)}
        growing = [file for home in homes.values() for file in build(home / "many", given.runs)]
        for number in range(given.rounds + 1):  # the first one takes all in, and warms the disk
            for file in growing:
                with file.open("a") as out:
                    out.write(json.dumps(iteration(1000 + number)) + "\n")
            for name, args in cases.items():
                for checkout, home in homes.items():
                    used = spent(checkout, home / ("many" if name == many else "empty"), args)
                    times.setdefault((name, checkout), []).append(used)
    medians = {at: statistics.median(values[1:]) for at, values in times.items()}
    print("\n| command | ms of processor | ratio to an empty Python | to the other checkout |")
    print("|---|---|---|---|")
    for name in cases:
        here = medians[name, ROOT]
        other = [f"{here / medians[name, checkout]:.2f}" for checkout in checkouts[1:]]
        ratio = here / medians["python -c pass", ROOT]
        print(f"| `{name}` | {here:.0f} | {ratio:.1f} | {''.join(other) or '–'} |")


if __name__ == "__main__":
    main()
