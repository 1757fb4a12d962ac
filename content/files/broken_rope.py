"""Four wrong ways to rotate. Which of your three tests catches which?

Read A to D, write down for each the tests that fail, then run
`python broken_rope.py`. The tests are those of tests/test_rope.py:
the length is kept, shifting both positions changes nothing and
swapping them does, and the oracle agrees.
"""

import torch
from torch import Tensor


def speeds(dim: int) -> Tensor:
    return 10000.0 ** (-torch.arange(0, dim, 2).float() / dim)


def turn(x: Tensor, angles: Tensor) -> Tensor:
    """x (T, H, D), angles broadcast against (T, H, D/2)."""
    pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)))
    circle = torch.polar(torch.ones_like(angles), angles)
    return torch.view_as_real(pairs * circle).flatten(-2)


def a(q: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
    angles = torch.arange(len(q)).float()[:, None, None]
    return turn(q, angles), turn(k, angles)


def b(q: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
    pos = torch.arange(len(q)).float()[:, None, None]
    angles = pos * speeds(q.size(-1))
    return turn(q, angles), turn(k, -angles)


def c(q: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
    pos = torch.arange(q.size(1)).float()[:, None]
    angles = pos * speeds(q.size(-1))
    return turn(q, angles), turn(k, angles)


def d(q: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
    pos = torch.arange(len(q)).float()[:, None, None]
    angles = pos * speeds(q.size(-1))
    wave = angles.cos().repeat_interleave(2, dim=-1)
    return q * wave, k * wave


def right(q: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
    pos = torch.arange(len(q)).float()[:, None, None]
    angles = pos * speeds(q.size(-1))
    return turn(q, angles), turn(k, angles)


def failing(rotate) -> list[str]:
    """The tests that fail, on one head, as in tests/test_rope.py."""
    torch.manual_seed(0)
    one, two = torch.randn(2, 1, 1, 16).expand(2, 8, 1, 16)
    q, k = (x[:, 0] for x in rotate(one, two))
    expected = right(one, two)[0][:, 0]

    def score(m: int, n: int) -> float:
        return float(q[m] @ k[n])

    lengths = torch.allclose(q.norm(dim=-1), one[:, 0].norm(dim=-1))
    shifted = abs(score(2, 0) - score(7, 5)) < 1e-3
    swapped = abs(score(2, 0) - score(0, 2)) < 1e-3
    passed = {
        "length": lengths,
        "shift": shifted and not swapped,
        "oracle": torch.allclose(q, expected, atol=1e-4),
    }
    return [name for name, fine in passed.items() if not fine]


if __name__ == "__main__":
    for name, rotate in {"a": a, "b": b, "c": c, "d": d}.items():
        print(name, "fails:", ", ".join(failing(rotate)) or "none")
