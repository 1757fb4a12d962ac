"""SwiGLU without any activation; the paper calls it Bilinear.

Two projections, multiplied. Train it with `q1lab run ./bilinear.py
--baseline swiglu --unchecked`.
"""

from torch import Tensor

from labs.models import swiglu
from labs.models.swiglu import GPT as SwiGLU
from labs.models.swiglu import GPTConfig


class Gated(swiglu.MLP):
    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(
            self.c_proj(self.c_gate(x) * self.c_fc(x))
        )


class GPT(SwiGLU):
    def __init__(self, config: GPTConfig) -> None:
        super().__init__(config)
        for block in self.transformer.h:
            block.mlp.__class__ = Gated
