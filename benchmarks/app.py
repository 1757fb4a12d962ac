"""The app: first paint, key to paint under load, screens and polls with a large store, memory.

    python benchmarks/app.py [--studies 1000] [--points 833] [--rounds 15] [--json]

The app runs on a pty, as a person runs it. While keys are pressed, as many processes as there are
cores are busy, and one study of the store "trains": its event files grow several times a second.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from big_store import ROOT, build

BUSY = "while True: sum(i * i for i in range(10000))"
SCREENS = {
    "lab": ("2", "val loss"),
    "results": ("3", "difference"),
    "progress": ("4", "KPIs"),
    "study": ("1", "A1"),
}


class Terminal:
    """A program on a pty of 120 × 40. Escape sequences are dropped from what it is asked about."""

    def __init__(self, argv: list[str], env: dict[str, str]) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(argv[0], argv, env)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))

    def quiet(self, seconds: float = 0.5, most: float = 20) -> str:
        """Everything written until nothing came for so long."""
        seen = b""
        end = time.monotonic() + most
        while time.monotonic() < end and select.select([self.fd], [], [], seconds)[0]:
            seen += os.read(self.fd, 1 << 16)
        return plain(seen)

    def until(self, word: str, most: float = 20) -> float:
        """Seconds until a word has been written."""
        begin = time.perf_counter()
        seen = b""
        while word not in plain(seen):
            if not select.select([self.fd], [], [], most)[0]:
                raise SystemExit(f"never wrote {word!r}; last: {plain(seen)[-300:]!r}")
            seen += os.read(self.fd, 1 << 16)
        return time.perf_counter() - begin

    def press(self, key: str) -> None:
        os.write(self.fd, key.encode())

    def first_byte(self, key: str) -> float:
        """Seconds from a key to the first thing painted after it."""
        while select.select([self.fd], [], [], 0)[0]:
            os.read(self.fd, 1 << 16)
        begin = time.perf_counter()
        self.press(key)
        select.select([self.fd], [], [], 5)
        return time.perf_counter() - begin

    def memory(self) -> float:
        """Resident memory in MB (Linux), else NaN."""
        with contextlib.suppress(OSError):
            found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text())
            if found:
                return int(found[1]) / 1024
        return float("nan")

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


def plain(raw: bytes) -> str:
    return re.sub(
        r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[@-_])",
        "",
        raw.decode("utf-8", "replace"),
    )


@contextlib.contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processes that do nothing but count."""
    children = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(count)]
    try:
        yield
    finally:
        for child in children:
            child.kill()
            child.wait()


@contextlib.contextmanager
def training() -> Iterator[None]:
    """Let the newest study train: its locks are held, and two event files grow five times a
    second."""
    from q1lab.files import try_lock
    from q1lab.study import studies

    study = studies.load(studies.latest())
    runs = [study.files.run(run.name) for run in study.runs[:2]]
    held = [try_lock(path) for path in (study.files.lock, *(run.lock for run in runs))]
    over = threading.Event()

    def grow() -> None:
        iter_ = 0
        for run in runs:
            run.events.write_text('{"type": "start", "attempt": 1}\n')
        while not over.wait(0.2):
            iter_ += 2
            event = {
                "type": "iter",
                "iter": iter_,
                "train_loss": 4 - iter_ / 1000,
                "tok_per_s": 2e4,
                "t": iter_ / 30,
            }
            for run in runs:
                with run.events.open("a") as file:
                    file.write(json.dumps(event) + "\n")

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        for fd in held:
            if fd is not None:
                os.close(fd)


def on_the_pty(env: dict[str, str]) -> dict[str, Any]:
    """Screens are opened with a quiet machine; keys are timed with a busy one; memory is read at
    the end."""
    terminal = Terminal([sys.executable, "-m", "q1lab"], env)
    found: dict[str, Any] = {}
    try:
        terminal.until("palette")
        terminal.quiet(1.0)
        opened: dict[str, list[float]] = {name: [] for name in SCREENS}
        for _ in range(4):
            for name, (key, word) in SCREENS.items():
                terminal.press(key)
                opened[name].append(terminal.until(word) * 1e3)
                terminal.quiet(0.4, most=2)
        found["open_ms"] = {
            name: {"first": times[0], "again": statistics.median(times[1:])}
            for name, times in opened.items()
        }
        cores = os.cpu_count() or 1
        terminal.press("2")
        terminal.quiet(0.4, most=2)
        with busy(cores):
            times = []
            for number in range(120):
                times.append(terminal.first_byte("\x1b[B" if number % 10 < 5 else "\x1b[A") * 1e3)
                time.sleep(0.05)
        found["key_ms"] = {
            "median": statistics.median(times),
            "p95": sorted(times)[int(0.95 * len(times))],
        }
        found["busy_processes"] = cores
        with training():
            time.sleep(5)
            terminal.quiet(0.0, most=0.1)
            found["memory_mb"] = terminal.memory()
    finally:
        terminal.close()
    return found


def polls() -> dict[str, float]:
    """What a look costs while a study trains, in this process: wall clock, and time on the
    processor."""
    from q1lab.index.store import Store
    from q1lab.tui.snapshot import Taker

    wall, cpu = [], []
    with training(), Store() as store:
        taker = Taker("M03-W04")
        taker.take(store)
        for _ in range(40):
            time.sleep(0.2)
            began, used = time.perf_counter(), time.thread_time()
            taker.take(store)
            wall.append((time.perf_counter() - began) * 1e3)
            cpu.append((time.thread_time() - used) * 1e3)
    return {
        "wall_median_ms": statistics.median(wall),
        "wall_p95_ms": sorted(wall)[37],
        "cpu_median_ms": statistics.median(cpu),
        "cpu_p95_ms": sorted(cpu)[37],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--points", type=int, default=833)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    paint = [
        sys.executable,
        str(ROOT / "benchmarks/first_paint.py"),
        "--rounds",
        str(given.rounds),
        "--json",
    ]
    found: dict[str, Any] = {
        "first_paint": json.loads(subprocess.run(paint, check=True, capture_output=True).stdout)
    }
    with tempfile.TemporaryDirectory() as home:
        found["rows"] = build(Path(home), given.studies, given.points)
        env = {**os.environ, "Q1LAB_HOME": home, "TERM": "xterm-256color", "PYTHONPATH": str(ROOT)}
        found |= on_the_pty(env)
        found["poll"] = polls()
    if given.json:
        print(json.dumps(found, indent=1))
        return
    paint_, poll, key = found["first_paint"], found["poll"], found["key_ms"]
    print(f"\n{given.studies:,} studies, {found['rows']:,} metric rows\n")
    print("| the app | measured | aim |\n|---|---|---|")
    print(f"| first paint, ratio to a Textual hello world's | {paint_['ratio']:.2f} | 1.25 |")
    for name, times in found["open_ms"].items():
        print(
            f"| open {name}, first time and again | {times['first']:.0f} and {times['again']:.0f} "
            "ms | 300 ms |"
        )
    print(
        f"| key to paint, {found['busy_processes']} busy processes, p95 (median) "
        f"| {key['p95']:.0f} ({key['median']:.0f}) ms | 60 ms |"
    )
    print(
        f"| poll while a study trains, median (p95) "
        f"| {poll['wall_median_ms']:.0f} ({poll['wall_p95_ms']:.0f}) ms, "
        f"of it processor {poll['cpu_median_ms']:.0f} ({poll['cpu_p95_ms']:.0f}) ms | 20 ms |"
    )
    print(f"| memory, all screens opened | {found['memory_mb']:.0f} MB | 110 MB |")


if __name__ == "__main__":
    main()
