"""RoPE: queries and keys rotate with position, so that a score knows the distance and nothing else
about place.

The probe is a sequence that repeats one token. What differs from place to place is then position's
doing: values and outputs must not change at all, and one matrix must turn a head's queries and keys
from each position to the next. The angles of that matrix are those of the head's pairs.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import torch
from torch import Tensor

from labs.checks.generic import head_name, swapped
from labs.checks.property_check import NotJudged, Wrong, another_kind, check
from labs.checks.subject import LONG, REPEATED, C, D, H, Subject, apart, watch
from labs.checks.trace import Head

# ── what can go wrong


LOW_PRECISION = "are positions, angles, cosines or sines kept in a low precision?"
DIFFERENT_PAIRS = "do cosines, sines and pairs belong together, within one head?"
PAIR = torch.arange(D // 2, dtype=torch.float64)  # i


def usual_angles(base: float = 10000.0) -> Tensor:
    """Each pair's angle per position, (D / 2,)."""
    return base ** (-2 * PAIR / D)


USUAL = usual_angles()
SLIPS = {
    "one angle for all pairs: every pair rotates by 1 per position; does the exponent depend on "
    "i?": PAIR**0,
    f"every angle is {LONG} times too small: are positions over the length?": USUAL / LONG,
    "the exponent divides by n_embd, not by the size of a head: 10000^(−2i/n_embd)": 1e4
    ** (-2 * PAIR / C),
    "the exponent is missing its factor 2: 10000^(−i/head_dim)": USUAL**0.5,
    "the exponent has a factor 2 too many: 10000^(−4i/head_dim)": USUAL**2,
    "the exponent is missing its minus: 10000^(+2i/head_dim)": 1 / USUAL,
    "pairs count from 1: the first rotates by 10000^(−2/head_dim)": USUAL * USUAL[1],
    "pairs count from −1: the first rotates by 10000^(2/head_dim)": USUAL / USUAL[1],
    "the exponent is not divided, but what comes of it: 10000^(2i/head_dim) needs brackets, "
    "theta ** (a / d)": D * USUAL**D,
    "every angle is twice as large: are queries and keys rotated twice?": 2 * USUAL,
    f"the {D // 2} pairs have {D // 4} different angles, 10000^(−4i/head_dim): those of half a "
    "head, each twice; is head_dim halved twice?": USUAL[::2],
}
"""Wrong angles per position, by the slip that gives them."""
STILL = torch.zeros(1, dtype=torch.float64)
PARTIAL = [torch.cat([USUAL[:k], STILL]) for k in range(1, D // 2)]
PARTIAL += [torch.cat([10000.0 ** (-PAIR[:k] / k), STILL]) for k in range(2, D // 2)]
"""The angles of heads that rotate in part."""
OF_SECOND_HEAD = 10000.0 ** (-2 * (D // 2 + PAIR) / C)
"""The angles of the second head where the rotation runs over all of n_embd."""


def cut(t: Tensor, axis: int) -> tuple[Tensor, ...]:
    """The first and the second features (…, D / 2) of all pairs of (…, D)."""
    return t.unflatten(-1, (-1, 2) if axis == -1 else (2, -1)).unbind(axis)


def join(a: Tensor, b: Tensor, axis: int) -> Tensor:
    """The features of which a and b were cut."""
    return torch.stack([a, b], axis).flatten(-2)


SHORT = 64
"""Positions that are enough to tell formulas apart."""


def no_rotations() -> Iterator[tuple[str, Tensor]]:
    """Formulas that are no rotation, in words, and what they make of each feature by itself,
    (D, SHORT, D)."""
    angle = torch.arange(SHORT, dtype=torch.float64)[:, None] * USUAL
    x = torch.eye(D, dtype=torch.float64)[:, None]
    ways = ((-1, "neighbors", "halves"), (-2, "halves", "neighbors"))
    for s, (axis, layout, other) in itertools.product((angle.sin(), -angle.sin()), ways):
        c = angle.cos()
        a, b = cut(x, axis)
        mixed_c, mixed_s = (join(t, t, -3 - axis) for t in (c, s))
        slips = {
            "a · cos ± b · sin and a · sin ± b · cos have the same sign, where one is − and the "
            "other +": join(a * c + b * s, a * s + b * c, axis),
            "times cos alone: sin is missing": join(a * c, b * c, axis),
            "times sin alone: cos is missing": join(a * s, b * s, axis),
            "x · (cos + sin): no feature meets its partner, so nothing rotates": join(
                a * (c + s), b * (c + s), axis
            ),
            f"pairs that are {layout}, with tables laid out for {other}": x * mixed_c
            + join(-b, a, axis) * mixed_s,
        }
        yield from ((f"are no rotation: {words}", parts) for words, parts in slips.items())
        added = torch.cat([join(c, s, axis)[None], x.expand(D, SHORT, D)])
        yield "have cosines and sines added to them, instead of being rotated", added


# ── the probe


def moves(t: Tensor) -> bool:
    """True if the rows (T, N) of one repeated token differ."""
    return apart(t, t[:1].expand_as(t)) > 1e-3


def rotation(*vectors: Tensor) -> Tensor | None:
    """The angles, the largest first, by which queries or keys (T, D) of one repeated token turn
    from each position to the next: those of the one matrix that takes all of them there. None if
    no matrix does, or if it doesn't keep their lengths."""
    met = torch.stack(vectors).double()
    now, then = met[:, :-1].flatten(0, 1), met[:, 1:].flatten(0, 1)
    turn = torch.linalg.lstsq(now, then, rcond=1e-5, driver="gelsd").solution
    lengths = torch.stack([*met, met.sum(0)]).norm(dim=-1).T
    if (then - now @ turn).norm() > 1e-3 * then.norm() or not same_everywhere(lengths, met[0]):
        return None
    values = torch.linalg.eigvals(turn)
    # values of 0 belong to features that no query or key of the row has
    return values[values.abs() > 0.9].angle().abs().sort(descending=True).values


def same_everywhere(sizes: Tensor, t: Tensor) -> bool:
    """True if the sizes (T, N) of parts of t (T, D) are the same at every position."""
    spread = (sizes.amax(0) - sizes.amin(0)).max()
    return bool(spread < 1e-3 * t.double().norm(dim=-1).mean())


# ── where positions come in


@check(
    "rope: no position table",
    "nothing that is learned grows with block_size",
    "RoPE replaces the learned positions; with both, the comparison is about their sum.",
)
def table(s: Subject) -> str:
    for name, shape in s.tables.items():
        raise Wrong(f"{name} still has one row per position: {shape} at block_size 24")
    trace = s.long
    first = trace.projections[0] if trace.projections else None
    rows = [row for at, row in trace.rows if first and at < first.at]
    if first and rows and moves(first.x):
        moved = next(row for row in (*rows, first.x) if moves(row))
        rotated = same_everywhere(moved.double().norm(dim=-1, keepdim=True), moved)
        raise Wrong(
            "what the first projection reads differs from position to position, for one token: "
            + (
                "it is rotated there; rotate queries and keys instead, after their projections"
                if rotated
                else "is something added to the embedding, such as sinusoids, or rotated in front "
                "of the projection of queries and keys?"
            )
        )
    return "no parameter's shape depends on block_size"


# ── that a score knows the distance alone


@check(
    "rope: relative position",
    "on a sequence of one repeated token, the score of m and n depends on m − n only, in every "
    "head and at every length, and values are left alone",
    "This is what defines RoPE: shift query and key together, and their product stays.",
)
def relative(s: Subject) -> str:
    heads = s.long.heads
    turned = [head.origin for head in heads if head.origin and turns(head)]
    if not turned:
        swapped(s.without_table(n_layer=1), "nothing rotates, or it rotates along another axis")
        raise NotJudged("no queries or keys were seen that depend on a position")
    for number in range(len(heads)):
        judge_head(heads, number)
    if any(head.origin is None for head in heads):
        raise NotJudged("the queries and keys of some heads could not be told")
    seen = f"a score depends on the distance alone, in all {len(heads)} heads"
    seen += f"; pairs are {pairs_of(turned[0].q)[0]}"
    return in_bf16(s, heads[:H], seen)


def turns(head: Head) -> bool:
    return bool(head.origin and (moves(head.origin.q) or moves(head.origin.k)))


def judge_head(heads: list[Head], number: int) -> None:
    """Raise Wrong where a head's scores depend on more than the distance, or not on it, or where
    its values know their position."""
    head, layer = heads[number], heads[number // H * H :][:H]
    if moves(head.v):
        if not moves(head.v[1:]):
            raise Wrong(f"""layer {number // H}: the first position's values differ from those of
                all others, for one token: does something outside attention mix it with the token
                before it?""")
        raise Wrong(f"""layer {number // H}: one token's values differ from position to position:
            are they rotated, too? Only queries and keys are""")
    if head.origin is None:
        return
    if not turns(head):
        where = head_name(number) if any(map(turns, layer)) else f"layer {number // H}"
        raise Wrong(f"""{where}: its scores don't depend on positions, as those of others do: is it
            rotated?""")
    if rotation(head.origin.q, head.origin.k) is None:
        raise Wrong(f"{head_name(number)}: {slip_of(head.origin.q, head.origin.k)}")


def in_bf16(s: Subject, exact: list[Head], seen: str) -> str:
    """The words for what was seen, with what is less exact under autocast, as studies train. Angles
    in bf16 have 8 bits: from position 256 on they belong to another position. Later layers see the
    rounding of earlier ones, so only the first one is compared."""
    with torch.autocast("cpu", torch.bfloat16):
        rounded = watch(s.without_table(block_size=LONG), REPEATED).heads
    off = [(a.weights - b.weights).abs().sum(-1) / 2 for a, b in zip(exact, rounded, strict=False)]
    near, far = (torch.stack(off)[:, rows].mean().item() for rows in (NEAR, FAR)) if off else (0, 0)
    if far > 3 * near and far > 0.02:
        raise Wrong(f"""in bf16, {near:.1%} of the attention weights are elsewhere than in fp32 up
            to position {NEAR.stop - 1}, and {far:.1%} from position {FAR.start} on: are the angles
            computed under autocast?""")
    return seen


NEAR, FAR = slice(1, 33), slice(LONG - 128, LONG)


# ── what queries and keys do instead


def slip_of(q: Tensor, k: Tensor) -> str:
    """Name the slip of one token's queries and keys (T, D) that no one matrix turns."""
    if not moves(k):
        return "scores depend on the query's position alone: are the keys rotated at all?"
    if not moves(q):
        return "scores depend on the key's position alone: are the queries rotated at all?"
    if rotation(q, k.flip(0)) is not None:
        return "scores depend on the sum of the positions: do the keys rotate the other way?"
    for name, t in (("queries", q), ("keys", k)):
        if words := slip_of_one(t.double()):
            return f"the {name} {words}"
    of_q, of_k = (angles for t in (q, k) if (angles := rotation(t)) is not None)
    if same(of_q, of_k):
        return f"no rule of two positions gives its scores: {DIFFERENT_PAIRS}"
    return f"""the queries' pairs turn by {listed(of_q[::2])} per position, the keys' by
        {listed(of_k[::2])}: have both the same base and the same table?"""


def listed(angles: Tensor) -> str:
    return ", ".join(f"{angle:.3g}" for angle in angles.tolist())


def slip_of_one(t: Tensor) -> str:
    """Name the slip of one token's queries, or keys, (T, D) that no matrix turns; "" where one
    does."""
    if rotation(t) is not None:
        return ""
    for period in range(2, len(t) // 2 + 1):
        if torch.allclose(t[period:], t[:-period], rtol=1e-4, atol=1e-5):
            return f"""start again after {period} positions: do positions wrap, or is the table
                of angles that short?"""
    _, pairs = pairs_of(t)
    if pairs is None:
        for words, parts in no_rotations():
            if explains(parts, t[:SHORT]):
                return words
        lengths = t.norm(dim=-1)
        varies = ((lengths.max() - lengths.min()) / lengths.mean()).item()
        cause = LOW_PRECISION if varies < 0.02 else DIFFERENT_PAIRS
        return f"are no rotation, their length varies by {varies:.1%} over positions: {cause}"
    steps = torch.angle(pairs[1:] / pairs[:-1])
    usual = steps.median(0).values
    slow = int(usual.abs().argmin())
    of_slow = steps[:, slow]
    at = int((of_slow - usual[slow]).abs().argmax())
    return f"""don't turn by the same angle from each position to the next: pair {slow} by
        {of_slow[at]:.2g} from {at} to {at + 1}, and by {of_slow[-1]:.2g} at the end; are the
        positions 0, 1, 2, …, or are angles kept in a low precision?"""


PAIRS = {"neighbors, (2i, 2i + 1)": -1, "halves, (i, i + D/2)": -2}
"""The usual layouts of features that rotate together, by the axis on which ``cut`` finds them."""


def pairs_of(t: Tensor) -> tuple[str, Tensor | None]:
    """The usual layout of pairs whose lengths are the same at all positions of t (T, D): in words,
    and as complex numbers (T, D / 2), which are None if neither layout is."""
    for words, axis in PAIRS.items():
        pairs = torch.complex(*cut(t.double(), axis))
        if same_everywhere(pairs.abs(), t):
            return words, pairs
    return "neither neighbors nor halves", None


def explains(parts: Tensor, t: Tensor) -> bool:
    """True if t (T, D) is a sum of parts (N, T, D)."""
    columns, target = parts.flatten(1).T, t.flatten()[:, None]
    fit = torch.linalg.lstsq(columns, target, driver="gelsd").solution
    return bool((target - columns @ fit).norm() < 1e-3 * target.norm())


# ── how fast pairs turn


@check(
    "rope: angles",
    "pair i of a head rotates by 10000^(−2i/head_dim) per position",
    "Fast pairs tell neighbors apart, slow ones distant tokens; one speed for all would blur both.",
)
def angles(s: Subject) -> str:
    origins = [head.origin for head in s.long.heads[:H]]
    seen = [turn for o in origins if o and (turn := rotation(o.q, o.k)) is not None]
    if not seen or len(seen) < len(origins) or any(turn.max() <= 1e-6 for turn in seen):
        raise NotJudged("no rotation of queries and keys was seen")
    learned = [
        name for name, p in s.shared().named_parameters() if p.requires_grad and p.numel() == D // 2
    ]
    if learned and not all(same(turn, USUAL) for turn in seen):
        raise Wrong(f"""{learned[0]}, of {D // 2} entries for {D} features, is learned: the
            paper's angles are fixed""")
    if any(same(turn, OF_SECOND_HEAD) for turn in seen):
        raise Wrong("""the rotation runs over all of n_embd before the split into heads: each head
            gets other angles""")
    kinds = [kind for turn in seen if (kind := kind_of_angles(turn))]
    if all(same(turn, PARTIAL[0]) for turn in seen):
        several_pairs_turn(s)
    for kind in kinds:
        return kind if kind.startswith("base") else another_kind(kind)
    return f"all {H} heads fit, head_dim = {D}: {listed(USUAL)}"


def same(seen: Tensor, thetas: Tensor) -> bool:
    """True if the angles that were seen, (N,), each perhaps several times, are these, (M,). Over a
    long row, angles near 0 can't be told, and whole turns don't show."""
    wrapped = (torch.remainder(thetas + math.pi, math.tau) - math.pi).abs()
    fits = (seen[:, None] - wrapped).abs() < 2e-3 * wrapped + 0.02 / LONG
    return bool(fits.any(0).all() and fits.any(1).all())


def kind_of_angles(seen: Tensor) -> str:
    """Words for the angles of a head, the largest first, where they are right and of another kind
    than the paper's; "" for the paper's. Wrong where they are a slip."""
    if same(seen, USUAL):
        return ""
    twins = len(seen) > 2 and seen[2] > 0.99 * seen[0]  # each pair gives its angle twice
    if not twins and any(same(seen, part) for part in PARTIAL):
        return "only a part of each head's features rotates, as in GPT-NeoX; the paper rotates all"
    for words, thetas in SLIPS.items():
        if same(seen, thetas):
            raise Wrong(words)
    if len(seen) > 1 and seen[-1] > 0 and seen[0] / seen[-1] < 1.002:
        raise Wrong(f"one angle for all pairs: {seen[0]:.3g} per position")
    distinct = seen[torch.cat([seen[:-1] > 1.002 * seen[1:], seen[-1:] > 0])]
    base = distinct[1].item() ** (-D / 2) if len(distinct) > 1 else 0.0
    if base and same(distinct, usual_angles(base)):
        if base > 10000:
            return f"base {base:.4g}, where the paper has 10000"
        raise Wrong(f"the angles fall as {base:.4g}^(−2i/head_dim), not as 10000^(−2i/head_dim)")
    far = distinct[distinct * LONG > 0.1][: len(PAIR)]
    slower = usual_angles(base)[: len(far)] / far
    grows = bool((slower[:-1] <= 1.05 * slower[1:]).all())
    if len(far) and abs(slower[0] - 1) < 0.01 and grows and slower[-1] > 1.1:
        return f"""the slow pairs turn slower than their base says, {base:.2g}, as where a context
            was stretched (Llama 3.1)"""
    raise Wrong(f"""the pairs turn by {listed(distinct)} per position, where 10000^(−2i/head_dim) is
        {listed(USUAL)}""")


def several_pairs_turn(s: Subject) -> None:
    """Raise Wrong where the first pair alone turns in wider heads, too: a quarter of them, as in
    GPT-NeoX, is then several pairs."""
    trace = watch(s.without_table(n_embd=2 * C, block_size=LONG), REPEATED, width=2 * C)
    origin = trace.heads[0].origin if trace.heads else None
    turn = rotation(origin.q, origin.k) if origin else None
    if turn is not None and same(turn, PARTIAL[0]):
        raise Wrong("""only pair 0 turns, the others by nearly nothing per position: is 2i in
            the exponent divided by head_dim?""")


CHECKS = [table, relative, angles]
