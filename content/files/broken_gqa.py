"""Four attentions. Which of your three tests catches which?

Read A to D, write down for each the tests that fail, then run
`python broken_gqa.py`. The tests are those of tests/test_gqa.py:
heads that do not divide are refused, as many K/V heads as query
heads are ordinary attention, and tied heads give the same.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

H, D = 4, 8  # query heads, and their width


def attend(
    q: Tensor, k: Tensor, v: Tensor, causal: bool = True
) -> Tensor:
    """All (H, T, D)."""
    return F.scaled_dot_product_attention(q, k, v, is_causal=causal)


def share(k: Tensor, in_place: bool = True) -> Tensor:
    """K or V of G heads as those of H heads: (G, T, D) to (H, T, D)."""
    if H % len(k) != 0:
        raise ValueError(f"{H} heads over {len(k)}")
    if in_place:
        return k.repeat_interleave(H // len(k), dim=0)
    return k.repeat(H // len(k), 1, 1)


def a(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    group = [j * len(k) // H for j in range(H)]
    return attend(q, k[group], v[group])


def b(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return attend(q, share(k), share(v, in_place=False))


def c(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return attend(
        q, share(k, in_place=False), share(v, in_place=False)
    )


def d(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return attend(q, share(k), share(v), causal=False)


def failing(grouped) -> list[str]:
    """The tests that fail, in the sense of tests/test_gqa.py."""
    torch.manual_seed(0)
    q = torch.randn(H, 7, D)
    kv = {g: torch.randn(2, g, 7, D) for g in (2, 3, 4)}
    try:
        grouped(q, *kv[3])
        refused = False
    except ValueError:
        refused = True
    tied = (one.repeat_interleave(2, dim=0) for one in kv[2])
    passed = {
        "refuse": refused,
        "equal": torch.allclose(
            grouped(q, *kv[4]), attend(q, *kv[4])
        ),
        "tied": torch.allclose(grouped(q, *kv[2]), attend(q, *tied)),
    }
    return [name for name, fine in passed.items() if not fine]


if __name__ == "__main__":
    for name, grouped in {"a": a, "b": b, "c": c, "d": d}.items():
        print(name, "fails:", ", ".join(failing(grouped)) or "none")
