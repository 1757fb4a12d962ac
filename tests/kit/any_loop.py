"""A training loop that is nobody's in particular: numbers by seed and learning rate, reported in
one of three ways, with whatever can go wrong. Standard library, so that it starts at once."""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--say", default="file", choices=["file", "lines", "nanogpt", "none"])
    parser.add_argument("--metric", default="val/loss")
    parser.add_argument("--rising", action="store_true")
    parser.add_argument("--pause", type=float, default=0.0)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument(
        "--trouble",
        choices=[
            *("exit", "signal", "nan", "nan-at-some-seeds", "forever", "fork", "flood", "twice"),
            *("renamed", "deaf"),
        ],
    )
    args = parser.parse_args()
    seed = int(os.environ["Q1LAB_SEED"]) if args.seed is None else args.seed
    first = 1
    state = args.out / "step" if args.out else None
    if args.resume and state and state.exists():
        first = int(state.read_text()) + 1
        print(f"goes on at {first}")
    if args.trouble == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for step in range(first, args.steps + 1):
        noise = random.Random(f"{seed} {step} {args.lr}").gauss(0, 0.01)
        value = (1 - 4 / (step + 4) if args.rising else 2 / (1 + step)) + args.lr + noise
        diverges = args.trouble == "nan" or (args.trouble == "nan-at-some-seeds" and not seed % 4)
        if diverges and step == args.steps:
            value = float("nan")
        name = "other" if args.trouble == "renamed" and step > 2 else args.metric
        say(args.say, step, name, value)
        if args.trouble == "twice":
            say(args.say, step, name, value + 1)
        if state:
            state.write_text(str(step))
        if args.trouble == "exit" and step == 2:
            sys.exit("out of cheese")
        if args.trouble == "signal" and step == 2:
            os.kill(os.getpid(), signal.SIGSEGV)
        if args.trouble == "flood":
            for _ in range(400):
                print("x" * 100_000)
        time.sleep(args.pause)
    if args.trouble == "fork":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        (args.out / "child").write_text(str(child.pid))
    while args.trouble in ("forever", "deaf"):
        time.sleep(0.1)


def say(how: str, step: int, name: str, value: float) -> None:
    if how == "file":
        with Path(os.environ["Q1LAB_METRICS"]).open("a") as out:
            out.write(json.dumps({"step": step, name: value, "train/loss": value}) + "\n")
    elif how == "lines":
        print(f"METRIC step={step} {name}={value} loss={value}", flush=True)
    elif how == "nanogpt":
        print(f"step {step}: train loss {value}, val loss {value}", flush=True)


if __name__ == "__main__":
    main()
