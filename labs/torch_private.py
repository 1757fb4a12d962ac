"""Names of PyTorch that carry no promise, all in one place: a release that drops one breaks this
file and its test, tests/labs/test_torch_private.py, and nothing else by surprise."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

__all__ = [
    "TorchDispatchMode",
    "has_linear",
    "linear",
    "name_of",
    "storage_of",
    "tree_leaves",
    "writes",
]


def name_of(operation: Any) -> str:
    """The full name of an operation that a dispatch mode is handed: "aten::copy_"."""
    return str(operation._schema.name)


def writes(operation: Any) -> bool:
    """Whether it changes one of its arguments."""
    return bool(operation._schema.is_mutable)


def storage_of(tensor: Tensor) -> int:
    """What all views of the same memory share, as long as one of them lives."""
    return int(tensor.untyped_storage()._cdata)


def has_linear() -> bool:
    """Whether oneDNN's linear layer can be called."""
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def linear(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """a bᵀ + bias for (M, K) and (N, K) in fp32, by oneDNN."""
    product: Tensor = torch.ops.mkldnn._linear_pointwise(a, b, bias, "none", [], "")
    return product
