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
import subprocess
import sys
import tempfile
import time
from array import array
from pathlib import Path

README_RECIPE = [
    "config/train_shakespeare_char.py",
    "--device=cpu",
    "--compile=False",
    "--eval_iters=20",
    "--log_interval=1",
    "--block_size=64",
    "--batch_size=12",
    "--n_layer=4",
    "--n_head=4",
    "--n_embd=128",
    "--dropout=0.0",
]


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
    command = [
        sys.executable,
        "train.py",
        *README_RECIPE,
        f"--max_iters={iters}",
        f"--lr_decay_iters={iters}",
    ]
    command.append(f"--out_dir={tempfile.mkdtemp(prefix='out-')}")
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
    command = [
        sys.executable,
        "-m",
        "q1lab",
        "run",
        "rope",
        "--preset",
        "cpu",
        "--data",
        "shakespeare",
        "--device",
        "cpu",
        "--dtype",
        dtype,
        "--max-iters",
        str(iters),
        "--json",
    ]
    subprocess.run(
        command, env=env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return time.perf_counter() - began


def machine() -> str:
    model = platform.processor() or platform.machine()
    for line in (
        Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    ):
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return f"{os.cpu_count()} cores, {model}, Python {platform.python_version()}"


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
        mine = sum(ours) / len(ours)
        print(
            f"\n{machine()}; {args.iters} iters per run, dtype {args.dtype}, "
            f"{args.rounds} round(s)\n"
        )
        print("| six trainings, end to end | seconds | ratio to q1lab |")
        print("|---|---|---|")
        print(
            f"| nanoGPT, six `train.py` in a row | {sum(row) / len(row):.0f} | "
            f"{sum(row) / len(row) / mine:.2f} |"
        )
        print(
            "| nanoGPT, two `train.py` at once, one thread each | "
            f"{sum(at_once) / len(at_once):.0f} "
            f"| {sum(at_once) / len(at_once) / mine:.2f} |"
        )
        print(f"| `q1lab run rope --seeds 3 --preset cpu` | {mine:.0f} | 1.00 |")


if __name__ == "__main__":
    main()
