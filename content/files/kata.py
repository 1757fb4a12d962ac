"""Attention from a blank file, timed.

`python kata.py` writes an empty attention.py and starts the clock.
Write in it a class CausalSelfAttention(n_embd, n_head) that maps
(B, T, C) to (B, T, C). `python kata.py` again checks it, and says how
many minutes it took. Nothing but torch may be imported.
"""

import importlib
import sys
import time
from pathlib import Path

import torch

FILE = Path("attention.py")
CLOCK = "# begun at "


def problems(kind) -> list[str]:
    """What is wrong with an attention, in words."""
    torch.manual_seed(0)
    made, x = kind(32, 4).eval(), torch.randn(2, 7, 32)
    y = made(x)
    if y.shape != x.shape:
        return [f"the output is {tuple(y.shape)}, not (2, 7, 32)"]
    found = []
    later = x.clone()
    later[:, 5:] += 1.0
    if not torch.allclose(made(later)[:, :5], y[:, :5], atol=1e-5):
        found.append("an earlier output changed with a later token")
    if torch.allclose(made(later)[:, 6], y[:, 6], atol=1e-5):
        found.append("the last output ignores its own token")
    earlier = x.clone()
    earlier[:, 0] += 1.0
    if torch.allclose(made(earlier)[:, 6], y[:, 6], atol=1e-5):
        found.append("the last output ignores the first token")
    swapped = x[:, [1, 0, *range(2, 7)]]
    if not torch.allclose(made(swapped)[:, 6], y[:, 6], atol=1e-4):
        found.append("the order of earlier tokens matters to it")
    other = torch.cat([x[:1], torch.randn(1, 7, 32)])
    if not torch.allclose(made(other)[0], y[0], atol=1e-5):
        found.append("examples of a batch see each other")
    same = x[:, :1].expand(-1, 7, -1)
    if not torch.allclose(made(same), made(same)[:, :1], atol=1e-4):
        found.append("the weights of equal tokens do not sum to 1")
    y.square().sum().backward()
    weights = dict(made.named_parameters())
    idle = [name for name, p in weights.items() if p.grad is None]
    found += [f"no gradient reaches {name}" for name in idle]
    return found


def main() -> None:
    if not FILE.exists():
        FILE.write_text(f"{CLOCK}{time.time():.0f}\n")
        print(f"{FILE} is there and empty. The clock runs.")
        return
    first = FILE.read_text(encoding="utf-8").split("\n", 1)[0]
    sys.path.insert(0, str(Path.cwd()))
    kind = getattr(
        importlib.import_module("attention"),
        "CausalSelfAttention",
        None,
    )
    wrong = problems(kind) if kind else ["there is no such class yet"]
    for line in wrong:
        print("-", line)
    if first.startswith(CLOCK):
        begun = float(first.removeprefix(CLOCK))
        print(f"{(time.time() - begun) / 60:.0f} minutes so far")
    print("not yet" if wrong else "right: it is attention")


if __name__ == "__main__":
    main()
