"""RMSNorm: each token's features are divided by their root mean square; no mean is taken out.

What a norm makes of its input is compared with the outputs of right and of wrong formulas; the
first that is equal names it. Norm modules are found by what they hold (one-axis parameters of the
model's width, or none) and do (a tensor of that width in, the same shape out). All norms, also
those that are plain functions, are judged by what reaches the projections, beside the stream.
"""

from __future__ import annotations

import contextlib
import copy
import itertools
import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from labs.checks.property_check import GAINS, NotJudged, Warned, Wrong, check
from labs.checks.stream import CLOSE, Reading, centered, normalized, per_feature
from labs.checks.subject import B, C, Subject, T, loud, tokens, watch

NO_GAIN = "no learned gain"
NO_EPS = "no eps: a token of zeros gives NaN"
OFFSET = "with an offset"
UNKNOWN = "its output is neither x / RMS · gain nor that of a slip that is known here"


# ── what is right, and what can go wrong


def rms(x: Tensor) -> Tensor:
    return x.double().pow(2).mean(-1, keepdim=True).sqrt()


def right_ones(base: Tensor, gains: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Outputs of right norms, of x / RMS(x) and gains, with their formulas."""
    if not gains:
        yield NO_GAIN, base
    for key, g in gains.items():
        yield "x / RMS · g", base * g
        yield "the gain is 1 + g, with g from 0", base * (1 + g)
        yield "the gain is exp(g), with g from 0", base * g.exp()
        for other in [o for o in gains if o != key]:
            yield f"{OFFSET}, {other}", base * g + gains[other]
            yield f"the gain is 1 + g; {OFFSET}, {other}", base * (1 + g) + gains[other]


def wrong_ones(x: Tensor) -> Iterator[tuple[str, Tensor]]:
    """What wrong norms make of x (…, C), before a gain, with their slips in words."""
    square = x.pow(2).mean(-1, keepdim=True)
    mean, half = x.mean(-1, keepdim=True), C // 2
    variance = (x - mean).pow(2).mean(-1, keepdim=True)
    base = x / square.sqrt()
    yield from {
        "the mean is still taken out: that is LayerNorm": (x - mean) / variance.sqrt(),
        "the mean is taken out of x / RMS": base - base.mean(-1, keepdim=True),
        "x is divided by √ of its variance, not of its mean square": x / variance.sqrt(),
        "x is divided by its standard deviation over C − 1": x / x.std(-1, keepdim=True),
        "x is divided by its mean square: the root is missing": x / square,
        "x is divided by its length, √(sum of x²): the mean is missing": x / (square * C).sqrt(),
        "x is divided by the sum of x²": x / (square * C),
        "the sum of x² is divided by C − 1": x / (square * C / (C - 1)).sqrt(),
        "x is divided by the mean of |x|": x / x.abs().mean(-1, keepdim=True),
        "x is divided by the largest |x|": x / x.abs().amax(-1, keepdim=True),
        "x is multiplied by its root mean square, not divided": x * square.sqrt(),
        "the mean square is of half of the features": x / rms(x[..., :half]),
        "the mean square is of the other half of the features": x / rms(x[..., half:]),
        "the mean square is taken over time": x / x.pow(2).mean(-2, keepdim=True).sqrt(),
        "the mean square is taken over the batch": x / x.pow(2).mean(0, keepdim=True).sqrt(),
        "x is not divided at all": x,
    }.items()
    for size in (n for n in range(2, C) if C % n == 0):
        groups = x.unflatten(-1, (-1, size))
        words = f"{C // size} groups of {size} features each have a mean square of their own"
        yield words, (groups / rms(groups)).flatten(-2)


def wrong_gains(x: Tensor, gains: list[Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Outputs of norms that apply a gain (C,) wrongly to x (…, C), with their slips in words."""
    base = x / rms(x)
    for g in gains:
        inside = x * g
        yield "the gain is inside the root mean square", inside / rms(inside)
        yield "the gain is inside the mean square and applied again", inside / rms(inside) * g
        yield "the gain is inside the mean square only", x / rms(inside)
        yield "the gain is applied twice", base * g * g
        yield "the gain is not applied", base
        yield "the gain is added, not multiplied", base + g
        yield "the gain is added, less 1, not multiplied", base + g - 1


def slip_of(out: Tensor, x: Tensor, gains: list[Tensor]) -> str:
    """Name the slip of a norm that makes out of x, both (…, C)."""
    slips, usual = [*wrong_ones(x)], [*gains, torch.ones(C)]
    exact = ((words, base * g) for g in usual for words, base in slips)
    if found := first_fit(out, itertools.chain(wrong_gains(x, gains), exact)):
        return found
    for times in (out / (x / rms(x) * g) for g in usual):
        if times.std() < CLOSE * times.mean().abs():
            return f"x / RMS · gain is multiplied by {times.mean():.3g}"
    flat = out.flatten(0, -2)
    loose = (words for words, t in slips if per_feature(flat, t.flatten(0, -2)) < CLOSE)
    return next(loose, UNKNOWN)  # with another gain, or an offset


# ── how a norm is asked


def norms(s: Subject) -> dict[str, nn.Module]:
    """The norms of a model that are modules, by path."""
    return s.once("norms", lambda: find_norms(s.build()))


def find_norms(model: nn.Module) -> dict[str, nn.Module]:
    found: dict[str, nn.Module] = {}
    x = token_features()
    for name, module in model.named_modules():
        sizes = {p.numel() for p in module.parameters()}
        if sizes - {C} or any(name.startswith(f"{outer}.") for outer in found):
            continue
        with contextlib.suppress(Exception):  # it is no norm if it can't be called as one
            small, large = ask(module, x), ask(module, 8 * x)
            scales_away = small.any() and torch.allclose(small, large, rtol=1e-2, atol=1e-3)
            if small.shape == x.shape and (sizes or scales_away):
                found[name] = module
    return found


def token_features() -> Tensor:
    """Tokens whose features have a mean: (B, T, C)."""
    generator = torch.Generator().manual_seed(6)
    return torch.randn(B, T, C, generator=generator).double() * 2 + 1.5


def ask(module: nn.Module, x: Tensor) -> Tensor:
    """A norm's output for x, in float64."""
    return module(x.float()).double()


def with_gains(module: nn.Module) -> tuple[nn.Module, dict[str, Tensor]]:
    """A copy of a norm whose parameters are between 0.5 and 1.5, and these values."""
    gained_module = copy.deepcopy(module)
    generator = torch.Generator().manual_seed(8)
    gains = {}
    for name, p in gained_module.named_parameters():
        gains[name] = torch.rand(C, generator=generator, dtype=torch.float64) + 0.5
        p.copy_(gains[name].view_as(p))
    return gained_module, gains


# ── the check


@check(
    "rmsnorm: the formula",
    "each norm, in front of each sublayer and of the output layer, is x / √(mean of x² + eps) · "
    "gain, of one token's features, and gains start at 1",
    "RMSNorm leaves the mean in. With gains of 1 many mistakes look right: others are tried, too.",
    rank=GAINS,
)
def formula(s: Subject) -> str:
    notes = [note for name, module in norms(s).items() for note in judge_norm(s, name, module)]
    try:
        readings = s.stream.readings
    except (Wrong, NotJudged):
        if not notes:
            raise
    else:
        notes += judge_readings(s, [reading for reading in readings if reading.norm])
    is_unusual = any(note in (NO_GAIN, NO_EPS) or OFFSET in note for note in notes)
    seen = "; ".join(dict.fromkeys(note for note in notes if note))
    return Warned(seen) if is_unusual else seen


def judge_norm(s: Subject, name: str, module: nn.Module) -> list[str]:
    """The formula and the eps of a norm; Wrong, with the one that it has instead, where it is no
    RMSNorm."""
    gained_module, gains = with_gains(module)
    x = token_features()
    out, base = ask(gained_module, x), x / rms(x)
    match = first_fit(out, right_ones(base, gains))
    if match and (rms(ask(module, x)) - 1).abs().max() > 0.01:
        values = torch.cat([p.detach().flatten() for p in module.parameters()])
        low, high = (f"{value:.2g}" for value in (values.min().item(), values.max().item()))
        start = f"at {low}" if low == high else f"between {low} and {high}"
        raise Wrong(
            f"{name}: the gain is 1 + g, and g starts {start}, where 0 is needed"
            if match.startswith("the gain is")
            else f"{name}: its gains start {start}, and have to start at 1"
        )
    quiet = torch.tensor([1e-3, 1e-2])[None, :, None].expand(1, 2, C)
    finite = torch.isfinite(module(torch.zeros(1, 1, C))).all()
    eps = judge_eps(name, quiet, module(quiet)) if finite else NO_EPS
    if not match:
        raise Wrong(f"{name}: {slip_of(out, x, [*gains.values()])}")
    if OFFSET in match and "bias" in s.fields:
        raise Wrong(f"{name}: {match}, although the config says bias=False: RMSNorm has a gain")
    if match == NO_GAIN and (fixed := fixed_gain(module)):
        raise Wrong(f"""{name}.{fixed} is a tensor of {C} numbers and no parameter, so it never
            learns: wrap it in nn.Parameter""")
    return [match, eps]


def first_fit(out: Tensor, candidates: Iterator[tuple[str, Tensor]]) -> str:
    """The words of the first candidate that is this output; "" if none is."""
    fits = (words for words, t in candidates if torch.allclose(out, t, rtol=2e-4, atol=2e-4))
    return next(fits, "")


def fixed_gain(module: nn.Module) -> str:
    """The name of a tensor of one number per feature that a norm holds and that is not a
    parameter."""
    for name, value in (*vars(module).items(), *module.named_buffers()):
        if isinstance(value, Tensor) and tuple(value.shape) == (C,):
            return name
    return ""


def judge_readings(s: Subject, readings: list[Reading]) -> list[str]:
    """The gains and sizes of what reaches the projections, also through norms that are functions:
    Wrong where that is no RMSNorm of the stream."""
    parameters = [p.detach().double() for p in loud(s.shaken()).parameters()]
    # alone, in rows, or side by side
    gains = torch.cat([p.reshape(-1, C) for p in parameters if p.numel() % C == 0])
    usual_gains = torch.cat([torch.ones(1, C).double(), gains, 1 + gains, gains.exp()])  # (N, C)
    unmoved = True
    for reading in readings:
        base, x = (centered(t) for t in (normalized(reading.state, "RMS"), reading.x))
        gain = (x * base).sum(0) / base.pow(2).sum(0)
        unmoved &= bool(((gain - 1).abs() < 5e-3).all())
        is_own = ((gain - usual_gains).abs() < 5e-3 * (1 + usual_gains.abs())).all(-1).any()
        if not is_own:
            vectors = [p.flatten() for p in parameters if p.numel() == C]
            slip = slip_of(reading.x.double(), reading.state.double(), vectors)
            raise Wrong(f"in front of {reading.name}: {slip}")
    start = watch(s.build(), tokens(1))
    first = start.projections[0]
    for at, row in start.rows:
        if at < first.at:
            judge_eps("in front of the first projection", row, first.x)
    size = rms(first.x).mean().item()
    if abs(size - 1) > 0.1:
        raise Wrong(f"""before any training, what the first projection reads has a root mean square
            of {size:.3g}, not 1: gains have to start at 1""")
    note_of_gains = ", the gains are the model's" * (not norms(s) and not unmoved)
    seen = f"in front of {len(readings)} projections, unit in size, none centered{note_of_gains}"
    return [seen, NO_GAIN if unmoved else ""]


def judge_eps(where: str, x: Tensor, out: Tensor) -> str:
    """Words for the eps with which an RMSNorm of gains 1 makes rows (…, C) of others; "" if no eps
    does. Wrong where it moves an embedding's root mean square, 0.02 at the start, by a tenth."""
    similar = torch.cosine_similarity(x.double(), out.double(), dim=-1)
    if torch.allclose(x, out) or similar.min() < 1 - 1e-5:
        return ""
    size, inverse = rms(x), rms(x) / rms(out)
    for place, eps, most in (
        ("inside", inverse**2 - size**2, 1e-4),
        ("outside", inverse - size, 2e-3),
    ):
        if eps.std() >= 0.03 * eps.mean():
            continue
        if eps.mean() > most:
            raise Wrong(f"""{where}: eps is {eps.mean():.2g}, {place} the root, where the baseline
                has 1e-5: at the start the mean square of an embedding is 0.0004, and eps is to be
                nothing beside it""")
        usual = place == "outside" or math.isclose(eps.mean(), 1e-5, rel_tol=0.02)
        other = "" if usual else "; the baseline has 1e-5"
        return f"eps {eps.mean():.3g} {place} the root{other}"
    return ""


CHECKS = [formula]
