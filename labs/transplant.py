"""Put the changed part of a learner's model file into all blocks of SmolLM2.

The file's GPT is built with one block at SmolLM2's sizes and run once, to see how its part is
called. The real weights go into the part's parameters by shape. Conventions that are no mistake
(the order of q, k and v; which features are a pair; transposed; gain or 1 + gain) are tried on
block 2, and the one whose output is nearest to SmolLM2's own is used everywhere.

Shapes as in smol.py.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from labs import loading
from labs.checks.limits import Unusable

SAMPLE = "The weather in the north of the country is cold in winter and mild in summer. Two friends"
Rows = Callable[[Any], Tensor]


@dataclass
class Call:
    """One call of a module while its model ran on T tokens."""

    name: str
    module: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    out: Any
    width: int

    def again(self, x: Tensor) -> Tensor:
        """The output for the stream x (B, T, C). Unusable if the module takes or gives none."""
        given: dict[Any, Any] = {**dict(enumerate(self.args)), **self.kwargs}
        key = next((k for k, value in given.items() if stream(value, self.width) is value), None)
        if key is None:
            raise Unusable(f"its {self.name} takes no stream of features (B, T, C)")
        given[key] = x
        args = [given[i] for i in range(len(self.args))]
        out = stream(self.module(*args, **{k: given[k] for k in self.kwargs}), self.width)
        if out is None:
            raise Unusable(f"its {self.name} gives no stream of features (B, T, C)")
        return out

    def mixes(self) -> bool:
        """True if a token's output depends on an earlier token."""
        x = torch.randn(1, 8, self.width)
        other = x.clone()
        other[:, 0] += torch.randn(self.width)
        return bool((self.again(x) - self.again(other))[:, 1:].abs().max() > 1e-6)


def stream(value: Any, width: int) -> Tensor | None:
    """The first (B, T, C) tensor in what a module took or gave; None without one."""
    for one in value if isinstance(value, tuple | list) else (value,):
        if torch.is_tensor(one) and one.dim() == 3 and one.size(-1) == width:
            return one if one.is_floating_point() else None
    return None


def matrices(module: nn.Module) -> list[nn.Parameter]:
    return [p for p in module.parameters() if p.dim() >= 2]


def build(path: Path, change: str, sizes: dict[str, Any]) -> nn.Module:
    """The file's model with one block at SmolLM2's sizes. Unusable where it can't be built."""
    try:
        module = loading.load(path)
    except loading.ModelError as error:
        raise Unusable(str(error)) from error
    width, heads = sizes["embedding_length"], sizes["attention.head_count"]
    config = {"block_size": 2048, "vocab_size": 64, "n_layer": 1, "n_head": heads, "n_embd": width}
    config |= {"dropout": 0.0, "bias": False}
    groups = [name for name in loading.fields(module) if re.search("kv|group|key_value", name)]
    config |= dict.fromkeys(groups, sizes["attention.head_count_kv"] if change == "gqa" else heads)
    rotations = [v for v in vars(module).values() if callable(v) and hasattr(v, "__defaults__")]
    for function in rotations:  # the theta of the week is 10,000, SmolLM2's 100,000
        defaults = function.__defaults__ or ()
        function.__defaults__ = tuple(
            sizes["rope.freq_base"] if value == 10000 else value for value in defaults
        )
    known = {*loading.fields(module), *(config if loading.takes_any(module) else ())}
    given = {name: value for name, value in config.items() if name in known}
    try:
        model: nn.Module = module.GPT(module.GPTConfig(**given))
        return model.eval().requires_grad_(False)
    except Exception as error:
        raise Unusable(loading.describe(error, path)) from error


def calls(model: nn.Module, length: int, width: int) -> list[Call]:
    """Each module's first call on so many tokens, in the order in which they ended."""
    seen: list[Call] = []

    def hook(name: str) -> Any:
        return lambda module, args, kwargs, out: seen.append(
            Call(name, module, args, kwargs, out, width)
        )

    handles = [
        module.register_forward_hook(hook(name), with_kwargs=True)
        for name, module in model.named_modules()
    ]
    idx = torch.arange(length)[None] * 37 % 61  # ids that don't look like positions
    try:
        model(idx)
    finally:
        for handle in handles:
            handle.remove()
    return seen


def find(model: nn.Module, change: str, width: int) -> Call:
    """The part: the first norm; the smallest module that mixes tokens; the largest that doesn't."""
    found = []
    for call in calls(model, 8, width):
        if not call.name or stream(call.out, width) is None:
            continue
        size = sum(p.numel() for p in call.module.parameters())
        if change == "rmsnorm":
            words = f"{call.name} {type(call.module).__name__}".lower()
            if size <= 2 * width and re.search("norm|ln|rms", words):
                return call
        elif len(matrices(call.module)) >= 2:
            with contextlib.suppress(Exception):
                if call.mixes() == (change != "swiglu"):
                    found.append((size, call))
    if not found:
        raise Unusable(f"it has no module of its own from (B, T, C) to (B, T, C) for {change}")
    return (max if change == "swiglu" else min)(found, key=lambda one: one[0])[1]


def cut(rows: Tensor, params: list[nn.Parameter], transposed: bool) -> list[Tensor]:
    """The rows (R, C) cut over the parameters in order; nothing where the sizes don't agree."""
    axis = -1 if transposed else 0
    if sum(p.size(axis) for p in params) != rows.size(0):
        return []
    parts = [
        part.T if transposed else part for part in torch.split(rows, [p.size(axis) for p in params])
    ]
    return parts if all(a.shape == p.shape for a, p in zip(parts, params, strict=True)) else []


@dataclass
class Way:
    """A convention in words, and what SmolLM2's weights put into the parameters by it; nothing
    where they don't fit."""

    words: str
    params: list[nn.Parameter]
    weights: Callable[[Any], list[Tensor]]


def norm_ways(call: Call) -> Iterator[Way]:
    params = [p for p in call.module.parameters() if p.numel() == call.width]
    if not params:
        raise Unusable("its norm has no gain, and SmolLM2's norms have one")
    gain = params[0]
    yield Way("the gain as it is", [gain], lambda w: [w.view_as(gain)])
    yield Way("the gain as 1 + weight", [gain], lambda w: [(w - 1).view_as(gain)])


def matrix_ways(
    call: Call, numbers: int, orders: Sequence[tuple[str, Rows]], out: str
) -> Iterator[Way]:
    """Ways to lay rows of weights over a module's matrices, which must hold so many numbers. One
    matrix, the last as a rule, gets the weights named ``out``; the others, in order, the rows that
    each of ``orders`` makes of a block's weights. Unusable where the sizes differ."""
    params = matrices(call.module)
    if sum(p.numel() for p in params) != numbers:
        shapes = ", ".join(str(tuple(p.shape)) for p in params)
        raise Unusable(f"its matrices {shapes} don't hold {numbers:,} numbers")
    for last, (words, rows), flip in itertools.product(reversed(params), orders, (False, True)):
        others = [p for p in params if p is not last]

        def weights(
            w: Any, last: Any = last, others: Any = others, rows: Rows = rows, flip: bool = flip
        ) -> list[Tensor]:
            filled, end = cut(rows(w), others, flip), w[out].T if flip else w[out]
            return [*filled, end] if filled and end.shape == last.shape else []

        yield Way(words + ", transposed" * flip, [*others, last], weights)


def ffn_ways(call: Call, sizes: dict[str, Any]) -> Iterator[Way]:
    numbers = 3 * call.width * sizes["feed_forward_length"]
    orders: list[tuple[str, Rows]] = [
        ("gate, up", lambda w: torch.cat([w["ffn_gate"], w["ffn_up"]])),
        ("up, gate", lambda w: torch.cat([w["ffn_up"], w["ffn_gate"]])),
    ]
    return matrix_ways(call, numbers, orders, "ffn_down")


def attn_ways(call: Call, change: str, sizes: dict[str, Any]) -> Iterator[Way]:
    H, G = sizes["attention.head_count"], sizes["attention.head_count_kv"]
    C, D = call.width, call.width // H
    groups = G if change == "gqa" else H
    pairings = {"": (False, 1.0)}  # in words: (are a pair's features D/2 apart?, the turn's sign)
    if change == "rope":
        near, far = "pairs neighbors 2i and 2i + 1", f"pairs features i and i + {D // 2}"
        pairings = {
            f"{words}{turn}; ": (words == far, sign)
            for words in (near, far)
            for turn, sign in (("", 1.0), (", the other way", -1.0))
        }

    def arrange(w: Tensor, halves: bool, sign: float) -> Tensor:
        pairs = w.view(-1, D // 2, 2, C) * torch.tensor([1.0, sign])[:, None]
        return (pairs.transpose(1, 2) if halves else pairs).reshape(-1, C)

    def rows(w: Any, order: Any, pairing: tuple[bool, float]) -> Tensor:
        q, k = arrange(w["attn_q"], *pairing), arrange(w["attn_k"], *pairing)
        k, v = (
            t.view(G, D, C).repeat_interleave(groups // G, 0).flatten(0, 1)
            for t in (k, w["attn_v"])
        )
        return torch.cat([{"q": q, "k": k, "v": v}[name] for name in order])

    orders = [
        (
            f"{words}rows {', '.join(order)}",
            functools.partial(rows, order=order, pairing=pairing),
        )
        for words, pairing in pairings.items()
        for order in itertools.permutations("qkv")
    ]
    return matrix_ways(call, (2 * C + 2 * groups * D) * C, orders, "attn_output")


PRODUCTS = (torch.matmul, torch.bmm, Tensor.matmul, Tensor.__matmul__, Tensor.bmm)
SDPA = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal")  # its arguments by place
Axes = tuple[int, int]  # of an operand: its tokens, its features


def meeting(equation: str, q: Tensor, k: Tensor, length: int) -> tuple[Axes, ...]:
    """Where einsum sums the one letter that both have: the axes of q and of k; () elsewhere."""
    terms, _, out = equation.replace(" ", "").replace("...", "").partition("->")
    first, _, second = terms.partition(",")
    common = sorted(set(first) & set(second) - set(out))
    if len(common) != 1:
        return ()
    found = []
    for x, term, other in ((q, first, second), (k, second, first)):
        tokens = [c for c in out if c in set(term) - set(other)]
        tokens = [c for c in tokens if x.size(term.index(c) - len(term)) == length]
        if tokens:  # the last one: a group of heads may be as long as the text
            found.append((term.index(tokens[-1]) - len(term), term.index(common[0]) - len(term)))
    return tuple(found)


class Rotating(TorchFunctionMode):
    """While it is on, attention gets rotated queries and keys: a gqa file has no rotation.
    They are the operands of its first product over D features for each two of T tokens."""

    def __init__(self, rotate: Callable[[Tensor], Tensor], length: int, features: int) -> None:
        super().__init__()
        self.rotate, self.shape = rotate, (length, features)
        self.done = False

    def axes(self, func: Any, args: tuple[Any, ...]) -> tuple[Axes, ...]:
        """The axes of q and of k, the last two of args; () where they don't meet."""
        found: tuple[Axes, ...] = ()
        if func is F.scaled_dot_product_attention:
            found = ((-2, -1), (-2, -1))
        elif func in PRODUCTS and len(args) == 2:
            found = ((-2, -1), (-1, -2))
        elif func is torch.einsum and len(args) == 3 and isinstance(args[0], str):
            found = meeting(*args, self.shape[0])
        sizes = [
            tuple(x.size(axis) for axis in at)
            for x, at in zip(args[-2:], found, strict=False)
            if x.dim() > 2
        ]
        return found if sizes == [self.shape, self.shape] else ()

    def rotated(self, x: Tensor, at: Axes) -> Tensor:
        rows = x.movedim(at, (-2, -1))  # (…, T, D)
        return self.rotate(rows.unsqueeze(-2)).squeeze(-2).movedim((-2, -1), at)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func is F.scaled_dot_product_attention:
            kwargs |= zip(SDPA, args, strict=False)
            args = (kwargs.pop("query"), kwargs.pop("key"))
        found = () if self.done else self.axes(func, args)
        if found:
            self.done = True
            turned = [self.rotated(x, at) for x, at in zip(args[-2:], found, strict=True)]
            args = (*args[:-2], *turned)
        return func(*args, **kwargs)


@torch.no_grad()
def put_in(smol: Any, model: Any, path: Path, change: str) -> str:
    """Put the file's part into all blocks; returns the conventions that it follows, in words.
    Unusable, with the reason, where it can't be placed."""
    sizes = model.blocks[0].head
    width = sizes["embedding_length"]
    own = build(path, change, sizes)
    try:
        call = find(own, change, width)
    except Unusable:
        raise
    except Exception as error:
        raise Unusable(loading.describe(error, path)) from error
    current = {8: call}

    def run(params: list[nn.Parameter], values: list[Tensor], x: Tensor) -> Tensor:
        length = x.size(1)
        if change in ("rope", "gqa") and length not in current:
            current.clear()
            current[length] = next(c for c in calls(own, length, width) if c.name == call.name)
        for p, value in zip(params, values, strict=True):
            p.data = value
        place = current.get(length, call)
        if change != "gqa" or length == 1:  # one token alone has nothing to be turned against
            return place.again(x)
        rotate = functools.partial(
            smol.rotate, positions=torch.arange(length), theta=sizes["rope.freq_base"]
        )
        with Rotating(rotate, length, width // sizes["attention.head_count"]) as rotating:
            out = place.again(x)
        if not rotating.done:
            raise Unusable("its queries meet its keys in no product that q1lab knows to rotate")
        return out

    ids = model.tokenizer.encode(SAMPLE).ids
    x = model.w["token_embd"][torch.tensor([ids])]
    for block in model.blocks[:2]:
        x = block(x)
    block = model.blocks[min(2, len(model.blocks) - 1)]
    normed = block.norm(x, block.w["attn_norm"])
    place: Any
    if change == "rmsnorm":
        ways, place = norm_ways(call), block.w["attn_norm"]
        given, right = x, normed
    elif change == "swiglu":
        ways, place, given, right = ffn_ways(call, sizes), block.w, normed, block.ffn(normed)
    else:
        ways, place = attn_ways(call, change, sizes), block.w
        given, right = normed, block.attn(normed)
    best, nearest = None, math.inf
    for way in ways:
        values = way.weights(place)
        if not values:
            continue
        try:
            off = float((run(way.params, values, given) - right).norm() / right.norm())
        except Unusable:
            raise
        except Exception as failed:
            raise Unusable(loading.describe(failed, path)) from failed
        if best is None or off < nearest:
            best, nearest = way, off
        if nearest < 1e-4:
            break
    if best is None:
        raise Unusable(f"the shapes of its {call.name} fit SmolLM2's weights in no known order")
    chosen = best
    for one in model.blocks:
        if change == "rmsnorm":
            one.norm = lambda x, gain: run(chosen.params, chosen.weights(gain), x)
        elif change == "swiglu":
            one.ffn = lambda x, w=one.w: run(chosen.params, chosen.weights(w), x)
        else:
            one.attn = lambda x, past=None, w=one.w: run(chosen.params, chosen.weights(w), x)
    far = f"; its output differs by {nearest:.0%} at one block" if nearest > 0.01 else ""
    return f"{call.name}: {chosen.words}{far}"
