"""RoPE: queries and keys rotate with position, so that a score knows the distance and nothing else
about place.

The probe is a sequence that repeats one token. What differs from place to place is then position's
doing: scores must be constant along each diagonal, values and outputs must not change at all, and
the map that takes a head's queries and keys from each position to the next is its rotation.
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor
from torch.nn import functional as F

from labs.checks.generic import swapped
from labs.checks.property_check import NotJudged, Warned, Wrong, another_kind, check
from labs.checks.subject import LONG, REPEATED, C, D, H, Subject, apart, watch
from labs.checks.trace import Head, Trace

LOW_PRECISION = "are positions, angles, cosines or sines kept in a low precision?"
DIFFERENT_PAIRS = "do cosines, sines and pairs belong together, within one head?"


class LayerScores:
    """The scores of one layer's heads on a constant sequence, beside their distances."""

    def __init__(self, heads: list[Head]) -> None:
        self.heads = heads

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
    def variations(self) -> Tensor:
        """For each head the sd of its scores over distances, all of which the last row sees; 0
        where it is only rounding."""
        last = self.scores[:, -1]
        rounding = (1e-4 * last.abs().mean(-1)).clamp(min=1e-4)
        return torch.where(last.std(-1) > rounding, last.std(-1), 0.0)

    @functools.cached_property
    def spread(self) -> float:
        return self.variations.mean().item()

    @functools.cached_property
    def rounding(self) -> float:
        return 1e-4 * self.scores.tril().abs().amax().item()

    @property
    def varies(self) -> bool:
        """True if the scores depend on positions at all."""
        return self.spread > 0 or self.gap > max(self.rounding, 1e-4)


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
    origins = [head.origin for layer in layers for head in layer.heads if head.origin]
    turned = [origin.q for origin in origins if moves(origin.q)]
    if turned:
        seen += f"; pairs are {pairs_of(turned[0])[0]}"
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
    gap = layer.gap / (layer.spread or layer.rounding)
    if gap > 0.01:
        words = describe_departure(layer.heads, layer.scores, gap)
        raise Wrong(f"layer {number}: scores at one distance differ by {gap:.2g} sd; {words}")
    if still := (layer.variations == 0).nonzero().flatten().tolist():
        raise Wrong(f"""layer {number}, head {still[0]}: its scores don't depend on the distance,
            as those of other heads do: is it rotated?""")
    return gap


def in_bf16(s: Subject, exact: LayerScores, seen: str) -> str:
    """The words for what was seen, with what is less exact under autocast, as studies train. Angles
    in bf16 have 8 bits: from position 256 on they belong to another position. Later layers see the
    rounding of earlier ones, so only the first one is compared."""
    with torch.autocast("cpu", torch.bfloat16):
        rounded = scores_by_layer(watch(s.without_table(block_size=LONG), REPEATED))
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
    try:
        q = torch.zeros(2, 8, 4, 64, dtype=torch.bfloat16)
        out = s.module.apply_rotary_emb(q, q, s.module.precompute_freqs_cis(64, 8))[0]
        return "" if out.dtype == q.dtype else str(out.dtype).removeprefix("torch.")
    except Exception:
        return ""


PAIRS = {"neighbors, (2i, 2i + 1)": -1, "halves, (i, i + D/2)": -2}
"""The usual layouts of features that rotate together, by the axis on which ``cut`` finds them."""


def cut(t: Tensor, axis: int) -> tuple[Tensor, ...]:
    """The first and the second features (…, D / 2) of all pairs of (…, D)."""
    return t.unflatten(-1, (-1, 2) if axis == -1 else (2, -1)).unbind(axis)


def join(a: Tensor, b: Tensor, axis: int) -> Tensor:
    """The features of which a and b were cut."""
    return torch.stack([a, b], axis).flatten(-2)


def pairs_of(t: Tensor) -> tuple[str, Tensor | None]:
    """The pairs of queries or keys (T, D) that keep their lengths, in words and as complex numbers
    (T, D / 2)."""
    for words, axis in PAIRS.items():
        pairs = torch.complex(*cut(t.double(), axis))
        if keeps_lengths(pairs.abs(), t):
            return words, pairs
    return "neither neighbors nor halves", None


def keeps_lengths(sizes: Tensor, t: Tensor) -> bool:
    """True if the sizes (T, N) of parts of t (T, D) are the same at every position."""
    spread = (sizes.amax(0) - sizes.amin(0)).max()
    return bool(spread < 1e-3 * t.double().norm(dim=-1).mean())


def steps(t: Tensor) -> Tensor | None:
    """The angles by which the pairs of queries or keys (T, D) turn from each position to the next,
    (T − 1, D / 2); None if no pairs keep their lengths."""
    _, turned = pairs_of(t)
    return None if turned is None else torch.angle(turned[1:] / turned[:-1])


# ── what else it knows


def describe_departure(heads: list[Head], scores: Tensor, gap: float) -> str:
    """Say what the scores of a constant sequence depend on, when it is not the distance. ``gap`` is
    in sd."""
    T = scores.shape[-1]
    n = T // 2 if T > 64 else T
    S = scores.double()[:, :n, :n]
    causal = torch.ones(n, n, dtype=torch.bool).tril()
    spread = S[:, causal].std().item() or 1.0
    m, at = torch.meshgrid(torch.arange(n), torch.arange(n), indexing="ij")
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
    turned = [(head.origin.q, head.origin.k) for head in heads if head.origin]
    for q, k in turned:
        for name, t in (("queries", q), ("keys", k)):
            if words := describe_turn(t.double()):
                return f"the {name} {words}"
    for turns in ((steps(q), steps(k)) for q, k in turned):
        of_q, of_k = (None if t is None else t.abs().median(0).values for t in turns)
        if of_q is None or of_k is None or torch.allclose(of_q, of_k, rtol=1e-2, atol=1e-5):
            continue
        return f"""the queries' pairs turn by {listed(of_q)} per position, the keys'
            by {listed(of_k)}: have both the same base and the same table?"""
    return f"no rule of m and n: {DIFFERENT_PAIRS}"


def listed(angles: Tensor) -> str:
    return ", ".join(f"{angle:.3g}" for angle in angles.tolist())


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


def no_rotation(t: Tensor) -> str:
    """The formula by which one token's queries or keys (T, D) change with the position, where that
    is not a rotation; "" if it has no name here."""
    angle = torch.arange(len(t), dtype=torch.float64)[:, None] * usual_angles()
    c, s = angle.cos(), angle.sin()
    x = torch.eye(D, dtype=torch.float64)[:, None]  # each feature by itself: (D, 1, D)
    for axis, layout, other in ((-1, "neighbors", "halves"), (-2, "halves", "neighbors")):
        a, b = cut(x, axis)
        mixed = [join(table, table, -3 - axis) for table in (c, s)]
        slips = {
            "a · cos ± b · sin and a · sin ± b · cos have the same sign, where one is − and the "
            "other +": join(a * c + b * s, a * s + b * c, axis),
            "times cos alone: sin is missing": join(a * c, b * c, axis),
            "times sin alone: cos is missing": join(a * s, b * s, axis),
            "x · (cos + sin): no feature meets its partner, so nothing rotates": join(
                a * (c + s), b * (c + s), axis
            ),
            f"pairs that are {layout}, with tables laid out for {other}": x * mixed[0]
            + join(-b, a, axis) * mixed[1],
        }
        for words, out in slips.items():
            if explains(out, t):
                return f"are no rotation: {words}"
        if explains(torch.cat([join(c, s, axis)[None], x.expand(D, len(t), D)]), t):
            return "have cosines and sines added to them, instead of being rotated"
    sizes = t.norm(dim=-1)
    varies = ((sizes.max() - sizes.min()) / sizes.mean()).item()
    lengths = f"their length varies by {varies:.0%} over positions: {DIFFERENT_PAIRS}"
    return f"are no rotation: {lengths}" if varies > 1e-3 else ""


def explains(parts: Tensor, t: Tensor) -> bool:
    """True if t (T, D) is a sum of parts (N, T, D)."""
    columns, target = parts.flatten(1).T, t.flatten()[:, None]
    fit = torch.linalg.lstsq(columns, target, driver="gelsd").solution
    return bool((target - columns @ fit).norm() < 1e-3 * target.norm())


# ── how fast pairs turn


PAIR = torch.arange(D // 2, dtype=torch.float64)  # i


def usual_angles(base: float = 10000.0) -> Tensor:
    """Each pair's angle per position, (D / 2,)."""
    return base ** (-2 * PAIR / D)


USUAL = usual_angles()
ONE_ANGLE = "one angle for all pairs"
PARTLY = "only a part of each head's features rotates, as in GPT-NeoX; the paper rotates all"
SLIPS = {
    f"{ONE_ANGLE}: every pair rotates by 1 per position; does the exponent depend on i?": PAIR**0,
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


@check(
    "rope: angles",
    "pair i of a head rotates by 10000^(−2i/head_dim) per position",
    "Fast pairs tell neighbors apart, slow ones distant tokens; one speed for all would blur both.",
)
def angles(s: Subject) -> str:
    layers = long_scores(s)
    if layers and layers[0].gap > 0.01 * layers[0].spread:
        raise NotJudged("scores are not a function of the distance")
    heads = layers[0].heads if layers else []
    turns = [turn for head in heads if (turn := angles_of(head)) is not None]
    if not turns or len(turns) < len(heads) or any(turn.max() <= 1e-6 for turn in turns):
        raise NotJudged("no rotation of queries and keys was seen")
    notes = [
        *dict.fromkeys(note for at, turn in enumerate(turns) if (note := name_angles(turn, at)))
    ]
    bad = [note for note in notes if not note.startswith(("base", PARTLY, STRETCHED))]
    learned = [name for name, p in s.blank().named_parameters() if p.numel() == D // 2]
    if bad and learned:
        raise Wrong(f"""{learned[0]}, of {D // 2} entries for {D} features, is learned: the
            paper's angles are fixed""")
    if bad:
        raise Wrong(next((note for note in bad if "split" in note), bad[0]))
    if PARTLY in notes and all(same(turn, PARTIAL[0]) for turn in turns):
        several_pairs_turn(s)
    for note in notes:
        return note if note.startswith("base") else another_kind(note)
    return f"all {H} heads fit, head_dim = {D}: {listed(USUAL)}"


def angles_of(head: Head) -> Tensor | None:
    """The angles, the largest first, by which a head's queries and keys (of one repeated token)
    turn from each position to the next: those of the matrix that takes them there. None if there is
    no such matrix."""
    if head.origin is None:
        return None
    met = torch.stack([head.origin.q, head.origin.k]).double()
    now, then = met[:, :-1].flatten(0, 1), met[:, 1:].flatten(0, 1)
    turn = torch.linalg.lstsq(now, then, rcond=1e-5, driver="gelsd").solution
    if (then - now @ turn).norm() > 1e-3 * then.norm():
        return None
    values = torch.linalg.eigvals(turn)
    # values of 0 belong to features that no query or key of the row has
    return values[values.abs() > 0.9].angle().abs().sort(descending=True).values


def near(seen: Tensor, thetas: Tensor) -> Tensor:
    """True where an angle that was seen, (N,), is one of others, (M,): (N, M). Over a long row,
    angles near 0 can't be told, and whole turns don't show."""
    wrapped = (torch.remainder(thetas + math.pi, math.tau) - math.pi).abs()
    return (seen[:, None] - wrapped).abs() < 2e-3 * wrapped + 0.02 / LONG


def same(seen: Tensor, thetas: Tensor) -> bool:
    """True if the angles that were seen, each perhaps several times, are these."""
    fits = near(seen, thetas)
    return bool(fits.any(0).all() and fits.any(1).all())


def name_angles(seen: Tensor, head: int) -> str:
    """Name the angles of a head, the largest first; "" where they are the paper's."""
    if same(seen, USUAL):
        return ""
    if any(same(seen, part) for part in PARTIAL):
        return PARTLY
    of_whole = {
        "the rotation runs over all of n_embd before the split into heads: each head gets other "
        "angles": 10000.0 ** (-2 * (head * D // 2 + PAIR) / C)
    }
    for words, thetas in (SLIPS | of_whole).items():
        if same(seen, thetas):
            return words
    if len(seen) > 1 and seen[-1] > 0 and seen[0] / seen[-1] < 1.002:
        return f"{ONE_ANGLE}: {seen[0]:.3g} per position"
    return name_base(seen[torch.cat([seen[:-1] > 1.002 * seen[1:], seen[-1:] > 0])])


STRETCHED = "the slow pairs turn slower than their base says"


def name_base(distinct: Tensor) -> str:
    """Name the base of angles that are not 10000's, the largest first, or list them."""
    base = distinct[1].item() ** (-D / 2) if len(distinct) > 1 else 0.0
    if base and same(distinct, usual_angles(base)):
        if base > 10000:
            return f"base {base:.4g}, where the paper has 10000"
        return f"the angles fall as {base:.4g}^(−2i/head_dim), not as 10000^(−2i/head_dim)"
    far = distinct[distinct * LONG > 0.1][: len(PAIR)]
    slower = usual_angles(base)[: len(far)] / far
    grows = bool((slower[:-1] <= 1.05 * slower[1:]).all())
    if len(far) and abs(slower[0] - 1) < 0.01 and grows and slower[-1] > 1.1:
        return f"{STRETCHED}, {base:.2g}, as where a context was stretched (Llama 3.1)"
    return (
        f"the pairs turn by {listed(distinct)} per position, where 10000^(−2i/head_dim) is "
        f"{listed(USUAL)}"
    )


def several_pairs_turn(s: Subject) -> None:
    """Raise Wrong where the first pair alone turns in wider heads, too: a quarter of them, as in
    GPT-NeoX, is then several pairs."""
    trace = watch(s.without_table(n_embd=2 * C, block_size=LONG), REPEATED, width=2 * C)
    turn = angles_of(trace.heads[0]) if trace.heads else None
    if turn is not None and same(turn, PARTIAL[0]):
        raise Wrong("""only pair 0 turns, the others by nearly nothing per position: is 2i in
            the exponent divided by head_dim?""")


FILE_NAMES = ("rope", "rotary")


def recognizes(s: Subject) -> bool:
    """True if a file looks like RoPE: with a learned table out of the way, nothing about positions
    in the stream, and scores of a constant sequence that vary."""
    layers = long_scores(s)
    return not moves(s.long().projections[0].x) and bool(layers) and layers[0].spread > 0


CHECKS = [table, relative, angles]
