"""SwiGLU: the feed-forward layer multiplies a gate, through SiLU, with a value, and projects the
product back.

Found by values: what enters a projection back to the stream's width must be silu(a) * b, unit by
unit, where a and b are two outputs of projections of one input, in whatever order.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from labs.checks.generic import SECOND, baseline, layer_params
from labs.checks.property_check import NotJudged, Warned, Wrong, another_kind, change, check
from labs.checks.stream import KINDS, is_norm
from labs.checks.subject import LAYERS, WIDE, C, H, Subject, shake, tokens, watch
from labs.checks.trace import Projection, Trace, alike_values

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "SiLU": F.silu,
    "GELU": F.gelu,
    "GELU (tanh)": lambda z: F.gelu(z, approximate="tanh"),
    "ReLU": F.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "softplus": F.softplus,
    "hard swish": F.hardswish,
    "SELU": F.selu,
    "Mish": F.mish,
    "ELU": F.elu,
    "softsign": F.softsign,
    "hard tanh": F.hardtanh,
    "softmax": lambda z: F.softmax(z, dim=-1),
    "ReLU squared": lambda z: F.relu(z) ** 2,
    "z · sigmoid(1.702 z)": lambda z: z * torch.sigmoid(1.702 * z),
    "z · sigmoid(−z)": lambda z: z * torch.sigmoid(-z),
    "nothing": lambda z: z,
}
NAMES = {"sigmoid": "GLU", "ReLU": "ReGLU", "GELU": "GEGLU", "GELU (tanh)": "GEGLU"}
NAMES |= {"nothing": "the bilinear layer"}
"""The names of layers whose gate goes through another activation."""
Combine = Callable[[Callable[[Tensor], Tensor], Tensor, Tensor], Tensor]
ADDED = "gate and value are added, not multiplied"
NO_GATE = "no gate was found"
COMBINATIONS: list[tuple[str, Combine]] = [
    ("", lambda act, a, b: act(a) * b),
    (ADDED, lambda act, a, b: act(a) + b),
    (ADDED, lambda act, a, b: act(a) - b),
    (ADDED, lambda act, a, b: act(a + b)),
    ("the activation is of the product, not of the gate", lambda act, a, b: act(a * b)),
    ("gate and value both go through {}", lambda act, a, b: act(a) * act(b)),
]
"""Ways to combine an activation and two projections, the right one first, with their slips."""


@dataclass(frozen=True)
class FeedForward:
    """The function that a feed-forward layer was seen to compute."""

    hidden: int
    biases: bool
    slip: str = ""  # in words; "" for the product of a gate and a value
    activation: str = ""
    layout: str = ""  # of gate and value; "" where no two projections meet


def feed_forward_layers(s: Subject) -> list[FeedForward]:
    """The feed-forward layers of a shaken model. Wrong, with what was looked for, if none."""
    return s.once("swiglu", lambda: find(s.small, C))


def find(trace: Trace, width: int) -> list[FeedForward]:
    """The feed-forward layers of one forward pass: the projections that come back to the stream's
    width from something that is not attention's."""
    layers: list[FeedForward] = []
    read: Tensor | None = None  # what the last layer's first projections read
    for at, down in enumerate(trace.projections):
        if all(part.shape[-1] != width for part in down.parts) or down.x.shape[-1] == width:
            continue
        u = down.x.float()
        if any(close(u[:, : head.out.shape[-1]], head.out) for head in trace.heads):
            continue  # one head's output, on its way back
        earlier = [p for p in trace.projections[:at] if p.x.shape[-1] == width]
        before = [p for p in earlier if torch.equal(p.x, earlier[-1].x)]
        layer = recognize(u, before, any(p.biased for p in [*before[-2:], down]))
        if read is not None and layer.layout and torch.equal(before[0].x, read):  # a second shard
            layer = replace(layer, hidden=layers.pop().hidden + layer.hidden)
        layers.append(layer)
        read = before[0].x if before else None
    if not layers:
        raise Wrong(f"""looked for projections back to the stream from a hidden layer of another
            width, and found none among {len(trace.projections)} products with weights""")
    return layers


def recognize(u: Tensor, before: list[Projection], biases: bool) -> FeedForward:
    """Find the combination of the projections before it that gives u (T, hidden)."""
    hidden, outs = u.shape[-1], [p.out.float() for p in before]
    pairs = [*gates_and_values(outs, hidden)]
    for a, b, layout in pairs:
        for slip, combine in COMBINATIONS:
            for activation, act in ACTIVATIONS.items():
                if close(combine(act, a, b), u):
                    return FeedForward(hidden, biases, slip.format(activation), activation, layout)
    for a in [*outs, *(a for a, _, _ in pairs)]:
        for activation, act in ACTIVATIONS.items():
            if close(act(a), u):
                of = "" if activation == "nothing" else f"{activation} of "
                slip = f"only {of}one projection is projected back; {NO_GATE}"
                return FeedForward(hidden, biases, slip)
    for a, b, layout in pairs:
        if (beta := swish(u / b, a)) is not None:
            return FeedForward(hidden, biases, "", f"{SWISH} {beta:.3g}", layout)
    columns = torch.cat(outs, dim=-1) if outs else u[:, :0]
    for activation, act in ACTIVATIONS.items():
        if unit_by_unit(act(columns), columns, u):
            layout = "gate and value in an order of their own"
            return FeedForward(hidden, biases, "", activation, layout)
    return FeedForward(hidden, biases, slip_of(u, pairs))


Gated = tuple[Tensor, Tensor, str]
"""A gate and a value (T, hidden), and the way in which a file lays them out."""


def gates_and_values(outs: list[Tensor], hidden: int) -> Iterator[Gated]:
    """The pairs among the outputs (T, N) of projections that can be gate and value."""
    for out in outs:
        if out.shape[-1] == 2 * hidden:
            first, second = out.chunk(2, dim=-1)
            yield first, second, "one fused projection, gate first"
            yield second, first, "one fused projection, value first"
            yield out[:, 0::2], out[:, 1::2], "one fused projection, gate and value in turns"
            yield out[:, 1::2], out[:, 0::2], "one fused projection, value and gate in turns"
    singles = [out for out in outs if out.shape[-1] == hidden]
    for (i, a), (j, b) in itertools.permutations(enumerate(singles), 2):
        if not torch.equal(a, b):  # a projection that is called twice counts once
            yield a, b, f"two projections, {'gate' if i < j else 'value'} first"


SWISH = "Swish with β ="


def swish(gated: Tensor, z: Tensor) -> float | None:
    """The β with which gated is z · sigmoid(βz), both (T, hidden): the mean over the units; None if
    no β fits."""
    share = (gated / z).double()
    usable = (share > 1e-4) & (share < 1 - 1e-4) & (z.abs() > 1e-2)
    logits, inputs = (torch.where(usable, t, 0.0) for t in (share.logit(), z.double()))
    beta = (logits * inputs).sum(0) / inputs.pow(2).sum(0).clamp(min=1e-12)
    fits = (logits - beta * inputs).abs().max() <= 1e-2 * logits.abs().max()
    return beta.mean().item() if fits and usable.float().mean() >= 0.5 else None


def slip_of(u: Tensor, pairs: list[Gated]) -> str:
    """The slip in words of a hidden layer (T, hidden) that is no product of gate and value."""
    for a, b, _ in pairs:
        for activation, act in ACTIVATIONS.items():
            product = act(a) * b
            if any(is_norm(u, product, kind) for kind in KINDS):
                return f"a norm is between the product (of {activation}) and the projection back"
            right = (product - u).abs().amax(0) < 1e-3 * u.abs().max()
            # by chance, a unit or two
            if activation != "nothing" and right.sum() > 2:
                return f"only {int(right.sum())} of {len(right)} hidden units are gate times value"
    return f"its {u.shape[-1]} hidden units are not a product of two projections"


def unit_by_unit(gates: Tensor, values: Tensor, u: Tensor) -> bool:
    """True if each column of u (T, hidden) is a column of gates (T, N) times another of values."""
    if values.shape[-1] < 2 or values.shape[-1] > 1024:
        return False
    # a column that comes twice is one projection, called twice: a gate that is its own value
    other = (values[:, :, None] - values[:, None, :]).abs().amax(0) > 1e-6
    for unit in u.unbind(-1):
        left = other.clone()
        for gate, value, target in zip(gates, values, unit, strict=True):
            gap = (gate[:, None] * value[None, :] - target).abs()
            left &= gap < 1e-4 * u.abs().max() + 1e-3 * target.abs()
            if not left.any():
                return False
    return True


def close(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.allclose(a, b, rtol=1e-3, atol=1e-4 * float(b.abs().max()))


@check(
    "swiglu: gate and value",
    "two projections of one input, one of them through SiLU, z · sigmoid(z), are multiplied with "
    "each other: (SiLU(xW) * xV) W2",
    "The product is the idea: one branch scales the other, per token and per unit. With another "
    "curve than SiLU it has another name.",
)
def gate(s: Subject) -> str:
    layers = feed_forward_layers(s)
    if len(layers) == 2 * LAYERS and not any(ff.layout for ff in layers):
        raise Wrong(f"""two projections back to the stream in each of {LAYERS} layers: gate and
            value are projected back each by itself, where their product should be""")
    for number, ff in enumerate(layers):
        if ff.slip:
            raise Wrong(f"feed-forward layer {number}: {ff.slip}")
        if ff.activation != "SiLU" and not ff.activation.startswith(SWISH):
            that = f": that is {NAMES[ff.activation]}" if ff.activation in NAMES else ""
            raise Wrong(f"feed-forward layer {number}: the gate goes through {ff.activation}{that}")
    if len(layers) != LAYERS:
        raise Wrong(f"{len(layers)} feed-forward layers were found in {LAYERS} layers")
    seen = f"{layers[0].activation}, {layers[0].layout}"
    if any(ff.biases for ff in layers):
        return another_kind(f"{seen}; with biases although the config says bias=False{SECOND}")
    return seen if seen.startswith("SiLU") else another_kind(f"{seen}; SiLU has β = 1")


@check(
    "swiglu: hidden size",
    "near ⅔ · 4C, so that three matrices cost what two did (to 10%, at C = 768)",
    "Uncut, the layer has half as many parameters again: then the comparison is about size.",
)
def hidden(s: Subject) -> str:
    if not all(ff.layout for ff in feed_forward_layers(s)):
        raise NotJudged(NO_GATE)
    sizes = {}
    for width, heads in ((128, 4), (768, 12)):
        small = {**WIDE, "n_layer": 1, "n_embd": width, "n_head": heads}
        model = shake(s.build(**small))
        sizes[width] = find(watch(model, tokens(1, 8, 16), width=width), width)[0].hidden
    more = {width: 3 * h / (8 * width) - 1 for width, h in sizes.items()}
    seen = "; ".join(
        f"C = {w}: {h} (⅔ · 4C = {8 * w / 3:.1f}), {change(more[w])} feed-forward parameters"
        for w, h in sizes.items()
    )
    if sizes[128] == sizes[768]:
        own_width = s.default_of("n_embd")
        cure = (
            f"{sizes[768]} hidden units at every width, which is ⅔ · 4C at C = "
            f"{3 * sizes[768] / 8:.0f}: let it follow n_embd"
        )
        if own_width and abs(3 * sizes[768] / (8 * own_width) - 1) <= 0.10:
            return another_kind(f"{cure}, or train at n_embd={own_width}, the file's own")
        raise Wrong(cure)
    if abs(more[768]) > 0.10:
        raise Wrong(seen + uncut(more))
    share = layer_params(s) / layer_params(baseline(s)[1]) - 1
    heads_share = any(len({*alike_values(layer)}) < H for layer in s.small.layers(H))
    if abs(share) > 0.10 and not heads_share:
        raise Wrong(f"""{seen}; but a whole layer has {change(share)} parameters: do two of the
            three matrices share theirs?""")
    if abs(more[128]) > 0.10:
        return Warned(f"{seen}: at C = 128, as preset quick trains, the rounding makes it another")
    return seen


def uncut(more: dict[int, float]) -> str:
    """The usual reason for a hidden layer that is larger or smaller by these shares, by width."""
    for share, words in {
        0.5: "the hidden layer has 4C units, without the cut by ⅔",
        -0.25: "the hidden layer has 2C units, where ⅔ · 4C is 2.67 C",
        -1 / 3: "the cut by ⅔ is made twice",
        1.0: "the hidden layer has twice as many units",
    }.items():
        if all(abs(excess - share) < 0.03 for excess in more.values()):
            return f": {words}"
    return ""


CHECKS = [gate, hidden]
