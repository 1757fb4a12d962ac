"""Attention in a training step of the `cpu` preset: written out (labs/attention.py) against
PyTorch's own, in fp32 and bf16.

    python benchmarks/attention.py
    ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 python benchmarks/attention.py

The second line has PyTorch compute as it does on a processor without AVX-512. The same model takes
a few steps in one way, then in the other, again and again; a ratio is the median over such rounds
of processor time on one thread, so other work on the machine falls out of it.
bf16 is left out where it is slower than fp32: nothing trains in it there.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from labs import devices, flat, keyed, loading
from labs.attention import PlainAttention

CONFIG: dict[str, Any] = {
    "n_layer": 4,
    "n_head": 4,
    "n_embd": 128,
    "block_size": 64,
    "dropout": 0.0,
    "bias": False,
}
BATCH, VOCAB = 12, 65
ROUNDS, STEPS = 40, 5


def main() -> None:
    torch.set_num_threads(1)
    devices.keep_memory()
    print(f"\nattention, one core, {torch.backends.cpu.get_cpu_capability()}\n")
    print(
        "| format | written out, ms per step | PyTorch’s own | ratio | used here |\n"
        "|---|---|---|---|---|"
    )
    for dtype in ("fp32", "bf16") if devices.cpu_bf16() else ("fp32",):
        ways = {}
        for name in ("plain", "own"):
            ways[name] = devices.Precision(torch.device("cpu"), dtype, CONFIG["block_size"])
        used = "written out" if ways["plain"].attention else "PyTorch’s own"
        ways["plain"].attention, ways["own"].attention = PlainAttention(), None
        taken = measure(ways)
        ratio = statistics.median(o / p for o, p in zip(taken["own"], taken["plain"], strict=True))
        plain, own = (1000 * statistics.median(taken[name]) for name in ("plain", "own"))
        print(f"| {dtype} | {plain:.1f} | {own:.1f} | {ratio:.2f} | {used} |", flush=True)


def measure(ways: dict[str, devices.Precision]) -> dict[str, list[float]]:
    """Seconds per step of each round, by way."""
    module = loading.load(Path(__file__).parents[1] / "labs" / "models" / "baseline.py")
    model = keyed.build(lambda: loading.build(module, CONFIG, VOCAB), 0)
    buffers = flat.flatten(model)
    adamw = torch.optim.AdamW(buffers.groups(0.1), lr=1e-3, fused=True)
    inputs, targets = torch.randint(VOCAB, (2, BATCH, CONFIG["block_size"]))
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(ROUNDS + 2):
        for name, precision in ways.items():
            began = time.thread_time()
            for _ in range(STEPS):
                with precision.products():
                    _, loss = model(inputs, targets)
                buffers.grads.zero_()
                precision.backward(loss)
                precision.step(adamw)
            if round_ >= 2:
                taken[name].append((time.thread_time() - began) / STEPS)
    return taken


if __name__ == "__main__":
    main()
