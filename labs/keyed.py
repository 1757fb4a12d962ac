"""Initial weights keyed by (seed, parameter name), for any model file, unedited.

``torch.manual_seed(0)`` before building gives two architectures different weights from the first layer on that
draws a different amount: nothing is shared, and a "paired" comparison isn't one. Here the model is built twice.
The first build only watches: which random draws does each parameter's value come from? The second build seeds the
generator anew before each draw, from (seed, the parameter's name, the how-manieth draw of that parameter). So each
tensor keeps exactly the distribution its own file gave it, and two files that share a parameter's name, shape and
way of drawing start from the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from labs.data import key

Draws = frozenset[int]


def build(make: Callable[[], nn.Module], seed: int) -> nn.Module:
    """``make()`` with its random draws keyed by ``seed`` and parameter names. Leaves the global generator seeded
    by (seed, "run"), for dropout and whatever else the model draws later."""
    torch.manual_seed(key("names", seed))
    with _Watch() as watch:
        model = make()
    owner: dict[int, tuple[str, int]] = {}
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        for nth, draw in enumerate(sorted(watch.draws_behind(tensor))):
            owner.setdefault(draw, (name, nth))
    seeds = [key(seed, *owner.get(draw, ("unowned", draw))) for draw in range(watch.count)]
    del model
    torch.manual_seed(key("names", seed))
    with _Replay(seeds):
        model = make()
    torch.manual_seed(key("run", seed))
    return model


def _is_random(func: Any) -> bool:
    return torch.Tag.nondeterministic_seeded in func.tags


class _Watch(TorchDispatchMode):
    """Follow random draws through tensor operations, storage by storage, as long as the model is being built."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self._behind: dict[int, Draws] = {}
        self._keep: list[Any] = []  # a freed storage's address could be handed out again

    def draws_behind(self, tensor: Tensor) -> Draws:
        return self._behind.get(tensor.untyped_storage()._cdata, frozenset())

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        inputs = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        result = func(*args, **kwargs)
        written = args[0] if func._schema.is_mutable and args and isinstance(args[0], Tensor) else None
        fresh: Draws = frozenset()
        if _is_random(func):
            fresh = frozenset({self.count})
            self.count += 1
        if written is not None:
            whole = written.numel() * written.element_size() == written.untyped_storage().nbytes()
            name = func._schema.name
            overwrites = _is_random(func) or name in ("aten::zero_", "aten::fill_", "aten::copy_")
            sources = inputs[1:] if overwrites and whole else inputs
            self._note(written, fresh.union(*(self.draws_behind(tensor) for tensor in sources)))
            return result
        behind = fresh.union(*(self.draws_behind(tensor) for tensor in inputs))
        if behind:
            for leaf in tree_leaves(result):
                if isinstance(leaf, Tensor):
                    self._note(leaf, behind | self.draws_behind(leaf))
        return result

    def _note(self, tensor: Tensor, draws: Draws) -> None:
        storage = tensor.untyped_storage()
        if storage._cdata not in self._behind:
            self._keep.append(storage)
        self._behind[storage._cdata] = draws


class _Replay(TorchDispatchMode):
    """Seed the default generator before each random draw with the number that belongs to it."""

    def __init__(self, seeds: list[int]) -> None:
        super().__init__()
        self.seeds = iter(seeds)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if _is_random(func):
            torch.manual_seed(next(self.seeds, 0))
        return func(*args, **(kwargs or {}))
