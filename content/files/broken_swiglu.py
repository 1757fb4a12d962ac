"""Four wrong gated layers. Which of your tests catches which?

Read A to D, and write down which tests fail for each. Then run
`python broken_swiglu.py`: it puts each one in place of MLP, in a copy
of this folder, and runs your tests/test_swiglu.py there.
"""

import torch
from judge_tests import judge
from torch import Tensor, nn
from torch.nn import functional as F


class Right(nn.Module):
    def __init__(self, config) -> None:
        super().__init__()
        C, hidden = config.n_embd, self.hidden(config.n_embd)
        self.c_gate = nn.Linear(C, hidden, bias=config.bias)
        self.c_fc = nn.Linear(C, hidden, bias=config.bias)
        self.c_proj = nn.Linear(hidden, C, bias=config.bias)

    def hidden(self, width: int) -> int:
        return round(2 / 3 * 4 * width)

    def forward(self, x: Tensor) -> Tensor:
        return self.c_proj(self.mixed(self.c_gate(x), self.c_fc(x)))

    def mixed(self, gate: Tensor, value: Tensor) -> Tensor:
        return F.silu(gate) * value


class A(Right):
    def mixed(self, gate: Tensor, value: Tensor) -> Tensor:
        return F.silu(gate) + value


class B(Right):
    def hidden(self, width: int) -> int:
        return 4 * width


class C(Right):
    def mixed(self, gate: Tensor, value: Tensor) -> Tensor:
        return torch.sigmoid(gate) * value


class D(Right):
    def mixed(self, gate: Tensor, value: Tensor) -> Tensor:
        return F.silu(gate * value)


if __name__ == "__main__":
    judge("swiglu", "MLP", Right, [A, B, C, D])
