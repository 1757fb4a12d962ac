"""The checks that every model file must pass, whatever it modifies."""

from __future__ import annotations

import functools
import inspect
import itertools
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from labs import interfaces, loading
from labs.checks.property_check import (
    INTERFACE,
    STREAM,
    TOKENS,
    TRAINING,
    NotJudged,
    Vague,
    Warned,
    Wrong,
    another_kind,
    change,
    check,
)
from labs.checks.subject import (
    LAYERS,
    LONG,
    SIZES,
    VOCAB,
    WIDE,
    B,
    C,
    D,
    H,
    Subject,
    T,
    apart,
    logits,
    loud,
    number,
    seed_draws,
    shake,
    tokens,
    watch,
)
from labs.checks.trace import Head, Projection, Trace, first_alike, first_difference
from labs.torch_private import leaves


@check(
    "interface",
    "GPT(GPTConfig(...)) gives (logits, loss): with targets (B, T, V) and their cross-entropy, "
    "without them None",
    "The trainer calls every model file this way, so that two files can be compared at all.",
    rank=INTERFACE,
)
def interface(s: Subject) -> str:
    callable_as_trained(s)
    if deaf := loading.deaf_to(s.build, SIZES):
        lost = (
            ": build a new block for each layer, in nn.ModuleList(Block(config) for _ in "
            "range(config.n_layer))"
        ) * ("n_layer" in deaf)
        raise Wrong(f"""whatever {" and ".join(deaf)} GPTConfig is given, the model stays the
            same{lost}""")
    for bias in (True, False):
        scores, loss = judge_call(s.build(bias=bias))
    judge_call(s.shaken())  # weights that have moved show what the first ones hide
    flat = "; logits come flattened to (B·T, V)" * (scores.dim() == 2)
    rounded = f"; its weights are {s.rounded}, and are compared in float32" * bool(s.rounded)
    return f"logits {(B, T, VOCAB)}, loss {loss.item():.3f}{flat}{rounded}"


def judge_call(model: nn.Module) -> tuple[Tensor, Tensor]:
    """The logits and the loss of a call with targets. Wrong where they, or those of one without
    targets, are not what the trainer expects."""
    x, y = tokens(), tokens(seed=4)
    out = model(x, y)
    parts = out if isinstance(out, tuple | list) else [out]
    kinds = ", ".join(type(part).__name__ for part in parts)
    if kinds != "Tensor, Tensor":
        raise Wrong(f"with targets, forward returned {kinds}, not the pair (logits, loss)")
    scores, loss = parts
    if not torch.isfinite(scores).all():
        raise Wrong(f"""logits at position {int((~torch.isfinite(scores)).nonzero()[0, -2]) % T} are
            not finite: does a mask leave a token nothing to see, or is a root or a logarithm of
            what can be 0 or less?""")
    if not torch.equal(scores, model(x, y)[0]):
        raise Wrong("""the same call twice gives other logits: is something kept between calls,
            or dropped in evaluation?""")
    if tuple(scores.shape) not in ((B * T, VOCAB), (B, T, VOCAB)):
        padded = scores.shape[-1] > VOCAB and scores.shape[:-1].numel() == B * T
        raise Wrong(
            f"logits have the shape {tuple(scores.shape)}, and (B, T, V) is {(B, T, VOCAB)}"
            + "; of a vocabulary that is padded, return logits[..., :vocab_size]" * padded
        )
    if loss.dim() != 0 or not torch.isfinite(loss):
        raise Wrong(f"the loss is {loss.tolist()}, not one finite number")
    expected = F.cross_entropy(scores.reshape(-1, VOCAB), y.reshape(-1)).item()
    if abs(loss.item() - expected) > 1e-3 * max(1.0, expected):
        raise Wrong(f"""the loss is {loss.item():.4f}, the cross-entropy of its own logits
            {expected:.4f}: {other_loss(model, x, y)}""")
    if apart(scores, model(x, tokens(seed=5))[0]) > 1e-3:
        raise Wrong("the logits change with the targets: the model reads what it should predict")
    last, none = model(x)
    if none is not None:
        raise Wrong("without targets, forward returned a loss")
    if last.numel() not in (B * VOCAB, B * T * VOCAB):
        shape = tuple(last.shape)
        raise Wrong(f"without targets, logits have the shape {shape}, not {(B, 1, VOCAB)}")
    if apart(scores.reshape(B, T, VOCAB)[:, -1], last.reshape(B, -1, VOCAB)[:, -1]) > 1e-3:
        raise Wrong("the last position's logits differ between a call with targets and one without")
    return scores, loss


def other_loss(model: nn.Module, x: Tensor, y: Tensor) -> str:
    """Name what a loss computes in place of cross-entropy, by what it makes of each target: as one
    becomes another token, a mean over N changes by 1/N of the difference of their logits."""
    scores, loss = shake(model)(x, y)
    scores = scores.reshape(B, T, VOCAB)
    for token in y.unique():
        ignoring = F.cross_entropy(scores.flatten(0, 1), y.flatten(), ignore_index=int(token))
        if torch.isclose(ignoring, loss, rtol=1e-5):
            return f"targets that are token {token} are left out of it, as by ignore_index={token}"

    def counts(back: int) -> Tensor:
        """How often each target counts (B, T - back) beside the logits so many places before it."""
        times = torch.zeros(B, T - back)
        for row, at in itertools.product(range(B), range(T - back)):
            token, logit = y[row, at + back], scores[row, at]
            moved = model(x, other(y, at + back, row))[1] - loss
            times[row, at] = moved * B * T / (logit[token] - logit[(token + 1) % VOCAB])
        return times

    def even(times: Tensor) -> bool:
        return bool((times - times.median()).abs().max() < 0.02 * times.median().abs())

    times = counts(0)
    used = times.abs() > 1e-3
    if not used.any() or not even(times[used]):
        if even(counts(1)):
            return "targets are shifted there: each is compared with the logits before its own"
        return "are logits scaled there, or capped?"
    if not used.all():
        places = ", ".join(map(str, (~used).nonzero()[:, 1].unique().tolist()))
        return f"{int((~used).sum())} of {B * T} targets don't count, at positions {places}"
    each = times.median().item()
    if abs(each - 1) < 0.02:
        return "is something added to it?"
    smoothed = f", as by label_smoothing={1 - each:.2g}, or where logits are scaled" * (each < 1)
    return f"each target counts {each:.3g} times{smoothed}"


def callable_as_trained(s: Subject) -> None:
    """Raise when the file's signatures don't take GPT(GPTConfig(sizes)), forward(idx, targets) and
    forward(idx): Wrong for a missing size, TypeError with the cure for anything else."""
    missing = [name for name in loading.SIZES if name not in s.fields]
    if missing and not loading.takes_any(s.module):
        others = [name for name in s.fields if name not in loading.STANDARD]
        renamed = f"rename the one that means it ({', '.join(others)}), or " * bool(others)
        raise Wrong(f"""GPTConfig has no field {", ".join(missing)}: {renamed}add it, as
            {missing[0]}: int = 1, which every study sets""")
    needed = [
        name
        for name, parameter in inspect.signature(s.module.GPTConfig).parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        and name not in loading.STANDARD
    ]
    if needed:
        raise TypeError(
            f"GPTConfig needs {', '.join(needed)}, of which only the file knows: give a default"
        )
    interfaces.binds(s.module.GPT, ("config",), "GPT", "take the sizes from the config alone")
    interfaces.takes_targets(s.module.GPT)
    interfaces.binds(
        s.module.GPT.forward, ("self", "idx"), "forward", "give targets the default None"
    )


@check(
    "loss at the start",
    "near ln(vocab), to 0.5: nothing is known yet, so each token is as likely as any other",
    "A start far above it means that the first steps go into undoing the initial weights.",
    rank=TOKENS,
)
def start(s: Subject) -> str:
    loss, even = start_loss(s), math.log(START_VOCAB)
    seen = f"{loss:.3f}; this check has {START_VOCAB} tokens, and ln {START_VOCAB} = {even:.3f}"
    if not -0.5 <= loss - even <= 1.5:
        raise Vague(f"""{seen}; check the standard deviation of the initial weights (0.02), and
            the tied embedding's""")
    if loss - even <= 0.5:  # logits of unit variance are 0.5 above
        return seen
    return another_kind(f"""the first weights are larger than GPT-2's (0.02), so the loss starts
        at {seen}{SECOND}""")


SECOND = "; a second difference, unless the baseline has it too"
START_VOCAB = 65


def start_loss(s: Subject) -> float:
    """The loss of an untrained model on random tokens."""
    model = s.build(vocab_size=START_VOCAB, n_embd=128, n_layer=4, block_size=32)
    x, y = tokens(8, 32, START_VOCAB), tokens(8, 32, START_VOCAB, seed=4)
    return float(model(x, y)[1].item())


@check(
    "causality",
    "changing later tokens, or leaving them out, leaves the logits before them as they were",
    "A model that sees the next token has nothing to predict: its loss falls, and means nothing.",
    rank=TOKENS,
)
def causality(s: Subject) -> str:
    model = s.shared()
    moved = influence(model)
    if len(early := (moved.tril(-1) > 1e-4).nonzero()):
        at, position = early[0].tolist()
        raise Wrong(f"""changing token {at} moved the logits at {position} by
            {moved[at, position]:.3g} sd: {leak(s, model)}""")
    every_length(s)
    while_training(s)
    return f"no logit before a changed token moved; rows of 1 to {T} tokens agree"


def influence(model: nn.Module, places: Iterable[int] = range(T)) -> Tensor:
    """The change of the logits at each position, in sd, as a token changes: (places, moved)."""
    x = tokens()

    def seen(idx: Tensor) -> Tensor:
        seed_draws(9)  # what drops while training drops the same
        return logits(model, idx, x)

    before = seen(x)
    return torch.stack([moves(before, seen(other(x, at))) for at in places])


def every_length(s: Subject) -> None:
    """Raise Wrong where the first tokens of a row, alone, get other logits than in the row."""
    model, x = s.shaken(), tokens()
    logits(model, x[:, :5])  # a table that is made for the first length shows in what follows
    whole = logits(model, x)
    for length in range(1, T):
        gap = apart(whole[:, :length], logits(model, x[:, :length]))
        if gap > 2e-3:
            fresh = apart(logits(s.shaken(), x)[:, :length], logits(s.shaken(), x[:, :length]))
            reason = (
                "a model that sees them first agrees, so something is kept from the calls before, "
                "such as a table for the first length"
                if fresh < 2e-3
                else "something depends on how long the row is: do positions count from its start?"
            )
            raise Wrong(f"""the first {length} of {T} tokens give other logits alone, {gap:.2g} sd
                apart: {reason}""")


def other(x: Tensor, at: int | slice, row: int | slice = slice(None)) -> Tensor:
    """The rows of tokens with another token there."""
    changed = x.clone()
    changed[row, at] = (changed[row, at] + 1) % VOCAB
    return changed


def moves(before: Tensor, after: Tensor) -> Tensor:
    """The largest change of the logits at each position, in sd, (T,)."""
    return (after - before).abs().amax(dim=(0, 2)) / before.std()


def leak(s: Subject, model: nn.Module) -> str:
    """Say what lets a position see later tokens, and where."""
    if s.small.over_queries:
        return """each column of the attention weights sums to 1, where each row should: is the
            softmax over the keys, the last axis?"""
    for number_, head in enumerate(s.small.heads):
        later = head.weights.triu(1).nonzero()
        if len(later):
            position, seen = later[0].tolist()
            ahead = int((later[:, 1] - later[:, 0]).max())
            what = f"position {'t see t + 1' if ahead == 1 else f'{position} see {seen}'}"
            if len(later) == T * (T - 1) // 2:
                what = "each position see all later ones, as if without a mask"
            return f"{head_name(number_)} lets {what}{located(s.small.places[head.at])}"
    x = tokens()
    mixed = "tokens", first_difference(model, x[:1], other(x, -1)[:1], T, T - 1)
    if not mixed[1]:
        mixed = "rows of the batch", first_difference(model, x, other(x, slice(None), 1), B, 1)
    return f"attention weighs no later token, but {mixed[0]} mix{located(mixed[1])}"


def located(where: str) -> str:
    return f", in {where}" if where else ""


def while_training(s: Subject) -> None:
    """Raise Wrong where a later token is seen in training alone."""
    moved = influence(s.shaken(dropout=0.2).train(), [T // 2])[0]
    if (moved[: T // 2] > 1e-4).any():
        position = int((moved > 1e-4).nonzero()[0])
        raise Wrong(f"""in training mode, changing token {T // 2} moved the logits at {position}
            by {moved[position]:.3g} sd, where in evaluation it moves none: is the mask left
            out?""")


@check(
    "context",
    "changing an earlier token changes the logits of every later position, also with one layer",
    "Attention that doesn't reach the earlier tokens, or mixes heads instead, trains, and badly.",
    rank=STREAM,
)
def context(s: Subject) -> str:
    reaches = [window(head, index) for index, head in enumerate(s.long.heads)]
    reach = min(reaches, default=LONG)
    moved = influence(s.shared(n_layer=1))
    band = torch.ones(T, T).triu().tril(reach - 1)[:-1] > 0
    if len(deaf := ((moved[:-1] < 1e-5) & band).nonzero()):
        at, position = deaf[0].tolist()
        raise Wrong(f"changing token {at} moved nothing at position {position}")
    if reach == LONG:
        return f"every position answers to itself and to all before it, up to {LONG} tokens"
    narrow = sorted({index // H for index, length in enumerate(reaches) if length == reach})
    return another_kind(f"""a window: layer {", ".join(map(str, narrow))} reaches {reach} tokens
        and no further back{SECOND}""")


def window(head: Head, index: int) -> int:
    """The number of tokens that each position of a long row attends to in a head: all of them, or
    those of a sliding window. Wrong where it is neither."""
    seen = head.weights > 0
    whole = torch.ones_like(seen).tril()
    missing = (whole & ~seen).nonzero()
    # a weight that is too small for a float makes no window
    if not len(missing) or head.weights[seen].min() < 1e-20:
        return LONG
    reach = int(seen[-1].sum())
    if torch.equal(seen, whole.triu(1 - reach)):
        return reach
    t, at = missing[0].tolist()
    raise Wrong(f"{head_name(index)}: position {t} gives position {at} no weight at all")


@check(
    "batch independence",
    "a row's logits don't depend on the other rows of the batch",
    "A statistic over the batch, or a wrong reshape, lets examples leak into each other.",
    rank=TOKENS,
)
def batch(s: Subject) -> str:
    model, x = s.shared(), tokens()
    before, after = logits(model, x, x), logits(model, other(x, slice(None), row=1), x)
    for row in (0, 2):
        if (gap := apart(before[row], after[row])) > 1e-3:
            where = first_difference(model, x, other(x, slice(None), row=1), B, 1)
            raise Wrong(f"""changing row 1 moved the logits of row {row} by {gap:.3g} sd: rows of
                the batch mix{located(where)}""")
    gap = apart(before[2:], logits(model, x[2:], x[2:]))
    if gap > 1e-2:
        raise Wrong(f"""row 2 alone gives other logits than in a batch: {gap:.3g} sd apart; does
            something depend on a row's place in the batch?""")
    return f"rows agree alone and in a batch of {B}"


@check(
    "residual stream",
    "each sublayer reads a norm of the stream and adds its output once to what it read",
    "Gradients take this path past each layer; a break or a second copy trains, only worse.",
    rank=STREAM,
)
def residual(s: Subject) -> str:
    stream = s.stream
    for reading in stream.readings:
        if not reading.norm:
            raise Wrong(f"{reading.name} reads the stream without a norm")
    seen = f"{len(stream.readings) - 1} sublayers in {LAYERS} layers, each added once"
    if stream.parallel:
        return Warned(f"""{seen}; attention and feed-forward layer side by side, as in GPT-J and
            PaLM{SECOND}""")
    return f"{seen} to what it read"


@check(
    "attention",
    "each head's output is softmax(q kᵀ / √head_dim) v, and all of them go back side by side",
    "The scale belongs to the size of one head; a head that is left out, or scaled, still trains.",
    rank=STREAM,
)
def attention(s: Subject) -> str:
    try:
        return check_attention(s.small)
    except NotJudged:  # with gains of 1, the lengths of normalized queries and keys are known
        return check_attention(watch(loud(shake(s.build(), gains=False)), tokens(1)))


def check_attention(pass_trace: Trace) -> str:
    """Check that the heads of a trace are softmax(q kᵀ / √head_dim) v, and that all go back."""
    layers = heads_by_layer(pass_trace)
    ends = [*(layer[0].at for layer in layers[1:]), math.inf]
    kinds: list[str | None] = []
    for index, (layer, end) in enumerate(zip(layers, ends, strict=True)):
        lengths = part_lengths([p for p in pass_trace.projections if p.at < layer[0].at][-3 * H :])
        after = [p.x for p in pass_trace.projections if layer[0].at < p.at < end]
        pool = torch.cat(after, dim=-1) if after else torch.zeros(T, 1)
        alike = first_alike([head.weights for head in layer])
        for at, head in enumerate(layer):
            name = head_name(index * H + at)
            if alike[at] != at:
                raise Wrong(f"""layer {index}: heads {alike[at]} and {at} have the same weights
                    everywhere: do they share their queries, too?""")
            kinds.append(judge_scale(name, head, lengths))
            if not has_columns(pool, head.out):
                raise Wrong(f"""{name}: its output, its weights times its values, is not among
                    what goes back to the stream""")
    if all(kind is None for kind in kinds):
        raise NotJudged("queries and keys, as they meet, are those of no projection that was seen")
    for kind in filter(None, kinds):
        return another_kind(kind)
    return f"{len(kinds)} heads in {LAYERS} layers, scaled by 1/√{D}"


def heads_by_layer(pass_trace: Trace) -> list[list[Head]]:
    """The heads of each layer; NotJudged where there are more or fewer."""
    layers, heads = pass_trace.layers(H), pass_trace.heads
    if len(layers) != LAYERS:
        raise NotJudged(f"""{len(heads)} heads of attention were seen, where {LAYERS} layers have
            {H} each: is it computed in blocks, or of another kind?""")
    return layers


QK_NORM = "queries and keys go through a norm before they meet (QK norm)"
SCALES = {
    1.0: "not scaled",
    C**-0.5: "divided by √n_embd",
    1 / D: "divided by head_dim: the root is missing",
    1 / C: "divided by n_embd",
    D**0.5: "multiplied by √head_dim",
}
"""Wrong factors on the products of queries and keys, in words."""


def judge_scale(name: str, head: Head, lengths: Tensor) -> str | None:
    """The kind of a head's scores; "" for the usual one, None if their scale can't be told. Wrong
    where they are scaled by something else."""
    scale, normalized = whole_scale(head, lengths)
    if head.origin is None or scale is None:
        return None
    times, slip = scale * math.sqrt(D), ""
    for value, words in SCALES.items():
        if abs(scale / value - 1) < 0.02:
            slip = f": it is {words}"
    product = f", and their product is {times:.3g} / √{D}" if abs(times - 1) > 0.02 else ""
    if product and (slip or not normalized):
        raise Wrong(f"""{name}: {f"{QK_NORM}, and " * normalized}the scale of q kᵀ is {scale:.4g},
            where 1/√head_dim = 1/√{D} is {D**-0.5:.4g}{slip}""")
    if normalized:
        return QK_NORM + product
    return "a bias by distance is added to the scaled scores (ALiBi, T5)" * head.origin.biased


def head_name(number: int) -> str:
    return f"layer {number // H}, head {number % H}"


def whole_scale(head: Head, lengths: Tensor) -> tuple[float | None, bool]:
    """The factor on the product of a query and a key, as they left their projections or a norm;
    None if it can't be told. True if they left a norm. ``lengths`` are those of ``part_lengths``.

    Some files scale queries, not scores. Rotating keeps lengths, so the factor shows in a head's
    lengths beside those of D features of a projection.
    """
    if head.origin is None:
        return None, False
    factor, normalized = head.origin.scale, False
    for met in (head.origin.q, head.origin.k):
        ratios = met.float().norm(dim=-1)[:, None] / lengths.clamp(min=1e-12)
        fits = (ratios.std(0) / ratios.mean(0) < 1e-3).nonzero().flatten().tolist()
        if not fits:
            return None, False
        factor *= float(ratios[:, fits[0]].mean())
        normalized |= fits[0] == lengths.shape[-1] - 1
    return factor, normalized


def part_lengths(projections: list[Projection]) -> Tensor:
    """The lengths of all vectors of D features, side by side or a fixed distance apart, into which
    the outputs (T, N) of projections can be cut, and last that of a normalized vector: (T, parts).
    """
    parts = [
        p.out.float().unflatten(-1, (-1, D, stride)).norm(dim=-2).flatten(1)
        for p in projections
        for stride in range(1, p.out.shape[-1] // D + 1)
        if p.out.shape[-1] % (D * stride) == 0
    ]
    return torch.cat([*parts, torch.full((T, 1), math.sqrt(D))], dim=-1)


def has_columns(pool: Tensor, columns: Tensor) -> bool:
    """True if each of the columns (T, D) is a column of pool (T, N)."""
    columns = columns.float()
    gaps = (pool.float()[:, :, None] - columns[:, None, :]).norm(dim=0)  # (N, D)
    return bool((gaps < 2e-3 * columns.norm(dim=0) + 1e-6).any(0).all())


@check(
    "order",
    "swapping two earlier tokens changes the last logits, with one layer",
    "Attention alone is blind to order; positions must come in somewhere.",
    rank=TRAINING,
)
def order(s: Subject) -> str:
    return swapped(s.shared(n_layer=1), "no position is used")


def swapped(model: nn.Module, blind: str) -> str:
    """Swap two earlier tokens and say how far the last logits move. Wrong, naming what may be
    ``blind``, when they don't."""
    x = tokens()
    first, second = T - 4, T - 2  # near the end, so that a window reaches them
    x[:, first], x[:, second] = 3, 4
    turned = x.clone()
    turned[:, first], turned[:, second] = 4, 3
    moved = apart(logits(model, x, x)[:, -1], logits(model, turned, x)[:, -1])
    if moved < 1e-4:
        raise Wrong(f"swapping tokens {first} and {second} changes nothing at the end: {blind}")
    return f"swapping tokens {first} and {second} moves the last logits by {moved:.2g} sd"


@check(
    "training mode",
    "in evaluation the same input gives the same output twice, whatever dropout the config has; "
    "without dropout, a model in training mode computes what it computes in evaluation",
    "The validation loss is of the model that was trained only if both are the same function; "
    "dropout that stays on there makes it noisy and too high.",
    rank=TRAINING,
)
def training(s: Subject) -> str:
    x, y = tokens(), tokens(seed=4)
    model = s.shaken(dropout=0.5)
    gap = apart(logits(model, x, x), logits(model, x, x))
    if gap:
        raise Wrong(f"two calls differ by {gap:.3g} sd: is dropout_p given while not training?")
    drops = apart(logits(model.train(), x, y), logits(model, x, y)) > 0
    model = s.shaken()
    eval_logits, loss = model.eval()(x, y)
    train_logits, trained_loss = model.train()(x, y)
    gap = apart(eval_logits.reshape(-1, VOCAB), train_logits.reshape(-1, VOCAB))
    if gap > 1e-3:
        fixed = apart(train_logits, model(x, y)[0]) > 1e-3
        raise Wrong(
            f"logits differ by {gap:.2g} sd between model.eval() and model.train()"
            + ", and between two calls while training: does a dropout not take its share from "
            "the config, which has 0?" * fixed
        )
    if abs(loss.item() - trained_loss.item()) > 1e-3 * max(1.0, loss.item()):
        raise Wrong(f"""the loss is {trained_loss.item():.4f} in training mode and
            {loss.item():.4f} in evaluation, of the same logits""")
    if "dropout" not in s.fields:
        return "equal; the config has no dropout"
    if not drops:
        return Warned("equal; but dropout = 0.5 in the config drops nothing while training")
    return "equal without dropout; dropout in the config is felt"


SHAKES = 16
"""The number of models, each on another batch, that may show a gradient of each slice: a unit of
ReLU that is idle in one of them works in another, one that is unused in none."""


@check(
    "gradients",
    "every parameter has a gradient, and so has every slice of it",
    "A parameter without one never learns: it is unused, or something detached it on the way.",
    rank=TRAINING,
)
def gradients(s: Subject) -> str:
    prove_not_frozen(s)
    largest: dict[str, Tensor] = {}
    x = torch.arange(B * T).reshape(B, T) % VOCAB  # every token
    for seed in range(SHAKES):
        model = shake(s.build(), seed=2 + seed).train()
        for name, grad in grads_of(model, x, x.flip(1)).items():
            # maximum keeps what is not finite
            largest[name] = torch.maximum(grad.abs(), largest.get(name, grad.abs()))
        bad = {name: words for name, sizes in largest.items() if (words := dead(sizes))}
        if not bad:
            break
        x = tokens(seed=seed)
    if bad:
        first, *_ = bad
        more = f"; and {len(bad) - 3} more" if len(bad) > 3 else ""
        listed = "; ".join(f"{name} {words}" for name, words in [*bad.items()][:3])
        raise Wrong(f"{listed}{more}. {reason_of_none(s, first, largest[first])}")
    slopes(s)
    many = sum(p.requires_grad for p in model.parameters())
    return f"all {many} parameters have one, and it is the slope"


def prove_not_frozen(s: Subject) -> None:
    """Wrong for a parameter that is frozen, and neither a table of positions nor of frequencies."""
    frozen = [
        name
        for name, p in s.shared().named_parameters()
        if not p.requires_grad and p.numel() != D // 2 and name not in s.growing
    ]
    if frozen:
        more = f", and {len(frozen) - 1} more" if len(frozen) > 1 else ""
        raise Wrong(
            f"{frozen[0]} is frozen{more}: with requires_grad=False it keeps its first values"
        )


def dead(largest: Tensor) -> str:
    """Name the part of a parameter that has no gradient, from the largest size of each entry over
    some models and batches; "" when each slice, along any axis, has one. Single entries are let
    off: the bias of a key moves no weight."""
    if not torch.isfinite(largest).all():
        return "has one that is not finite"
    if not largest.any():
        return "has none"
    for axis in range(largest.dim() if largest.dim() > 1 else 0):
        sizes = largest.transpose(0, axis).flatten(1).amax(1)
        none = (sizes == 0).nonzero().flatten().tolist()
        if none and none != [*range(VOCAB, len(sizes))]:  # a padded vocabulary's are never drawn
            axis_name = ("row", "column")[axis] if largest.dim() == 2 else f"index {axis} ="
            more = f" and {len(none) - 1} more" if len(none) > 1 else ""
            return f"{tuple(largest.shape)} has none in {axis_name} {none[0]}{more}"
    return ""


def reason_of_none(s: Subject, name: str, largest: Tensor) -> str:
    """Tell a parameter that is used, and detached on the way, from one that is not used: does the
    loss move with the entries that have no gradient?"""
    x, model = tokens(), s.shaken()
    before = model(x, x)[1].item()
    dict(model.named_parameters())[name].add_(0.5 * (largest == 0))
    after = model(x, x)[1].item()
    if abs(after - before) > 1e-5 * abs(before):
        return "The loss depends on the first: is something detached, or under no_grad?"
    return "The loss does not depend on the first: is it used?"


def slopes(s: Subject) -> None:
    """Check that each parameter's gradient is the slope of the loss: something detached on the way
    can leave a gradient that is merely wrong."""
    x, y = tokens(2), tokens(2, seed=4)
    model = s.shaken(n_layer=2).double().train()
    try:
        loss = model(x, y)[1]
    except Exception:  # it mixes in a dtype of its own, or asks for one, and trains in fp32
        model = s.shaken(n_layer=2).train()
        loss = model(x, y)[1]
    exact = loss.dtype == torch.float64 and all(b.dtype != torch.float32 for b in model.buffers())
    for _ in range(2):  # as a training does: what is kept of an earlier call shows
        seed_draws(9)
        grads = grads_of(model, x, y)
    generator, ways = torch.Generator().manual_seed(12), {}
    for name, grad in grads.items():
        # along the gradient, and aside, where a part that is missing in it can lie
        aside = torch.randn(grad.shape, generator=generator).to(grad.dtype)
        way = grad / grad.norm().clamp(min=1e-12) + aside / aside.norm()
        ways[name] = way / way.norm()

    def slope(names: Iterable[str], size: float) -> tuple[float, float]:
        """The slope of the loss as these parameters move at once: as their gradients say, and as it
        is."""
        losses = []
        for h in (size, -2 * size, size):
            for name in names:
                model.get_parameter(name).add_(h * ways[name])
            seed_draws(9)  # a dropout that stays on drops the same
            losses.append(model(x, y)[1].item())
        claimed = sum((grads[name] * ways[name]).sum().item() for name in names)
        return claimed, (losses[0] - losses[1]) / (2 * size)

    claimed, seen = slope(ways, 3e-6)
    if exact and abs(seen - claimed) < 1e-6:
        return  # wrong gradients would have to make up for each other
    for name, grad in grads.items():
        claimed, seen = slope([name], 1e-3 if exact else 2e-2)
        if abs(seen - claimed) > 0.05 * max(float(grad.norm()), abs(seen)) + 1e-4:
            since = wrong_backward(model, x, y)
            raise Wrong(f"""{name}: its gradient says that the loss changes by {claimed:.3g} per
                unit along a direction, and it changes by {seen:.3g}{since}""")


def wrong_backward(model: nn.Module, x: Tensor, y: Tensor) -> str:
    """Name the innermost module whose gradients are no slopes, and the backward pass written by
    hand that it has; "" where no module is to blame."""
    calls: dict[nn.Module, tuple[Any, Any]] = {}
    for module in model.modules():
        module.register_forward_hook(
            lambda module, args, kwargs, out: calls.update({module: (args, kwargs)}),
            with_kwargs=True,
        )
    model(x, y)
    for name, module in reversed([*model.named_modules()]):
        if module in calls and (wrong := not_its_slope(module, *calls[module])):
            where = f"{name} ({type(module).__name__})" if name else "the model"
            return f": {where} has a gradient that is not its slope, since {wrong}"
    return ""


@torch.enable_grad()
def not_its_slope(module: nn.Module, args: Any, kwargs: Any) -> str:
    """Say what makes the gradients of a call of a module other than its slope; "" if they are its
    slope."""
    args = [
        a.detach().requires_grad_() if isinstance(a, Tensor) and a.is_floating_point() else a
        for a in args
    ]
    moving = [a for a in args if isinstance(a, Tensor) and a.requires_grad]
    moving += module.parameters()

    def total() -> Any:
        outs = [t for t in leaves(module(*args, **kwargs)) if t.is_floating_point()]
        return sum((t * torch.arange(t.numel()).cos().view_as(t)).sum() for t in outs)

    out = total()
    grads = torch.autograd.grad(out, moving, allow_unused=True, materialize_grads=True)
    ways = [torch.randn_like(t) for t in moving]
    claimed = sum((g * way).sum().item() for g, way in zip(grads, ways, strict=True))
    size, sums = (1e-5 if out.dtype == torch.float64 else 1e-2), []
    with torch.no_grad():
        for h in (size, -2 * size):
            for t, way in zip(moving, ways, strict=True):
                t.add_(h * way)
            sums.append(total().item())
    if abs((sums[0] - sums[1]) / (2 * size) - claimed) <= 0.01 * abs(claimed) + 1e-6:
        return ""
    by_hand, due = "", [out.grad_fn]
    for node in due:  # grows
        due += [n for n, _ in node.next_functions if n and n not in due]
        if isinstance(node, torch.autograd.function.BackwardCFunction):
            by_hand = type(node).__name__.removesuffix("Backward")
    return f"{by_hand}.backward is wrong" if by_hand else "something is detached"


@torch.enable_grad()
def grads_of(model: nn.Module, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """The gradients of the loss by parameter. Wrong when they can't be computed: all of that code
    is the file's."""
    _, loss = model(x, y)
    weights = {name: p for name, p in model.named_parameters() if p.requires_grad}
    try:
        # not autograd.grad, which a reentrant checkpoint refuses
        model.zero_grad()
        loss.backward()
    except RuntimeError as error:
        first = str(error).split(". ")[0].splitlines()[0][:200]
        note = "; something of an earlier call is kept: a cache?" * ("second time" in first)
        raise Wrong(f"the backward pass fails: {first}{note}") from error
    return {name: torch.zeros_like(p) if p.grad is None else p.grad for name, p in weights.items()}


@check(
    "parameters",
    "it can be built at GPT-2's width; one layer's parameters, beside the baseline's",
    "A bigger model is no fair comparison.",
    rank=TRAINING,
)
def parameters(s: Subject) -> str:
    name, reference = baseline(s)
    own_params, others = layer_params(s), layer_params(reference)
    return (
        f"{number(own_params)} per layer at C = 768; {name} has {number(others)} "
        f"({change((own_params - others) / others)})"
    )


def layer_params(s: Subject) -> int:
    """The parameters of one layer at GPT-2's width."""
    return s.n_params(n_layer=2, **WIDE) - s.n_params(n_layer=1, **WIDE)


def baseline(s: Subject) -> tuple[str, Subject]:
    """The reference that a file is compared with, by name: its own baseline where that is known,
    else q1lab's."""
    if s.source is None:
        return "q1lab's baseline", own_baseline()
    name, file = s.source
    return name, s.once("source", lambda: Subject(loading.load(file), file))


@functools.cache
def own_baseline() -> Subject:
    """q1lab's baseline, of which each number is counted once."""
    from labs.models import baseline as reference

    return Subject(reference, Path(reference.__file__ or ""))


CHECKS = [
    interface,
    start,
    causality,
    batch,
    residual,
    attention,
    context,
    order,
    training,
    gradients,
    parameters,
]
"""In the order in which causes are told from what follows from them, with a modification's own."""
