"""Initial weights keyed by (seed, parameter name), for any model file, unedited.

``torch.manual_seed(0)`` before building gives two architectures different weights from the first
layer on that draws a different amount: nothing is shared, and a "paired" comparison isn't one. Here
the model is built while a dispatch mode watches which random draws each parameter's value comes
from. Then it is built again with the generator seeded anew before each draw, from (seed, the
parameter's name, the how-manieth draw of that parameter). So each tensor keeps exactly the
distribution its own file gave it, and two files that share a parameter's name, shape and way of
drawing start from the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from labs.data import key
from labs.torch_private import OperationMode, draws, leaves, name_of

Draws = frozenset[int]


Owner = tuple[str, int]  # a parameter's name, and which of its draws

MOST_BUILDS = 300


def build(make: Callable[[], nn.Module], seed: int) -> nn.Module:
    """``make()`` with its random draws keyed by ``seed`` and parameter names. Leaves the global
    generator seeded by (seed, "run"), for dropout and whatever else the model draws later.

    Two builds are enough unless the number of draws depends on the numbers drawn (rejection
    sampling, as torch's trunc_normal_ does). Then each further build settles at least one more
    parameter.
    """
    owners: list[Owner] = []
    for _ in range(MOST_BUILDS):
        with _Draws(seed, owners) as mode:
            model = make()
        found = mode.owners(model)
        if found == owners:
            break
        owners = found
    torch.manual_seed(key("run", seed))
    return model


class _Draws(OperationMode):  # type: ignore[misc]
    """Seed each random draw by its owner, and follow its numbers from storage to storage while a
    model is built."""

    def __init__(self, seed: int, owners: list[Owner]) -> None:
        super().__init__()
        self.seed, self.known = seed, owners
        self.count = 0
        self._behind: dict[int, Draws] = {}
        self._keep: list[Any] = []  # a freed storage's address could be handed out again

    def owners(self, model: nn.Module) -> list[Owner]:
        """For each draw, the parameter or buffer whose value it went into first."""
        owner: dict[int, Owner] = {}
        for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
            for nth, draw in enumerate(sorted(self._draws_behind(tensor))):
                owner.setdefault(draw, (name, nth))
        return [owner.get(draw, ("", draw)) for draw in range(self.count)]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        inputs = leaves((args, kwargs))
        fresh: Draws = frozenset()
        random = draws(func)
        if random:
            owner = self.known[self.count] if self.count < len(self.known) else ("", self.count)
            torch.manual_seed(key(self.seed, *owner))
            fresh = frozenset({self.count})
            self.count += 1
        result = func(*args, **kwargs)
        written = next((tensor for tensor in inputs if tensor is result), None)
        if name_of(func) == "__setitem__":
            written = args[0]
        if written is not None:
            whole = written.numel() * written.element_size() == written.untyped_storage().nbytes()
            overwrites = random or name_of(func) in ("zero_", "fill_", "constant_", "copy_")
            sources = [t for t in inputs if t is not written] if overwrites and whole else inputs
            self._note(written, fresh.union(*(self._draws_behind(tensor) for tensor in sources)))
            return result
        behind = fresh.union(*(self._draws_behind(tensor) for tensor in inputs))
        if behind:
            for leaf in leaves(result):
                self._note(leaf, behind | self._draws_behind(leaf))
        return result

    def _draws_behind(self, tensor: Tensor) -> Draws:
        return self._behind.get(tensor.untyped_storage().data_ptr(), frozenset())

    def _note(self, tensor: Tensor, behind: Draws) -> None:
        storage = tensor.untyped_storage()
        if storage.data_ptr() == 0:  # it holds no number: empty, or on the device "meta"
            return
        if storage.data_ptr() not in self._behind:
            self._keep.append(storage)
        self._behind[storage.data_ptr()] = behind
