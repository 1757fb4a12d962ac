"""How far is the mean of the residual stream from zero?

`python stream.py` takes model.py from this folder and trains it for a
short while on its own source text. On the way it prints, for the
first and the last norm, |mean| as a share of the RMS of what goes in,
and at the end both for every norm. RMSNorm differs from LayerNorm by
exactly that mean: RMS² = σ² + μ².
"""

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path.cwd()))
from model import GPT, GPTConfig

ITERS = int(sys.argv[1]) if len(sys.argv) > 1 else 100
text = Path("model.py").read_text(encoding="utf-8")
letters = sorted(set(text))
data = torch.tensor([letters.index(letter) for letter in text])

torch.manual_seed(0)
config = GPTConfig(
    block_size=64,
    vocab_size=len(letters),
    n_layer=4,
    n_head=4,
    n_embd=128,
    dropout=0.0,
    bias=False,
)
model = GPT(config)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    starts = torch.randint(len(data) - 65, (12,)).tolist()
    rows = torch.stack([data[s : s + 65] for s in starts])
    return rows[:, :-1].contiguous(), rows[:, 1:].contiguous()


seen: dict[str, tuple[float, float]] = {}
for name, module in model.named_modules():
    if "Norm" in type(module).__name__:

        def look(module, inputs, name=name):
            x = inputs[0].detach()
            square, mean = x.pow(2).mean(-1), x.mean(-1)
            parts = x.var(-1, correction=0) + mean.pow(2)
            assert torch.allclose(square, parts, rtol=1e-3)
            seen[name] = (
                float(mean.abs().mean()),
                float(square.sqrt().mean()),
            )

        module.register_forward_pre_hook(look)

for it in range(ITERS):
    _, loss = model(*batch())
    if it in (0, 10, 25, 50) or it % 100 == 0:
        first, *_, last = (mean / rms for mean, rms in seen.values())
        print(
            f"iter {it:4}  loss {float(loss.detach()):.3f}  |mean| / RMS:"
            f" first {first:.3f}  last {last:.3f}"
        )
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

with torch.no_grad():
    model(*batch())
print(f"after {ITERS} iters, loss {float(loss.detach()):.3f}")
for name, (mean, rms) in seen.items():
    ratio = mean / rms
    print(
        f"{name:22} |mean| {mean:.4f}  RMS {rms:.4f}  ratio {ratio:.3f}"
    )
