"""ReLU²: what is projected back to the stream is the square of what ReLU lets through."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from labs.checks.property_check import Wrong, check
from labs.checks.subject import C, Subject

FILE_NAMES = ("relu2", "squared_relu")


def layers(s: Subject) -> list[bool]:
    """For each feed-forward layer, whether its projection back reads relu(z)² of a product z before
    it."""
    products = s.small.projections
    return [
        any(
            product.out.shape == back.x.shape
            and torch.allclose(F.relu(product.out).square(), back.x, rtol=1e-3, atol=1e-4)
            for product in products[:at]
        )
        for at, back in enumerate(products)
        if back.out.shape[-1] == C and back.x.shape[-1] > C
    ]


def recognizes(s: Subject) -> bool:
    """True if a feed-forward layer squares the output of ReLU."""
    return any(layers(s))


@check(
    "relu2: squares",
    "relu(xW)² is what the second projection reads",
    "The square is the idea: small activations become smaller, large ones larger.",
)
def squares(s: Subject) -> str:
    squared = layers(s)
    if not squared or not all(squared):
        raise Wrong(
            f"{sum(squared)} of {len(squared)} feed-forward layers square what ReLU lets through"
        )
    return f"all {len(squared)} feed-forward layers"


CHECKS = [squares]
