"""Make a model's parameters views of one flat buffer, and their gradients views of another.

An optimizer that walks over fifty small tensors spends its time on the walking. With two flat
tensors (decayed and not decayed) an AdamW step, the gradient's norm and zeroing it are one pass
each, and the model doesn't notice.

One trap is avoided by this layout: fused AdamW on a CPU silently misreads a gradient whose strides
differ from its parameter's. Here both are contiguous.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass
class Flat:
    """``weights`` and ``grads``, 1-D fp32, decayed parameters first; ``split`` is where the others
    begin."""

    weights: Tensor
    grads: Tensor
    split: int

    def groups(self, weight_decay: float) -> list[dict[str, object]]:
        """Parameter groups for an optimizer: matrices and embeddings decay; gains, biases and other
        vectors don't (nanoGPT's rule: two or more dimensions)."""
        parts = []
        for start, end, decay in (
            (0, self.split, weight_decay),
            (self.split, self.weights.numel(), 0.0),
        ):
            if end > start:
                part = nn.Parameter(self.weights[start:end])
                part.grad = self.grads[start:end]
                parts.append({"params": [part], "weight_decay": decay})
        return parts


def flatten(model: nn.Module) -> Flat:
    """Move the model's trainable parameters into one buffer, in place. Tied parameters stay
    tied."""
    trained = [p for p in model.parameters() if p.requires_grad]
    if not trained:
        raise ValueError("the model has no trainable parameter")
    ordered = [p for p in trained if p.dim() >= 2] + [p for p in trained if p.dim() < 2]
    split = sum(p.numel() for p in ordered if p.dim() >= 2)
    total = sum(p.numel() for p in ordered)
    weights = torch.empty(total, dtype=torch.float32, device=ordered[0].device)
    grads = torch.zeros_like(weights)
    offset = 0
    for p in ordered:
        end = offset + p.numel()
        with torch.no_grad():
            weights[offset:end].view(p.shape).copy_(p)
        p.data = weights[offset:end].view(p.shape)
        p.grad = grads[offset:end].view(p.shape)
        offset = end
    return Flat(weights, grads, split)


def trained_names(model: nn.Module) -> set[str]:
    """The names of the parameters that train."""
    return {name for name, p in model.named_parameters() if p.requires_grad}


def without_gradient(model: nn.Module) -> set[str]:
    """The names of the trained parameters whose gradient is zero everywhere, as it stays where no
    loss depends on them."""
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    return {name for name, p in trained.items() if p.grad is None or not p.grad.any()}
