"""What watching and W&B cost the training: the same small study without anything, with the app
open, with W&B.

    python benchmarks/tracking.py [--rounds 3] [--iters 1500]

Each study trains one seed of both arms at the `quick` preset, two runs at once: on two cores every
core is taken. The kinds alternate. `app` has the lab open on a terminal of 120 by 40; `W&B offline`
and `W&B black hole` run the relay with the real client, the second one online against a server that
takes connections and never answers. A relay's start costs about a second of one core, so short runs
exaggerate what it takes. "Longer" is from the launch until the runner has ended; it must stay under
1 s whatever W&B does.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import socket
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

from first_paint import prepare

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

KINDS = ("alone", "app", "W&B offline", "W&B black hole", "app and W&B offline")


@contextlib.contextmanager
def app_open(env: dict[str, str]) -> Iterator[None]:
    """`q1lab` on a pty, showing the lab, its output read and thrown away."""
    pid, fd = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        os.execve(
            sys.executable, [sys.executable, "-m", "q1lab"], {**env, "TERM": "xterm-256color"}
        )
    leave = threading.Event()

    def drain() -> None:
        while not leave.is_set():
            if select.select([fd], [], [], 0.2)[0]:
                try:
                    os.read(fd, 65536)
                except OSError:
                    return

    reader = threading.Thread(target=drain, daemon=True)
    reader.start()
    time.sleep(2.0)
    os.write(fd, b"2")
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        leave.set()
        reader.join()
        os.close(fd)


@contextlib.contextmanager
def black_hole() -> Iterator[str]:
    """The address of a server that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def one(kind: str, iters: int) -> tuple[float, float]:
    """(seconds from launch to the runner's end, mean tokens per second of the two runs)."""
    from q1lab.files import is_locked

    with tempfile.TemporaryDirectory() as home, contextlib.ExitStack() as around:
        env = {**os.environ, "Q1LAB_HOME": home}
        for name in ("WANDB_API_KEY", "WANDB_BASE_URL"):
            env.pop(name, None)
        mode = "offline" if "offline" in kind else "disabled"
        if kind == "W&B black hole":
            mode = "online"
            env |= {"WANDB_BASE_URL": around.enter_context(black_hole()), "WANDB_API_KEY": "0" * 40}
        if kind.startswith("app"):
            prepare(home)
            around.enter_context(app_open(env))
        command = [
            sys.executable,
            "-m",
            "q1lab",
            "run",
            "rope",
            "--seeds",
            "1",
            "--preset",
            "quick",
            "--max-iters",
            str(iters),
            "--wandb",
            mode,
            "--detach",
        ]
        subprocess.run(command, env=env, cwd=ROOT, check=True, capture_output=True)
        begin = time.perf_counter()
        study = Path(home) / "studies" / "rope-1"
        while is_locked(study / "lock"):
            time.sleep(0.01)
        seconds = time.perf_counter() - begin
        speeds = []
        for events in study.glob("runs/*/events.jsonl"):
            end = json.loads(events.read_text().splitlines()[-1])
            if end.get("state") != "finished":
                raise SystemExit(f"{kind}: {events} did not finish: {end}")
            speeds.append(end["tok_per_s"])
        wait_for_relay(study)
    return seconds, statistics.mean(speeds)


def wait_for_relay(study: Path) -> None:
    """The relay may go on for a while; the next measurement must not run beside it."""
    from q1lab.files import is_locked

    lock = study / "wandb" / "relay.lock"
    until = time.monotonic() + 120
    while lock.exists() and is_locked(lock) and time.monotonic() < until:
        time.sleep(0.1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--iters", type=int, default=1500)
    given = parser.parse_args()
    found: dict[str, list[tuple[float, float]]] = {kind: [] for kind in KINDS}
    for number in range(given.rounds):
        for kind in KINDS if number % 2 == 0 else reversed(KINDS):
            found[kind].append(one(kind, given.iters))
    alone = found["alone"]
    print(
        f"\n{given.iters} iters, {given.rounds} rounds; medians of the differences within a round\n"
    )
    print("| beside the training | tokens per second against alone | longer than alone |")
    print("|---|---|---|")
    for kind in KINDS[1:]:
        pairs = list(zip(found[kind], alone, strict=True))
        speed = statistics.median(mine[1] / base[1] for mine, base in pairs)
        longer = statistics.median(mine[0] - base[0] for mine, base in pairs)
        print(f"| {kind} | {100 * (speed - 1):+.1f}% | {longer:+.2f} s |")


if __name__ == "__main__":
    main()
