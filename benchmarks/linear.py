"""fp32 linear layers at the shapes of the `cpu` preset, on one core: PyTorch's own choice against
oneDNN.

    python benchmarks/linear.py

Prints GFLOP/s for the product, and for its gradients by input and weight, and milliseconds of all
linear layers of one training step. `labs/linear.py` says where oneDNN is used; here it is measured
wherever this runs.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import linear as own_linear

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from labs import linear, torch_private

TOKENS = 12 * 64
LAYERS = [(128, 384, 4), (128, 128, 4), (128, 512, 4), (512, 128, 4), (128, 65, 1)]
"""(inputs, outputs, how many of them) of the baseline at the `cpu` preset."""


def seconds(call: Callable[[], object]) -> float:
    """The quickest of a few rounds, a call."""
    best = float("inf")
    for _ in range(6):
        began = time.perf_counter()
        for _ in range(50):
            call()
        best = min(best, (time.perf_counter() - began) / 50)
    return best


def main() -> None:
    torch.set_num_threads(1)
    if not torch.backends.mkldnn.is_available():
        print("fp32 linear layers: skipped, this PyTorch has no oneDNN")
        return
    own, one = 0.0, 0.0
    print(
        "\nfp32 linear layers, one core; q1lab uses "
        f"{'oneDNN' if linear.pays() else 'PyTorch’s choice'} here\n"
    )
    print(
        "| inputs → outputs | product | by input | by weight | by oneDNN: "
        "product | by input | by weight |"
    )
    print("|---|---|---|---|---|---|---|")
    for inputs, outputs, count in LAYERS:
        x, w, dy = (
            torch.randn(TOKENS, inputs),
            torch.randn(outputs, inputs),
            torch.randn(TOKENS, outputs),
        )
        times = [
            [seconds(call) for call in calls]
            for calls in (
                (lambda: own_linear(x, w), lambda: dy @ w, lambda: dy.t() @ x),  # noqa: B023 (called at once)
                (*by_onednn(x, w, dy),),
            )
        ]
        own, one = own + count * sum(times[0]), one + count * sum(times[1])
        rates = [2 * TOKENS * inputs * outputs / t / 1e9 for t in times[0] + times[1]]
        print(f"| {inputs} → {outputs} | " + " | ".join(f"{rate:.0f}" for rate in rates) + " |")
    print(f"\nGFLOP/s; a step's linear layers: {own * 1e3:.1f} ms, by oneDNN {one * 1e3:.1f} ms")


def by_onednn(x: Tensor, w: Tensor, dy: Tensor) -> tuple[Callable[[], Tensor], ...]:
    return (
        lambda: torch_private.linear(x, w),
        lambda: torch_private.linear(dy, w.t()),
        lambda: torch_private.linear(dy.t(), x.t()),
    )


if __name__ == "__main__":
    main()
