"""A six-run study against six `python train.py` of nanoGPT's README recipe for a CPU, as whole
processes.

    python benchmarks/study.py --nanogpt PATH [--rounds 2] [--dtype auto|fp32]

Both sides do the same number of trainings of the same size on the same data, each from a cold
start, imports and evaluations included. They alternate, so that a busy machine slows both; quote
the ratios, not the seconds.
"""

from __future__ import annotations

import argparse
import os
import pickle
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from array import array
from pathlib import Path

README_RECIPE = """
config/train_shakespeare_char.py --device=cpu --compile=False --eval_iters=20 --log_interval=1
--block_size=64 --batch_size=12 --n_layer=4 --n_head=4 --n_embd=128 --dropout=0.0
"""


def prepare(checkout: Path, folder: Path) -> Path:
    """A copy of the checkout with Tiny Shakespeare's characters as nanoGPT's prepare.py writes
    them."""
    target = folder / "nanoGPT"
    shutil.copytree(checkout, target, ignore=shutil.ignore_patterns(".git", "out*"))
    text = Path(os.environ["Q1LAB_DATA"]).read_text()
    chars = sorted(set(text))
    stoi = {c: i for i, c in enumerate(chars)}
    data = target / "data" / "shakespeare_char"
    cut = int(0.9 * len(text))
    for name, part in (("train", text[:cut]), ("val", text[cut:])):
        (data / f"{name}.bin").write_bytes(array("H", (stoi[c] for c in part)).tobytes())
    (data / "meta.pkl").write_bytes(
        pickle.dumps({"vocab_size": len(chars), "itos": dict(enumerate(chars)), "stoi": stoi})
    )
    return target


def peer(checkout: Path, iters: int, threads: int | None = None) -> subprocess.Popen[bytes]:
    env = dict(os.environ)
    if threads:
        env["OMP_NUM_THREADS"] = str(threads)
    length = [f"--max_iters={iters}", f"--lr_decay_iters={iters}"]
    place = f"--out_dir={tempfile.mkdtemp(prefix='out-')}"
    command = [sys.executable, "train.py", *README_RECIPE.split(), *length, place]
    return subprocess.Popen(
        command, cwd=checkout, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def timed(children: list[subprocess.Popen[bytes]], began: float) -> float:
    for child in children:
        _, err = child.communicate()
        if child.returncode:
            sys.exit(f"train.py failed: {err.decode()[-500:]}")
    return time.perf_counter() - began


def study(home: Path, iters: int, dtype: str) -> float:
    """Seconds for `q1lab run rope --seeds 3 --preset cpu` in an empty home."""
    env = {**os.environ, "Q1LAB_HOME": str(home), "WANDB_MODE": "disabled"}
    began = time.perf_counter()
    words = "run rope --preset cpu --data shakespeare --device cpu --json"
    asked = ["--dtype", dtype, "--max-iters", str(iters)]
    command = [sys.executable, "-m", "q1lab", *words.split(), *asked]
    subprocess.run(
        command, env=env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--nanogpt", type=Path, help="a checkout of karpathy/nanoGPT; without one this is skipped"
    )
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--iters", type=int, default=2000)
    parser.add_argument("--dtype", default="auto")
    args = parser.parse_args()
    if args.nanogpt is None:
        print("study against nanoGPT: skipped, give a checkout (make bench NANOGPT=path)")
        return
    if not os.environ.get("Q1LAB_DATA"):
        print("study against nanoGPT: skipped, set Q1LAB_DATA to Tiny Shakespeare's text file")
        return
    with tempfile.TemporaryDirectory() as temp:
        folder = Path(temp)
        checkout = prepare(args.nanogpt, folder)
        row, at_once, ours = [], [], []
        for number in range(args.rounds):
            total = 0.0
            for _ in range(3):
                began = time.perf_counter()
                total += timed([peer(checkout, args.iters)], began)
            ours.append(study(folder / f"home{number}a", args.iters, args.dtype))
            began = time.perf_counter()
            pair = timed([peer(checkout, args.iters, 1), peer(checkout, args.iters, 1)], began)
            at_once.append(3 * pair)
            ours.append(study(folder / f"home{number}b", args.iters, args.dtype))
            for _ in range(3):
                began = time.perf_counter()
                total += timed([peer(checkout, args.iters)], began)
            row.append(total)
        mine = statistics.fmean(ours)
        about = f"{args.iters} iters per run, dtype {args.dtype}, {args.rounds} round(s)"
        print(f"\n{os.cpu_count()} cores, Python {platform.python_version()}; {about}\n")
        print("| six trainings, end to end | seconds | ratio to q1lab |\n|---|---|---|")
        for name, seconds in (
            ("nanoGPT, six `train.py` in a row", statistics.fmean(row)),
            ("nanoGPT, two `train.py` at once, one thread each", statistics.fmean(at_once)),
            ("`q1lab run rope --seeds 3 --preset cpu`", mine),
        ):
            print(f"| {name} | {seconds:.0f} | {seconds / mine:.2f} |")


if __name__ == "__main__":
    main()
