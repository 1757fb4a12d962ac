"""SwiGLU: the feed-forward layer multiplies a gate, through SiLU, with a value, and projects the
product back.

Found by values: what enters a projection back to the model's width must be silu(a) * b, where a and
b are outputs of projections of one input, or two parts of one output.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from labs.checks.check import NotApplicable, Wrong, check
from labs.checks.probe import Product, Subject, shake, tokens

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "SiLU": F.silu,
    "GELU": F.gelu,
    "GELU (tanh)": lambda z: F.gelu(z, approximate="tanh"),
    "ReLU": F.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "softplus": F.softplus,
    "ReLU squared": lambda z: F.relu(z) ** 2,
    "nothing": lambda z: z,
}
COMBINATIONS: dict[str, Callable[[Callable[[Tensor], Tensor], Tensor, Tensor], Tensor]] = {
    "product": lambda act, a, b: act(a) * b,
    "sum": lambda act, a, b: act(a) + b,
    "difference": lambda act, a, b: act(a) - b,
    "act(product)": lambda act, a, b: act(a * b),
    "act(sum)": lambda act, a, b: act(a + b),
    "both": lambda act, a, b: act(a) * act(b),
}


@dataclass(frozen=True)
class FeedForward:
    """What a feed-forward layer was seen to compute."""

    hidden: int
    combination: str  # a key of COMBINATIONS, "alone" (one projection), or "" (not recognised)
    activation: str
    layout: str
    biases: bool


def layers(s: Subject) -> list[FeedForward]:
    """The feed-forward layers of a shaken model."""
    return s.once("swiglu", lambda: find(s.small().products, s.small().products[0].x.shape[-1]))


def find(products: list[Product], width: int) -> list[FeedForward]:
    """The feed-forward layers among the products of one forward pass: those that come back from
    another width."""
    found = []
    for at, down in enumerate(products):
        if down.out.shape[-1] != width or down.x.shape[-1] == width:
            continue
        hidden = down.x.shape[-1]
        u = down.x.flatten(0, -2).float()
        before = [p for p in products[max(0, at - 4) : at] if p.x.shape[-1] == width]
        before = [p for p in before if p.out.shape[-1] in (hidden, 2 * hidden)]
        biases = any(p.bias is not None for p in [*before, down])
        found.append(recognise(u, before, hidden, biases))
    return found


def recognise(u: Tensor, before: list[Product], hidden: int, biases: bool) -> FeedForward:
    """Which combination of the projections before it gives u (N, hidden)."""
    singles, pairs = [], []
    for p in before:
        out = p.out.flatten(0, -2).float()
        if p.out.shape[-1] == 2 * hidden:
            first, second = out.chunk(2, dim=-1)
            pairs += [
                (first, second, "one fused projection, gate first"),
                (second, first, "one fused projection, value first"),
            ]
            pairs += [(out[:, 0::2], out[:, 1::2], "one fused projection, gate and value in turns")]
            pairs += [(out[:, 1::2], out[:, 0::2], "one fused projection, value and gate in turns")]
        else:
            singles.append(out)
    for i, a in enumerate(singles):
        for j, b in enumerate(singles):
            if i != j and not torch.equal(a, b):  # one projection, called twice, is no second one
                pairs.append(
                    (a, b, "two projections, " + ("gate first" if i < j else "value first"))
                )
    for a, b, layout in pairs:
        for combination, combine in COMBINATIONS.items():
            for activation, act in ACTIVATIONS.items():
                if close(combine(act, a, b), u):
                    return FeedForward(hidden, combination, activation, layout, biases)
    for a in [*singles, *(a for a, _, _ in pairs)]:
        for activation, act in ACTIVATIONS.items():
            if close(act(a), u):
                return FeedForward(hidden, "alone", activation, "", biases)
    return FeedForward(hidden, "", "", "", biases)


def close(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.allclose(a, b, rtol=1e-3, atol=1e-4 * float(b.abs().max()))


def each(s: Subject) -> list[FeedForward]:
    found = layers(s)
    if not found:
        raise NotApplicable
    return found


@check(
    "swiglu: gate and value",
    "two projections of one input, multiplied with each other: (act(xW) * xV) W2",
    "The product is the idea: one branch scales the other, per token and per unit.",
)
def gate(s: Subject) -> str:
    for number, ff in enumerate(each(s)):
        if ff.combination == "alone":
            raise Wrong(
                f"feed-forward layer {number}: only {ff.activation} of one projection reaches the way back; no gate"
            )
        if ff.combination in ("sum", "difference", "act(sum)"):
            raise Wrong(f"feed-forward layer {number}: gate and value are added, not multiplied")
        if ff.combination == "act(product)":
            raise Wrong(
                f"feed-forward layer {number}: the activation sits on the product, not on the gate"
            )
        if ff.combination == "both":
            raise Wrong(
                f"feed-forward layer {number}: gate and value both go through {ff.activation}"
            )
        if ff.combination == "":
            raise Wrong(
                f"feed-forward layer {number}: its {ff.hidden} hidden units are no product of two projections"
            )
    return each(s)[0].layout


@check(
    "swiglu: SiLU",
    "the gate goes through SiLU, z · sigmoid(z)",
    "Other curves have names of their own: sigmoid makes it GLU, ReLU ReGLU, GELU GEGLU, none the bilinear layer.",
)
def silu(s: Subject) -> str:
    names = {
        "sigmoid": "GLU",
        "ReLU": "ReGLU",
        "GELU": "GEGLU",
        "GELU (tanh)": "GEGLU",
        "nothing": "the bilinear layer",
    }
    for number, ff in enumerate(each(s)):
        if ff.combination == "product" and ff.activation != "SiLU":
            which = names.get(ff.activation)
            raise Wrong(
                f"feed-forward layer {number}: the gate goes through {ff.activation}"
                + (f": that is {which}" if which else "")
            )
        if ff.combination != "product":
            if ff.activation == "SiLU":
                continue  # the gate's check says what else is wrong
            raise NotApplicable
    return f"SiLU in {len(each(s))} layers"


@check(
    "swiglu: no bias without bias",
    "with bias=False in the config, no projection of the feed-forward layer has one",
    "The paper has none, and a bias in one arm only would be a second difference.",
)
def bias(s: Subject) -> str:
    for number, ff in enumerate(each(s)):
        if ff.biases:
            raise Wrong(
                f"feed-forward layer {number} has a bias although the config says bias=False"
            )
    return "none"


@check(
    "swiglu: hidden size",
    "near ⅔ · 4C, so that three matrices cost what two did (to 10%, at C = 768)",
    "Uncut, the layer has half as many parameters again: then the comparison is about size.",
)
def hidden(s: Subject) -> str:
    if any(ff.combination in ("alone",) for ff in each(s)):
        raise NotApplicable
    sizes = {}
    for width, heads in ((128, 4), (768, 12)):
        model = shake(s.build(n_embd=width, n_layer=1, n_head=heads, vocab_size=16, block_size=8))
        trace = s.watch(model, tokens(2, 8, 16), width=width // heads)
        found = find(trace.products, width)
        if not found:
            raise NotApplicable
        sizes[width] = found[0].hidden
    more = {width: 3 * h / (8 * width) - 1 for width, h in sizes.items()}
    seen = "; ".join(
        f"C = {w}: {h} (⅔ · 4C = {8 * w / 3:.1f}), {more[w]:+.1%} feed-forward parameters"
        for w, h in sizes.items()
    )
    if abs(more[768]) > 0.10:
        raise Wrong(seen)
    return seen


def looks(s: Subject) -> bool:
    """Whether the feed-forward layers combine two projections."""
    return any(ff.combination not in ("alone", "") for ff in layers(s))


CHECKS = [gate, silu, bias, hidden]
