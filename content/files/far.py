"""Beyond the trained length, and who looks how far.

`python far.py` takes rope.py from this folder, trains it on windows
of 64 characters of its own source text, and evaluates the same
weights on windows of 128. Then it shows how much attention goes to
each distance, before and after training.
"""

import itertools
import sys
from pathlib import Path

import torch
from torch.nn import functional as F

sys.path.insert(0, str(Path.cwd()))
from rope import GPT, GPTConfig

ITERS = int(sys.argv[1]) if len(sys.argv) > 1 else 300
TRAINED, LONG = 64, 128
text = Path("rope.py").read_text(encoding="utf-8")
letters = sorted(set(text))
data = torch.tensor([letters.index(letter) for letter in text])
torch.manual_seed(0)
model = GPT(
    GPTConfig(
        block_size=LONG,
        vocab_size=len(letters),
        n_layer=4,
        n_head=4,
        n_embd=128,
        dropout=0.0,
        bias=False,
    )
)


def windows(length: int, count: int) -> torch.Tensor:
    starts = torch.randint(len(data) - length - 1, (count,)).tolist()
    return torch.stack([data[s : s + length + 1] for s in starts])


def split(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What goes in, and what comes next at each position."""
    return rows[:, :-1].contiguous(), rows[:, 1:].contiguous()


def losses(length: int) -> torch.Tensor:
    """The mean loss at each position of windows of this length."""
    torch.manual_seed(1)
    inputs, targets = split(windows(length, 64))
    with torch.no_grad():
        logits, _ = model(inputs, targets)
    each = F.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), reduction="none"
    )
    return each.view(64, length).mean(0)


def by_distance() -> list[float]:
    """The share of attention at distance 0, 1, 2-3, 4-7, ..."""
    seen, real = [], F.scaled_dot_product_attention

    def look(q, k, v, *args, **options):
        T, width = q.size(-2), q.size(-1)
        scores = (q @ k.transpose(-1, -2) / width**0.5).masked_fill(
            torch.ones(T, T).triu(1).bool(), float("-inf")
        )
        seen.append(scores.softmax(-1).mean((0, 1)))
        return real(q, k, v, *args, **options)

    F.scaled_dot_product_attention = look
    losses(TRAINED)
    F.scaled_dot_product_attention = real
    if not seen:
        sys.exit(
            "your attention has no F.scaled_dot_product_attention"
        )
    mean = torch.stack(seen).mean(0)[TRAINED // 2 :]  # late queries
    assert torch.allclose(mean.sum(-1), torch.tensor(1.0))
    shares = [
        float(torch.diagonal(mean, TRAINED // 2 - d).mean())
        for d in range(TRAINED // 2)
    ]
    edges = [0, 1, 2, 4, 8, 16, 32]
    return [
        sum(shares[low:high])
        for low, high in itertools.pairwise(edges)
    ]


before = by_distance()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
for _ in range(ITERS):
    _, loss = model(*split(windows(TRAINED, 12)))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

far = losses(LONG)
print(f"after {ITERS} iters on windows of {TRAINED}")
print(f"loss at positions  0 to  63: {far[:64].mean():.3f}")
print(f"loss at positions 64 to 127: {far[64:].mean():.3f}")
print("share of attention by distance, before and after training")
names = ["0", "1", "2 to 3", "4 to 7", "8 to 15", "16 to 31"]
for name, old, new in zip(names, before, by_distance(), strict=True):
    print(
        f"  {name:9} {old:5.1%} {new:5.1%}  {'█' * round(50 * new)}"
    )
