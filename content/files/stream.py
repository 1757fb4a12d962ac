"""How far is the mean of the residual stream from zero?

`python stream.py` takes model.py from this folder and trains it for a
short while. On the way it looks at what goes into the first and the
last norm, on held-out text, and prints |mean| as a share of the RMS.
At the end it prints both for every norm. RMSNorm differs from
LayerNorm by exactly that mean: RMS² = σ² + μ².
"""

import sys

import torch
from small_model import BLOCK, made, tokens, train, windows

ITERS = int(sys.argv[1]) if len(sys.argv) > 1 else 100
trains, held_out, vocab_size = tokens()
model = made("model.py", vocab_size, BLOCK)
batch = windows(held_out, BLOCK, 64)

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


def looked() -> float:
    """The loss of the held-out batch; the hooks note its norms."""
    with torch.no_grad():
        _, loss = model(*batch)
    if not seen:
        sys.exit(
            "no norms: no class of model.py has Norm in its name"
        )
    return float(loss)


for it in train(model, trains, ITERS):
    if it in (0, 10, 25, 50) or it % 100 == 0:
        loss = looked()
        first, *_, last = (mean / rms for mean, rms in seen.values())
        print(
            f"iter {it:4}  loss {loss:.3f}  |mean| / RMS:"
            f" first {first:.3f}  last {last:.3f}"
        )
print(f"after {ITERS} iters, loss {looked():.3f}")
for name, (mean, rms) in seen.items():
    print(
        f"{name:22} |mean| {mean:.4f}  RMS {rms:.4f}"
        f"  ratio {mean / rms:.3f}"
    )
