"""Build models of a file, and watch them run: the means by which checks look at behavior instead of
names.

The sizes are chosen so that each axis of a tensor tells what it is: 4 heads of 8 features (32 in
all), and lengths that are none of these. So a (4, 11, 8) tensor is (H, T, D) in whatever order a
file keeps its axes.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from labs import loading
from labs.checks import stream, trace

B, T, H, D, LAYERS, VOCAB = 3, 11, 4, 8, 3, 29
C = H * D
LONG = 512
"""Tokens of a long row: enough that a wrong frequency can't hide behind the right ones."""
REPEATED = torch.full((1, LONG), 2)
"""A long row of one token, so that only a position can tell one place from another."""
SIZES = {
    "block_size": T,
    "vocab_size": VOCAB,
    "n_layer": LAYERS,
    "n_head": H,
    "n_embd": C,
    "dropout": 0.0,
    "bias": False,
}
watch = functools.partial(trace.watch, width=C)
"""Runs a model of the checks' width on one row, and reports what was seen."""
WIDE = {"n_embd": 768, "n_head": 12, "block_size": 16, "vocab_size": 16}
"""GPT-2's width, where roundings that hide in a narrow model show."""


class Subject:
    """A model file under test: its module, and models of it in the sizes that a check asks for."""

    def __init__(
        self,
        module: ModuleType,
        path: Path,
        source: tuple[str, Path] | None = None,
        values: Mapping[str, Any] | None = None,
    ) -> None:
        self.module = module
        self.values = dict(values or {})
        """Fields of the config's own that are not at their defaults."""
        self.path = path
        self.source = source
        """The file that it is compared with, if that is not q1lab's baseline: its name in
        messages, and the file."""
        self.text = path.read_text(encoding="utf-8")
        self.fields = loading.fields(module)
        self.traces: dict[Any, Any] = {}

    @functools.cached_property
    def kv_field(self) -> str | None:
        """The config's field for the number of key and value heads (or of groups), if it has one:
        the one that changes how many different value heads a layer has, whatever its name; of
        attention that can't be watched, the number of parameters."""

        def value_heads(name: str, value: int) -> int:
            return len({*trace.alike_values(self.with_field(name, value).layers(H)[0])})

        def parameters(name: str, value: int) -> int:
            return sum(p.numel() for p in self._build(**{name: value}).parameters())

        own_fields = [name for name in self.fields if name not in loading.STANDARD]
        kv_fields = [name for name in own_fields if re.search(r"kv|group", name)]
        for count, names in ((value_heads, own_fields), (parameters, kv_fields)):
            for name in names:
                with contextlib.suppress(Exception):  # a value that the field can't take
                    if count(name, 1) != count(name, H):
                        return name
        return None

    def with_field(self, name: str, value: int) -> trace.Trace:
        """The trace of a shaken model with a value of one of the config's own fields."""
        return self.once(
            ("field", name, value),
            lambda: watch(shake(self._build(**{name: value})), tokens(1)),
        )

    def default_of(self, name: str) -> Any:
        parameter = inspect.signature(self.module.GPTConfig).parameters.get(name)
        if parameter is not None and parameter.default is not parameter.empty:
            return parameter.default
        return getattr(self.module.GPTConfig, name, None)

    def value_of(self, name: str) -> Any:
        """The value that the checks give a field of the config, or its default; None if neither is
        known."""
        return self.values.get(name, SIZES.get(name, self.default_of(name)))

    def build(self, **sizes: Any) -> nn.Module:
        """A new model in eval mode with the checks' sizes, or others. Every build starts from the
        same seed."""
        values = {**SIZES, **self.values, **sizes}
        fixed = self.kv_field and (
            self.kv_field in self.values
            or self.default_of(self.kv_field) is not None
            or values["n_head"] == 1
        )
        if self.kv_field and fixed and self.kv_field not in sizes:
            # a fixed default (8, say) need not divide the few heads here, nor "half of them" a
            # single one
            sizes[self.kv_field] = max(values["n_head"] // 2, 1)
        return self._build(**sizes)

    def _build(self, **sizes: Any) -> nn.Module:
        seed_draws(1)
        values = {**SIZES, **self.values, **sizes}
        model = loading.build(self.module, values, values["vocab_size"]).eval()
        return model.float() if self.rounded else model

    @functools.cached_property
    def rounded(self) -> str:
        """The dtype of weights of less precision than float32, of a model that computes in float32,
        too: there its numbers are compared. "" for any other model."""
        self.rounded = ""  # for the build
        model = self.build()
        coarse = {p.dtype for p in model.parameters()} - {torch.float32, torch.float64}
        with contextlib.suppress(RuntimeError):  # its forward casts, too
            if coarse:
                model.float()(tokens(), tokens())
                self.traces.clear()
                return str(coarse.pop()).removeprefix("torch.")
        return ""

    def shaken(self, **sizes: Any) -> nn.Module:
        """A model with every parameter well away from its start: gains are not 1, scores are not
        near 0."""
        return shake(self.build(**sizes))

    def shared(self, **sizes: Any) -> nn.Module:
        """A shaken model that several checks run on whole rows, and leave as it is."""
        key = ("shared", *sorted(sizes.items()))
        return self.once(key, lambda: self.shaken(**sizes))

    def n_params(self, **sizes: Any) -> int:
        """The number of parameters of a model of these sizes. The model is built for real: a first
        use of "meta" takes longer."""
        key = ("n_params", *sorted(sizes.items()))
        return self.once(key, lambda: sum(p.numel() for p in self.build(**sizes).parameters()))

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        """make(), the first time; its result again, later."""
        if key not in self.traces:
            self.traces[key] = make()
        return self.traces[key]

    @functools.cached_property
    def small(self) -> trace.Trace:
        """The trace of a shaken model on random tokens, bias off."""
        return watch(loud(self.shaken()), tokens(1))

    @functools.cached_property
    def long(self) -> trace.Trace:
        """The trace of a shaken model on one token, 512 times."""
        return watch(self.without_table(block_size=LONG), REPEATED)

    @functools.cached_property
    def tables(self) -> dict[str, tuple[int, ...]]:
        """The learned parameters whose shape grows with block_size, with their shapes at 24."""
        learned = {name for name, p in self.shared().named_parameters() if p.requires_grad}
        return {name: shape for name, shape in self.growing.items() if name in learned}

    @functools.cached_property
    def growing(self) -> dict[str, tuple[int, ...]]:
        """The parameters whose shape grows with block_size, with their shapes at 24."""
        few = {name: p.shape for name, p in self.shared().named_parameters()}
        many = {name: p.shape for name, p in self.build(block_size=24).named_parameters()}
        return {name: tuple(shape) for name, shape in many.items() if shape != few.get(name)}

    @torch.no_grad()
    def without_table(self, **sizes: int) -> nn.Module:
        """A shaken model in which all positions of a learned table, if it still has one, are alike:
        a check then looks past it. (They are not 0: the table can be the gain of a norm.)"""
        model = self.shaken(**sizes)
        usual = dict(self.shared().named_parameters())
        for name, p in model.named_parameters():
            for axis, size in enumerate(self.tables.get(name, ())):
                if size != usual[name].shape[axis]:
                    p.copy_(p.mean(axis, keepdim=True).expand_as(p))
        return model

    @functools.cached_property
    def stream(self) -> stream.Stream:
        """The residual stream of the first trace; raises what Stream raises."""
        return stream.Stream(self.small, LAYERS)


def seed_draws(seed: int) -> None:
    """Seed what models draw, which are on the processor. For devices that were not used yet,
    torch.manual_seed notes each time who asks: a third of what it costs to build a small model."""
    torch.default_generator.manual_seed(seed)


@torch.no_grad()
def loud(model: nn.Module) -> nn.Module:
    """The model with embeddings four times as large: beside them a norm's eps is nothing."""
    for p in model.parameters():
        if VOCAB in p.shape:
            p.mul_(4)
    return model


@torch.no_grad()
def shake(model: nn.Module, gains: bool = True, seed: int = 2) -> nn.Module:
    """Add noise to each parameter that isn't frozen: 0.15 to matrices, and (with gains) 0.2 to
    gains and offsets."""
    generator = torch.Generator().manual_seed(seed)
    for p in model.parameters():
        noise = torch.randn(p.shape, generator=generator, dtype=torch.float32)
        if p.requires_grad and (p.dim() >= 2 or gains):
            p.add_(noise.mul_(0.15 if p.dim() >= 2 else 0.2).to(p.dtype))
    return model


def tokens(rows: int = B, length: int = T, vocab: int = VOCAB, seed: int = 3) -> Tensor:
    return torch.randint(vocab, (rows, length), generator=torch.Generator().manual_seed(seed))


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


def number(n: float) -> str:
    """A count with thousands marked, a small figure with three digits."""
    return f"{n:,}" if isinstance(n, int) else f"{n:.3g}"
