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
SHA = "86c4e6aa" * 8
GROWING = 4
"""How many of the runs train while the study is looked at."""


def build(home: Path, runs: int) -> list[Path]:
    """Write a study of ``runs`` runs as files; returns the events of those that train."""
    root = home / "studies" / "rope-1"
    arms = {
        arm: {"variant": name, "title": name, "source": f"source/{name}.py", "sha256": "0" * 64}
        | {"origin": name, "n_params": 804_096, "flops_per_token": 1_600_000}
        for arm, name in (("baseline", "baseline"), ("modified", "rope"))
    }
    data = {"name": "stdlib", "sha256": SHA, "file": f"data/{SHA}.txt", "characters": 1_115_394}
    data |= {"vocab_size": 65, "train_tokens": 1_003_854, "val_tokens": 111_540}
    plan = {"v": 1, "id": "rope-1", "created": "2026-03-07T09:30:00+00:00", "arms": arms}
    plan |= {"looks": [list(range(runs // 2))], "preset": "cpu", "data": data, "device": "cpu"}
    plan |= {"config": {"max_iters": 2000, "batch_size": 12, "block_size": 64}, "dtype": "bf16"}
    plan |= {"jobs": 2, "threads": 1, "headline": "paired", "versions": {"torch": "2.13"}}
    (root / "source").mkdir(parents=True)
    (root / "study.json").write_text(json.dumps(plan))
    growing = []
    for number in range(runs):
        arm, seed = ("baseline", "modified")[number % 2], number // 2
        file = root / "runs" / f"{arm}-seed{seed}" / "events.jsonl"
        file.parent.mkdir(parents=True)
        trains = number >= runs - GROWING
        file.write_text("".join(json.dumps(line) + "\n" for line in events(arm, seed, trains)))
        growing += [file] if trains else []
    return growing


def events(arm: str, seed: int, trains: bool) -> list[dict[str, Any]]:
    """What a trainer writes: a run that has finished, or one that trains."""
    when = "2026-03-07T09:31:00+00:00"
    lines: list[dict[str, Any]] = [
        {"type": "start", "v": 1, "arm": arm, "seed": seed, "attempt": 1, "time": when}
    ]
    lines += [iteration(i) for i in range(10, 2001, 10)][: 50 if trains else None]
    loss = 1.9 + 0.004 * (seed % 7) - (0.012 if arm == "modified" else 0)
    end = [
        {"type": "eval", "iter": 2000, "val_loss": loss, "final": True},
        {"type": "exit", "state": "finished", "iter": 2000, "val_loss": loss, "t": 71.0}
        | {"tok_per_s": 22000.0, "time": when},
    ]
    return lines if trains else lines + end


def iteration(i: int) -> dict[str, Any]:
    loss = 4.0 - i / 1000
    return {"type": "iter", "iter": i, "train_loss": loss, "lr": 1e-3, "tok_per_s": 22e3, "t": i}


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
