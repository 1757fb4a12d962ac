"""Attention for short sequences in bf16 on a CPU, written out: scores, causal mask, softmax,
weighted sum.

PyTorch's fused kernel is made for long sequences and GPUs; at the lengths trained here its bf16
backward costs five times the arithmetic, and its plain fallback looks for fully masked rows, of
which a causal mask has none. In fp32 the fused kernel is the faster one (docs/performance.md),
so it is left alone. ``PlainAttention`` answers the calls of
``F.scaled_dot_product_attention`` that a model file makes, so the files stay as they are. The
softmax is fp32, whatever the products use. Calls of any other form go to PyTorch, and so do those
inside a checkpoint or a compiled function, at the fused kernel's speed: what is computed again in
the backward pass, where no mode is active, must be what was computed before.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from labs.torch_private import computes_again


class PlainAttention(TorchFunctionMode):
    """While active, causal attention without mask or dropout on (B, heads, T, head_dim) is computed
    plainly."""

    def __init__(self) -> None:
        super().__init__()
        self._masks: dict[int, Tensor] = {}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if (
            func is F.scaled_dot_product_attention
            and len(args) == 3
            and not torch.compiler.is_compiling()
            and is_plain(args[0], **kwargs)
            and not computes_again()
        ):
            return self.attend(*args, scale=kwargs.get("scale"))
        return func(*args, **kwargs)

    def attend(self, q: Tensor, k: Tensor, v: Tensor, scale: float | None = None) -> Tensor:
        """softmax(q kᵀ · scale + causal mask) v; scale is 1/√head_dim unless given (Vaswani et al.
        2017, eq 1)."""
        T = q.size(-2)
        if k.size(-2) != T:
            return F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale)
        if T not in self._masks:
            self._masks[T] = torch.full((T, T), -math.inf, device=q.device).triu(1)
        scores = (q * (scale or q.size(-1) ** -0.5)) @ k.transpose(-2, -1)  # (B, heads, T, T)
        weights = torch.softmax(scores + self._masks[T], dim=-1, dtype=torch.float32)
        return weights.to(v.dtype) @ v


def is_plain(
    q: Tensor,
    *,
    is_causal: bool = False,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    **other: Any,
) -> bool:
    """True for the arguments of causal attention without mask or dropout on (B, heads, T, D)."""
    known = set(other) <= {"scale", "enable_gqa"} and not other.get("enable_gqa")
    return known and is_causal and attn_mask is None and dropout_p == 0.0 and q.dim() == 4
