"""Beyond the trained length, and how far attention looks.

`python far.py` takes rope.py from this folder and trains it on
windows of 64 characters. Then it measures on held-out text: the loss
of the same characters in windows of 64 and after 64 others, and the
share of attention at each distance, before and after training.
"""

import itertools
import sys

import torch
from small_model import BLOCK, made, tokens, train, windows
from torch import Tensor
from torch.nn import functional as F

ITERS = int(sys.argv[1]) if len(sys.argv) > 1 else 300
LONG = 2 * BLOCK
trains, held_out, vocab_size = tokens()
model = made("rope.py", vocab_size, LONG)


def mean_loss(inputs: Tensor, targets: Tensor) -> float:
    """The mean loss of the last 64 characters of each window."""
    with torch.no_grad():
        logits, _ = model(inputs, targets)
    last = logits[:, -BLOCK:].flatten(0, 1)
    return float(F.cross_entropy(last, targets[:, -BLOCK:].flatten()))


def by_distance() -> list[float]:
    """The share of attention at distance 0, 1, 2-3, 4-7, ..., of the
    queries in a window's second half; empty if it can't be seen."""
    seen, real = [], F.scaled_dot_product_attention

    def look(q, k, v, *args, **options):
        T, width = q.size(-2), q.size(-1)
        scores = (q @ k.transpose(-1, -2) / width**0.5).masked_fill(
            torch.ones(T, T).triu(1).bool(), float("-inf")
        )
        seen.append(scores.softmax(-1).mean((0, 1)))
        return real(q, k, v, *args, **options)

    torch.manual_seed(1)
    F.scaled_dot_product_attention = look
    mean_loss(*windows(held_out, BLOCK, 64))
    F.scaled_dot_product_attention = real
    if not seen:
        return []
    half = BLOCK // 2
    mean = torch.stack(seen).mean(0)[half:]
    assert torch.allclose(mean.sum(-1), torch.tensor(1.0))
    shares = [
        float(torch.diagonal(mean, half - d).mean())
        for d in range(half)
    ]
    edges = [0, 1, 2, 4, 8, 16, 32]
    return [
        sum(shares[low:high])
        for low, high in itertools.pairwise(edges)
    ]


before = by_distance()
for _ in train(model, trains, ITERS):
    pass

torch.manual_seed(1)
inputs, targets = windows(held_out, LONG, 256)
short = [t[:, BLOCK:].contiguous() for t in (inputs, targets)]
near = mean_loss(*short)
far = mean_loss(inputs, targets)
print(f"after {ITERS} iters on windows of {BLOCK}, on held-out text")
print(f"loss at positions  0 to  63: {near:.3f}")
print(f"loss at positions 64 to 127: {far:.3f}, the same characters")
if not before:
    sys.exit(
        "no shares of attention: rope.py never calls"
        " F.scaled_dot_product_attention"
    )
print("share of attention by distance, before and after training")
names = ["0", "1", "2 to 3", "4 to 7", "8 to 15", "16 to 31"]
for name, old, new in zip(names, before, by_distance(), strict=True):
    print(
        f"  {name:9} {old:5.1%} {new:5.1%}  {'█' * round(50 * new)}"
    )
