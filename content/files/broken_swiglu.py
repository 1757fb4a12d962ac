"""Four wrong gated layers. Which of your three tests catches which?

Read A to D, write down for each the tests that fail, then run
`python broken_swiglu.py`. The tests are those of
tests/test_swiglu.py: a zero on either branch closes the layer, the
budget is kept within 1%, and the oracle agrees.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDTH = 128
BUDGET = (
    2 * WIDTH * 4 * WIDTH
)  # the two matrices of the baseline's layer


class Layer(nn.Module):
    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.c_gate = nn.Linear(WIDTH, hidden, bias=False)
        self.c_fc = nn.Linear(WIDTH, hidden, bias=False)
        self.c_proj = nn.Linear(hidden, WIDTH, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.c_proj(self.mixed(self.c_gate(x), self.c_fc(x)))

    def mixed(self, gate: Tensor, value: Tensor) -> Tensor:
        return F.silu(gate) * value


class A(Layer):
    def mixed(self, gate: Tensor, value: Tensor) -> Tensor:
        return F.silu(gate) + value


class B(Layer):
    def __init__(self, hidden: int) -> None:
        super().__init__(4 * WIDTH)


class C(Layer):
    def mixed(self, gate: Tensor, value: Tensor) -> Tensor:
        return torch.sigmoid(gate) * value


class D(Layer):
    def mixed(self, gate: Tensor, value: Tensor) -> Tensor:
        return F.silu(gate * value)


def failing(kind: type[Layer]) -> list[str]:
    """The tests that fail, as in tests/test_swiglu.py."""
    torch.manual_seed(0)
    made, x = kind(341), torch.randn(5, WIDTH)
    count = sum(p.numel() for p in made.parameters())
    expected = made.c_proj(F.silu(made.c_gate(x)) * made.c_fc(x))
    oracle = torch.allclose(made(x), expected, atol=1e-5)
    closed = True
    for branch in ("c_gate", "c_fc"):
        one = kind(341)
        nn.init.zeros_(getattr(one, branch).weight)
        closed &= bool(one(x).abs().max() == 0)
    passed = {
        "zero": closed,
        "budget": abs(count - BUDGET) / BUDGET < 0.01,
        "oracle": oracle,
    }
    return [name for name, fine in passed.items() if not fine]


if __name__ == "__main__":
    for name, kind in {"a": A, "b": B, "c": C, "d": D}.items():
        print(name, "fails:", ", ".join(failing(kind)) or "none")
