"""A study of 1,000 runs (``--seeds 500``): what a look, ``status``, the lab, ``compare`` and the
store cost.

    python benchmarks/thousand.py [--points 200] [--rounds 30]

The runs' events are written here as a trainer writes them; four of them grow between two looks.
Figures are processor time, so that they hold on a machine that does something else as well.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SHA = "86c4e6aa" * 8
UNDER_WAY = 4
"""Runs that train while the study is looked at."""


def plan(name: str, pairs: int) -> Any:
    """A planned study of ``pairs`` pairs, nothing trained."""
    from q1lab.study import studies
    from q1lab.study.presets import PRESETS
    from q1lab.study.studies import Arm, Data, Study

    arms = {}
    for arm, variant in zip(studies.ARMS, ("baseline", "rope"), strict=True):
        source = f"source/{arm}/{variant}.py"
        arms[arm] = Arm(
            variant, variant, source, str(len(variant)) * 64, variant, 804_096, 1_600_000
        )
    study = Study(
        id=name,
        created="2026-03-07T09:30:00+00:00",
        arms=arms,
        looks=(tuple(range(pairs)),),
        preset="cpu",
        config=PRESETS["cpu"],
        data=Data("stdlib", SHA, f"data/{SHA}.txt", 1_115_394, 65, 1_003_854, 111_540),
        device="cpu",
        dtype="bf16",
        jobs=UNDER_WAY,
        threads=1,
        headline="paired",
        versions={"torch": "2.9"},
    )
    (study.files.root / "source").mkdir(parents=True)
    studies.save(study)
    return study


def train(study: Any, run: Any, points: int, *, to: int | None = None) -> None:
    """Write a run's events: whole, or ``to`` so many points and no end."""
    shift = 0.02 * math.sin(run.seed) - (0.1 if run.arm == "modified" else 0)
    final = 1.9 + shift + 0.003 * math.sin(7 * run.seed + len(run.arm))
    lines: list[dict[str, Any]] = [{"type": "start", "attempt": 1, "arm": run.arm}]
    lines[0] |= {"seed": run.seed, "time": "2026-03-07T09:31:00+00:00", "resumed_from": 0}
    for k in range(1, (points if to is None else to) + 1):
        lines.append(point(study, k, points, final))
        if 2 * k >= points:
            done = k * study.max_iters // points
            lines.append({"type": "eval", "iter": done, "val_loss": final + 0.01, "tokens": 4096})
    if to is None:
        end = {"iter": study.max_iters, "val_loss": final, "tok_per_s": 2e4}
        lines.append({"type": "exit", "state": "finished", "total": 70.0, **end})
    files = study.files.run(run.name)
    files.root.mkdir(parents=True, exist_ok=True)
    files.events.write_text("".join(json.dumps(line) + "\n" for line in lines))


def point(study: Any, k: int, points: int, final: float) -> dict[str, Any]:
    """The ``k``-th of a run's points."""
    loss = final + 2.4 * math.exp(-4 * k / points)
    done = k * study.max_iters // points
    return {"type": "iter", "iter": done, "train_loss": loss, "tok_per_s": 2e4, "t": 0.35 * k}


@contextlib.contextmanager
def under_way(study: Any) -> Iterator[list[Any]]:
    """Hold the locks of the study and of its last runs, which makes them alive; gives the runs."""
    from q1lab.files import try_lock

    runs = list(study.runs[-UNDER_WAY:])
    places = [study.files.lock, *(study.files.run(run.name).lock for run in runs)]
    held = [try_lock(path) for path in places]
    try:
        yield runs
    finally:
        for fd in held:
            if fd is not None:
                os.close(fd)


def looks(store: Any, study: Any, points: int, rounds: int) -> dict[str, list[float]]:
    """Processor milliseconds of a look, as commands and as the app take one."""
    from q1lab.index import view
    from q1lab.tui.snapshot import Taker

    taker = Taker("M03-W04")
    taker.take(store)
    found: dict[str, list[float]] = {"a command's": [], "the app's": []}
    with under_way(study) as runs:
        view.look(store, study)
        for number in range(rounds):
            for name, look in (
                ("a command's", lambda: view.look(store, study)),
                ("the app's", lambda: taker.take(store)),
            ):
                for run in runs:
                    with study.files.run(run.name).events.open("a") as file:
                        file.write(json.dumps(point(study, 2 + number, points, 1.9)) + "\n")
                used = time.thread_time()
                look()
                found[name].append(1e3 * (time.thread_time() - used))
    return found


def command(*arguments: str) -> tuple[float, int]:
    """Processor milliseconds of a q1lab command, and how many lines it prints."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "q1lab", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return 1e3 * used, done.stdout.count(b"\n")


def lab() -> list[float]:
    """Processor milliseconds from the key to the lab's first picture: the first time, and again."""
    from app import SCREENS, Terminal

    def used(pid: int) -> float:
        threads = Path(f"/proc/{pid}/task").iterdir()
        return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e6

    env = {**os.environ, "TERM": "xterm-256color", "PYTHONPATH": str(ROOT)}
    terminal = Terminal([sys.executable, "-m", "q1lab"], env)
    try:
        terminal.until("palette")
        terminal.quiet(1.0)
        terminal.press("\x1b")  # the welcome
        found = []
        for _ in range(2):
            terminal.quiet(0.5)
            before = used(terminal.pid)
            terminal.press(SCREENS["lab"][0])
            terminal.until(SCREENS["lab"][1])
            found.append(used(terminal.pid) - before)
            terminal.quiet(0.5)
            terminal.press(SCREENS["study"][0])
        return found
    finally:
        terminal.close()


def size(store: Any) -> int:
    """Bytes of the database."""
    pages = store.db.execute("PRAGMA page_count").fetchone()[0]
    return int(pages * store.db.execute("PRAGMA page_size").fetchone()[0])


def measure(points: int, rounds: int) -> Iterator[str]:
    """The table's lines."""
    from q1lab.index import ingest, view
    from q1lab.index.store import Store

    with Store() as store:
        empty, grown = size(store), []
        for number, pairs in enumerate((125, 250), 1):
            small = plan(f"rope-{number}", pairs)
            before = size(store)
            for run in small.runs:
                train(small, run, points)
            ingest.take_in(store, small)
            grown.append((len(small.runs), size(store) - before))
        study = plan("rope-3", 500)
        runs = len(study.runs)
        for run in study.runs[:-UNDER_WAY]:
            train(study, run, points)
        for run in study.runs[-UNDER_WAY:]:
            train(study, run, points, to=1)
        before, used = size(store), time.thread_time()
        ingest.take_in(store, study)
        first = time.thread_time() - used
        grown.append((runs, size(store) - before))
        yield f"\n{runs:,} runs in one study, {points} points each, {UNDER_WAY} of them training\n"
        yield "| what | processor time | aim |\n|---|---|---|"
        for name, times in looks(store, study, points, rounds).items():
            median, most = statistics.median(times), max(times)
            yield f"| {name} look, median (at most) | {median:.0f} ({most:.0f}) ms | 100 ms |"
        with under_way(study):
            opened = [lab() for _ in range(5)]
        for name, some in (
            ("first time", [one[0] for one in opened]),
            ("again", [one[1] for one in opened]),
        ):
            yield f"| open the lab, {name} | {statistics.median(some):.0f} ms | 300 ms |"
        for run in study.runs[-UNDER_WAY:]:
            train(study, run, points)
        assert view.look(store, study).line.done == runs
    status = [command("status") for _ in range(5)]
    yield f"| `q1lab status` | {statistics.median(ms for ms, _ in status):.0f} ms | 300 ms |"
    once, again = command("compare", "rope-3"), command("compare", "rope-3")
    yield f"| `q1lab compare`, {once[1]} lines, first time and again | {once[0]:.0f} and "
    yield f"{again[0]:.0f} ms | |"
    yield f"| take in all events at once | {first:.1f} s | |"
    each = ", ".join(f"{count:,} runs {grew / count / 1024:.1f} KB" for count, grew in grown)
    yield f"| the store grows, per run | {each} | the same |"
    assert empty < grown[-1][1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=30)
    given = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory(prefix="q1lab-thousand-") as home:
        os.environ["Q1LAB_HOME"] = home
        for text in measure(given.points, given.rounds):
            print(text, end="" if text.endswith(" and ") else "\n", flush=True)


if __name__ == "__main__":
    main()
