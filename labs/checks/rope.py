"""RoPE: queries and keys rotate with position, so that a score knows the distance and nothing else
about place.

The probe is a sequence that repeats one token. What differs from place to place is then position's
doing: scores must be constant along each diagonal, values and outputs must not change at all.
"""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from labs.checks.generic import head_name, swapped
from labs.checks.property_check import NotJudged, Warned, Wrong, another_kind, check
from labs.checks.subject import LONG, VOCAB, C, D, H, Subject, apart, constant, logits, tokens
from labs.checks.trace import Head, Trace

# a pair is needed when leaving its angle out leaves more than this over, as a share of the sd
IDLE = 0.01
LOW_PRECISION = "are positions, angles, cosines or sines kept in a low precision?"
ONE_ANGLE = "one angle for all pairs"
NO_EXPONENT = f"{ONE_ANGLE}: every pair rotates by 1 per position; does the exponent depend on i?"


@dataclass
class LayerScores:
    """The scores of one layer's heads on a constant sequence, beside their distances."""

    heads: list[Head]

    @functools.cached_property
    def scores(self) -> Tensor:
        """(heads, T, T); of heads whose queries and keys could not be told, up to a constant per
        row."""
        return torch.stack([head.scores for head in self.heads])

    @property
    def profile(self) -> Tensor:
        """Scores by distance, (heads, T): the last row sees every distance."""
        return self.scores[:, -1].flip(-1)

    @functools.cached_property
    def gap(self) -> float:
        """The largest difference of a score at m >= n from that of its distance."""
        T = self.scores.shape[-1]
        # at [m, n] the last row's score at the distance m - n
        of_distance = F.pad(self.scores[:, -1], (0, T - 1)).unfold(-1, T, 1).flip(1)
        return of_distance.sub_(self.scores).tril_().abs_().nan_to_num_(0.0).amax().item()

    @property
    def variation(self) -> float:
        return variation(self.profile)

    @functools.cached_property
    def largest(self) -> float:
        return self.scores.tril().abs().amax().item()

    @property
    def varies(self) -> bool:
        """True if the scores depend on positions at all."""
        return bool(self.variation) or self.gap > max(1e-4 * self.largest, 1e-4)


def scores_by_layer(trace: Trace) -> list[LayerScores]:
    return [LayerScores(heads) for heads in trace.layers(H) or [[head] for head in trace.heads]]


def long_scores(s: Subject) -> list[LayerScores]:
    """The scores of a constant sequence, by layer."""
    return s.once("rope scores", lambda: scores_by_layer(s.long()))


def variation(profile: Tensor) -> float:
    """The variation of scores with the distance: the mean over heads of their sd, 0 where it is
    only rounding."""
    spread = profile.std(-1).mean().item()
    return spread if spread > max(1e-4 * profile.abs().mean().item(), 1e-4) else 0.0


def describe_departure(heads: list[Head], scores: Tensor, gap: float) -> str:
    """Say what the scores of a constant sequence depend on, when it is not the distance. ``gap`` is
    in sd."""
    T = scores.shape[-1]
    n = T // 2 if T > 64 else T
    S = scores.flatten(0, -3).double()[:, :n, :n]
    causal = torch.ones(n, n, dtype=torch.bool).tril()
    spread = S[:, causal].std().item() or 1.0
    at = torch.arange(n)
    for index, words in (
        (
            at[:, None] + at[None, :],
            "they depend on the sum of the positions: do the keys rotate the other way?",
        ),
        (
            at[:, None].expand(n, n),
            "they depend on the query's position alone: are the keys rotated at all?",
        ),
        (
            at[None, :].expand(n, n),
            "they depend on the key's position alone: are the queries rotated at all?",
        ),
    ):
        worst = 0.0
        for value in index[causal].unique():
            group = S[:, causal & (index == value)]
            worst = max(worst, (group.amax(1) - group.amin(1)).max().item())
        if worst < 0.01 * spread:
            return words
    if gap < 0.2:
        return f"nearly a rule of m − n: {LOW_PRECISION}"
    turned = [(head.q, head.k) for head in heads if head.q is not None and head.k is not None]
    for q, k in turned:
        for name, t in (("queries", q), ("keys", k)):
            if words := describe_turn(t):
                return f"the {name} {words}"
    for q, k in turned:
        of_query, of_key = steps(q), steps(k)
        if of_query is None or of_key is None or of_query.shape != of_key.shape:
            continue
        per_position = [
            angles_per_step.abs().median(0).values for angles_per_step in (of_query, of_key)
        ]
        if not torch.allclose(*per_position, rtol=1e-2, atol=1e-5):
            query_angles, key_angles = (
                ", ".join(f"{angle:.3g}" for angle in angles_per_step.tolist())
                for angles_per_step in per_position
            )
            return (
                f"the queries' pairs turn by {query_angles} per position, the keys' by "
                f"{key_angles}: have both the same base and the same table?"
            )
    return "no rule of m and n: do cosines, sines and pairs belong together, within one head?"


def describe_turn(t: Tensor) -> str:
    """The way in which one token's queries, or keys, at each position (T, D) do not rotate by an
    angle that grows by the same step from position to position; "" if they do."""
    t = t.double()
    for period in range(2, len(t) // 2 + 1):
        if torch.allclose(t[period:], t[:-period], rtol=1e-4, atol=1e-5):
            return (
                f"start again after {period} positions: do positions wrap, or is the table of "
                "angles that short?"
            )
    turns = steps(t)
    if turns is None:
        return no_rotation(t)
    usual = turns.median(0).values
    slow = int(usual.abs().argmin())
    off = (turns[:, slow] - usual[slow]).abs() > 0.05 * usual[slow].abs() + 1e-6
    if not off.any():
        return ""
    largest = int((turns[:, slow] - usual[slow]).abs().argmax())
    if (turns[:, slow].mean() / usual[slow] - 1).abs() < 0.1 or len(turns[:, slow].unique()) < 16:
        return f"turn by uneven steps: {LOW_PRECISION}"
    return (
        f"don't turn by the same angle from each position to the next: pair {slow} by "
        f"{turns[largest, slow].item():.2g} from {largest} to {largest + 1}, and by "
        f"{turns[-1, slow].item():.2g} at the end; are the positions 0, 1, 2, …?"
    )


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
    t = t[:64].double()
    angle = torch.arange(len(t), dtype=torch.float64)[:, None] * torch.tensor(frequencies(10000.0))
    c, s = angle.cos(), angle.sin()
    x = torch.eye(D, dtype=torch.float64)[:, None]  # each feature by itself: (D, 1, D)
    for layout in ("neighbors", "halves"):
        halves = layout == "halves"
        a, b = x.chunk(2, -1) if halves else (x[..., 0::2], x[..., 1::2])
        wide_c, wide_s = (table.repeat_interleave(2, -1) for table in (c, s))
        if not halves:
            wide_c, wide_s = (torch.cat([table, table], -1) for table in (c, s))
        other = torch.cat([-b, a], -1) if halves else torch.stack([-b, a], -1).flatten(-2)
        tables_of = "neighbors" if halves else "halves"
        slips = {
            "a · cos ± b · sin and a · sin ± b · cos have the same sign, where one is − and the "
            "other +": (a * c + b * s, a * s + b * c),
            "times cos alone: sin is missing": (a * c, b * c),
            "times sin alone: cos is missing": (a * s, b * s),
            "x · (cos + sin): no feature meets its partner, so nothing rotates": (
                a * (c + s),
                b * (c + s),
            ),
            f"pairs that are {layout}, with tables laid out for {tables_of}": (
                x * wide_c + other * wide_s,
            ),
        }
        for words, parts in slips.items():
            out = torch.cat(parts, -1)
            if len(parts) == 2 and not halves:
                out = torch.stack(parts, -1).flatten(-2)
            if explains(out.expand(D, len(t), D).flatten(1).T, t):
                return f"are no rotation: {words}"
        added = torch.cat([c, s], -1) if halves else torch.stack([c, s], -1).flatten(-2)
        if explains(torch.cat([added[None], x.expand(D, len(t), D)]).flatten(1).T, t):
            return "have cosines and sines added to them, instead of being rotated"
    sizes = t.norm(dim=-1)
    return (
        f"are no rotation: their length varies by {(sizes.max() - sizes.min()) / sizes.mean():.0%} "
        "over positions: do cosines, sines and pairs belong together, within one head?"
        if (sizes.max() - sizes.min()) / sizes.mean() > 1e-3
        else ""
    )


def explains(columns: Tensor, t: Tensor) -> bool:
    """True if t (T, D), as one column, is a sum of columns (T · D, N)."""
    target = t.flatten()[:, None]
    fit = torch.linalg.lstsq(columns, target, driver="gelsd").solution
    return bool((target - columns @ fit).norm() < 1e-3 * target.norm())


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
    read = [*rows, first.x] if first and rows else []
    moved = [row for row in read if apart(row, row[:1].expand_as(row)) > 1e-3]
    if moved and moved[-1] is read[-1]:
        rotated = keeps_lengths(moved[0].double().norm(dim=-1, keepdim=True), moved[0])
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


@check(
    "rope: relative position",
    "on a sequence of one repeated token, the score of m and n depends on m − n only, in every "
    "head",
    "This is what defines RoPE: shift query and key together, and their product stays.",
)
def relative(s: Subject) -> str:
    layers = long_scores(s)
    if not layers:
        raise NotJudged("no attention was seen; the next check looks at the output")
    seen = []
    if not any(layer.varies for layer in layers):
        raise NotJudged("no score depends on a position")
    for number, layer in enumerate(layers):
        if not layer.varies:
            raise Wrong(
                f"layer {number}: its scores don't depend on positions, as those of other layers "
                "do: is it rotated?"
            )
        above = s.long().heads[number * H - 1 : number * H] if number else []
        for head in above:
            if apart(head.v, head.v[:1].expand_as(head.v)) > 1e-3:
                raise Wrong(
                    f"layer {number - 1}: one token's values differ from position to position: are "
                    "they rotated, too? Only queries and keys are"
                )
        spread = layer.variation or 1e-4 * layer.largest
        if layer.gap > 0.01 * spread:
            heads = s.long().heads[number * H : (number + 1) * H]
            raise Wrong(
                f"layer {number}: scores at one distance differ by {layer.gap / spread:.2g} sd; "
                + describe_departure(heads, layer.scores, layer.gap / spread)
            )
        for at, head_profile in enumerate(layer.profile):
            if not variation(head_profile[None]):
                raise Wrong(
                    f"layer {number}, head {at}: its scores don't depend on the distance, as "
                    "those of other heads do: is it rotated?"
                )
        seen.append(layer.gap / spread)
    return f"scores at one distance agree to {max(seen):.1g} sd, in {len(seen)} layers of {H} heads"


@check(
    "rope: relative position, read off the output",
    "a nudge to token n moves output m by the attention weight, and ratios of weights depend on "
    "m − n only",
    "The same property seen from outside, with one head: it holds for any way to write attention.",
)
def relative_outside(s: Subject) -> str:
    weights = s.once("rope outside", lambda: weights_from_output(s))  # (T, T), log, at n < m
    T = weights.shape[-1]
    spread, gap = 0.0, 0.0
    for d in range(2, T):
        along = torch.stack([weights[m, m - d] - weights[m, m - 1] for m in range(d, T)])
        gap = max(gap, (along - along.mean()).abs().max().item())
        spread = max(spread, abs(along.mean().item()))
    if spread < 1e-4:
        raise NotJudged("no weight depends on a position")
    if gap > 0.02 * max(spread, 0.05):
        raise Wrong(
            f"log ratios at one distance differ by up to {gap:.2g}, those of other distances by "
            f"{spread:.2g}"
        )
    return (
        f"log ratios at one distance agree to {gap:.1g}; over distances they range to {spread:.2g}"
    )


def effects(s: Subject, T: int, rows: list[int]) -> list[Tensor]:
    """The change of the logits at each of `rows` with the embedding at every position, (T, D) each.

    In a one-head, one-layer model on a constant sequence all values are equal, so the output at m
    changes with the embedding at n < m by weight[m, n] times one fixed linear map.
    """
    try:
        model = s.without_table(n_layer=1, n_head=1, n_embd=D, block_size=T)
    except Exception as error:  # a file may want more heads than one
        raise NotJudged(f"no model of one head could be built: {error}"[:200]) from error
    nudge = torch.zeros(1, T, D, requires_grad=True)

    class Nudge(TorchFunctionMode):
        hit = False

        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            out = func(*args, **(kwargs or {}))
            if (
                getattr(func, "__name__", "") in ("embedding", "__getitem__", "index_select")
                and tuple(out.shape) == (1, T, D)
                and not self.hit
            ):
                self.hit = True
                return out + nudge
            return out

    mode = Nudge()
    with mode:
        out = logits(model, constant(1, T))
    if not mode.hit:
        raise NotJudged("no embedding of the tokens was seen")
    probe = torch.randn(VOCAB, generator=torch.Generator().manual_seed(5))
    return [
        torch.autograd.grad((out[0, m] * probe).sum(), nudge, retain_graph=True)[0][0].double()
        for m in rows
    ]


def log_weights(effect: Tensor, m: int, direction: Tensor) -> Tensor:
    """Log attention weights of row m at n < m, up to a constant, (m,). Wrong when the map is not
    one map."""
    along = effect[:m] @ direction / (direction @ direction)
    stray = (effect[:m] - along[:, None] * direction).norm(dim=-1) > 0.02 * effect[:m].norm(dim=-1)
    bad = (stray | (along <= 0)).nonzero()
    if len(bad):
        raise Wrong(
            f"the effect of token {int(bad[0])} on output {m} is not a weight times one fixed map: "
            "are values rotated?"
        )
    return along.log()


def weights_from_output(s: Subject) -> Tensor:
    """Log attention weights read off the output: rows m, columns n < m, up to a row's constant."""
    T = 14
    rows = effects(s, T, list(range(T)))
    log_weight_rows = torch.full((T, T), float("nan"), dtype=torch.float64)
    for m in range(1, T):
        log_weight_rows[m, :m] = log_weights(rows[m], m, rows[T - 1][0])
    return log_weight_rows


def profile_from_output(s: Subject) -> Tensor:
    """One head's scores at distances 1, 2, …, up to a constant, (1, T − 1): for attention that
    can't be seen."""
    (effect,) = effects(s, LONG, [LONG - 1])
    return log_weights(effect, LONG - 1, effect[0]).flip(0)[None]


@check(
    "rope: order matters",
    "with learned positions out of the way, swapping two earlier tokens changes the last logits, "
    "with one layer",
    "Without the table, the rotation is all that tells one place from another.",
)
def order(s: Subject) -> str:
    blind = "nothing rotates, or it rotates along another axis"
    return swapped(s.without_table(n_layer=1), blind)


@check(
    "rope: angles",
    "pair i of a head rotates by 10000^(−2i/head_dim) per position: all the scores are sums of "
    "those frequencies",
    "Fast pairs tell neighbors apart, slow ones distant tokens; one speed for all would blur both.",
)
def angles(s: Subject) -> str:
    notes: set[str] = set()
    # how much is left over without each pair, in the head that needs it most
    needed = [0.0] * (D // 2)
    for number, profile in enumerate(profiles(s)):
        if not variation(profile.scores):
            raise NotJudged("no score depends on the distance")
        if number and notes:
            break  # the first layer has told
        slow = [theta / LONG for theta in frequencies(10000.0)]
        if profile.misfits(slow).max() < 1e-4:  # first: slow angles fit much by accident
            raise Wrong(f"every angle is {LONG} times too small: are positions over the length?")
        for head in (profile.misfits(frequencies(10000.0)) > 2e-3).nonzero().flatten().tolist():
            notes.add(name_frequencies(profile, head))
        if PARTLY in notes and profile.misfits([1.0, 0.0]).max() < 2e-3:
            several_pairs_turn(s)
        for i in range(D // 2):
            rest = [f for j, f in enumerate(frequencies(10000.0)) if j != i]
            needed[i] = max(needed[i], profile.misfits(rest).max().item())
    if any(note.startswith(STRETCHED) for note in notes):  # in the heads that need the slow pairs
        notes = {note for note in notes if note.startswith(STRETCHED)}
    bad = sorted(
        (note for note in notes if not note.startswith(("base", *KINDS))),
        key=lambda note: "split" not in note,
    )
    learned = [name for name, p in s.blank().named_parameters() if p.numel() == D // 2]
    if bad and learned:
        raise Wrong(
            f"{learned[0]}, of {D // 2} entries for {D} features, is learned: the paper's angles "
            "are fixed"
        )
    if bad:
        raise Wrong(bad[0])
    idle = [i for i, left in enumerate(needed) if left < IDLE]
    if len(idle) == D // 2 - 1:
        raise Wrong(NO_EXPONENT)
    if idle == [*range(1, D // 2, 2)] and not notes:
        raise Wrong(
            f"the {D // 2} pairs have {D // 4} different angles, 10000^(−4i/head_dim): those of "
            "half a head, each twice; is head_dim halved twice?"
        )
    if idle and not notes:
        raise Wrong(
            f"no head's scores have the angle of pair {idle[0]}: are all its features rotated?"
        )
    for note in sorted(notes):
        if note.startswith(KINDS):
            return another_kind(note)
    return "; ".join(sorted(notes)) or (
        f"all {H} heads fit, head_dim = {D}: " + ", ".join(f"{f:.3g}" for f in frequencies(10000.0))
    )


def several_pairs_turn(s: Subject) -> None:
    """Raise Wrong where the first pair alone turns in wider heads, too: a quarter of them, as in
    GPT-NeoX, is then several pairs."""
    trace = s.watch(s.without_table(n_embd=2 * C, block_size=LONG), constant(1, LONG), 2 * C)
    layers = scores_by_layer(trace)
    if layers and Profile(layers[0].profile).misfits([1.0, 0.0]).max() < 2e-3:
        raise Wrong(
            "only pair 0 turns, the others by nearly nothing per position: is 2i in the exponent "
            "divided by head_dim?"
        )


PARTLY = "only a part of each head's features rotates, as in GPT-NeoX; the paper rotates all"
STRETCHED = "the slow pairs turn slower than their base says"
KINDS = (PARTLY, STRETCHED)
"""First words about angles that some models have, but not the paper's."""


def frequencies(base: float) -> list[float]:
    return [base ** (-2 * i / D) for i in range(D // 2)]


@dataclass
class Profile:
    """Scores by distance (heads, T): from which distance on, and whether they are known only up to
    a constant."""

    scores: Tensor
    first: int = 0
    floating: bool = False
    known_misfits: dict[tuple[float, ...], Tensor] = field(default_factory=dict)

    def of_head(self, head: int) -> Profile:
        return Profile(self.scores[head : head + 1], self.first, self.floating)

    def misfits(self, thetas: list[float]) -> Tensor:
        """The part of each head's scores that no sum of cosines and sines of these angles per
        position explains: rms / sd, (heads,)."""
        if (key := tuple(thetas)) not in self.known_misfits:
            rest = self.leftover(thetas).T
            size = self.scores.std(-1).clamp(min=1e-12)
            self.known_misfits[key] = rest.pow(2).mean(-1).sqrt() / size
        return self.known_misfits[key]

    def leftover(self, thetas: list[float]) -> Tensor:
        """The part of the scores that such a sum leaves over, (T, heads)."""
        at = self.first + torch.arange(self.scores.shape[-1], dtype=torch.float64)
        speeds = [*thetas, 0.0] if self.floating else thetas
        angle = at[:, None] * torch.tensor(speeds, dtype=torch.float64)[None, :]
        columns = torch.cat([angle.cos(), angle.sin()], dim=1)
        fit = torch.linalg.lstsq(columns, self.scores.T, driver="gelsd").solution
        return self.scores.T - columns @ fit


def profiles(s: Subject) -> list[Profile]:
    """Scores by distance: of every attention layer that can be seen, else of one head, read off the
    output."""
    layers = long_scores(s)
    if not layers:
        return [Profile(profile_from_output(s), first=1, floating=True)]
    floating = any(head.q is None for head in s.long().heads)
    if any(layer.gap > 0.01 * layer.variation for layer in layers):
        raise NotJudged("scores are not a function of the distance")
    return [Profile(layer.profile, floating=floating) for layer in layers]


def name_frequencies(profile: Profile, number: int) -> str:
    """Name the wrong (or other) set of frequencies that explains one head's scores."""

    def misfit(thetas: list[float]) -> float:
        return profile.misfits(thetas)[number].item()

    head = number % H
    per_head = D // 2
    before_split = [10000.0 ** (-2 * (head * per_head + i) / C) for i in range(per_head)]
    exponent = [10000.0 ** (-2 * i / C) for i in range(per_head)]
    named_frequencies = [
        ([1.0], NO_EXPONENT),
        (exponent, "the exponent divides by n_embd, not by the size of a head: 10000^(−2i/n_embd)"),
        (
            [10000.0 ** (-i / D) for i in range(per_head)],
            "the exponent is missing its factor 2: 10000^(−i/head_dim)",
        ),
        (
            [10000.0 ** (-4 * i / D) for i in range(per_head)],
            "the exponent has a factor 2 too many: 10000^(−4i/head_dim)",
        ),
        (
            [10000.0 ** (2 * i / D) for i in range(per_head)],
            "the exponent is missing its minus: 10000^(+2i/head_dim)",
        ),
        (
            [10000.0 ** (-2 * (i + 1) / D) for i in range(per_head)],
            "pairs count from 1: the first rotates by 10000^(−2/head_dim)",
        ),
        (
            [10000.0 ** (-2 * (i - 1) / D) for i in range(per_head)],
            "pairs count from −1: the first rotates by 10000^(2/head_dim)",
        ),
        (
            [D * 10000.0 ** (-2 * i) for i in range(per_head)],
            "the exponent is not divided, but what comes of it: 10000^(2i/head_dim) needs "
            "brackets, theta ** (a / d)",
        ),
        (
            [2 * f for f in frequencies(10000.0)],
            "every angle is twice as large: are queries and keys rotated twice?",
        ),
    ]
    if head > 0:
        named_frequencies.insert(
            1,
            (
                before_split,
                "the rotation runs over all of n_embd before the split into heads: each head gets "
                "other angles",
            ),
        )
    for k in range(1, per_head):
        named_frequencies.insert(0, ([*frequencies(10000.0)[:k], 0.0], PARTLY))
        named_frequencies.insert(
            0, ([*(10000.0 ** (-2 * i / (2 * k)) for i in range(k)), 0.0], PARTLY)
        )
    # one angle for all is a case of its own
    named_frequencies.sort(key=lambda item: item[1] == PARTLY and item[0][:-1] == [1.0])
    for thetas, words in named_frequencies:
        if misfit(thetas) < 2e-3:
            return words
    bases = torch.logspace(1, 7, 241, dtype=torch.float64).tolist()
    best = min(bases, key=lambda base: misfit(frequencies(base)))
    for width in (0.02, 0.002, 0.0002):
        near = [best * math.exp(width * step) for step in range(-14, 15)]
        best = min(near, key=lambda base: misfit(frequencies(base)))
    if misfit(frequencies(best)) < 2e-3:
        if best > 10000:
            return f"base {best:.4g}, where the paper has 10000"
        return f"the angles fall as {best:.4g}^(−2i/head_dim), not as 10000^(−2i/head_dim)"
    singles = torch.logspace(-4, math.log10(math.pi), 400, dtype=torch.float64).tolist()
    if min(misfit([theta]) for theta in singles) < 0.02:
        return f"{ONE_ANGLE}: the scores have a single frequency"
    return describe_angles(profile.of_head(number))


def describe_angles(profile: Profile) -> str:
    """Describe the angles per position that make up one head's scores, when they are not a known
    set."""
    starts = [frequencies(base) for base in (1e2, 1e3, 1e5, 1e6)]
    for base, factor, first in itertools.product((1e4, 5e5), (4, 8, 32), range(2, D // 2)):
        slowed = [f / (factor if i >= first else 1) for i, f in enumerate(frequencies(base))]
        starts.insert(0, slowed)
    fitting = []
    for start in starts:
        angles = fit_angles(profile, start)
        if profile.misfits(angles).item() < 2e-3:
            if words := describe_stretched(angles):
                return words
            fitting.append(angles)
    usual = ", ".join(f"{theta:.3g}" for theta in frequencies(10000.0))
    if fitting:
        seen = ", ".join(f"{theta:.3g}" for theta in fitting[-1])
        return f"the pairs turn by {seen} per position, where 10000^(−2i/head_dim) is {usual}"
    left = profile.misfits(frequencies(10000.0)).item()
    return (
        f"the scores are not a sum of the angles 10000^(−2i/head_dim), {usual}; {left:.0%} is left "
        "over"
    )


def describe_stretched(angles: list[float]) -> str:
    """Describe angles, the largest first, that come from a base, with the slow ones divided by more
    and more, as where a context was stretched; "" if they don't."""
    base = angles[1] ** (-D / 2)
    # angles that are nearly 0 over a long row can't be told
    seen = [theta for theta in angles if theta * LONG > 0.1]
    slower = [base ** (-2 * i / D) / theta for i, theta in enumerate(seen)]
    grows = all(ratio <= 1.05 * next_ratio for ratio, next_ratio in itertools.pairwise(slower))
    if abs(slower[0] - 1) > 0.01 or not grows or slower[-1] < 1.1:
        return ""
    return f"{STRETCHED}, {base:.2g}, as where a context was stretched (Llama 3.1)"


def fit_angles(profile: Profile, start: list[float]) -> list[float]:
    """Angles near a start that leave less over of one head's scores, the largest first."""

    def rest(logs: Tensor) -> Tensor:
        return profile.leftover(logs.exp().tolist())[:, 0]

    logs, damping = torch.tensor(start, dtype=torch.float64).log(), 1e-2
    now = rest(logs)
    for _ in range(20):
        if now.pow(2).mean().sqrt() < 1e-3 * profile.scores.std():
            break
        slopes = torch.stack(
            [(rest(logs + 1e-5 * axis) - now) / 1e-5 for axis in torch.eye(len(logs)).double()], 1
        )
        normal = slopes.T @ slopes
        normal += damping * normal.diagonal().clamp(min=1e-12).diag()
        step = torch.linalg.lstsq(normal, -(slopes.T @ now)[:, None], driver="gelsd").solution
        new_logs = (logs + step[:, 0].clamp(-0.5, 0.5)).clamp(max=math.log(math.pi))
        new = rest(new_logs)
        if new.norm() < now.norm():
            logs, now, damping = new_logs, new, max(damping / 5, 1e-9)
        else:
            damping *= 5
    return sorted(logs.exp().tolist(), reverse=True)


@check(
    "rope: length kept",
    "rotating keeps the length of every query and key (the helpers: on (2, 8, 4, 64), to 1e-4)",
    "A rotation keeps lengths. A length that changes with position scales the scores.",
)
def length(s: Subject) -> str:
    seen = []
    q, k = (torch.randn(2, 8, 4, 64, generator=torch.Generator().manual_seed(n)) for n in (0, 1))
    if (out := helped(s, q, k)) is not None:
        if out:
            for name, before, after in (("query", q, out[0]), ("key", k, out[1])):
                gap = (after.norm(dim=-1) - before.norm(dim=-1)).abs()
                if gap.max() > 1e-4:
                    b, t, h = (gap > 1e-4).nonzero()[0].tolist()
                    raise Wrong(
                        f"the helper changes a {name}'s length by {gap[b, t, h]:.3g}, at "
                        f"[{b}, {t}, {h}]"
                    )
            seen.append("the helpers keep it")
        else:
            seen.append("the helpers take other arguments than (dim, end) and (xq, xk, freqs_cis)")
    for head in s.long().heads:
        for name, t in (("query", head.q), ("key", head.k)):
            if t is None:
                continue
            sizes = t.float().norm(dim=-1)  # (T,)
            gap = (sizes.max() - sizes.min()) / sizes.mean()
            if gap > 1e-3:
                raise Wrong(f"the length of one {name} varies by {gap:.1%} over positions")
        # it rotates at all
        if head.q is not None and apart(head.q, head.q[:1].expand_as(head.q)) > 1e-3:
            seen.append(pairing(head.q))
    if not seen:
        raise NotJudged("no query or key changes with its position")
    return "; ".join(dict.fromkeys(seen))


def pairing(q: Tensor) -> str:
    """Tell which features of queries (T, D) rotate together, from the pairs that keep their
    length."""
    adjacent = q.unflatten(-1, (-1, 2)).norm(dim=-1)
    halves = q.unflatten(-1, (2, -1)).norm(dim=-2)
    for sizes, words in (
        (adjacent, "pairs are neighbors, (2i, 2i + 1)"),
        (halves, "pairs are halves, (i, i + D/2)"),
    ):
        if keeps_lengths(sizes, q):
            return words
    return "pairs are neither neighbors nor halves"


@check(
    "rope: values left alone",
    "on a sequence of one repeated token, the logits are the same at every position",
    "Only queries and keys rotate. Rotated values would mix absolute positions into the output.",
)
def values(s: Subject) -> str:
    for number, head in enumerate(s.long().heads):
        if apart(head.v, head.v[:1].expand_as(head.v)) > 1e-3:
            raise Wrong(f"{head_name(number)}: one token's values differ from position to position")
    out = s.long().logits
    moved = (out - out[:1]).abs().amax(dim=1) / out.std()
    if moved.max() > 2e-3:
        raise Wrong(
            f"logits at position {int((moved > 2e-3).nonzero()[0])} differ from those at 0 by "
            f"{moved.max():.2g} sd"
        )
    return f"logits agree over {LONG} positions to {moved.max():.1g} sd"


@check(
    "rope: every length",
    "the angles serve each T up to block_size, in any order of calls; what lies beyond is right or "
    "refused",
    "A cache made for the first length that it meets goes wrong at the next one.",
)
def lengths(s: Subject) -> str:
    block = 24
    model = s.shaken(block_size=block)
    x = tokens(2, block)
    with torch.no_grad():
        short = logits(model, x[:, :5])
        whole = logits(model, x)
        for T in (1, 2, 3, 7, block - 1, 5):
            part = logits(model, x[:, :T])
            if apart(whole[:, :T], part) > 2e-3:
                raise Wrong(
                    f"the first {T} of {block} tokens give other logits alone: "
                    f"{apart(whole[:, :T], part):.2g} sd"
                )
        if apart(short, whole[:, :5]) > 2e-3:
            raise Wrong("the first call, with 5 tokens, disagrees with a later one with more")
        try:
            beyond = logits(model, tokens(2, block + 9))
        except Exception as error:  # refusing is right, whatever the kind
            return f"1 to {block} agree; {block + 9} are refused ({type(error).__name__})"
    if s.tables():
        raise NotJudged("a table grows with block_size, so lengths beyond it have no meaning")
    long = s.shaken(block_size=block + 9)
    weights = dict(model.named_parameters())
    with torch.no_grad():
        for name, p in long.named_parameters():
            p.copy_(weights[name])
        long_logits = logits(long, tokens(2, block + 9))
    if apart(long_logits, beyond) > 2e-3:
        raise Wrong(
            f"{block + 9} tokens at block_size {block} are accepted, and come out "
            f"{apart(long_logits, beyond):.2g} sd wrong"
        )
    return f"1 to {block + 9} agree"


@check(
    "rope: precision",
    "under autocast to bf16, as studies train, scores are as exact far from the start as near it",
    "Angles computed in bf16 have 8 bits: from position 256 on they belong to another position.",
)
def precision(s: Subject) -> str:
    model = s.without_table(block_size=LONG)
    with torch.autocast("cpu", torch.bfloat16):
        trace = s.watch(model, constant(1, LONG))
    rounded, exact = scores_by_layer(trace), long_scores(s)
    if not rounded or len(rounded) != len(exact):
        raise NotJudged("attention was not seen alike in fp32 and bf16")
    # later layers see the rounding of earlier ones, so only the first one is compared
    spread = exact[0].variation
    if not spread or exact[0].gap > 0.01 * spread:
        raise NotJudged("scores are not a function of the distance")
    off = (rounded[0].scores - exact[0].scores).tril()
    near, far = (
        off[:, rows, :].pow(2).sum().div(off[:, rows, :].count_nonzero().clamp(min=1)).sqrt().item()
        / spread
        for rows in (slice(1, 33), slice(LONG - 128, LONG))
    )
    if far > 3 * near and far > 0.1:
        raise Wrong(
            f"in bf16, scores are {near:.2g} sd from those in fp32 up to position 32, and "
            f"{far:.2g} sd from position {LONG - 128} on: are the angles computed under autocast?"
        )
    seen = f"scores in bf16 are within {max(near, far):.2g} sd of fp32, near and far"
    q = torch.zeros(2, 8, 4, 64, dtype=torch.bfloat16)
    out = helped(s, q, q)
    if out and out[0].dtype != torch.bfloat16:
        name = str(out[0].dtype).removeprefix("torch.")
        return Warned(
            f"{seen}; apply_rotary_emb casts bfloat16 into {name}, which costs memory: a cast "
            "back would keep it"
        )
    if max(near, far) > 0.25:
        return Warned(f"{seen}: cosines and sines in fp32 would be more exact")
    return seen


def helped(s: Subject, q: Tensor, k: Tensor) -> list[Tensor] | None:
    """The queries and keys (B, 8, H, 64) after a file's helpers: nothing if they take other
    arguments than the suggested ones, None if there are no such helpers."""
    make, apply = (
        getattr(s.module, name, None) for name in ("precompute_freqs_cis", "apply_rotary_emb")
    )
    if not callable(make) or not callable(apply):
        return None
    try:
        table = make(64, 8)
        out = apply(q, k, *table) if isinstance(table, tuple | list) else apply(q, k, table)
        fits = isinstance(out, tuple | list) and len(out) == 2 and out[0].shape == q.shape
    except Exception:
        return []
    return list(out) if fits else []


FILE_NAMES = ("rope", "rotary")


def recognizes(s: Subject) -> bool:
    """True if a file looks like RoPE: with a learned table out of the way, nothing about positions
    in the stream, and scores of a constant sequence that vary."""
    first = s.long().projections[0].x
    if apart(first, first[:1].expand_as(first)) > 1e-3:
        return False  # positions are added to the embedding
    layers = long_scores(s)
    return bool(layers) and layers[0].variation > 0


CHECKS = [
    table,
    relative,
    relative_outside,
    order,
    angles,
    length,
    values,
    lengths,
    precision,
]
