"""Time from start to first paint: `q1lab` against a Textual hello world with header and footer, on
a pty.

    python benchmarks/first_paint.py [--rounds 15] [--json]

Both are started in turn, and the time is taken when the last word of the first frame (the footer's
"palette") has arrived. Prints the medians and their ratio.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import pty
import select
import signal
import statistics
import struct
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


def first_paint(argv: list[str], env: dict[str, str]) -> float:
    """Seconds from exec to the last word of the first frame."""
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
        return time.perf_counter() - begin
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(fd)


def prepare(home: str) -> None:
    """A home where the learner was before: the welcome is over."""
    os.environ["Q1LAB_HOME"] = home
    sys.path.insert(0, str(ROOT))
    from q1lab import paths
    from q1lab.index.store import Store
    from q1lab.week import content, progress

    with Store() as store:
        progress.keep(store, content.load(paths.content_dir()).label, "welcomed", True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        prepare(home)
        env = {**os.environ, "Q1LAB_HOME": home, "TERM": "xterm-256color", "PYTHONPATH": str(ROOT)}
        env.pop(
            "PYTHONDONTWRITEBYTECODE", None
        )  # an installed package has its bytecode; the first round makes it
        env["PYTHONPYCACHEPREFIX"] = str(Path(home) / "bytecode")
        hello = Path(home) / "hello.py"
        hello.write_text(HELLO)
        both = {"hello": [sys.executable, str(hello)], "q1lab": [sys.executable, "-m", "q1lab"]}
        times: dict[str, list[float]] = {name: [] for name in both}
        for _ in range(given.rounds + 1):
            for name, argv in both.items():
                times[name].append(first_paint(argv, env))
    medians = {name: statistics.median(values[1:]) for name, values in times.items()}
    ratio = medians["q1lab"] / medians["hello"]
    if given.json:
        print(
            json.dumps(
                {
                    "hello_ms": medians["hello"] * 1e3,
                    "q1lab_ms": medians["q1lab"] * 1e3,
                    "ratio": ratio,
                }
            )
        )
    else:
        for name, value in medians.items():
            print(f"{name:<6} {value * 1e3:6.0f} ms")
        print(f"ratio  {ratio:6.2f}   (aim: 1.25 or less)")


if __name__ == "__main__":
    main()
