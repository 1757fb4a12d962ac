"""RoPE: queries and keys rotate with position, so that a score knows the distance and nothing else
about place.

The probe is a sequence that repeats one token. What differs from place to place is then position's
doing: scores must be constant along each diagonal, values and outputs must not change at all, and
the map that takes a head's queries and keys from each position to the next is its rotation.
"""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from labs.checks.generic import swapped
from labs.checks.property_check import NotJudged, Warned, Wrong, another_kind, check
from labs.checks.subject import LONG, C, D, H, Subject, apart, constant
from labs.checks.trace import Head, Trace

LOW_PRECISION = "are positions, angles, cosines or sines kept in a low precision?"
DIFFERENT_PAIRS = "do cosines, sines and pairs belong together, within one head?"


@dataclass
class LayerScores:
    """The scores of one layer's heads on a constant sequence, beside their distances."""

    heads: list[Head]

    @functools.cached_property
    def scores(self) -> Tensor:
        """(heads, T, T); of heads whose queries and keys could not be told, up to a constant per
        row."""
        return torch.stack([head.scores for head in self.heads])

    @functools.cached_property
    def gap(self) -> float:
        """The largest difference of a score at m >= n from that of its distance."""
        T = self.scores.shape[-1]
        # at [m, n] the last row's score at the distance m - n
        of_distance = F.pad(self.scores[:, -1], (0, T - 1)).unfold(-1, T, 1).flip(1)
        return of_distance.sub_(self.scores).tril_().abs_().nan_to_num_(0.0).amax().item()

    @functools.cached_property
    def variations(self) -> list[float]:
        """For each head the sd of its scores over distances, all of which the last row sees; 0
        where it is only rounding."""
        last = self.scores[:, -1]
        sds, sizes = last.std(-1).tolist(), last.abs().mean(-1).tolist()
        return [
            sd if sd > max(1e-4 * size, 1e-4) else 0.0 for sd, size in zip(sds, sizes, strict=True)
        ]

    @property
    def spread(self) -> float:
        return sum(self.variations) / len(self.variations)

    @property
    def varies(self) -> bool:
        """True if the scores depend on positions at all."""
        return self.spread > 0 or self.gap > max(1e-4 * self.largest, 1e-4)

    @functools.cached_property
    def largest(self) -> float:
        return self.scores.tril().abs().amax().item()


def scores_by_layer(trace: Trace) -> list[LayerScores]:
    return [LayerScores(heads) for heads in trace.layers(H) or [[head] for head in trace.heads]]


def long_scores(s: Subject) -> list[LayerScores]:
    """The scores of a constant sequence, by layer."""
    return s.once("rope scores", lambda: scores_by_layer(s.long()))


def moves(t: Tensor) -> bool:
    """True if the rows (T, N) of one repeated token differ."""
    return apart(t, t[:1].expand_as(t)) > 1e-3


# ── where positions come in


@check(
    "rope: no position table",
    "nothing that is learned grows with block_size",
    "RoPE replaces the learned positions; with both, the comparison is about their sum.",
)
def table(s: Subject) -> str:
    for name, shape in s.tables().items():
        raise Wrong(f"{name} still has one row per position: {shape} at block_size 24")
    trace = s.long()
    first = trace.projections[0] if trace.projections else None
    rows = [row for at, row in trace.rows if first and at < first.at]
    if first and rows and moves(first.x):
        moved = next(row for row in (*rows, first.x) if moves(row))
        rotated = keeps_lengths(moved.double().norm(dim=-1, keepdim=True), moved)
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
    layers = long_scores(s)
    if not any(layer.varies for layer in layers):
        swapped(s.without_table(n_layer=1), "nothing rotates, or it rotates along another axis")
        raise NotJudged(
            "no score depends on a position" if layers else "no attention was seen in this file"
        )
    gap = max(judge_layer(s, number, layer) for number, layer in enumerate(layers))
    out = s.long().logits
    moved = (out - out[:1]).abs().amax(dim=1) / out.std()
    if moved.max() > 2e-3:
        raise Wrong(f"""logits at position {int((moved > 2e-3).nonzero()[0])} differ from those
            at 0 by {moved.max():.2g} sd, for one repeated token""")
    seen = f"scores at one distance agree to {gap:.1g} sd, in {len(layers)} layers of {H} heads"
    turned = [h.q for layer in layers for h in layer.heads if h.q is not None and moves(h.q)]
    if turned:
        seen += f"; {pairing(turned[0])}"
    return in_bf16(s, layers[0], seen)


def judge_layer(s: Subject, number: int, layer: LayerScores) -> float:
    """The gap of a layer's scores in sd; Wrong where they depend on more than the distance, or not
    on it."""
    if not layer.varies:
        raise Wrong(f"""layer {number}: its scores don't depend on positions, as those of other
            layers do: is it rotated?""")
    if above := [h for h in s.long().heads[: number * H] if moves(h.v)]:
        layer_of_it = s.long().heads.index(above[0]) // H
        raise Wrong(f"""layer {layer_of_it}: one token's values differ from position to
            position: are they rotated, too? Only queries and keys are""")
    spread = layer.spread or 1e-4 * layer.largest
    if layer.gap > 0.01 * spread:
        raise Wrong(
            f"layer {number}: scores at one distance differ by {layer.gap / spread:.2g} sd; "
            + describe_departure(layer.heads, layer.scores, layer.gap / spread)
        )
    for at, variation in enumerate(layer.variations):
        if not variation:
            raise Wrong(f"""layer {number}, head {at}: its scores don't depend on the distance,
                as those of other heads do: is it rotated?""")
    return layer.gap / spread


def in_bf16(s: Subject, exact: LayerScores, seen: str) -> str:
    """The words for what was seen, with what is less exact under autocast, as studies train. Angles
    in bf16 have 8 bits: from position 256 on they belong to another position. Later layers see the
    rounding of earlier ones, so only the first one is compared."""
    with torch.autocast("cpu", torch.bfloat16):
        rounded = scores_by_layer(s.watch(s.without_table(block_size=LONG), constant(1, LONG)))
    if not rounded or not exact.spread or rounded[0].scores.shape != exact.scores.shape:
        return seen
    off = (rounded[0].scores - exact.scores).tril()
    near, far = (
        (part.pow(2).sum() / part.count_nonzero().clamp(min=1)).sqrt().item() / exact.spread
        for part in (off[:, 1:33], off[:, LONG - 128 :])
    )
    if far > 3 * near and far > 0.1:
        raise Wrong(f"""in bf16, scores are {near:.2g} sd from those in fp32 up to position 32,
            and {far:.2g} sd from position {LONG - 128} on: are the angles computed under
            autocast?""")
    if dtype := helpers_dtype(s):
        return Warned(f"""{seen}; apply_rotary_emb casts bfloat16 into {dtype}, which costs
            memory: a cast back would keep it""")
    if max(near, far) > 0.25:
        return Warned(f"""{seen}; in bf16 they are within {max(near, far):.2g} sd of fp32:
            cosines and sines in fp32 would be more exact""")
    return seen


def helpers_dtype(s: Subject) -> str:
    """The dtype into which a file's helpers cast queries in bf16; "" if they keep it, if there are
    none, or if they take other arguments than the suggested ones."""
    make, apply = (
        getattr(s.module, name, None) for name in ("precompute_freqs_cis", "apply_rotary_emb")
    )
    try:
        q: Any = torch.zeros(2, 8, 4, 64, dtype=torch.bfloat16)
        out = apply(q, q, make(64, 8))[0]  # type: ignore[misc]
        return "" if out.dtype == q.dtype else str(out.dtype).removeprefix("torch.")
    except Exception:
        return ""


def pairing(q: Tensor) -> str:
    """Tell which features of queries (T, D) rotate together, from the pairs that keep their
    length."""
    if keeps_lengths(q.unflatten(-1, (-1, 2)).norm(dim=-1), q):
        return "pairs are neighbors, (2i, 2i + 1)"
    if keeps_lengths(q.unflatten(-1, (2, -1)).norm(dim=-2), q):
        return "pairs are halves, (i, i + D/2)"
    return "pairs are neither neighbors nor halves"


# ── what else it knows


def describe_departure(heads: list[Head], scores: Tensor, gap: float) -> str:
    """Say what the scores of a constant sequence depend on, when it is not the distance. ``gap`` is
    in sd."""
    T = scores.shape[-1]
    n = T // 2 if T > 64 else T
    S = scores.double()[:, :n, :n]
    causal = torch.ones(n, n, dtype=torch.bool).tril()
    spread = S[:, causal].std().item() or 1.0
    m, at = (index.expand(n, n) for index in (torch.arange(n)[:, None], torch.arange(n)[None, :]))
    for index, words in (
        (m + at, "the sum of the positions: do the keys rotate the other way?"),
        (m, "the query's position alone: are the keys rotated at all?"),
        (at, "the key's position alone: are the queries rotated at all?"),
    ):
        groups = (S[:, causal & (index == value)] for value in index[causal].unique())
        if max((g.amax(1) - g.amin(1)).max().item() for g in groups) < 0.01 * spread:
            return f"they depend on {words}"
    if gap < 0.2:
        return f"nearly a rule of m − n: {LOW_PRECISION}"
    turned = [(head.q, head.k) for head in heads if head.q is not None and head.k is not None]
    for q, k in turned:
        for name, t in (("queries", q), ("keys", k)):
            if words := describe_turn(t.double()):
                return f"the {name} {words}"
    for pair in turned:
        usual = [None if (a := steps(t)) is None else a.abs().median(0).values for t in pair]
        of_q, of_k = usual
        if of_q is None or of_k is None or of_q.shape != of_k.shape:
            continue
        if not torch.allclose(of_q, of_k, rtol=1e-2, atol=1e-5):
            return f"""the queries' pairs turn by {listed(of_q.tolist())} per position, the keys'
                by {listed(of_k.tolist())}: have both the same base and the same table?"""
    return f"no rule of m and n: {DIFFERENT_PAIRS}"


def listed(angles: list[float]) -> str:
    return ", ".join(f"{angle:.3g}" for angle in angles)


def describe_turn(t: Tensor) -> str:
    """The way in which one token's queries, or keys, at each position (T, D) do not rotate by an
    angle that grows by the same step from position to position; "" if they do."""
    for period in range(2, len(t) // 2 + 1):
        if torch.allclose(t[period:], t[:-period], rtol=1e-4, atol=1e-5):
            return f"""start again after {period} positions: do positions wrap, or is the table
                of angles that short?"""
    turns = steps(t)
    if turns is None:
        return no_rotation(t[:64])
    usual = turns.median(0).values
    slow = int(usual.abs().argmin())
    off = (turns[:, slow] - usual[slow]).abs()
    if not (off > 0.05 * usual[slow].abs() + 1e-6).any():
        return ""
    if (turns[:, slow].mean() / usual[slow] - 1).abs() < 0.1 or len(turns[:, slow].unique()) < 16:
        return f"turn by uneven steps: {LOW_PRECISION}"
    at = int(off.argmax())
    return f"""don't turn by the same angle from each position to the next: pair {slow} by
        {turns[at, slow].item():.2g} from {at} to {at + 1}, and by {turns[-1, slow].item():.2g}
        at the end; are the positions 0, 1, 2, …?"""


def steps(t: Tensor) -> Tensor | None:
    """The angles by which the pairs of queries or keys (T, D) turn from each position to the next,
    (T − 1, D / 2); None if no pairs keep their lengths."""
    for pairs in (t.double().unflatten(-1, (-1, 2)), t.double().unflatten(-1, (2, -1)).mT):
        if keeps_lengths(pairs.norm(dim=-1), t):
            turned = torch.view_as_complex(pairs.contiguous())
            return torch.angle(turned[1:] / turned[:-1])
    return None


def keeps_lengths(sizes: Tensor, t: Tensor) -> bool:
    """True if the sizes (T, N) of parts of t (T, D) are the same at every position."""
    spread = (sizes.amax(0) - sizes.amin(0)).max()
    return bool(spread < 1e-3 * t.double().norm(dim=-1).mean())


def no_rotation(t: Tensor) -> str:
    """The formula by which one token's queries or keys (T, D) change with the position, where that
    is not a rotation; "" if it has no name here."""
    angle = torch.arange(len(t), dtype=torch.float64)[:, None] * torch.tensor(frequencies(10000.0))
    c, s = angle.cos(), angle.sin()
    x = torch.eye(D, dtype=torch.float64)[:, None]  # each feature by itself: (D, 1, D)

    def neighbors(a: Tensor, b: Tensor) -> Tensor:
        return torch.stack([a, b], -1).flatten(-2)

    def halves(a: Tensor, b: Tensor) -> Tensor:
        return torch.cat([a, b], -1)

    for join, other in ((neighbors, halves), (halves, neighbors)):
        a, b = x.chunk(2, -1) if join is halves else (x[..., 0::2], x[..., 1::2])
        layout, tables_of = join.__name__, other.__name__
        slips = {
            "a · cos ± b · sin and a · sin ± b · cos have the same sign, where one is − and the "
            "other +": join(a * c + b * s, a * s + b * c),
            "times cos alone: sin is missing": join(a * c, b * c),
            "times sin alone: cos is missing": join(a * s, b * s),
            "x · (cos + sin): no feature meets its partner, so nothing rotates": join(
                a * (c + s), b * (c + s)
            ),
            f"pairs that are {layout}, with tables laid out for {tables_of}": x * other(c, c)
            + join(-b, a) * other(s, s),
        }
        for words, out in slips.items():
            if explains(out.expand(D, len(t), D), t):
                return f"are no rotation: {words}"
        if explains(torch.cat([join(c, s)[None], x.expand(D, len(t), D)]), t):
            return "have cosines and sines added to them, instead of being rotated"
    sizes = t.norm(dim=-1)
    varies = ((sizes.max() - sizes.min()) / sizes.mean()).item()
    return (
        f"are no rotation: their length varies by {varies:.0%} over positions: {DIFFERENT_PAIRS}"
        if varies > 1e-3
        else ""
    )


def explains(parts: Tensor, t: Tensor) -> bool:
    """True if t (T, D) is a sum of parts (N, T, D)."""
    columns, target = parts.flatten(1).T, t.flatten()[:, None]
    fit = torch.linalg.lstsq(columns, target, driver="gelsd").solution
    return bool((target - columns @ fit).norm() < 1e-3 * target.norm())


# ── how fast pairs turn


def powers(exponent: Any, factor: float = 1.0) -> list[float]:
    """Each pair's angle per position: 10000 to the exponent of pair i, times a factor."""
    return [factor * 10000.0 ** exponent(i) for i in range(D // 2)]


def frequencies(base: float) -> list[float]:
    return [base ** (-2 * i / D) for i in range(D // 2)]


ONE_ANGLE = "one angle for all pairs"
PARTLY = "only a part of each head's features rotates, as in GPT-NeoX; the paper rotates all"
SLIPS = [
    ([1.0], f"{ONE_ANGLE}: every pair rotates by 1 per position; does the exponent depend on i?"),
    (
        powers(lambda i: -2 * i / D, 1 / LONG),
        f"every angle is {LONG} times too small: are positions over the length?",
    ),
    (
        powers(lambda i: -2 * i / C),
        "the exponent divides by n_embd, not by the size of a head: 10000^(−2i/n_embd)",
    ),
    (powers(lambda i: -i / D), "the exponent is missing its factor 2: 10000^(−i/head_dim)"),
    (powers(lambda i: -4 * i / D), "the exponent has a factor 2 too many: 10000^(−4i/head_dim)"),
    (powers(lambda i: 2 * i / D), "the exponent is missing its minus: 10000^(+2i/head_dim)"),
    (
        powers(lambda i: -2 * (i + 1) / D),
        "pairs count from 1: the first rotates by 10000^(−2/head_dim)",
    ),
    (
        powers(lambda i: -2 * (i - 1) / D),
        "pairs count from −1: the first rotates by 10000^(2/head_dim)",
    ),
    (
        powers(lambda i: -2 * i, D),
        "the exponent is not divided, but what comes of it: 10000^(2i/head_dim) needs brackets, "
        "theta ** (a / d)",
    ),
    (
        powers(lambda i: -2 * i / D, 2.0),
        "every angle is twice as large: are queries and keys rotated twice?",
    ),
    (
        frequencies(10000.0)[::2],
        f"the {D // 2} pairs have {D // 4} different angles, 10000^(−4i/head_dim): those of half a "
        "head, each twice; is head_dim halved twice?",
    ),
]
"""Wrong angles per position, with the slip that gives them."""


@check(
    "rope: angles",
    "pair i of a head rotates by 10000^(−2i/head_dim) per position",
    "Fast pairs tell neighbors apart, slow ones distant tokens; one speed for all would blur both.",
)
def angles(s: Subject) -> str:
    layers = long_scores(s)
    heads = [head for layer in layers[:1] for head in layer.heads]
    if layers and layers[0].gap > 0.01 * layers[0].spread:
        raise NotJudged("scores are not a function of the distance")
    turns = [angles_of(head) for head in heads]
    if not turns or any(turn is None or not turn.max() > 1e-6 for turn in turns):
        raise NotJudged("no rotation of queries and keys was seen")
    names = [name_angles(turn.tolist(), at) for at, turn in enumerate(turns) if turn is not None]
    notes = [*dict.fromkeys(note for note in names if note)]
    bad = [note for note in notes if not note.startswith(("base", PARTLY, STRETCHED))]
    learned = [name for name, p in s.blank().named_parameters() if p.numel() == D // 2]
    if bad and learned:
        raise Wrong(f"""{learned[0]}, of {D // 2} entries for {D} features, is learned: the
            paper's angles are fixed""")
    if bad:
        raise Wrong(next((note for note in bad if "split" in note), bad[0]))
    if PARTLY in notes and all(
        same(turn.tolist(), [1.0, 0.0]) for turn in turns if turn is not None
    ):
        several_pairs_turn(s)
    for note in notes:
        return note if note.startswith("base") else another_kind(note)
    return f"all {H} heads fit, head_dim = {D}: {listed(frequencies(10000.0))}"


def angles_of(head: Head) -> Tensor | None:
    """The angles, the largest first, by which a head's queries and keys (of one repeated token)
    turn from each position to the next: those of the matrix that takes them there. None if there is
    no such matrix."""
    if head.q is None or head.k is None:
        return None
    now, then = (torch.cat([t[rows].double() for t in (head.q, head.k)]) for rows in NOW_THEN)
    turn = torch.linalg.lstsq(now, then, rcond=1e-5, driver="gelsd").solution
    if (then - now @ turn).norm() > 1e-3 * then.norm():
        return None
    values = torch.linalg.eigvals(turn)
    # values of 0 belong to features that no query or key of the row has
    return values[values.abs() > 0.9].angle().abs().sort(descending=True).values


NOW_THEN = (slice(None, -1), slice(1, None))


def same(seen: list[float], thetas: list[float]) -> bool:
    """True if the angles that were seen, each perhaps several times, are these. Over a long row,
    angles near 0 can't be told, and whole turns don't show."""

    def each_in(some: list[float], others: list[float]) -> bool:
        return all(any(abs(a - b) < 2e-3 * b + 0.02 / LONG for b in others) for a in some)

    wrapped = [abs(math.remainder(theta, 2 * math.pi)) for theta in thetas]
    return each_in(seen, wrapped) and each_in(wrapped, seen)


def name_angles(seen: list[float], head: int) -> str:
    """Name the angles of a head, "" where they are the paper's."""
    usual = frequencies(10000.0)
    if same(seen, usual):
        return ""
    parts = [([*usual[:k], 0.0], PARTLY) for k in range(1, D // 2)]
    parts += [([*(10000.0 ** (-i / k) for i in range(k)), 0.0], PARTLY) for k in range(2, D // 2)]
    of_whole = powers(lambda i: -2 * (head * D // 2 + i) / C)
    for thetas, words in (
        *SLIPS,
        *parts,
        (
            of_whole,
            "the rotation runs over all of n_embd before the split into heads: each head gets "
            "other angles",
        ),
    ):
        if same(seen, thetas):
            return words
    if len(seen) > 1 and seen[-1] > 0 and seen[0] / seen[-1] < 1.002:
        return f"{ONE_ANGLE}: {seen[0]:.3g} per position"
    return name_base(sorted({float(f"{theta:.5g}") for theta in seen}, reverse=True))


STRETCHED = "the slow pairs turn slower than their base says"


def name_base(seen: list[float]) -> str:
    """Name the base of angles that are not 10000's, the largest first, or list them."""
    distinct = [a for a, b in itertools.pairwise([*seen, 0.0]) if a > 1.002 * b]
    usual = frequencies(10000.0)
    base = distinct[1] ** (-D / 2) if len(distinct) > 1 and distinct[1] > 0 else 0.0
    if base and same(distinct, frequencies(base)):
        if base > 10000:
            return f"base {base:.4g}, where the paper has 10000"
        return f"the angles fall as {base:.4g}^(−2i/head_dim), not as 10000^(−2i/head_dim)"
    far = [theta for theta in distinct if theta * LONG > 0.1]
    slower = [base ** (-2 * i / D) / theta for i, theta in enumerate(far)]
    grows = all(ratio <= 1.05 * following for ratio, following in itertools.pairwise(slower))
    if slower and abs(slower[0] - 1) < 0.01 and grows and slower[-1] > 1.1:
        return f"{STRETCHED}, {base:.2g}, as where a context was stretched (Llama 3.1)"
    missing = [i for i, theta in enumerate(usual) if not any(same([theta], [a]) for a in distinct)]
    if missing and all(any(same([a], [theta]) for theta in usual) for a in distinct):
        return (
            f"no head's scores have the angle of pair {missing[0]}: are all its features rotated?"
        )
    return (
        f"the pairs turn by {listed(distinct)} per position, where 10000^(−2i/head_dim) is "
        f"{listed(usual)}"
    )


def several_pairs_turn(s: Subject) -> None:
    """Raise Wrong where the first pair alone turns in wider heads, too: a quarter of them, as in
    GPT-NeoX, is then several pairs."""
    trace = s.watch(s.without_table(n_embd=2 * C, block_size=LONG), constant(1, LONG), 2 * C)
    turn = angles_of(trace.heads[0]) if trace.heads else None
    if turn is not None and same(turn.tolist(), [1.0, 0.0]):
        raise Wrong("""only pair 0 turns, the others by nearly nothing per position: is 2i in
            the exponent divided by head_dim?""")


FILE_NAMES = ("rope", "rotary")


def recognizes(s: Subject) -> bool:
    """True if a file looks like RoPE: with a learned table out of the way, nothing about positions
    in the stream, and scores of a constant sequence that vary."""
    layers = long_scores(s)
    return not moves(s.long().projections[0].x) and bool(layers) and layers[0].spread > 0


CHECKS = [table, relative, angles]
