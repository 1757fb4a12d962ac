"""RMSNorm with ε = 1 instead of 0.00001.

Small inputs then stay small. Train it with `q1lab run ./big_eps.py
--baseline rmsnorm --unchecked`: does its loss suffer?
"""

import torch
from torch import Tensor

from labs.models import rmsnorm
from labs.models.rmsnorm import GPT as RMSNormGPT
from labs.models.rmsnorm import GPTConfig


class Damped(rmsnorm.RMSNorm):
    def forward(self, x: Tensor) -> Tensor:
        mean_square = x.float().pow(2).mean(-1, keepdim=True)
        return (x * torch.rsqrt(mean_square + 1.0)).type_as(
            x
        ) * self.weight


class GPT(RMSNormGPT):
    def __init__(self, config: GPTConfig) -> None:
        super().__init__(config)
        for module in self.modules():
            if isinstance(module, rmsnorm.RMSNorm):
                module.__class__ = Damped
