"""What every model file must do, whatever it modifies."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from labs.checks.check import Wrong, check
from labs.checks.probe import (
    VOCAB,
    B,
    Subject,
    T,
    apart,
    logits,
    number,
    tokens,
)


@check(
    "interface",
    "GPT(GPTConfig(...)) gives (logits, loss): with targets (B, T, V) and their cross-entropy, without them None",
    "The trainer calls every model file this way, so that two files can be compared at all.",
)
def interface(s: Subject) -> str:
    missing = [
        name
        for name in ("block_size", "vocab_size", "n_layer", "n_head", "n_embd")
        if name not in s.fields
    ]
    if missing and not any(name in s.fields for name in ("kwargs", "args")):
        raise Wrong(f"GPTConfig has no field {', '.join(missing)}")
    notes = []
    for bias in (True, False):
        model = s.build(bias=bias)
        x, y = tokens(), tokens(seed=4)
        out = model(x, y)
        if not isinstance(out, tuple | list) or len(out) != 2:
            raise Wrong(f"forward returned {type(out).__name__}, not the pair (logits, loss)")
        scores, loss = out
        if not isinstance(scores, Tensor) or not isinstance(loss, Tensor):
            raise Wrong(
                f"with targets, forward returned ({type(scores).__name__}, {type(loss).__name__})"
            )
        if tuple(scores.shape) == (B * T, VOCAB):
            notes = ["logits come flattened to (B·T, V)"]
        elif tuple(scores.shape) != (B, T, VOCAB):
            raise Wrong(
                f"logits have the shape {tuple(scores.shape)}, and (B, T, V) is {(B, T, VOCAB)}"
            )
        if loss.dim() != 0 or not torch.isfinite(loss):
            raise Wrong(f"the loss is {loss.tolist()}, not one finite number")
        expected = F.cross_entropy(scores.reshape(-1, VOCAB), y.reshape(-1)).item()
        if abs(loss.item() - expected) > 1e-3 * max(1.0, expected):
            raise Wrong(
                f"the loss is {loss.item():.4f}, the cross-entropy of its own logits {expected:.4f}"
            )
        last, none = model(x)
        if none is not None:
            raise Wrong("without targets, forward returned a loss")
        last = last.reshape(B, -1, VOCAB)
        if last.shape[1] not in (1, T):
            raise Wrong(
                f"without targets, logits have the shape {tuple(last.shape)}; expected {(B, 1, VOCAB)}"
            )
        if apart(scores.reshape(B, T, VOCAB)[:, -1], last[:, -1]) > 1e-3:
            raise Wrong(
                "the last position's logits differ between a call with targets and one without"
            )
    ignored = tokens(seed=4)
    ignored[:, T // 2 :] = -1
    try:
        part = model(tokens(), ignored)[1].item()
        wanted = F.cross_entropy(
            scores.reshape(B, T, VOCAB)[:, : T // 2].reshape(-1, VOCAB),
            ignored[:, : T // 2].reshape(-1),
        ).item()
        if abs(part - wanted) > 1e-3 * wanted:
            notes.append("targets of −1 are not left out of the loss")
    except (IndexError, RuntimeError):
        notes.append("targets of −1 are not accepted")
    return "; ".join([f"logits {(B, T, VOCAB)}, loss {loss.item():.3f}", *notes])


@check(
    "loss at the start",
    "within 0.5 of ln(vocab): nothing is known yet, so each token is as likely as any other",
    "A start far above it means that the first steps go into undoing the initial weights.",
)
def start(s: Subject) -> str:
    vocab = 65
    model = s.build(vocab_size=vocab, n_embd=128, n_layer=4, block_size=32)
    x, y = tokens(8, 32, vocab), tokens(8, 32, vocab, seed=4)
    with torch.no_grad():
        loss = model(x, y)[1].item()
    seen = f"{loss:.3f}; ln({vocab}) = {math.log(vocab):.3f}"
    if not abs(loss - math.log(vocab)) <= 0.5:
        raise Wrong(
            seen
            + "; check the standard deviation that weights start with (0.02), and the tied embedding's"
        )
    return seen


@check(
    "causality",
    "changing a token leaves the logits at all earlier positions as they were",
    "A model that sees the next token has nothing to predict: its loss falls, and means nothing.",
)
def causality(s: Subject) -> str:
    model, x = s.shaken(), tokens()
    with torch.no_grad():
        before = logits(model, x, x)
        if not torch.isfinite(before).all():
            first = (~torch.isfinite(before)).nonzero()[0].tolist()
            raise Wrong(
                f"logits[{first[0]}, {first[1]}] is not finite: is there a row with nothing to attend to?"
            )
        for at in range(1, T):
            changed = x.clone()
            changed[:, at] = (changed[:, at] + 1) % VOCAB
            after = logits(model, changed, x)
            moved = (after - before).abs().amax(dim=(0, 2)) / before.std()
            early = (moved[:at] > 1e-4).nonzero()
            if len(early):
                position = int(early[0])
                off = " (a mask that is off by one?)" if position == at - 1 else ""
                raise Wrong(
                    f"changing token {at} moved the logits at {position} by {moved[position]:.3g} sd{off}"
                )
    return f"no logit before the changed token moved, for each of {T - 1} places"


@check(
    "context",
    "changing an earlier token changes the logits of every later position, also with one layer",
    "Attention that doesn't reach the earlier tokens, or mixes heads instead of tokens, still trains, and badly.",
)
def context(s: Subject) -> str:
    model, x = s.shaken(n_layer=1), tokens()
    with torch.no_grad():
        before = logits(model, x, x)
        for at in range(T - 1):
            changed = x.clone()
            changed[:, at] = (changed[:, at] + 1) % VOCAB
            moved = (logits(model, changed, x) - before).abs().amax(dim=(0, 2)) / before.std()
            deaf = (moved[at:] < 1e-5).nonzero()
            if len(deaf):
                raise Wrong(f"changing token {at} moved nothing at position {at + int(deaf[0])}")
    for number_, call in enumerate(s.small().attention):
        if call.weights is None:
            continue
        seen = call.weights.float().tril().amax(dim=(0, 1))
        missing = ((seen <= 0) & torch.ones_like(seen).tril().bool()).nonzero()
        if len(missing):
            t, at = missing[0].tolist()
            raise Wrong(
                f"in attention call {number_}, position {t} gives position {at} no weight at all"
            )
    return "every position answers to itself and to all before it"


@check(
    "batch independence",
    "a row's logits don't depend on the other rows of the batch",
    "A statistic over the batch, or a wrong reshape, lets examples leak into each other.",
)
def batch(s: Subject) -> str:
    model, x = s.shaken(), tokens()
    with torch.no_grad():
        before = logits(model, x, x)
        changed = x.clone()
        changed[1] = (changed[1] + 1) % VOCAB
        after = logits(model, changed, x)
        for row in (0, 2):
            if apart(before[row], after[row]) > 1e-3:
                raise Wrong(
                    f"changing row 1 moved the logits of row {row} by {apart(before[row], after[row]):.3g} sd"
                )
        alone = logits(model, x[2:], x[2:])
    if apart(before[2:], alone) > 1e-2:
        raise Wrong(
            f"row 2 alone gives other logits than in a batch: {apart(before[2:], alone):.3g} sd apart"
        )
    return f"rows agree alone and in a batch of {B}"


@check(
    "gradients",
    "after one backward pass every parameter has a gradient, and every row of every matrix",
    "A parameter without one never learns: it is unused, or something detached it on the way.",
)
def gradients(s: Subject) -> str:
    model = s.shaken().train()
    x = torch.arange(B * T).reshape(B, T) % VOCAB
    model(x, x.flip(1))[1].backward()
    bad = []
    for name, p in model.named_parameters():
        if not p.requires_grad:
            continue
        if p.grad is None:
            bad.append(f"{name} has none (is it used?)")
        elif not torch.isfinite(p.grad).all():
            bad.append(f"{name} has one that is not finite")
        elif p.dim() == 2:
            dead = (p.grad.abs().amax(dim=1) == 0).nonzero().flatten().tolist()
            if len(dead) > len(p) // 10:
                bad.append(
                    f"{name} {tuple(p.shape)} has none in {len(dead)} of its rows, the first is row {dead[0]}"
                )
        elif not p.grad.abs().max() > 0:
            bad.append(f"{name} has all zeros")
    if bad:
        raise Wrong("; ".join(bad[:3]) + (f"; and {len(bad) - 3} more" if len(bad) > 3 else ""))
    return f"all {sum(1 for _ in model.parameters())} parameters have one"


@check(
    "overfits one batch",
    "on one batch, seen again and again, the loss falls under a fifth of where it began",
    "A model that can't learn 64 tokens by heart has a broken path somewhere between input and loss.",
)
def overfit(s: Subject) -> str:
    model = s.build(n_layer=2, block_size=16).train()
    x, y = tokens(4, 16), tokens(4, 16, seed=4)
    weights = [p for p in model.parameters() if p.requires_grad]
    mean, square = ([torch.zeros_like(p) for p in weights] for _ in range(2))
    first = 0.0
    for step in range(1, 121):
        loss = model(x, y)[1]
        first = first or loss.item()
        if not math.isfinite(loss.item()):
            raise Wrong(f"the loss was {loss.item()} at step {step}")
        if loss.item() < first / 5:
            return f"{first:.2f} → {loss.item():.2f} in {step} steps"
        grads = torch.autograd.grad(loss, weights, allow_unused=True)
        with (
            torch.no_grad()
        ):  # Adam by hand: torch.optim costs a second of imports, more than all other checks
            for p, g, m, v in zip(weights, grads, mean, square, strict=True):
                if g is not None:
                    m.lerp_(g, 0.1)
                    v.lerp_(g * g, 0.05)
                    p.sub_(1e-2 * (m / (1 - 0.9**step)) / ((v / (1 - 0.95**step)).sqrt() + 1e-8))
    raise Wrong(f"{first:.2f} → {loss.item():.2f} after {step} steps of Adam at 0.01")


@check(
    "parameters",
    "each layer adds the same number of parameters; one layer's count, beside the baseline's",
    "Layers kept in a plain list are unknown to the optimizer; and a bigger model is not a fair comparison.",
)
def parameters(s: Subject) -> str:
    counts = [s.n_params(n_layer=n) for n in (1, 2, 3)]
    steps = [counts[1] - counts[0], counts[2] - counts[1]]
    if steps[0] != steps[1] or steps[0] <= 0:
        raise Wrong(
            f"1, 2 and 3 layers have {', '.join(map(number, counts))} parameters: are layers in an nn.ModuleList?"
        )
    mine, theirs = layer_params(s), layer_params(baseline())
    return f"{number(mine)} a layer at C = 768; the baseline has {number(theirs)} ({(mine - theirs) / theirs:+.1%})"


def layer_params(s: Subject) -> int:
    """The parameters of one layer at GPT-2's width, where roundings that hide in a narrow model
    show."""
    one, two = (
        s.n_params(n_layer=n, n_embd=768, n_head=12, block_size=16, vocab_size=16) for n in (1, 2)
    )
    return two - one


@check(
    "eval is repeatable",
    "in eval mode the same input gives the same output twice, also with dropout in the config",
    "Dropout that stays on in evaluation makes the validation loss noisy and too high.",
)
def repeatable(s: Subject) -> str:
    model, x = s.shaken(dropout=0.5).eval(), tokens()
    with torch.no_grad():
        one, two = logits(model, x, x), logits(model, x, x)
    if not torch.equal(one, two):
        raise Wrong(
            f"two calls differ by {apart(one, two):.3g} sd: is dropout_p given while not training?"
        )
    return "bit-equal"


@check(
    "device and dtype",
    "forward and backward run as a study runs them: on its device, in bf16 or fp16 as there",
    "Studies train in mixed precision; a file that fixes a dtype or a device fails there, or loses precision.",
)
def device_and_dtype(s: Subject) -> str:
    from labs import devices

    device = devices.choose("auto")
    name = devices.choose_dtype("auto", device)
    # a CPU without bf16 still runs it, slowly
    dtype = torch.float16 if name == "fp16" else torch.bfloat16
    short = "fp16" if name == "fp16" else "bf16"
    model = s.shaken().to(device).train()
    x = tokens().to(device)
    exact = model(x, x)[1].item()
    with torch.autocast(device, dtype):
        loss = model(x, x)[1]
    loss.float().backward()
    if not math.isclose(loss.item(), exact, rel_tol=0.05, abs_tol=0.05):
        raise Wrong(
            f"the loss is {exact:.4f} in fp32 and {loss.item():.4f} in {short}, on {device}"
        )
    return f"{device}: loss {exact:.4f} in fp32, {loss.item():.4f} in {short}"


def baseline() -> Subject:
    """The reference that counts are put beside."""
    from pathlib import Path

    from labs.models import baseline as reference

    return Subject(reference, Path(reference.__file__ or ""))


FIRST = [interface, start, causality, context, batch]
LAST = [gradients, repeatable, device_and_dtype, parameters, overfit]
