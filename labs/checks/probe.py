"""Build models of a file, and watch one run: the means by which checks look at behaviour instead of
names.

The sizes are chosen so that each axis of a tensor tells what it is: 3 rows, 4 heads of 8 features
(32 in all), and lengths that are none of these. So a (3, 4, 11, 8) tensor is (B, H, T, D) in
whatever order a file keeps its axes.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from labs import loading

B, T, H, D, LAYERS, VOCAB = 3, 11, 4, 8, 2, 29
C = H * D
SIZES = {
    "block_size": T,
    "vocab_size": VOCAB,
    "n_layer": LAYERS,
    "n_head": H,
    "n_embd": C,
    "dropout": 0.0,
    "bias": False,
}
STANDARD = ("block_size", "vocab_size", "n_layer", "n_head", "n_embd", "dropout", "bias")


@dataclass
class Attention:
    """One attention call: what was compared with what, and what came of it. Heads are flattened to
    one axis."""

    scores: Tensor | None = None  # (B, H, T, T), before the mask's -inf where known, scaled
    weights: Tensor | None = None  # (B, H, T, T)
    q: Tensor | None = None  # (B, H, T, D)
    k: Tensor | None = None  # (B, H or G, T, D)
    v: Tensor | None = None  # (B, H or G, T, D)
    fused: bool = False  # came from scaled_dot_product_attention


@dataclass
class Product:
    """One product with a weight: x (..., in) -> out (..., out)."""

    x: Tensor
    out: Tensor
    weight: Tensor | None
    bias: Tensor | None


@dataclass
class Trace:
    attention: list[Attention] = field(default_factory=list)
    products: list[Product] = field(default_factory=list)
    logits: Tensor | None = None


def by_axes(t: Tensor, rows: int, length: int, width: int) -> Tensor | None:
    """t with its axes in the order (rows, heads, length, width), found by their sizes; None if they
    don't fit."""
    shape = list(t.shape)
    if shape.count(length) != 1 or shape.count(width) != 1:
        return None
    others = [i for i, n in enumerate(shape) if n not in (length, width)]
    t = t.permute(*others, shape.index(length), shape.index(width))
    lead = t.shape[:-2]
    if rows in lead:
        return t.movedim(lead.index(rows), 0).reshape(rows, -1, length, width)
    if lead and math.prod(lead) % rows == 0:
        return t.reshape(rows, -1, length, width)  # rows and heads in one axis, rows first
    return None


class Watch(TorchFunctionMode):
    """Records the attention calls and the products while a model runs."""

    def __init__(self, rows: int, length: int, width: int) -> None:
        super().__init__()
        self.rows, self.length, self.width = rows, length, width
        self.trace = Trace()
        # (a, b, out) of products of two activations
        self.recent: list[tuple[Tensor, Tensor, Tensor]] = []
        self.waiting: list[
            tuple[Attention, tuple[int, ...]]
        ] = []  # softmaxes that have not met their values yet

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        # what can't be recorded is not seen; the file is not to blame
        with contextlib.suppress(Exception):
            self.record(getattr(func, "__name__", ""), args, kwargs, out)
        return out

    def record(self, name: str, args: Any, kwargs: Any, out: Any) -> None:
        if name == "scaled_dot_product_attention":
            self.on_fused(args, kwargs)
        elif name == "softmax" and isinstance(out, Tensor):
            keys = args[1] if len(args) > 1 else kwargs.get("dim")
            self.on_softmax(args[0], out, -1 if keys is None else keys)
        elif name == "linear":
            weight = args[1] if len(args) > 1 else kwargs.get("weight")
            bias = args[2] if len(args) > 2 else kwargs.get("bias")
            self.trace.products.append(Product(args[0], out, weight, bias))
        elif name in ("matmul", "__matmul__", "bmm", "einsum", "mm") and isinstance(out, Tensor):
            flat = [a for arg in args for a in (arg if isinstance(arg, list | tuple) else [arg])]
            operands = [a for a in flat if isinstance(a, Tensor)]
            if len(operands) == 2:
                self.on_product(operands[0], operands[1], out)

    def heads(self, t: Tensor | None, width: int) -> Tensor | None:
        return None if t is None else by_axes(t, self.rows, self.length, width)

    def square(self, t: Tensor, keys: int) -> Tensor | None:
        """A tensor of scores or weights, summing to 1 along the axis `keys`, as (B, H, T, T)."""
        axes = [i for i, n in enumerate(t.shape) if n == self.length]
        if t.dim() < 3 or len(axes) != 2 or keys % t.dim() not in axes:
            return None
        queries = next(i for i in axes if i != keys % t.dim())
        t = t.movedim((queries, keys % t.dim()), (-2, -1))
        lead = list(t.shape[:-2])
        if self.rows in lead:
            return t.movedim(lead.index(self.rows), 0).reshape(
                self.rows, -1, self.length, self.length
            )
        if math.prod(lead) % self.rows == 0:
            return t.reshape(
                self.rows, -1, self.length, self.length
            )  # rows and heads in one axis, rows first
        return None

    def on_fused(self, args: Any, kwargs: Any) -> None:
        names = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal")
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        q, k, v = given["query"], given["key"], given["value"]
        call = Attention(fused=True)
        if q.shape[-2] == self.length:  # the axis that it attends over is the tokens
            call.q, call.k, call.v = (self.heads(t, self.width) for t in (q, k, v))
        if call.q is not None and call.k is not None:
            k_wide = call.k.repeat_interleave(call.q.shape[1] // max(call.k.shape[1], 1), dim=1)
            if k_wide.shape == call.q.shape:
                scale = given.get("scale") or 1 / math.sqrt(q.shape[-1])
                call.scores = (call.q.float() @ k_wide.float().transpose(-2, -1)) * scale
                scores, mask = call.scores, given.get("attn_mask")
                if given.get("is_causal"):
                    mask = torch.ones(self.length, self.length, dtype=torch.bool).tril()
                if mask is not None:
                    mask = (
                        torch.zeros(mask.shape).masked_fill(~mask, -math.inf)
                        if mask.dtype == torch.bool
                        else mask
                    )
                    scores = scores + mask
                call.weights = F.softmax(scores, dim=-1)
        self.trace.attention.append(call)

    def on_softmax(self, scores: Tensor, weights: Tensor, keys: int) -> None:
        call = Attention(scores=self.square(scores, keys), weights=self.square(weights, keys))
        if call.scores is None:
            return
        for a, b, out in reversed(self.recent):
            if out.numel() == scores.numel() and list(out.shape).count(self.length) == 2:
                call.q, call.k = self.heads(a, self.width), self.heads(b, self.width)
                break
        self.trace.attention.append(call)
        self.waiting.append((call, tuple(weights.shape)))

    def on_product(self, a: Tensor, b: Tensor, out: Tensor) -> None:
        for call, shape in list(self.waiting):
            for one, other in ((a, b), (b, a)):
                if one.numel() == math.prod(shape) and list(one.shape).count(self.length) == 2:
                    call.v = self.heads(other, self.width)
                    self.waiting.remove((call, shape))
                    return
        if b.dim() == 2 and a.dim() >= 2 and a.shape[-1] == b.shape[0]:
            self.trace.products.append(Product(a, out, b, None))
        self.recent = [*self.recent[-3:], (a, b, out)]


class Subject:
    """A model file under test: its module, and models of it in the sizes that a check asks for."""

    def __init__(self, module: ModuleType, path: Path) -> None:
        self.module = module
        self.path = path
        self.text = path.read_text(encoding="utf-8")
        self.fields = loading.fields(module)
        self.kv_field = self._kv_field()
        self.traces: dict[Any, Any] = {}

    def _kv_field(self) -> str | None:
        """The config's field for the number of key and value heads (or of groups), if it has
        one."""
        extra = [
            name
            for name in self.fields
            if name not in STANDARD and re.search(r"kv|key_value|group|quer", name)
        ]
        return extra[0] if extra else None

    def default_of(self, name: str) -> Any:
        if dataclasses.is_dataclass(self.module.GPTConfig):
            for f in dataclasses.fields(self.module.GPTConfig):
                if f.name == name and f.default is not dataclasses.MISSING:
                    return f.default
        return None

    def build(self, **sizes: Any) -> nn.Module:
        """A new model in eval mode with the checks' sizes, or others. Every build starts from the
        same seed."""
        values = {**SIZES, **sizes}
        fixed = self.kv_field and (
            self.default_of(self.kv_field) is not None or values["n_head"] == 1
        )
        if self.kv_field and fixed and self.kv_field not in values:
            # a fixed default (8, say) need not divide the few heads here, nor "half of them" a
            # single one
            values[self.kv_field] = max(values["n_head"] // 2, 1)
        torch.manual_seed(1)
        model = loading.build(self.module, values, values["vocab_size"])
        return model.eval()

    def shaken(self, **sizes: Any) -> nn.Module:
        """A model with every parameter well away from its start: gains are not 1, scores are not
        near 0."""
        return shake(self.build(**sizes))

    def n_params(self, **sizes: Any) -> int:
        """How many parameters a model of these sizes has. Built for real: quicker than a first use
        of "meta"."""
        return sum(p.numel() for p in self.build(**sizes).parameters())

    def watch(self, model: nn.Module, idx: Tensor, width: int = D, grad: bool = False) -> Trace:
        """Run a model on idx (B, T) and report its attention calls, products and logits (B, T,
        V)."""
        watching = Watch(idx.shape[0], idx.shape[1], width)
        with torch.set_grad_enabled(grad), watching:
            out = logits(model, idx)
        watching.trace.logits = out
        return watching.trace

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        """make(), the first time; its result again, later."""
        if key not in self.traces:
            self.traces[key] = make()
        return self.traces[key]

    def small(self) -> Trace:
        """The trace of a shaken model on random tokens, bias off."""
        return self.once("small", lambda: self.watch(self.shaken(), tokens()))


def shake(model: nn.Module, gains: bool = True) -> nn.Module:
    """Add noise to each parameter: 0.15 to matrices, and (with gains) 0.2 to gains and offsets."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for p in model.parameters():
            noise = torch.randn(p.shape, generator=generator, dtype=torch.float32)
            if p.dim() >= 2 or gains:
                p.add_((noise * (0.15 if p.dim() >= 2 else 0.2)).to(p.dtype))
    return model


def tokens(rows: int = B, length: int = T, vocab: int = VOCAB, seed: int = 3) -> Tensor:
    return torch.randint(vocab, (rows, length), generator=torch.Generator().manual_seed(seed))


def constant(rows: int = B, length: int = T) -> Tensor:
    """Rows that repeat one token each, so that only a position can tell one place from another."""
    return (torch.arange(rows) * 7 + 2)[:, None].expand(rows, length).contiguous()


def logits(model: nn.Module, idx: Tensor, targets: Tensor | None = None) -> Tensor:
    """The logits at every position, (B, T, V), also of a file that flattens them when it is given
    targets."""
    idx = idx.contiguous()  # nanoGPT takes targets by view
    out = model(idx, idx if targets is None else targets.contiguous())[0]
    return out.reshape(*idx.shape, -1)


def apart(a: Tensor, b: Tensor) -> float:
    """The largest difference of two tensors, as a share of the spread of the first."""
    spread = a.detach().float().std().item() or 1.0
    return (a.detach().float() - b.detach().float()).abs().max().item() / spread


def twin(model: nn.Module) -> nn.Module:
    """A copy of a model or module in float64 where that works, else in float32."""
    return copy.deepcopy(model).double()


def number(n: float) -> str:
    """A count with thousands marked, a small figure with three digits."""
    return f"{n:,}" if isinstance(n, int) else f"{n:.3g}"
