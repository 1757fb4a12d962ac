"""Four wrong norms. Which of your tests catches which?

Read A to D, and write down which tests fail for each. Then run
`python broken_rmsnorm.py`: it puts each one in place of RMSNorm, in a
copy of this folder, and runs your tests/test_rmsnorm.py there.
"""

import torch
from judge_tests import judge
from torch import Tensor, nn

EPS = 1e-5


class Right(nn.Module):
    def __init__(self, width: int, *bias, **options) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        square = x.float().pow(2).mean(-1, keepdim=True)
        x = (x * torch.rsqrt(square + EPS)).type_as(x)
        return x * self.weight


class A(Right):
    def forward(self, x: Tensor) -> Tensor:
        x = x - x.mean(-1, keepdim=True)
        square = x.pow(2).mean(-1, keepdim=True)
        return x * torch.rsqrt(square + EPS) * self.weight


class B(Right):
    def forward(self, x: Tensor) -> Tensor:
        square = x.pow(2).sum(-1, keepdim=True)
        return x * torch.rsqrt(square + EPS) * self.weight


class C(Right):
    def forward(self, x: Tensor) -> Tensor:
        square = x.pow(2).mean(-1, keepdim=True)
        return x / (square + EPS) * self.weight


class D(Right):
    def forward(self, x: Tensor) -> Tensor:
        square = x.pow(2).mean()
        return x * torch.rsqrt(square + EPS) * self.weight


if __name__ == "__main__":
    judge("rmsnorm", "RMSNorm", Right, [A, B, C, D])
