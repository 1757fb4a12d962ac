"""GQA: query heads in groups, each group with one key head and one value head.

Who shares with whom is read off the keys and values that meet the queries: heads of one group have
equal ones. Where they can't be seen, gradients say which features of the projections feed which
head.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from labs.checks.check import NotApplicable, Wrong, check
from labs.checks.generic import baseline
from labs.checks.probe import (
    LAYERS,
    Attention,
    B,
    C,
    D,
    H,
    Subject,
    T,
    Trace,
    apart,
    number,
    tokens,
)


def calls(trace: Trace) -> list[Attention]:
    """The attention calls whose queries, keys and values could be seen."""
    return [
        call
        for call in trace.attention
        if call.q is not None and call.k is not None and call.v is not None
    ]


def spread_heads(t: Tensor, heads: int) -> list[int]:
    """For each of `heads` query heads, the first head that has the same keys (or values) as it."""
    if t.shape[1] != heads and heads % t.shape[1] == 0:
        t = t.repeat_interleave(
            heads // t.shape[1], dim=1
        )  # the grouped call of scaled_dot_product_attention
    same = []
    for j in range(t.shape[1]):
        same.append(next(i for i in range(j + 1) if torch.equal(t[:, i], t[:, j])))
    return same


def trace_with(s: Subject, n_kv: int) -> Trace:
    """A shaken model's trace with n_kv key and value heads, whatever the config's field counts."""
    return s.once(("gqa", n_kv), lambda: _trace_with(s, n_kv))


def _trace_with(s: Subject, n_kv: int) -> Trace:
    if s.kv_field is None:
        raise NotApplicable
    for value in (n_kv, H // n_kv):  # key and value heads, or query heads a group
        trace = s.watch(s.shaken(**{s.kv_field: value}), tokens())
        found = calls(trace)
        if not found:
            raise NotApplicable
        if len(set(spread_heads(found[0].k, H))) == n_kv:
            return trace
    raise Wrong(
        f"{s.kv_field}={n_kv} gives {len(set(spread_heads(found[0].k, H)))} different key heads, not {n_kv}"
    )


@check(
    "gqa: groups share keys and values",
    "query heads fall into equal groups, and the heads of a group share both their key and their value head",
    "A head with the keys of one group and the values of another looks in one place and reads in another.",
)
def groups(s: Subject) -> str:
    found = calls(s.small())
    if not found:
        return groups_by_gradient(s)
    seen = ""
    for layer, call in enumerate(found):
        heads = call.q.shape[1]
        keys, values = spread_heads(call.k, heads), spread_heads(call.v, heads)
        if len(set(keys)) == heads:
            raise Wrong(
                f"attention call {layer}: {heads} query heads have {heads} different key heads: nothing is shared"
            )
        if len(set(values)) == heads:
            raise Wrong(f"attention call {layer}: keys are shared, values are not")
        if keys != values:
            j = next(j for j in range(heads) if keys[j] != values[j])
            raise Wrong(
                f"attention call {layer}: head {j} shares its keys with head {keys[j]}, "
                f"its values with head {values[j]}"
            )
        sizes = {keys.count(k) for k in set(keys)}
        if len(sizes) > 1:
            raise Wrong(f"attention call {layer}: groups of different sizes, {keys}")
        if keys == sorted(keys):
            order = "neighbours form a group"
        else:
            order = "heads j and j + G form a group"
        seen = f"{len(set(keys))} groups of {sizes.pop()}: {order}"
    return seen


def groups_by_gradient(s: Subject) -> str:
    """The same from outside: heads of a group are fed by the same D features of keys and the same D
    of values."""
    fed = features_of_heads(s)
    shared = [[len(fed[i] & fed[j]) for j in range(H)] for i in range(H)]
    for i in range(H):
        for j in range(i):
            if shared[i][j] not in (0, 2 * D):
                raise Wrong(
                    f"heads {j} and {i} share {shared[i][j]} projected features, where a group shares {2 * D}: "
                    "do keys and values agree on the groups?"
                )
    groups = {frozenset(j for j in range(H) if j == i or shared[i][j]) for i in range(H)}
    if len(groups) == H:
        raise Wrong(
            f"each of {H} heads is fed by key and value features of its own: nothing is shared"
        )
    if len({len(group) for group in groups}) > 1 or sum(len(group) for group in groups) != H:
        raise Wrong(f"groups of different sizes: {sorted(sorted(group) for group in groups)}")
    return f"{len(groups)} groups of {H // len(groups)}, as gradients show: {sorted(sorted(g) for g in groups)}"


def features_of_heads(s: Subject) -> list[set[tuple[int, int]]]:
    """For each head's D outputs, which (product, feature) before them they depend on, in a model of
    one layer."""
    trace = s.watch(s.shaken(n_layer=1), tokens(), grad=True)
    for at, back in enumerate(trace.products):
        before = [p.out for p in trace.products[:at]]
        if not before or back.x.shape[-1] != C or not back.x.requires_grad:
            continue
        noise = torch.randn(back.x.shape, generator=torch.Generator().manual_seed(11))
        whole = torch.autograd.grad(
            (back.x * noise).sum(), before, retain_graph=True, allow_unused=True
        )
        if all(grad is None for grad in whole):
            # queries, keys and values come from the stream; what comes from them is the way back
            continue
        found = []
        for head in range(H):
            part = (back.x * noise)[..., head * D : (head + 1) * D].sum()
            grads = torch.autograd.grad(part, before, retain_graph=True, allow_unused=True)
            fed: set[tuple[int, int]] = set()
            for source, grad in enumerate(grads):
                if grad is not None:
                    size = grad.flatten(0, -2).abs().amax(0)
                    fed |= {(source, i) for i in (size > 1e-9).nonzero().flatten().tolist()}
            found.append(fed)
        return found
    raise NotApplicable


@check(
    "gqa: fewer parameters",
    "key and value projections make G · D features each, so the model has fewer parameters than the baseline",
    "That is what shrinks the cache: heads that are projected in full and then dropped or averaged save nothing.",
)
def fewer(s: Subject) -> str:
    wide = {"n_embd": 768, "n_head": 12, "n_layer": 1, "block_size": 16, "vocab_size": 16}
    if s.kv_field is None:
        mine, theirs = s.n_params(**wide), baseline().n_params(**wide)
        if mine >= theirs:
            raise Wrong(
                f"{number(mine)} at C = 768 with one layer; the baseline has {number(theirs)}: nothing was saved"
            )
        change = (mine - theirs) / theirs
        return f"{number(mine)} at C = 768 with one layer; the baseline has {number(theirs)} ({change:+.1%})"
    every, four = (12, 4) if values_count_kv(s) else (1, 3)  # 12 and 4 key and value heads
    full, grouped = (s.n_params(**wide, **{s.kv_field: value}) for value in (every, four))
    saved, wanted = full - grouped, 2 * 768 * (768 - 4 * 64)
    seen = f"C = 768, 12 heads, one layer: {number(full)} with 12 key and value heads, {number(grouped)} with 4"
    if saved <= 0:
        raise Wrong(seen + ": nothing was saved")
    if saved != wanted:
        raise Wrong(
            seen
            + f": {number(saved)} fewer, and projections to 4 · 64 features save {number(wanted)}"
        )
    return seen + f" ({-saved / full:+.1%})"


def values_count_kv(s: Subject) -> bool:
    """Whether the config's field counts key and value heads (the usual), not query heads a
    group."""
    assert s.kv_field is not None
    one = s.n_params(**{s.kv_field: 1})
    return one <= s.n_params(**{s.kv_field: H})


@check(
    "gqa: as many groups as heads",
    "with n_kv_head = n_head it is ordinary attention, to rounding: softmax(q kᵀ / √D) v, head by head",
    "The general case must contain the known one; that is the cheapest test of all the reshapes.",
)
def ordinary(s: Subject) -> str:
    trace = trace_with(s, H)
    for layer, call in enumerate(calls(trace)):
        if len(set(spread_heads(call.v, H))) != H:
            raise Wrong(f"attention call {layer}: with {H} groups, value heads are still shared")
        if not goes_back(trace, call):
            raise Wrong(
                f"attention call {layer}: no projection gets softmax(q kᵀ / √{D}) v, the heads side by side"
            )
    exact = against_baseline(s)
    return f"equal in {LAYERS} layers" + exact


def goes_back(trace: Trace, call: Attention) -> bool:
    """Whether a projection gets causal attention of the call's q, k and v (in float64), the heads
    side by side.

    In whatever order: heads that stand elsewhere in a concatenation are a convention.
    """
    q, k, v = unscaled(trace, call.q).double(), unscaled(trace, call.k).double(), call.v.double()
    times = q.shape[1] // k.shape[1]
    for widen in (lambda t: t.repeat_interleave(times, dim=1), lambda t: t.repeat(1, times, 1, 1)):
        scores = q @ widen(k).transpose(-2, -1) / math.sqrt(D)
        weights = scores.masked_fill(torch.ones(T, T).triu(1).bool(), -math.inf).softmax(-1)
        heads = (weights @ widen(v)).unbind(1)  # each (B, T, D)
        for product in trace.products:
            if product.x.numel() == B * T * C and product.x.shape[-1] == C:
                for x in in_both_orders(product.x):
                    if all(
                        any(apart(head, part) < 1e-3 for part in x.split(D, dim=-1))
                        for head in heads
                    ):
                        return True
    return False


def unscaled(trace: Trace, heads: Tensor) -> Tensor:
    """Queries or keys (B, H, T, D) as long as they left their projection: some files scale them,
    not the scores.

    Turning keeps lengths, so the factor shows in a head's lengths beside those of D features of a
    projection.
    """
    mine = heads[:, 0].norm(dim=-1).flatten()
    for product in trace.products:
        if (
            product.x.shape[-1] == C
            and product.out.shape[-1] % D == 0
            and product.out[..., 0].numel() == B * T
        ):
            for out in in_both_orders(product.out):
                for part in out.split(D, dim=-1):
                    ratio = part.norm(dim=-1).flatten() / mine
                    if (ratio.std() / ratio.mean()).item() < 1e-3:
                        return heads * ratio.mean()
    return heads


def in_both_orders(x: Tensor) -> list[Tensor]:
    """x (…, n) as (B, T, n), of files that keep rows first and of files that keep time first."""
    if x.shape[0] == T:
        return [x.transpose(0, 1)]
    return [x.reshape(B, T, -1)]


def against_baseline(s: Subject) -> str:
    """With the baseline's names, its weights fit: then the logits must agree too."""
    value = H if values_count_kv(s) else 1
    mine, plain = s.shaken(**{str(s.kv_field): value}), baseline().shaken()
    if {k: v.shape for k, v in mine.state_dict().items()} != {
        k: v.shape for k, v in plain.state_dict().items()
    }:
        return ""
    mine.load_state_dict(plain.state_dict())
    with torch.no_grad():
        gap = apart(
            plain(tokens(), tokens())[0].reshape(B, T, -1),
            mine(tokens(), tokens())[0].reshape(B, T, -1),
        )
    if gap > 1e-3:
        raise Wrong(
            f"with the baseline's weights, logits differ from the baseline's by {gap:.2g} sd"
        )
    return f"; with the baseline's weights, its logits to {gap:.1g} sd"


@check(
    "gqa: scores",
    "each query head's output is softmax(q kᵀ / √D) v over its own group's keys and values",
    "The scale belongs to the size of one head; neither the width nor the number of groups changes it.",
)
def scores(s: Subject) -> str:
    trace = s.small()
    found = calls(trace)
    if not found:
        raise NotApplicable
    for layer, call in enumerate(found):
        if not goes_back(trace, call):
            raise Wrong(
                f"attention call {layer}: what goes back is something else; "
                f"is the scale 1/√{D}, and the order of heads kept?"
            )
    return f"equal in {len(found)} layers"


@check(
    "gqa: one group is MQA",
    "with one key and value head, all query heads share it",
    "Multi-query attention is the other end of the scale, and must come out of the same code.",
)
def mqa(s: Subject) -> str:
    for layer, call in enumerate(calls(trace_with(s, 1))):
        for name, t in (("key", call.k), ("value", call.v)):
            if len(set(spread_heads(t, H))) != 1:
                raise Wrong(
                    f"attention call {layer}: {len(set(spread_heads(t, H)))} different {name} heads, not 1"
                )
    return f"{H} query heads, one key and value head"


@check(
    "gqa: a remainder is refused",
    "n_head that is no multiple of the number of key and value heads raises an error",
    "Groups of different sizes would run, and be something else than GQA.",
)
def remainder(s: Subject) -> str:
    if s.kv_field is None:
        raise NotApplicable
    try:
        model = s.build(**{s.kv_field: 3})
    except Exception as error:  # any refusal will do
        return f"{H} heads, {s.kv_field}=3: {type(error).__name__}"
    try:
        with torch.no_grad():
            model(tokens(), tokens())
    except Exception as error:  # late, but it doesn't go on
        late = "refused when the first batch comes; __init__ could say it"
        return f"{H} heads, {s.kv_field}=3: {late} ({type(error).__name__})"
    raise Wrong(f"{H} heads with {s.kv_field}=3 are accepted")


def looks(s: Subject) -> bool:
    """Whether some query heads share their keys."""
    found = calls(s.small())
    if not found:
        fed = features_of_heads(s)
        return any(fed[0] & fed[j] for j in range(1, H))
    return len(set(spread_heads(found[0].k, found[0].q.shape[1]))) < found[0].q.shape[1]


CHECKS = [groups, scores, fewer, ordinary, mqa, remainder]
