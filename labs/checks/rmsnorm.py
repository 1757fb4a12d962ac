"""RMSNorm: each token's features are divided by their root mean square; no mean is taken out.

Norm modules are found by what they hold (one-axis parameters of the model's width, or none) and do
(a tensor of that width in, the same shape out). All norms, also those that are plain functions, are
judged by what reaches the projections, beside the stream that they read.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook

from labs.checks.property_check import GAINS, NotJudged, Warned, Wrong, check
from labs.checks.stream import Reading, Stream, centered, is_norm, normalized
from labs.checks.subject import LAYERS, B, C, Subject, T, loud, shake, tokens, twin, watch

NO_GAIN = "no learned gain"
NO_EPS = "no eps: a token of zeros gives NaN"
OFFSET = "with an offset"


def norms(s: Subject) -> dict[str, nn.Module]:
    """The norm modules that a model calls, by path."""
    return s.once("norms", lambda: find_norms(s.build()))


def find_norms(model: nn.Module) -> dict[str, nn.Module]:
    keeps_shape: dict[nn.Module, bool] = {}

    def note(module: nn.Module, args: tuple[Any, ...], out: Any) -> None:
        x = args[0] if args else None
        same = isinstance(x, Tensor) and isinstance(out, Tensor) and x.shape == out.shape
        keeps_shape[module] = keeps_shape.get(module, True) and same and out.shape[-1] == C

    with register_module_forward_hook(note):
        model(tokens(), tokens())
    names = {module: name for name, module in model.named_modules()}
    norm_modules: dict[str, nn.Module] = {}
    for module, same in keeps_shape.items():
        if same and not any(names[module].startswith(f"{outer}.") for outer in norm_modules):
            parameters = [*module.parameters()]
            bare = not parameters and not [*module.children()] and scales_away(module)
            if bare or (parameters and all(tuple(p.shape) == (C,) for p in parameters)):
                norm_modules[names[module]] = module
    return norm_modules


def scales_away(module: nn.Module) -> bool:
    """True if 8x gives the same output as x, and not zeros."""
    small, large = ask(module, token_features()), ask(module, 8 * token_features())
    return bool(small.abs().max() > 0 and torch.allclose(small, large, rtol=1e-2, atol=1e-3))


def token_features() -> Tensor:
    """Tokens whose features have a mean: (B, T, C)."""
    generator = torch.Generator().manual_seed(6)
    return torch.randn(B, T, C, generator=generator).double() * 2 + 1.5


def ask(module: nn.Module, x: Tensor) -> Tensor:
    """A norm's output for x, in float64 where the module can."""
    try:
        return twin(module)(x).double()
    except RuntimeError:
        return module(x.float()).double()


def rms(x: Tensor) -> Tensor:
    return x.double().pow(2).mean(-1, keepdim=True).sqrt()


def with_gains(module: nn.Module) -> tuple[nn.Module, dict[str, Tensor]]:
    """A copy of a norm in float64 whose parameters are between 0.5 and 1.5, and these values."""
    exact_module = twin(module)
    generator = torch.Generator().manual_seed(8)
    gains = {}
    for name, p in exact_module.named_parameters():
        gains[name] = torch.rand(C, generator=generator, dtype=torch.float64) + 0.5
        p.copy_(gains[name].to(p.dtype))
    return exact_module, gains


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
        readings = s.stream().readings
    except (Wrong, NotJudged):
        if not notes:
            raise
    else:
        notes += judge_readings(s, readings)
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
        values = torch.cat([p.detach() for p in module.parameters()])
        low, high = (f"{value:.2g}" for value in (values.min().item(), values.max().item()))
        start = f"at {low}" if low == high else f"between {low} and {high}"
        raise Wrong(
            f"{name}: the gain is 1 + g, and g starts {start}, where 0 is needed"
            if match.startswith("the gain is")
            else f"{name}: its gains start {start}, and have to start at 1"
        )
    eps = eps_of(module)
    if eps.too_large:
        raise Wrong(f"{name}: {eps.too_large}")
    if not match:
        slip = first_fit(out, wrong_ones(x, [*gains.values()]))
        raise Wrong(f"{name}: {slip or symptom_of(module, x, [*gains.values()], out)}")
    if OFFSET in match and "bias" in s.fields:
        raise Wrong(f"{name}: {match}, although the config says bias=False: RMSNorm has a gain")
    if match == NO_GAIN and (fixed := fixed_gain(module)):
        raise Wrong(f"""{name}.{fixed} is a tensor of {C} numbers and no parameter, so it never
            learns: wrap it in nn.Parameter""")
    return [match, str(eps)]


def first_fit(out: Tensor, candidates: Iterator[tuple[str, Tensor]]) -> str:
    """The words of the first candidate that is this output; "" if none is."""
    fits = (words for words, t in candidates if torch.allclose(out, t, rtol=2e-4, atol=2e-4))
    return next(fits, "")


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


def fixed_gain(module: nn.Module) -> str:
    """The name of a tensor of one number per feature that a norm holds and that is not a
    parameter."""
    for name, value in (*vars(module).items(), *module.named_buffers()):
        if isinstance(value, Tensor) and tuple(value.shape) == (C,):
            return name
    return ""


def wrong_ones(x: Tensor, gains: list[Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Outputs of wrong norms of x (…, C), with their slips in words; each gain is (C,)."""
    square = x.pow(2).mean(-1, keepdim=True)
    mean, half = x.mean(-1, keepdim=True), C // 2
    variance = (x - mean).pow(2).mean(-1, keepdim=True)
    base = x / square.sqrt()
    slips: dict[str, Tensor] = {
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
        "x is not divided at all": x,
    }
    for size in (n for n in range(2, C) if C % n == 0):
        groups = x.unflatten(-1, (-1, size))
        words = f"{C // size} groups of {size} features each have a mean square of their own"
        slips[words] = (groups / rms(groups)).flatten(-2)
    for g in gains:
        inside = x * g
        yield "the gain is inside the root mean square", inside / rms(inside)
        yield "the gain is inside the mean square and applied again", inside / rms(inside) * g
        yield "the gain is inside the mean square only", x / rms(inside)
        yield "the gain is applied twice", base * g * g
        yield "the gain is not applied", base
        yield "the gain is added, not multiplied", base + g
        yield "the gain is added, less 1, not multiplied", base + g - 1
        yield from ((words, out * g) for words, out in slips.items())
    yield from slips.items()


def symptom_of(module: nn.Module, x: Tensor, gains: list[Tensor], out: Tensor) -> str:
    """A symptom of a norm that is none of these, in words."""
    if (ask(module, x + 3) - ask(module, x)).abs().max() < 1e-3:
        return "a shift of all features by 3 leaves no trace: the mean is still taken out"
    changed = x.clone()
    changed[0, 4] = changed[0, 4] * 5 - 2
    moved = (ask(module, changed) - ask(module, x)).abs().amax(-1) > 1e-5
    moved[0, 4] = False
    if moved.any():
        b, t = moved.nonzero()[0].tolist()
        over = "the batch" if b != 0 else "time"
        return f"changing token [0, 4] moves token [{b}, {t}]: is the mean taken over {over}?"
    right = x / rms(x) * (gains[0] if gains else 1)
    at = (out - right).abs().flatten().argmax()
    from_zero = any(not p.detach().any() for p in module.parameters())
    return (
        f"{out.flatten()[at]:.4f} where the formula gives {right.flatten()[at]:.4f}, with gains "
        "between 0.5 and 1.5" + ", of parameters that start at 0" * from_zero
    )


def judge_readings(s: Subject, readings: list[Reading]) -> list[str]:
    """The gains and sizes of what reaches the projections, also through norms that are functions:
    Wrong where that is no RMSNorm of the stream."""
    left = [r.name for r in readings if r.norm == "LayerNorm" and not is_norm(r.x, r.state, "RMS")]
    if left:
        raise Wrong(f"""the mean is still taken out in {len(left)} of {len(readings)} norms: before
            {left[0]}""")
    vectors = [p.detach().double() for p in loud(s.shaken()).parameters() if p.dim()]
    # alone, in rows, or side by side
    gains = torch.cat([p.reshape(-1, C) for p in vectors if p.shape[-1] % C == 0])
    usual_gains = torch.cat([torch.ones(1, C).double(), gains, 1 + gains, gains.exp()])  # (N, C)
    unmoved = True
    for reading in [r for r in readings if r.norm]:
        base, x = (centered(t) for t in (normalized(reading.state, "RMS"), reading.x))
        gain = (x * base).sum(0) / base.pow(2).sum(0)
        unmoved &= bool(((gain - 1).abs() < 5e-3).all())
        is_own = ((gain - usual_gains).abs() < 5e-3 * (1 + usual_gains.abs())).all(-1).any()
        if not norms(s) and not is_own:
            raise Wrong(f"""{reading.name} reads the stream over its root mean square times
                {gain.mean():.4f} on average, and no gain of the model is that: is it applied
                twice, or is something else divided by?""")
    sizes_at_the_start(s)
    note_of_gains = ", the gains are the model's" * (not norms(s) and not unmoved)
    seen = f"in front of {len(readings)} projections, unit in size, none centered{note_of_gains}"
    return [seen, NO_GAIN if unmoved else ""]


def sizes_at_the_start(s: Subject) -> None:
    """At the start, where the stream is small, what comes out of a norm is 1 in size: a larger eps
    than the stream's mean square would be felt, and so would a division by the length."""
    start = watch(s.build(), tokens(1))
    first = start.projections[0]
    for at, row in start.rows:
        if at < first.at and (wrong := eps_between(row, first.x).too_large):
            raise Wrong(f"in front of the first projection, {wrong}")
    trace = watch(shake(s.build(), gains=False), tokens(1))
    for reading in Stream(trace, LAYERS).readings:
        size = rms(reading.x).mean().item()
        if reading.norm and abs(size - 1) > 0.1:
            raise Wrong(f"""before any training, what {reading.name} reads has a root mean
                square of {size:.3g}, not 1: a large eps, gains that don't start at 1, or a
                division by something else?""")


@dataclass(frozen=True)
class Eps:
    """A norm's eps, and its place; 0 where none was felt, infinity where zeros give NaN."""

    size: float = 0.0
    place: str = "inside"

    @property
    def too_large(self) -> str:
        """The mistake in words if it moves an embedding's root mean square, 0.02 at the start, by a
        tenth; else ""."""
        if not (1e-4 if self.place == "inside" else 2e-3) < self.size < math.inf:
            return ""
        return f"""eps is {self.size:.2g}, {self.place} the root, where the baseline has 1e-5: at
            the start the mean square of an embedding is 0.0004, and eps is to be nothing beside
            it"""

    def __str__(self) -> str:
        if self.size in (0.0, math.inf):
            return NO_EPS if self.size else ""
        usual = self.place == "outside" or math.isclose(self.size, 1e-5, rel_tol=0.02)
        other = "" if usual else "; the baseline has 1e-5"
        return f"eps {self.size:.3g} {self.place} the root{other}"


def eps_of(module: nn.Module) -> Eps:
    """The place and the size of a norm's eps, from two small inputs."""
    x = torch.tensor([1e-3, 1e-2])[None, :, None].expand(1, 2, C)
    if not torch.isfinite(module(torch.zeros(1, 1, C))).all():
        return Eps(math.inf)
    return eps_between(x, module(x))


def eps_between(before: Tensor, after: Tensor) -> Eps:
    """The eps with which an RMSNorm of gains 1 makes these rows (…, C) of others; 0 if no eps
    does."""
    similar = torch.cosine_similarity(before.double(), after.double(), dim=-1)
    if not torch.allclose(before, after) and similar.min() >= 1 - 1e-5:
        size, out = rms(before), rms(after)
        for place, eps in (("inside", (size / out) ** 2 - size**2), ("outside", size / out - size)):
            if eps.std() < 0.03 * eps.mean():
                return Eps(float(f"{eps.mean():.3g}"), place)
    return Eps()


FILE_NAMES = ("rms",)


def recognizes(s: Subject) -> bool:
    """True if a file's norms keep the mean (all of them, or some)."""
    return any(reading.norm == "RMS" for reading in s.stream().readings)


CHECKS = [formula]
