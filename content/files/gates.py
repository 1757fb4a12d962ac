"""What do the gates do? A histogram.

`python gates.py` takes swiglu.py from this folder, trains it for a
short while on its own source text, and shows how the gates SiLU(xW)
are spread in each layer, before and after training.
"""

import itertools
import sys
from pathlib import Path

import torch
from torch.nn import functional as F

sys.path.insert(0, str(Path.cwd()))
from swiglu import GPT, GPTConfig

ITERS = int(sys.argv[1]) if len(sys.argv) > 1 else 300
text = Path("swiglu.py").read_text(encoding="utf-8")
letters = sorted(set(text))
data = torch.tensor([letters.index(letter) for letter in text])
torch.manual_seed(0)
model = GPT(
    GPTConfig(
        block_size=64,
        vocab_size=len(letters),
        n_layer=4,
        n_head=4,
        n_embd=128,
        dropout=0.0,
        bias=False,
    )
)
EDGES = [-0.3, -0.1, -0.01, 0.01, 0.1, 0.3, 1.0, 100.0]


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    starts = torch.randint(len(data) - 65, (12,)).tolist()
    rows = torch.stack([data[s : s + 65] for s in starts])
    return rows[:, :-1].contiguous(), rows[:, 1:].contiguous()


def spread() -> list[list[float]]:
    """For each layer, the share of its gates between the edges."""
    seen, real = [], F.silu

    def look(x, *args, **options):
        seen.append(real(x))
        return real(x, *args, **options)

    F.silu = look
    with torch.no_grad():
        model(*batch())
    F.silu = real
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
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
for _ in range(ITERS):
    _, loss = model(*batch())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(
    f"after {ITERS} iters; the share of gates, first and last layer"
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
