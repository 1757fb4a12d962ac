"""SwiGLU without the cut: hidden size 512 instead of 341.

That is a third more parameters. Train it with `q1lab run
./swiglu_512.py --baseline swiglu --unchecked` to see what the extra
size buys.
"""

from torch import nn

from labs.models.swiglu import GPT as SwiGLU
from labs.models.swiglu import GPTConfig


class GPT(SwiGLU):
    def __init__(self, config: GPTConfig) -> None:
        super().__init__(config)
        for layer in self.transformer.h:
            for name, (inside, outside) in {
                "c_gate": (config.n_embd, 4 * config.n_embd),
                "c_fc": (config.n_embd, 4 * config.n_embd),
                "c_proj": (4 * config.n_embd, config.n_embd),
            }.items():
                wide = nn.Linear(inside, outside, bias=config.bias)
                scale = (
                    (2 * config.n_layer) ** -0.5
                    if name == "c_proj"
                    else 1.0
                )
                nn.init.normal_(
                    wide.weight, mean=0.0, std=0.02 * scale
                )
                setattr(layer.mlp, name, wide)
