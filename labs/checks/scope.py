"""Generation with a cache, and the parts of a file that its checks did not look at: longer texts,
other values of its own fields, changes of the embedding and of the logits.
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import re
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from labs import loading
from labs.checks.property_check import NotJudged, Wrong, check
from labs.checks.stream import Stream
from labs.checks.subject import VOCAB, C, Subject, T, apart, loud, tokens

FLAG = re.compile(r"(use|return|with)_?\w*(cache|kv|past|present)\w*", re.IGNORECASE)
STORE = re.compile(r"\w*(cache|past|layer_kv|kv_state)\w*", re.IGNORECASE)
START = re.compile(
    r"start_?pos|pos_?start|(position_?|pos_?|start_?)?offset|position", re.IGNORECASE
)


@dataclasses.dataclass(frozen=True)
class CachedCall:
    """The arguments of a module's forward that are about a cache."""

    flags: tuple[str, ...]
    store: str | None
    start: str | None


def cached_calls(model: nn.Module) -> dict[str, CachedCall]:
    """The modules whose forward takes a cache, by path, the outer ones first."""
    calls = {}
    for name, module in model.named_modules():
        names = list(inspect.signature(module.forward).parameters)
        flags = tuple(parameter for parameter in names if FLAG.fullmatch(parameter))
        stores = [
            parameter
            for parameter in names
            if STORE.fullmatch(parameter) and parameter not in flags
        ]
        starts = [parameter for parameter in names if START.fullmatch(parameter)]
        if flags or stores:
            calls[name] = CachedCall(flags, next(iter(stores), None), next(iter(starts), None))
    return calls


@check(
    "generation with a cache",
    "token by token, with its cache, a row gets what it gets as a whole",
    "A cache that is read from the wrong place, or turned again, shows only in what it writes.",
    "The check calls what takes a cache with one token after the other; a cache that is filled in "
    "another way can be right",
)
def generation(s: Subject) -> str:
    seen = []
    for name, call in cached_calls(s.blank()).items():
        if any(name.startswith(f"{outer}.") or not outer for outer in seen):
            continue
        try:
            gap, at = step_by_step(s, name, call)
        except Exception:  # it takes more arguments; a module inside it may take fewer
            continue
        if gap > 5e-3:
            raise Wrong(f"""{name or "the model"}, token by token with its cache: token {at}
                comes out {gap:.2g} sd from what it is in the whole row: do positions start
                again, or are cached keys turned again?""")
        seen.append(name)
    if not seen:
        raise NotJudged("nothing that takes a cache could be called with one token at a time")
    which = seen[0] or "the model" if len(seen) == 1 else f"{len(seen)} modules"
    return f"{which}: {T} tokens agree"


def step_by_step(s: Subject, name: str, call: CachedCall) -> tuple[float, int]:
    """The largest difference in sd between a module's outputs for one token after the other, with
    its cache, and those for the whole row; and the token where it is."""
    x, whole = whole_row(s, name)
    module = dict(s.shaken().named_modules())[name]
    outputs, store = [], None
    for at in range(T):
        arguments: dict[str, Any] = dict.fromkeys(call.flags, True)
        if call.store:
            arguments[call.store] = store
        if call.start:
            arguments[call.start] = at
        out = module(x[:, at : at + 1], **arguments)
        if isinstance(out, tuple | list):
            store = cache_among(out[1:]) if call.store else None
            out = out[0]
        outputs.append(out.reshape(1, -1))
    if call.store and store is None:
        raise NotJudged("no cache was returned")
    gaps = (torch.cat(outputs) - whole).abs().amax(-1) / whole.std()
    if not call.store and not call.start and gaps[1:].min() > 5e-3:
        raise NotJudged("nothing seems to be kept from call to call")
    return gaps.max().item(), int(gaps.argmax())


def cache_among(items: Sequence[Any]) -> Any:
    """The one of a module's further outputs that holds keys and values, not a loss beside them.
    NotJudged where none does, or several do."""
    caches = [item for item in items if holds_rows(item)]
    if len(caches) != 1:
        raise NotJudged(f"{len(caches)} of its outputs can be a cache")
    return caches[0]


def holds_rows(item: Any) -> bool:
    """True for tensors of three axes or more, in lists or not, and for a cache of a class of its
    own."""
    if isinstance(item, Tensor):
        return item.dim() >= 3
    if isinstance(item, Mapping):
        item = [*item.values()]
    if isinstance(item, tuple | list):
        return any(map(holds_rows, item))
    return item is not None and not isinstance(item, bool | int | float | str)


def whole_row(s: Subject, name: str) -> tuple[Tensor, Tensor]:
    """The input and output of a module in a pass over one row: (1, T, …) and (T, …)."""
    model, idx = s.shaken(), tokens(1)
    calls: list[tuple[Tensor, Tensor]] = []

    def note(module: nn.Module, args: Any, out: Any) -> None:
        calls.append((args[0], out[0] if isinstance(out, tuple | list) else out))

    dict(model.named_modules())[name].register_forward_hook(note)
    model(idx, idx)
    x, out = calls[0]
    return x, out.reshape(T, -1)


# ── what was not looked at


@torch.no_grad()
def not_looked_at(s: Subject) -> Iterator[str]:
    """Name everything that the checks of a file did not look at, except for long texts."""
    for name, others in switches(s).items():
        yield from (f"{name}={other}" for other in others)
    yield from outside_sublayers(s)


def switches(s: Subject) -> dict[str, list[Any]]:
    """The config's own fields that turn something on, with the values that were not checked: True
    for a False, and the other texts that an annotation lists."""
    values_by_switch: dict[str, list[Any]] = {}
    config = s.module.GPTConfig
    hints: dict[str, Any] = {}
    with contextlib.suppress(Exception):
        hints = typing.get_type_hints(config)
    for name in s.fields:
        if name in loading.STANDARD:
            continue
        value = s.value_of(name)
        if value is False:
            values_by_switch[name] = [True]
        elif typing.get_origin(hints.get(name)) is typing.Literal:
            values_by_switch[name] = [
                choice for choice in typing.get_args(hints[name]) if choice != value
            ]
    return values_by_switch


def outside_sublayers(s: Subject) -> Iterator[str]:
    """Name changes of the embedding, beside added positions, and of the logits."""
    with contextlib.suppress(Exception):  # the checks say what can't be seen of it
        stream: Stream = s.stream()
        small_logits = s.small().logits
        if (
            stream.head.out.shape == small_logits.shape
            and apart(stream.head.out, small_logits) > 1e-4
        ):
            yield "what is done to the logits behind the output layer, such as a cap"
        idx = tokens(1)[0]
        parameters = dict(loud(s.shaken()).named_parameters())
        added = [p[:T] for name, p in parameters.items() if name in s.tables() and p.dim() == 2]
        position = sum(added, torch.zeros(T, C))
        tables = [p for p in parameters.values() if p.dim() == 2 and p.shape == (VOCAB, C)]
        sums = [table[idx] + position for table in tables]
        if tables and all(apart(stream.start, total) > 1e-3 for total in sums):
            yield "what is done to the embedding, such as a scale"
