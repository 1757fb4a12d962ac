"""GQA: query heads in groups, each group with one key head and one value head.

Who shares with whom is read off the keys that meet the queries and the values that are summed:
heads of one group have equal ones. So it doesn't matter how projections lay their heads out, or
whether keys and values are repeated, expanded or never copied at all.
"""

from __future__ import annotations

import contextlib
import re

import torch

from labs.checks.generic import baseline, check_attention, heads_by_layer
from labs.checks.property_check import NotJudged, Warned, Wrong, change, check
from labs.checks.subject import WIDE, H, Subject, number
from labs.checks.trace import Head, alike_values, first_alike


def keys_of(layer: list[Head]) -> list[int] | None:
    keys = [head.origin.k for head in layer if head.origin]
    return first_alike(keys) if len(keys) == len(layer) else None


@check(
    "gqa: groups share keys and values",
    "query heads fall into equal groups, and the heads of a group share both their key and their "
    "value head: also in one group (MQA), and in as many as heads (ordinary attention)",
    "A head with the keys of one group and the values of another looks in one place and reads in "
    "another.",
)
def groups(s: Subject) -> str:
    seen = ""
    for number_, layer in enumerate(heads_by_layer(s.small)):
        keys, values = keys_of(layer), alike_values(layer)
        now = judge_groups(s, f"layer {number_}", keys or values, values)
        if seen and now != seen:
            raise Wrong(f"layer {number_} has {now}; the layers before it have {seen}")
        seen = now
    if deaf := deaf_field(s):
        raise Wrong(f"{seen}; {deaf}=1 and {deaf}={H} give the same model: is it used?")
    if s.kv_field is None:
        return seen
    for n_kv in (H, 1):
        judge_setting(s, n_kv)
    return seen


def judge_groups(s: Subject, where: str, keys: list[int], values: list[int]) -> str:
    """The groups of one layer, from the first head with the same keys (values) as each."""
    if len(set(keys)) == H and len(set(values)) == H:
        if s.kv_field is not None and s.value_of(s.kv_field) is None:
            raise Wrong(f"""{where}: {s.kv_field} is None by default, so there are no groups:
                give it a number, or check it with --set {s.kv_field}={H // 2}""")
        few = s.kv_field is not None and saves(s, 1)
        raise Wrong(
            f"{where}: {H} query heads have {H} different key heads and {H} value heads: nothing "
            "is shared"
            + ", though the projections are smaller: are whole heads repeated, not features or "
            "tokens?" * few
        )
    if H in (len(set(keys)), len(set(values))):
        shared, apart = ("keys", "values") if len(set(values)) == H else ("values", "keys")
        raise Wrong(f"{where}: {shared} are shared, {apart} are not")
    if keys != values:
        j = next(j for j in range(H) if keys[j] != values[j])
        key, value = (
            next((f"head {i}" for i in range(H) if i != j and of[i] == of[j]), "no other head")
            for of in (keys, values)
        )
        raise Wrong(f"{where}: head {j} shares its keys with {key}, its values with {value}")
    sizes = {keys.count(k) for k in set(keys)}
    if len(sizes) > 1:
        raise Wrong(f"{where}: groups of different sizes, {keys}")
    order = "neighbors form a group"
    if keys != sorted(keys):
        order = (
            "heads j and j + G form a group (in the paper, and in the third test of B1, neighbors "
            "do)"
        )
    return f"{len(set(keys))} groups of {sizes.pop()}: {order}"


def judge_setting(s: Subject, n_kv: int) -> None:
    """Raise Wrong where n_kv key and value heads, or as many query heads per group as make that,
    don't give that many, or another attention than softmax(q kᵀ / √head_dim) v."""
    value = n_kv if values_count_kv(s) else H // n_kv
    trace = s.with_field(str(s.kv_field), value)
    for layer, heads in enumerate(heads_by_layer(trace)):
        for name, ids in (("value", alike_values(heads)), ("key", keys_of(heads))):
            if ids is not None and len(set(ids)) != n_kv:
                raise Wrong(f"""{s.kv_field}={value} gives {len(set(ids))} different {name} heads,
                    not {n_kv}, in layer {layer}""")
    with contextlib.suppress(NotJudged):
        check_attention(trace)


def deaf_field(s: Subject) -> str:
    """A field of the config that is called the number of groups, or of key and value heads, and
    changes nothing; "" if there is none."""
    for name in s.fields if s.kv_field is None else ():
        counts = re.search(r"kv|group", name) and not re.search(r"cache|size|norm", name)
        if counts and not isinstance(s.value_of(name), bool):
            with contextlib.suppress(Exception):  # a value that the field can't take
                with_one, all_ = (s.with_field(name, value).logits for value in (1, H))
                if torch.equal(with_one, all_):
                    return name
    return ""


@check(
    "gqa: fewer parameters",
    "key and value projections make G · head_dim features each, so the model has fewer parameters "
    "than the baseline",
    "That is what shrinks the cache: heads that are projected in full and then dropped or averaged "
    "save nothing.",
)
def fewer(s: Subject) -> str:
    wide = {**WIDE, "n_layer": 1}
    if s.kv_field is None:
        name, reference = baseline(s)
        grouped, full = s.n_params(**wide), reference.n_params(**wide)
        expected = 1
        seen = f"{number(grouped)} at C = 768 with one layer; {name} has {number(full)}"
    else:
        every, four = (12, 4) if values_count_kv(s) else (1, 3)  # 12 and 4 key and value heads
        full, grouped = (s.n_params(**wide, **{s.kv_field: value}) for value in (every, four))
        expected = 2 * 768 * (768 - 4 * 64)
        seen = (
            f"C = 768, 12 heads, one layer: {number(full)} with 12 key and value heads, "
            f"{number(grouped)} with 4"
        )
    saved = full - grouped
    if saved < expected:
        none = ": nothing was saved" if saved <= 0 else ""
        raise Wrong(f"""{seen}: {number(saved)} fewer, and projections to 4 · 64 features save
            {number(expected)}{none}""")
    seen += f" ({change((grouped - full) / full)})"
    default = s.default_of(s.kv_field) if s.kv_field else None
    if default is not None and not saves(s, default):
        return Warned(f"""{seen}. But {s.kv_field} is {default} where nothing else is said,
            which shares nothing among the {H} heads of presets quick and cpu: let None be the
            default, and mean half of the heads""")
    return seen


def saves(s: Subject, value: int) -> bool:
    """True if this value of the field makes a model of H heads smaller than one without groups."""
    with contextlib.suppress(Exception):  # refused: H is no multiple of it
        full = H if values_count_kv(s) else 1
        return s.n_params(**{str(s.kv_field): value}) < s.n_params(**{str(s.kv_field): full})
    return False


def values_count_kv(s: Subject) -> bool:
    """True if the config's field counts key and value heads (the usual way), not query heads per
    group."""
    return s.n_params(**{str(s.kv_field): 1}) <= s.n_params(**{str(s.kv_field): H})


CHECKS = [groups, fewer]
