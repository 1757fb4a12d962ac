"""Attention from a blank file, timed.

`python kata.py` makes an empty attention.py and starts the clock.
Write a class CausalSelfAttention(n_embd, n_head) there that maps
(B, T, C) to (B, T, C). Run `python kata.py` again: it checks the
class, and says how many minutes you took. Import nothing but torch.
"""

import importlib
import sys
import time
import traceback
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
    if y.isnan().any():
        return ["the output has NaN: is a token left with no weight?"]
    if not torch.equal(made(x), y):
        return [
            "one input gives two outputs in eval mode: is dropout on?"
        ]
    found = []
    later = x.clone()
    later[:, 5:] += 1.0
    if not torch.allclose(made(later)[:, :5], y[:, :5], atol=1e-5):
        found.append("a later token changed an earlier output")
    if torch.allclose(made(later)[:, 6], y[:, 6], atol=1e-5):
        found.append("the last output ignores its own token")
    earlier = x.clone()
    earlier[:, 0] += 1.0
    if torch.allclose(made(earlier)[:, 6], y[:, 6], atol=1e-5):
        found.append("the last output ignores the first token")
    swapped = x[:, [1, 0, *range(2, 7)]]
    if not torch.allclose(made(swapped)[:, 6], y[:, 6], atol=1e-4):
        found.append("the order of earlier tokens changes the output")
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
    partly = [
        f"no gradient reaches all of {name}"
        for name, p in weights.items()
        if p.dim() > 1 and p.grad is not None and (p.grad == 0).any()
    ]
    return (
        found
        or scores(made, 4)
        or scores(kind(32, 2), 2)
        or heads(kind)
        or partly
        or too_few(made)
    )


def too_few(made) -> list[str]:
    """Whether q, k, v and the output have a matrix each."""
    matrices = [p for p in made.parameters() if p.dim() > 1]
    count, needed = sum(p.numel() for p in matrices), 4 * 32**2
    if count >= needed:
        return []
    return [
        f"{count:,} weights, where q, k, v and the output take"
        f" {needed:,}"
    ]


def scores(made, n_head: int) -> list[str]:
    """Whether the weights are softmax(q · k / √head_dim).

    With 1/32 in every matrix, each feature of q, k and v is the mean
    of its token, and each output a weighted mean of those.
    """
    head_dim = 32 // n_head
    made.eval()

    def seen(means):
        """Outputs for tokens whose features all equal their mean."""
        return made(means[..., None].expand(-1, -1, 32))[..., 0]

    with torch.no_grad():
        for p in made.parameters():
            p.fill_(1 / 32 if p.dim() > 1 else 0.0)
        row = torch.tensor([[0.0, 0.5, -1.0, 1.5, 0.3, -0.7, 1.0]])
        pairs = torch.tensor([[0.0, 0.25], [0.0, 0.5]])
        out, shares = seen(row)[0], seen(pairs)[:, 1] / pairs[:, 1]
    scaled = head_dim**0.5 * row.T * row  # q · k / √head_dim
    later = torch.ones(7, 7).triu(1).bool()
    wanted = scaled.masked_fill(later, float("-inf"))
    if torch.allclose(out, wanted.softmax(-1) @ row[0], atol=1e-4):
        return []
    times = shares.logit() / (pairs[:, 1] ** 2 * head_dim**0.5)
    if torch.allclose(times, torch.zeros(2), atol=1e-2):
        return ["no weight depends on what the tokens are"]
    if torch.allclose(times[0], times[1], rtol=1e-2):
        return [
            f"each score is {times[0]:.3g} times q · k / √{head_dim}"
            f" of {n_head} heads"
        ]
    return ["the weights are not a softmax of q · k"]


def heads(kind) -> list[str]:
    """Whether each of four heads has weights of its own.

    The second of two tokens, a fixed step from the first, differs in
    its output by one vector a head, each times the head's weight. So
    the differences span as many dimensions as heads weigh differently.
    """
    made = kind(32, 4).eval()
    first, step = 2 * torch.randn(64, 32), torch.randn(32)
    with torch.no_grad():
        for p in made.parameters():
            p.copy_(torch.randn_like(p) / 32**0.5)
        y = made(torch.stack([first, first + step], dim=1))
    sizes = torch.linalg.svdvals(y[:, 1] - y[:, 0])
    ways = int((sizes > 1e-4 * sizes[0]).sum())
    if ways == 4:
        return []
    return [f"4 heads weigh tokens in {ways} way{'s' * (ways != 1)}"]


def main() -> None:
    if not FILE.exists():
        FILE.write_text(f"{CLOCK}{int(time.time())}\n")
        print(f"Write into {FILE}, which is empty. The clock runs.")
        return
    first = FILE.read_text(encoding="utf-8").split("\n", 1)[0]
    for line in (wrong := judged()):
        print("-", line)
    if first.startswith(CLOCK):
        begun = float(first.removeprefix(CLOCK))
        print(f"{(time.time() - begun) / 60:.0f} minutes so far")
    print("not yet" if wrong else "right: it is attention")


def judged() -> list[str]:
    """What is wrong with what the file holds, in words."""
    sys.path.insert(0, str(Path.cwd()))
    try:
        written = importlib.import_module("attention")
        if not hasattr(written, "CausalSelfAttention"):
            return ["there is no class CausalSelfAttention yet"]
        return problems(written.CausalSelfAttention)
    except (Exception, SystemExit) as error:
        calls = traceback.extract_tb(error.__traceback__)
        lines = [
            c.lineno for c in calls if c.filename.endswith(FILE.name)
        ]
        where = f" ({FILE}, line {lines[-1]})" if lines else ""
        says = str(error).partition("\n")[0]
        return [f"{type(error).__name__}: {says}{where}"]


if __name__ == "__main__":
    main()
