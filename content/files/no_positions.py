"""The baseline without any positions: no table, no rotation.

Only the causal mask still tells positions apart. Train it with `q1lab
run ./no_positions.py --unchecked`.
"""

from torch import Tensor, nn

from labs.models.baseline import GPT as Baseline
from labs.models.baseline import GPTConfig


class Nothing(nn.Module):
    """Stands where the position table was, and adds nothing."""

    def forward(self, pos: Tensor) -> float:
        return 0.0


class GPT(Baseline):
    def __init__(self, config: GPTConfig) -> None:
        super().__init__(config)
        self.transformer.wpe = Nothing()
