"""Watch one forward pass from below: the operations that PyTorch really executes, whatever calls a
file makes to get there.

`nn.Linear`, `x @ w`, `torch.einsum`, `torch.addmm`, a 1 × 1 convolution and
`F.scaled_dot_product_attention` all end in the same few products. Each product is told apart by
what depends on the tokens: one operand that does is a projection, two are attention. What an
attention call or a layer computes is then found by values, so names, modules and layouts don't
matter.

A trace is of one row of T tokens. Shapes: T tokens, C features, D features per head; every tensor
of a trace has the tokens on its first axis unless said otherwise.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from labs.torch_private import OperationMode, leaves, name_of, run


@dataclass
class Projection:
    """A product of what depends on the tokens with a weight."""

    at: int  # which operation of the pass it was
    x: Tensor  # (T, in)
    out: Tensor  # (T, out), with the bias
    parts: list[Tensor]  # the product without bias, (T, out) in pieces that a file may add up
    biased: bool = False
    storages: set[int] = field(default_factory=set)


@dataclass
class Pair:
    """A product of two things that depend on the tokens, cut into matrices (n, rows, inner) and
    (n, inner, columns)."""

    at: int
    a: Tensor
    b: Tensor


@dataclass
class Origin:
    """The queries and keys (T, D), as they met, of weights softmax(scale · q kᵀ)."""

    q: Tensor
    k: Tensor
    scale: float
    biased: bool  # something that depends on the distance is added to scale · q kᵀ


@dataclass
class Head:
    """One attention head: weights (T, T), the rows summing to 1, and what went in and came out. Its
    queries, keys and output are made out when they are first asked for: of long rows, most checks
    need the weights alone."""

    at: int
    weights: Tensor
    v: Tensor  # (T, D)
    products: list[Pair]  # those that may hold its scores, the latest first

    @functools.cached_property
    def out(self) -> Tensor:
        """(T, D)"""
        return self.weights @ self.v

    @functools.cached_property
    def origin(self) -> Origin | None:
        """The queries and keys among the products; None where they could not be told."""
        return next(
            (
                Origin(q, k, scale, biased)
                for biased in (False, True)
                for pair in self.products
                for q, k in queries_and_keys(pair, len(self.weights))
                if (scale := slope(self.weights, q, k, biased)) is not None
            ),
            None,
        )


@dataclass
class Trace:
    projections: list[Projection]
    heads: list[Head]
    rows: list[tuple[int, Tensor]]  # each tensor (T, C) that the pass made, with its operation
    logits: Tensor  # (T, V)
    places: dict[int, str] = field(default_factory=dict)  # of each operation, in the file
    over_queries: bool = False  # columns of attention weights sum to 1, not rows

    def layers(self, heads: int) -> list[list[Head]]:
        """The heads of each attention layer, when they come in groups of `heads`."""
        if len(self.heads) % heads:
            return []
        return [self.heads[i : i + heads] for i in range(0, len(self.heads), heads)]


class Watch(OperationMode):  # type: ignore[misc]
    """Records what depends on the tokens while a model runs on one row."""

    def __init__(self, idx: Tensor, width: int, file: str) -> None:
        super().__init__()
        self.file = file
        self.places: dict[int, str] = {}
        self.length, self.width = idx.shape[-1], width
        self.depends = {address(idx)}
        self.kept: list[Any] = [idx]  # a freed storage's address could be handed out again
        self.at = 0
        self.projections: list[Projection] = []
        self.chunks: dict[Any, list[tuple[Tensor, Tensor, Tensor]]] = {}
        self.pairs: list[Pair] = []
        self.over_queries = False
        self.rows: list[tuple[int, Tensor]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        inputs, results = leaves([*args, *kwargs.values()]), leaves(out)
        if any(self.tainted(t) for t in inputs):
            self.at += 1
            self.places[self.at] = place(self.file)
            self.depends |= {address(t) for t in results}
            self.kept += results
            # what can't be recorded goes unseen; the file is not to blame
            with contextlib.suppress(Exception):
                self.record(func, args, kwargs, inputs, results)
        return out

    def tainted(self, t: Tensor) -> bool:
        return address(t) in self.depends

    def record(
        self, func: Any, args: Any, kwargs: Any, inputs: list[Tensor], results: list[Tensor]
    ) -> None:
        name = name_of(func)
        result = results[0]
        # neither a view of what was given nor the thing itself, unless it was written to
        fresh = any(result is t for t in inputs) or address(result) not in map(address, inputs)
        if fresh and result.is_floating_point() and result.numel() == self.length * self.width:
            row = self.with_tokens_first(result, self.width)
            if row is not None:
                self.rows.append((self.at, row.detach().clone()))
        if name in ("mm", "bmm"):
            self.product(args[0], args[1], result, None)
        elif name in ("addmm", "baddbmm"):
            beta = kwargs.get("beta", 1)
            self.product(args[1], args[2], result, args[0] * beta if beta else None)
        elif name in ("convolution", "_convolution"):
            self.convolution(*args[:3], result)
        elif name in ("add", "add_", "sub"):
            self.bias(inputs, result)
        elif name == "mul" and len(inputs) == 2:
            self.by_hand(inputs[0], inputs[1], result)

    def with_tokens_first(self, t: Tensor, width: int) -> Tensor | None:
        """t as (T, width) when its axes longer than 1 are these two, else None."""
        t = t.squeeze()
        if tuple(t.shape) == (self.length, width):
            return t
        return t.t() if tuple(t.shape) == (width, self.length) else None

    def product(self, a: Tensor, b: Tensor, out: Tensor, added: Tensor | None) -> None:
        a_has_tokens, b_has_tokens = self.tainted(a), self.tainted(b)
        raw = out if added is None else out - added
        if a.dim() == 2:
            a, b, raw, out = a[None], b[None], raw[None], out[None]
        if a_has_tokens and b_has_tokens:
            self.pairs.append(Pair(self.at, a.clone(), b.clone()))
        elif a_has_tokens and a.shape[1] == self.length:
            self.projection(a, raw, out, added)
        elif a_has_tokens and a.shape[:1].numel() == 1 and a.shape[1] < self.length:
            self.chunk(b, (a, raw, out), added)
        elif b_has_tokens and b.shape[2] == self.length:
            self.projection(b.mT, raw.mT, out.mT, added)
        elif a_has_tokens and a.shape[0] == self.length:  # one matrix per token
            self.projection(a.movedim(0, 1), raw.movedim(0, 1), out.movedim(0, 1), added)

    def chunk(
        self, weight: Tensor, product: tuple[Tensor, Tensor, Tensor], added: Tensor | None
    ) -> None:
        """A product of some of the tokens. When the same weight has met all of them, they are one
        projection."""
        same = self.chunks.setdefault((weight.data_ptr(), weight.shape), [])
        same.append(product)
        if sum(x.shape[1] for x, _, _ in same) == self.length:
            self.projection(*(torch.cat(parts, dim=1) for parts in zip(*same, strict=True)), added)
            same.clear()

    def projection(self, x: Tensor, raw: Tensor, out: Tensor, added: Tensor | None) -> None:
        """A product of x (n, T, in) with n matrices, raw and out (n, T, out)."""
        if ((x == 0) | (x == 1)).all() and (x.sum(-1) == 1).all():
            return  # rows of an embedding, looked up by a product
        same = all(torch.equal(x[0], other) for other in x[1:])
        flat_x = x[0] if same else torch.cat(list(x), dim=-1)
        self.projections.append(
            Projection(
                self.at,
                flat_x.clone(),
                torch.cat(list(out), dim=-1).clone(),
                [part.clone() for part in raw],
                # an addend that depends on the tokens is the stream, not a bias
                biased=added is not None and not self.tainted(added) and added.numel() > 0,
                storages={address(out)},
            )
        )

    def convolution(self, x: Tensor, weight: Tensor, bias: Tensor | None, out: Tensor) -> None:
        if x.dim() == 3 and weight.shape[-1] == 1 and x.shape[-1] == self.length:
            added = None if bias is None else bias[None, :, None]
            raw = out if added is None else out - added
            self.projection(x.mT, raw.mT, out.mT, bias)

    def bias(self, addends: list[Tensor], result: Tensor) -> None:
        """An addition of something that no token changes to what a projection made."""
        if len(addends) != 2 or self.tainted(addends[0]) == self.tainted(addends[1]):
            return
        added, other = sorted(addends, key=self.tainted, reverse=True)
        made = [p for p in self.projections[-6:] if address(added) in p.storages]
        if made and result.numel() == made[-1].out.numel() and other.numel():
            p = made[-1]
            out = self.with_tokens_first(result, p.out.shape[-1])
            if out is not None and other.numel() <= p.out.shape[-1]:
                p.out, p.biased = out.clone(), True
                p.storages.add(address(result))

    def by_hand(self, a: Tensor, b: Tensor, out: Tensor) -> None:
        """A product that is written as a multiplication and a sum: scores (…, T, T, D) of queries
        (…, T, 1, D) and keys (…, 1, T, D)."""
        if list(out.shape[-3:-1]) != [self.length] * 2 or not (self.tainted(a) and self.tainted(b)):
            return
        if a.dim() == out.dim() and a.shape[-3] == 1:
            a, b = b, a
        q, k = a.expand_as(out)[..., 0, :], b.expand_as(out)[..., 0, :, :]
        self.pairs.append(Pair(self.at, q.flatten(0, -3).clone(), k.flatten(0, -3).mT.clone()))

    # ── what the pairs are

    def heads(self) -> list[Head]:
        """The attention heads, in the order in which they were computed."""
        all_heads: list[Head] = []
        since = 0  # scores are looked for between one attention layer's end and the next one's
        for number, pair in enumerate(self.pairs):
            pair_heads = self.weighted_sums(pair, self.pairs[since:number][::-1])
            all_heads += pair_heads
            if pair_heads and pair.a.shape[0] > 1:
                since = number + 1
        return all_heads

    def weighted_sums(self, pair: Pair, products: list[Pair]) -> list[Head]:
        """The heads of a product whose one side is attention weights: (n, T or a multiple, T)."""
        ways = [
            (weights, b)
            for a, b in ((pair.a, pair.b), (pair.b.mT, pair.a.mT))
            if a.shape[-1] == self.length and a.shape[-2] % self.length == 0
            for weights in cut(a, self.length)  # (n, r, T, T)
        ]
        self.over_queries |= any(
            not stochastic(weights) and stochastic(weights.mT) for weights, _ in ways
        )
        # a wrong cut of several heads' rows still sums to 1, but is not causal
        for weights, b in sorted(ways, key=lambda way: way[0].triu(1).abs().amax().item()):
            total = weights.float().sum(-1, keepdim=True)
            seen = total[..., 1:, :]  # a first token that sees nothing, itself neither, is a slip
            causal = weights.amin() >= 0 and seen.min() > 0 and not weights.triu(1).any()
            if causal or stochastic(weights):
                return [
                    Head(pair.at, normal, v, products)
                    for group, v in zip(
                        weights.float() / total.clamp(min=1e-30), b.float(), strict=True
                    )
                    for normal in group
                ]
        return []


def address(t: Tensor) -> int:
    """Where a tensor's numbers lie: views of one tensor share it."""
    return t.untyped_storage().data_ptr()


def cut(a: Tensor, length: int) -> list[Tensor]:
    """(n, r · T or T · r, inner) as (n, r, T, inner), both ways where they differ."""
    times = a.shape[1] // length
    ways = [a.unflatten(1, (times, length))]
    if times > 1:
        ways.append(a.unflatten(1, (length, times)).transpose(1, 2))
    return ways


def queries_and_keys(pair: Pair, length: int) -> Iterator[tuple[Tensor, Tensor]]:
    """The candidates for queries and keys (T, D) of a head, if a product holds its scores."""
    for a, b in ((pair.a, pair.b.mT), (pair.b.mT, pair.a)):  # (n, r · T, D), (n, T, D)
        if b.shape[1] == length and a.shape[1] % length == 0:
            for queries in cut(a, length):
                yield from ((q, k) for group, k in zip(queries, b, strict=True) for q in group)


def stochastic(weights: Tensor) -> bool:
    """True if the rows of matrices (…, T, T) sum to 1: attention weights where a mask is wrong."""
    total = weights.float().sum(-1)
    return bool(weights.shape[-1] > 1 and weights.amin() >= 0 and (total - 1).abs().max() < 1e-3)


def slope(weights: Tensor, q: Tensor, k: Tensor, biased: bool = False) -> float | None:
    """The factor by which the products of queries and keys explain log weights (T, T), up to a
    constant per row, or None. With ``biased``, each distance also adds a number of its own (ALiBi,
    T5): not in long rows, where such numbers explain any rotation. A few rows tell."""
    length = len(weights)
    if biased and length > 32:
        return None
    rows = torch.arange(2, length, max(1, length // 16))
    logs, products = weights[rows].double().log(), q[rows].double() @ k.double().T
    # from one key to the next no constant of the row is left
    y, x = logs.diff(dim=-1), products.diff(dim=-1)
    distances = rows[:, None] - torch.arange(1, length)
    seen = (distances >= 0) & torch.isfinite(y)
    y, x, distances = y[seen], x[seen], distances[seen]
    if biased:
        counts = distances.bincount().clamp(min=1)
        y, x = (t - (distances.bincount(t) / counts)[distances] for t in (y, x))
    size, spread = (t.pow(2).mean().sqrt().item() for t in (y, x))
    flat = spread <= 1e-5 * products.abs().max().item()
    if size < 1e-5 or flat:
        return 1.0 if size < 1e-5 and flat and not biased else None  # neither of them varies
    factor = ((x * y).sum() / (x * x).sum()).item()
    rest = (y - factor * x).pow(2).mean().sqrt().item()
    limit = 0.02 if size > 1e-3 else 0.2
    return factor if factor > 0 and rest < limit * size + 1e-6 else None


def watch(model: Any, idx: Tensor, width: int) -> Trace:
    """Run a model on one row idx (1, T), and report what was seen. `width` is C."""
    mode = Watch(idx, width, file_of(model))
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        out = run(mode, lambda tokens: model(tokens, tokens)[0], idx)
    logits = out.detach().reshape(idx.shape[-1], -1)
    heads = mode.heads()
    return Trace(mode.projections, heads, mode.rows, logits, mode.places, mode.over_queries)


def file_of(module: Any) -> str:
    """The file whose code a module's forward is."""
    return inspect.unwrap(type(module).forward).__code__.co_filename


def place(file: str) -> str:
    """The line of a file that runs now: "Attention.forward, rope.py:57"; "" if none does."""
    frame = sys._getframe(1)
    while frame and frame.f_code.co_filename != file:
        frame = frame.f_back  # type: ignore[assignment]
    return f"{frame.f_code.co_qualname}, {Path(file).name}:{frame.f_lineno}" if frame else ""


class Results(OperationMode):  # type: ignore[misc]
    """Keeps what each operation made of floating-point numbers, and its place in a file."""

    def __init__(self, file: str) -> None:
        super().__init__()
        self.file, self.made = file, list[tuple[Tensor, str]]()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        made = [t.detach().clone() for t in leaves(out) if t.is_floating_point()]
        self.made += [(t, place(self.file)) for t in made]
        return out


def first_difference(model: Any, x: Tensor, other: Tensor, size: int, kept: int) -> str:
    """The place in the model's file of the first operation that makes something else of `other`
    than of `x` in the first `kept` of `size` entries of an axis; "" if none does."""
    passes = []
    for idx in (x, other):
        mode = Results(file_of(model))
        with sdpa_kernel(SDPBackend.MATH):
            run(mode, lambda tokens: model(tokens, x)[0], idx)
        passes.append(mode.made)
    for (a, where), (b, _) in zip(*passes, strict=False):
        axes = [axis for axis, n in enumerate(a.shape) if n == size]
        if a.shape == b.shape and len(axes) == 1:
            of_a, of_b = (t.narrow(axes[0], 0, kept) for t in (a, b))
            if not torch.allclose(of_a, of_b, rtol=1e-3, atol=1e-5):
                return where
    return ""


def first_alike(tensors: list[Tensor]) -> list[int]:
    """For each head, the first head that has the same keys (or values)."""
    return [
        next(i for i in range(j + 1) if torch.allclose(tensors[i], t, rtol=1e-4, atol=1e-6))
        for j, t in enumerate(tensors)
    ]


def alike_values(heads: list[Head]) -> list[int]:
    return first_alike([head.v for head in heads])
