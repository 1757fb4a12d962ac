"""Four wrong norms. Which of your three tests catches which?

Read A to D, write down for each the tests that fail, then run
`python broken_rmsnorm.py`. The tests are those of
tests/test_rmsnorm.py: ten times the input gives the same output, a
shift changes it, and the oracle agrees.
"""

import torch
from torch import Tensor

EPS = 1e-5


def a(x: Tensor, gain: Tensor) -> Tensor:
    x = x - x.mean(-1, keepdim=True)
    return (
        x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPS) * gain
    )


def b(x: Tensor, gain: Tensor) -> Tensor:
    return (
        x * torch.rsqrt(x.pow(2).sum(-1, keepdim=True) + EPS) * gain
    )


def c(x: Tensor, gain: Tensor) -> Tensor:
    return x / (x.pow(2).mean(-1, keepdim=True) + EPS) * gain


def d(x: Tensor, gain: Tensor) -> Tensor:
    return x * torch.rsqrt(x.pow(2).mean() + EPS) * gain


def right(x: Tensor, gain: Tensor) -> Tensor:
    return (
        x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPS) * gain
    )


def failing(norm) -> list[str]:
    """The tests that fail, on inputs as in tests/test_rmsnorm.py."""
    torch.manual_seed(0)
    x, one = torch.randn(2, 5, 8), torch.randn(8)
    gain = torch.rand(8) * 1.5 + 0.5
    apart = norm(x + 10, gain) - norm(x, gain)
    passed = {
        "scale": torch.allclose(
            norm(10 * x, gain), norm(x, gain), atol=1e-3
        ),
        "shift": bool(apart.abs().max() > 0.1),
        "oracle": torch.allclose(
            norm(one, gain), right(one, gain), atol=1e-5
        ),
    }
    return [name for name, fine in passed.items() if not fine]


if __name__ == "__main__":
    for name, norm in {"a": a, "b": b, "c": c, "d": d}.items():
        print(name, "fails:", ", ".join(failing(norm)) or "none")
