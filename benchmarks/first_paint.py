"""Time from start to first paint: `q1lab` against a Textual hello world with header and footer, on
a pty.

    python benchmarks/first_paint.py [--rounds 15] [--against CHECKOUT]

They are started in turn, with --against another checkout's app too, and the time is taken when the
last word of the first frame (the footer's "palette") has arrived. Prints medians and ratios.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HELLO = """
from textual.app import App
from textual.widgets import Footer, Header, Static
class Hello(App):
    def compose(self):
        yield Header(); yield Static("hello"); yield Footer()
Hello().run()
"""
LAST = b"palette"


def first_paint(argv: list[str], env: dict[str, str]) -> tuple[float, float]:
    """Seconds by the clock and of the processor, from exec to the last word of the first frame."""
    begin = time.perf_counter()
    pid, fd = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        os.execve(argv[0], argv, env)
    seen = b""
    try:
        while LAST not in seen:
            ready, _, _ = select.select([fd], [], [], 20)
            if not ready:
                raise SystemExit(f"{argv} painted nothing in 20 s: {seen[-400:]!r}")
            seen += os.read(fd, 65536)
        seconds = time.perf_counter() - begin
    finally:
        os.kill(pid, signal.SIGKILL)
        _, _, usage = os.wait4(pid, 0)
        os.close(fd)
    return seconds, usage.ru_utime + usage.ru_stime


def prepare(env: dict[str, str]) -> None:
    """Make a home where the learner was before: the welcome is over."""
    code = """
from q1lab.ground import paths
from q1lab.journal.store import Store
from q1lab.week import content, progress
with Store() as store:
    week = content.load_week(paths.content_dir())
    progress.save_week_setting(store, week.label, "welcomed", True)
"""
    subprocess.run([sys.executable, "-P", "-c", code], env=env, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--against", type=Path)
    given = parser.parse_args()
    checkouts = {"q1lab": ROOT}
    if given.against:
        checkouts["the other checkout"] = given.against.absolute()
    times: dict[str, list[tuple[float, float]]] = {"hello": [], **{name: [] for name in checkouts}}
    with tempfile.TemporaryDirectory() as place:
        hello = Path(place) / "hello.py"
        hello.write_text(HELLO)
        env = {**os.environ, "TERM": "xterm-256color"}
        # an installed package has its bytecode; the first round makes it
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        env["PYTHONPYCACHEPREFIX"] = str(Path(place) / "bytecode")
        envs = {}
        for name, checkout in checkouts.items():
            home = str(Path(place) / name)
            envs[name] = {**env, "Q1LAB_HOME": home, "PYTHONPATH": str(checkout)}
            prepare(envs[name])
        for _ in range(given.rounds + 1):
            times["hello"].append(first_paint([sys.executable, str(hello)], env))
            for name in checkouts:
                argv = [sys.executable, "-P", "-m", "q1lab"]
                times[name].append(first_paint(argv, envs[name]))
    aims = "aims: 1.25 by the clock, 1.95 by processor time"
    print(f"\n| first paint | ms | ratio | ms of processor time | ratio ({aims}) |")
    print("|---|---|---|---|---|")
    hello_medians = medians(times["hello"])
    for name, values in times.items():
        pairs = zip(medians(values), hello_medians, strict=True)
        cells = [f"{own * 1e3:.0f} | {own / base:.2f}" for own, base in pairs]
        print(f"| {name} | {' | '.join(cells)} |")


def medians(values: list[tuple[float, float]]) -> list[float]:
    """The medians by the clock and by processor time, without the first round."""
    return [statistics.median(column) for column in zip(*values[1:], strict=True)]


if __name__ == "__main__":
    main()
