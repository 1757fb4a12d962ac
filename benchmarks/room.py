"""Room: thousands of studies, a study of a thousand runs, a heap of events. Processor time, since
the machine may be busy with other things.

python benchmarks/room.py [--studies 2000] [--seeds 500] [--megabytes 306] [--files 50000]
    [--against CHECKOUT]

``--against`` measures another checkout (with its own .venv) in turn with this one and prints
ratios. The targets are those of the issue that asked for room: `status` of 2,000 studies under 400
ms, of 1,000 runs under 300 ms, a look at 1,000 runs under 100 ms, 306 MB of events under 60 s, and
no second scan of a repository of 50,000 files.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
VARIANTS = ("rope", "rmsnorm", "swiglu", "gqa", "llama")
SHA = "86c4e6aa" * 8
ITERS = 2000
HUGE = "rope-999999"


def plan(name: str, variant: str, seeds: int, number: int) -> dict[str, Any]:
    arms = {
        arm: {
            "variant": file,
            "title": file,
            "source": f"source/{file}.py",
            "sha256": "0" * 64,
            "origin": file,
            "n_params": 804_096,
            "flops_per_token": 1_600_000,
        }
        for arm, file in (("baseline", "baseline"), ("modified", variant))
    }
    day = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(1_700_000_000 + 7200 * number))
    return {
        "v": 1,
        "id": name,
        "created": day,
        "arms": arms,
        "looks": [list(range(seeds))],
        "preset": "cpu",
        "config": {"max_iters": ITERS, "batch_size": 12, "block_size": 64},
        "data": {
            "name": "stdlib",
            "sha256": SHA,
            "file": f"data/{SHA}.txt",
            "characters": 1_115_394,
            "vocab_size": 65,
            "train_tokens": 1_003_854,
            "val_tokens": 111_540,
        },
        "device": "cpu",
        "dtype": "bf16",
        "jobs": 2,
        "threads": 1,
        "headline": "paired",
        "versions": {"torch": "2.9"},
    }


def events(arm: str, seed: int, points: int) -> str:
    """A finished run of ``points`` train losses, as a trainer writes it."""
    lines: list[dict[str, Any]] = [
        {
            "type": "start",
            "v": 1,
            "arm": arm,
            "seed": seed,
            "attempt": 1,
            "time": "2026-03-07T09:31:00+00:00",
        }
    ]
    for number in range(1, points + 1):
        at = max(1, number * ITERS // points)
        lines.append(
            {
                "type": "iter",
                "iter": at,
                "train_loss": 4.0 - at / 1000,
                "lr": 1e-3,
                "tok_per_s": 22000.1,
                "t": at / 28,
            }
        )
        if number % max(1, points // 10) == 0:
            lines.append({"type": "eval", "iter": at, "val_loss": 4.1 - at / 1000, "t": at / 28})
    loss = 1.9 + 0.004 * (seed % 7) - (0.012 if arm == "modified" else 0) + 0.001 * (seed % 3)
    lines.append({"type": "eval", "iter": ITERS, "val_loss": loss, "final": True})
    lines.append(
        {
            "type": "exit",
            "state": "finished",
            "iter": ITERS,
            "val_loss": loss,
            "t": 71.0,
            "tok_per_s": 22000.0,
            "time": "2026-03-07T09:33:00+00:00",
        }
    )
    return "".join(json.dumps(line) + "\n" for line in lines)


def build(home: Path, name: str, variant: str, seeds: int, number: int, points: int) -> Path:
    """Write a finished study as files alone."""
    root = home / "studies" / name
    (root / "source").mkdir(parents=True)
    os.utime(root / "source", (1_700_000_000 + 7200 * number,) * 2)
    (root / "study.json").write_text(json.dumps(plan(name, variant, seeds, number)))
    for seed in range(seeds):
        for arm in ("baseline", "modified"):
            folder = root / "runs" / f"{arm}-seed{seed}"
            folder.mkdir(parents=True)
            (folder / "events.jsonl").write_text(events(arm, seed, points))
    return root


def hold(path: Path) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(fd, fcntl.LOCK_EX)
    return fd


def in_training(root: Path, seeds: int) -> list[int]:
    """Make of a finished study one of which 60% has ended and two runs train; returns held
    locks."""
    names = [f"{arm}-seed{seed}" for seed in range(seeds) for arm in ("baseline", "modified")]
    done = len(names) * 6 // 10
    held = [hold(root / "lock")]
    (root / "launch.json").write_text(json.dumps({"launch": 1}))
    (root / "claims").mkdir()
    for number, name in enumerate(names):
        file = root / "runs" / name / "events.jsonl"
        if number < done + 2:
            (root / "claims" / f"1-{name}").touch()
        if done <= number < done + 2:
            file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:100]))
            held.append(hold(root / "runs" / name / "lock"))
        elif number >= done:
            file.unlink()
    return held


LOOKS = """
import json, os, statistics, sys, time
from pathlib import Path
from q1lab.index.store import Store
from q1lab.tui.snapshot import Taker
events = [Path(name) for name in sys.argv[1:]]
taker, times = Taker("week"), []
with Store() as store:
    for number in range(14):
        for file in events:
            with file.open("a") as out:
                line = {"type": "iter", "iter": 1000 + number, "train_loss": 2.0, "t": 50 + number}
                out.write(json.dumps(line) + chr(10))
        began = time.process_time()
        taker.take(store)
        times.append(1000 * (time.process_time() - began))
print(statistics.median(times[4:]))
"""


def run(checkout: Path, home: Path, *args: str) -> tuple[float, int, str]:
    """(milliseconds of processor, kilobytes at most, stdout) of a command of a checkout."""
    python = checkout / ".venv" / "bin" / "python"
    command = [str(python if python.exists() else sys.executable), *args]
    env = {"Q1LAB_HOME": str(home), "PYTHONPATH": str(checkout)}
    return spent(command, cwd=checkout, **env)


def spent(command: list[str], cwd: Path = ROOT, **env: str) -> tuple[float, int, str]:
    """(milliseconds of processor, kilobytes at most of any child so far, stdout) of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return 1000 * used, after.ru_maxrss, done.stdout


def many_files(repo: Path, files: int) -> None:
    """A repository of ``files`` small files, committed."""
    for number in range(files):
        file = repo / f"part-{number // 500}" / f"file-{number}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{number}\n")
    (repo / "README.md").write_text("# Mine\n")
    for words in (
        ["init", "-q"],
        ["config", "user.name", "A Learner"],
        ["config", "user.email", "learner@example.com"],
        ["add", "."],
        ["commit", "-q", "-m", "all of it"],
    ):
        subprocess.run(["git", *words], cwd=repo, check=True)


class Bench:
    """One measurement after the other, of this checkout and of another in turn with it."""

    def __init__(self, place: Path, against: Path | None) -> None:
        self.place = place
        self.checkouts = [ROOT, *([against.absolute()] if against else [])]

    def head(self) -> None:
        more, line = (" | other checkout ×", "---|") if len(self.checkouts) > 1 else ("", "")
        print(f"\n| room | processor | aim{more} |\n|---|---|---|{line}")

    def row(self, what: str, times: dict[Path, float], target: str) -> None:
        here = times[ROOT]
        shown = f"{here:,.0f} ms" if here < 10_000 else f"{here / 1000:.1f} s"
        others = [times[checkout] for checkout in self.checkouts[1:] if checkout in times]
        ratio = "".join(f" | {other / here:.1f}" for other in others)
        print(f"| {what} | {shown} | {target}{ratio} |", flush=True)

    @contextlib.contextmanager
    def homes(self, name: str) -> Iterator[dict[Path, Path]]:
        """A home per checkout, since each changes its own."""
        homes = {checkout: self.place / f"{name}-{n}" for n, checkout in enumerate(self.checkouts)}
        try:
            yield homes
        finally:
            for home in homes.values():
                shutil.rmtree(home)

    def status(self, homes: dict[Path, Path], times: int) -> dict[Path, float]:
        found: dict[Path, list[float]] = {checkout: [] for checkout in self.checkouts}
        for _ in range(times):
            for checkout, home in homes.items():
                found[checkout].append(run(checkout, home, "-m", "q1lab", "status")[0])
        return {checkout: statistics.median(each) for checkout, each in found.items()}

    def many_studies(self, studies: int) -> None:
        with self.homes("many") as homes:
            for home in homes.values():
                for number in range(studies):
                    variant = VARIANTS[number % len(VARIANTS)]
                    build(home, f"{variant}-{number // len(VARIANTS) + 1}", variant, 3, number, 40)
                build(home, HUGE, "rope", 200, studies, 40)
            first = self.status(homes, 1)
            self.row(f"first index of {studies:,} studies and one of 200 seeds", first, "–")
            self.row("`status` after that", self.status(homes, 5), "400 ms")

    def many_runs(self, seeds: int) -> None:
        held: list[int] = []
        with self.homes("seeds") as homes:
            for home in homes.values():
                held += in_training(build(home, HUGE, "rope", seeds, 0, 200), seeds)
            self.status(homes, 1)
            self.row(f"`status` of {2 * seeds:,} runs in training", self.status(homes, 1), "300 ms")
            training = sorted((homes[ROOT] / "studies" / HUGE / "runs").glob("*/lock"))
            files = [str(lock.parent / "events.jsonl") for lock in training]
            look = float(run(ROOT, homes[ROOT], "-c", LOOKS, *files)[2])
            self.row("a look of the app at them", {ROOT: look}, "100 ms")
            size = (homes[ROOT] / "q1lab.db").stat().st_size / 1e6
            print(f"| their tables | {size:.1f} MB | – |")
            for fd in held:
                os.close(fd)

    def heap_of_events(self, megabytes: int) -> None:
        runs = max(1, megabytes * 1_000_000 // len(events("baseline", 0, 2000)) // 2)
        found, memory = {}, 0.0
        with self.homes("heap") as homes:
            for checkout, home in homes.items():
                build(home, HUGE, "rope", runs, 0, 2000)
                found[checkout], most, _ = run(checkout, home, "-m", "q1lab", "status")
                if checkout == ROOT:
                    memory = most / 1024
        self.row(f"{megabytes} MB of events taken in", found, "60 s")
        print(f"| most memory that this took | {memory:.0f} MB | – |")

    def large_repository(self, files: int) -> None:
        """`retro` beside one `git status`, in a repository of many files."""
        with self.homes("repo") as homes:
            repo, found = self.place / "repo", {}
            many_files(repo, files)
            git = spent(["git", "status", "--porcelain"], cwd=repo)[0]
            words = ("-m", "q1lab", "retro", "--yes", "--repo", str(repo))
            for checkout, home in homes.items():
                home.mkdir()
                found[checkout] = run(checkout, home, *words)[0]
                subprocess.run(["git", "reset", "-q", "--hard", "HEAD~1"], cwd=repo, check=True)
            self.row(f"`retro` in a repository of {files:,} files", found, "–")
            print(f"| one `git status` there | {git:,.0f} ms | – |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=500)
    parser.add_argument("--megabytes", type=int, default=306)
    parser.add_argument("--files", type=int, default=50_000)
    parser.add_argument("--against", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="q1lab-room-") as scratch:
        bench = Bench(Path(scratch), given.against)
        bench.head()
        bench.many_studies(given.studies)
        bench.many_runs(given.seeds)
        bench.heap_of_events(given.megabytes)
        bench.large_repository(given.files)


if __name__ == "__main__":
    main()
