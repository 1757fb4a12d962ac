"""Generation with a cache."""

from __future__ import annotations

import inspect
import re
from typing import Any

import torch
from torch import Tensor, nn

from labs.checks.property_check import NotJudged, Wrong, check
from labs.checks.subject import Subject, T, tokens
from labs.torch_private import leaves

ARGUMENTS = {
    "flag": r"(use|return|with)_?\w*(cache|kv|past|present)\w*",
    "store": r"\w*(cache|past|layer_kv|kv_state)\w*",
    "start": r"start_?pos|pos_?start|(position_?|pos_?|start_?)?offset|position",
}
"""The names of a forward's arguments about a cache: those that ask for one, the cache, and the
position of the first token."""


def cached_calls(model: nn.Module) -> dict[str, dict[str, str]]:
    """The modules whose forward takes a cache, by path, the outer ones first, each with its
    arguments about it: name → key of ARGUMENTS."""
    calls = {}
    for path, module in model.named_modules():
        kinds: dict[str, str] = {}
        for name in inspect.signature(module.forward).parameters:
            fits = (k for k, n in ARGUMENTS.items() if re.fullmatch(n, name, re.IGNORECASE))
            kind = next(fits, "")
            if kind == "flag" or (kind and kind not in kinds.values()):
                kinds[name] = kind
        if {"flag", "store"} & {*kinds.values()}:
            calls[path] = kinds
    return calls


@check(
    "generation with a cache",
    "token by token, with its cache, a row gets what it gets as a whole",
    "A cache that is read from the wrong place, or turned again, shows only in what it writes.",
)
def generation(s: Subject) -> str:
    seen: list[str] = []
    for path, kinds in cached_calls(s.shared()).items():
        if any(path.startswith(f"{outer}.") or not outer for outer in seen):
            continue
        try:
            gap, at = step_by_step(s, path, kinds)
        except Exception:  # it takes more arguments; a module inside it may take fewer
            continue
        if gap > 5e-3:
            raise Wrong(f"""{path or "the model"}, token by token with its cache: token {at}
                comes out {gap:.2g} sd from what it is in the whole row: do positions start
                again, or are cached keys turned again?""")
        seen.append(path)
    if not seen:
        raise NotJudged("nothing that takes a cache could be called with one token at a time")
    which = seen[0] or "the model" if len(seen) == 1 else f"{len(seen)} modules"
    return f"{which}: {T} tokens agree"


def step_by_step(s: Subject, path: str, kinds: dict[str, str]) -> tuple[float, int]:
    """The largest difference in sd between a module's outputs for one token after the other, with
    its cache, and those for the whole row; and the token where it is."""
    x, whole = whole_row(s, path)
    module = s.shaken().get_submodule(path)
    outputs: list[Tensor] = []
    store = None
    for at in range(T):
        given = {"flag": True, "store": store, "start": at}
        out = module(x[:, at : at + 1], **{name: given[kind] for name, kind in kinds.items()})
        if isinstance(out, tuple | list):
            out, *others = out
            (store,) = filter(holds_rows, others) if "store" in kinds.values() else (None,)
        outputs.append(out.reshape(1, -1))
    gaps = (torch.cat(outputs) - whole).abs().amax(-1) / whole.std()
    places = "start" in kinds.values() or gaps[1:].min() <= 5e-3
    if store is None and ("store" in kinds.values() or not places):
        raise NotJudged("nothing seems to be kept from call to call")
    return gaps.max().item(), int(gaps.argmax())


def holds_rows(item: Any) -> bool:
    """True for what can be a cache and is no loss: tensors of three axes or more, in lists or not,
    or a class of its own."""
    known = isinstance(item, Tensor | tuple | list | dict | bool | int | float | str | None)
    return not known or any(t.dim() >= 3 for t in leaves(item))


def whole_row(s: Subject, path: str) -> tuple[Tensor, Tensor]:
    """The input and output of a module in a pass over one row: (1, T, …) and (T, …)."""
    model, idx = s.shaken(), tokens(1)
    calls: list[tuple[Tensor, Tensor]] = []

    def note(module: nn.Module, args: Any, out: Any) -> None:
        calls.append((args[0], out[0] if isinstance(out, tuple | list) else out))

    model.get_submodule(path).register_forward_hook(note)
    model(idx, idx)
    x, out = calls[0]
    return x, out.reshape(T, -1)
