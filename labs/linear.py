"""Linear layers in fp32 by oneDNN, on processors where PyTorch's own choice is slow.

PyTorch multiplies fp32 matrices on x86 with Intel's MKL, which leaves the AVX-512 of AMD's
processors unused; its other library, oneDNN (which does the bf16 products), uses it. At the shapes
trained here that is a factor of two (`docs/performance.md`). ``OneDnnLinear`` answers the calls of
``F.linear`` that ``nn.Linear`` makes, forward and backward; all else goes to PyTorch. Whether to
use it is read from the processor's name and flags, not timed: a choice by timing could fall
differently in two runs, and they would not be equal to the bit any more.
"""

from __future__ import annotations

import contextlib
import functools
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from labs.torch_private import has_linear, linear


@functools.cache
def pays() -> bool:
    """True if this is an AMD processor with AVX-512, and PyTorch has oneDNN."""
    info = ""
    with contextlib.suppress(OSError):
        info = Path("/proc/cpuinfo").read_text()[:20000]
    return "AuthenticAMD" in info and " avx512f" in info and has_linear()


class OneDnnLinear(TorchFunctionMode):
    """While active, ``F.linear`` of fp32 tensors on the CPU is computed by oneDNN."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is F.linear and not kwargs and _fits(*args):
            return _Linear.apply(args[0], args[1], args[2] if len(args) == 3 else None)
        return func(*args, **(kwargs or {}))


def _fits(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> bool:
    return (
        type(x) in (Tensor, torch.nn.Parameter)
        and x.dtype == weight.dtype == torch.float32
        and x.device.type == "cpu"
        and x.dim() >= 2
        and weight.dim() == 2
        and x.numel() > 0
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()  # the compiler wants PyTorch's own calls
    )


class _Linear(torch.autograd.Function):
    """y = x Wᵀ + b; its gradients are dy W, dyᵀ x and the sum of dy."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return linear(x.reshape(-1, x.size(-1)), weight, bias).view(*x.shape[:-1], weight.size(0))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        x2, dy = x.reshape(-1, x.size(-1)), grads[0].reshape(-1, weight.size(0))
        dx = dw = db = None
        # someone differentiates the gradient: PyTorch's own products know how
        if torch.is_grad_enabled():
            dx, dw, db = (dy @ weight).view_as(x), dy.t() @ x2, dy.sum(0)
            return dx, dw, db if ctx.needs_input_grad[2] else None
        if ctx.needs_input_grad[0]:
            dx = linear(dy, weight.t()).view_as(x)
        if ctx.needs_input_grad[1]:
            dw = linear(dy.t(), x2.t())
        if ctx.needs_input_grad[2]:
            db = dy.sum(0)
        return dx, dw, db
