"""What do the gates do? A histogram.

`python gates.py` takes swiglu.py from this folder and trains it for a
short while. It shows how the gates SiLU(xW) are spread on held-out
text, in the first and the last layer, before and after training.
"""

import itertools
import sys

import torch
from small_model import BLOCK, made, tokens, train, windows
from torch.nn import functional as F

ITERS = int(sys.argv[1]) if len(sys.argv) > 1 else 300
EDGES = [-0.3, -0.1, -0.01, 0.01, 0.1, 0.3, 1.0, 100.0]
trains, held_out, vocab_size = tokens()
model = made("swiglu.py", vocab_size, BLOCK)


def spread() -> list[list[float]]:
    """For each layer, the share of its gates between the edges."""
    seen, real = [], F.silu

    def look(x, *args, **options):
        seen.append(real(x))
        return real(x, *args, **options)

    torch.manual_seed(1)
    F.silu = look
    with torch.no_grad():
        model(*windows(held_out, BLOCK, 64))
    F.silu = real
    if not seen:
        sys.exit("no gates: swiglu.py never calls F.silu")
    between = list(itertools.pairwise(EDGES))
    shares = [
        [
            float(((g >= low) & (g < high)).float().mean())
            for low, high in between
        ]
        for g in seen
    ]
    assert all(abs(sum(layer) - 1) < 1e-3 for layer in shares)
    return shares


before = spread()
for _ in train(model, trains, ITERS):
    pass
print(
    f"the share of gates on held-out text: first layer before,"
    f" then first and last after {ITERS} iters"
)
print("between          before  first   last")
for i, rows in enumerate(zip(*spread(), strict=True)):
    low, high = EDGES[i], EDGES[i + 1]
    bar = "█" * round(40 * rows[-1])
    old = before[0][i]
    print(
        f"{low:6} and {high:<6} {old:6.1%} {rows[0]:6.1%}"
        f" {rows[-1]:6.1%}  {bar}"
    )
