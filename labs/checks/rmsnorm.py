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

from labs.checks import stream
from labs.checks.property_check import GAINS, Warned, Wrong, check
from labs.checks.stream import centered, is_norm, normalized
from labs.checks.subject import LAYERS, B, C, Subject, T, loud, shake, tokens, twin

NO_GAIN = "no learned gain"
NO_EPS = "no eps: a token of zeros gives NaN"
OFFSET = "with an offset"
UNMOVED = 1e-3  # outputs that move by less take the mean out


def norms(s: Subject) -> dict[str, nn.Module]:
    """The norm modules that a model calls, by path."""
    return s.once("norms", lambda: find_norms(s.build()))


def find_norms(model: nn.Module) -> dict[str, nn.Module]:
    keeps_shape: dict[str, bool] = {}

    def watch(name: str, args: tuple[Any, ...], out: Any) -> None:
        x = args[0] if args else None
        same = isinstance(x, Tensor) and isinstance(out, Tensor) and x.shape == out.shape
        keeps_shape[name] = keeps_shape.get(name, True) and same and out.shape[-1] == C

    hooks = [
        module.register_forward_hook(lambda _, args, out, name=name: watch(name, args, out))
        for name, module in model.named_modules()
    ]
    with torch.no_grad():
        model(tokens(), tokens())
    for hook in hooks:
        hook.remove()
    modules = dict(model.named_modules())
    norm_modules: dict[str, nn.Module] = {}
    for name, same in keeps_shape.items():
        parameters = list(modules[name].parameters())
        bare = not parameters and not list(modules[name].children())
        if not same or any(name.startswith(other + ".") for other in norm_modules):
            continue
        if (
            all(tuple(p.shape) == (C,) for p in parameters)
            if parameters
            else (bare and scales_away(modules[name]))
        ):
            norm_modules[name] = modules[name]
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
    with torch.no_grad():
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
    with torch.no_grad():
        for name, p in exact_module.named_parameters():
            gains[name] = torch.rand(C, generator=generator, dtype=torch.float64) + 0.5
            p.copy_(gains[name].to(p.dtype))
    return exact_module, gains


@check(
    "rmsnorm: the formula",
    "each norm is x / √(mean of x² + eps) · gain, of one token's features, and gains start at 1",
    "RMSNorm leaves the mean in. With gains of 1 many mistakes look right: others are tried, too.",
    rank=GAINS,
)
def formula(s: Subject) -> str:
    if not norms(s):
        return of_functions(s)
    notes = [note for name, module in norms(s).items() for note in judge_norm(s, name, module)]
    is_unusual = any(note in (NO_GAIN, NO_EPS) or OFFSET in note for note in notes)
    seen = "; ".join(dict.fromkeys(note for note in notes if note))
    return Warned(seen) if is_unusual else seen


def judge_norm(s: Subject, name: str, module: nn.Module) -> list[str]:
    """The formula and the eps of a norm; Wrong, with the one that it has instead, where it is no
    RMSNorm."""
    gained_module, gains = with_gains(module)
    x = token_features()
    out, base = ask(gained_module, x), x / rms(x)
    match = next((words for words, right in right_ones(base, gains) if close(out, right)), None)
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
    if eps.far_off:
        raise Wrong(f"{name}: {too_large(eps)}")
    if match is None:
        raise Wrong(f"{name}: {slip_of(module, x, [*gains.values()], out)}")
    if OFFSET in match and "bias" in s.fields:
        raise Wrong(f"{name}: {match}, although the config says bias=False: RMSNorm has a gain")
    if match == NO_GAIN and (fixed := fixed_gain(module)):
        raise Wrong(f"""{name}.{fixed} is a tensor of {C} numbers and no parameter, so it never
            learns: wrap it in nn.Parameter""")
    return [match, str(eps)]


def close(out: Tensor, right: Tensor) -> bool:
    return torch.allclose(out, right, rtol=2e-4, atol=2e-4)


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


def slip_of(module: nn.Module, x: Tensor, gains: list[Tensor], out: Tensor) -> str:
    """The slip of a norm that is not x / RMS(x) · gain, in words; all float64
    (…, C), each gain (C,)."""
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
        for words, slipped in {
            "the gain is inside the root mean square": inside / rms(inside),
            "the gain is inside the mean square and applied again": inside / rms(inside) * g,
            "the gain is inside the mean square only": x / rms(inside),
            "the gain is applied twice": base * g * g,
            "the gain is not applied": base,
            "the gain is added, not multiplied": base + g,
            "the gain is added, less 1, not multiplied": base + g - 1,
            **{words: slipped * g for words, slipped in slips.items()},
        }.items():
            if close(out, slipped):
                return words
    for words, slipped in slips.items():
        if close(out, slipped):
            return words
    if shifted(module) < UNMOVED:
        return "a shift of all features by 3 leaves no trace: the mean is still taken out"
    changed = x.clone()
    changed[0, 4] = changed[0, 4] * 5 - 2
    moved = (ask(module, changed) - ask(module, x)).abs().amax(-1) > 1e-5
    moved[0, 4] = False
    if moved.any():
        b, t = moved.nonzero()[0].tolist()
        over = "the batch" if b != 0 else "time"
        return f"changing token [0, 4] moves token [{b}, {t}]: is the mean taken over {over}?"
    right = base * (gains[0] if gains else 1)
    at = (out - right).abs().flatten().argmax()
    from_zero = any(not p.detach().any() for p in module.parameters())
    return (
        f"{out.flatten()[at]:.4f} where the formula gives {right.flatten()[at]:.4f}, with gains "
        "between 0.5 and 1.5" + ", of parameters that start at 0" * from_zero
    )


def shifted(module: nn.Module) -> float:
    """The change of a norm's outputs when 3 is added to all features."""
    x = token_features()
    return (ask(module, x + 3) - ask(module, x)).abs().max().item()


def of_functions(s: Subject) -> str:
    """The same for norms that aren't modules: what reaches each projection, over the stream's root
    mean square, is a gain that the model has."""
    some = [
        p.detach().double()
        for p in loud(s.shaken()).parameters()
        if p.dim() and p.shape[-1] % C == 0
    ]
    gains = torch.cat([p.reshape(-1, C) for p in some])  # alone, in rows, or side by side
    usual_gains = torch.cat([torch.ones(1, C).double(), gains, 1 + gains, gains.exp()])  # (N, C)
    readings = s.stream().readings
    unmoved = True
    for reading in readings:
        base, x = (centered(t) for t in (normalized(reading.state, "RMS"), reading.x))
        gain = (x * base).sum(0) / base.pow(2).sum(0)
        if (
            is_norm(reading.x, reading.state, "RMS")
            and not ((gain - usual_gains).abs() < 5e-3 * (1 + usual_gains.abs())).all(-1).any()
        ):
            raise Wrong(f"""{reading.name} reads the stream over its root mean square times
                {gain.mean():.4f} on average, and no gain of the model is that: is it applied
                twice, or is something else divided by?""")
        unmoved &= bool(((gain - 1).abs() < 5e-3).all())
    if unmoved:
        return Warned(f"in front of {len(readings)} projections: {NO_GAIN}")
    return f"in front of {len(readings)} projections, the gains are the model's"


@dataclass(frozen=True)
class Eps:
    """A norm's eps, and its place; 0 where none was felt, infinity where zeros give NaN."""

    size: float
    inside: bool = True

    @property
    def far_off(self) -> bool:
        """True if it moves an embedding's root mean square, 0.02 at the start, by a tenth."""
        return math.isfinite(self.size) and self.size > (1e-4 if self.inside else 2e-3)

    def __str__(self) -> str:
        if not math.isfinite(self.size):
            return NO_EPS
        if not self.size:
            return ""
        other = "" if math.isclose(self.size, 1e-5, rel_tol=0.02) else "; the baseline has 1e-5"
        place = f"inside the root{other}" if self.inside else "outside the root"
        return f"eps {self.size:.3g} {place}"


def too_large(eps: Eps) -> str:
    place = "inside" if eps.inside else "outside"
    return f"""eps is {eps.size:.2g}, {place} the root, where the baseline has 1e-5: at the start
        the mean square of an embedding is 0.0004, and eps is to be nothing beside it"""


def eps_of(module: nn.Module) -> Eps:
    """The place and the size of a norm's eps, from two small inputs."""
    x = torch.tensor([1e-3, 1e-2])[None, :, None].expand(1, 2, C)
    with torch.no_grad():
        if not torch.isfinite(module(torch.zeros(1, 1, C))).all():
            return Eps(math.inf)
        return eps_between(x, module(x)) or Eps(0.0)


def eps_between(before: Tensor, after: Tensor) -> Eps | None:
    """The eps with which an RMSNorm of gains 1 makes these rows (…, C) of others; None if no eps
    does."""
    similar = torch.cosine_similarity(before.double(), after.double(), dim=-1)
    if torch.allclose(before, after) or (similar < 1 - 1e-5).any():
        return None
    size, out = rms(before), rms(after)
    for inside, eps in ((True, (size / out) ** 2 - size**2), (False, size / out - size)):
        if eps.std() < 0.03 * eps.mean():
            return Eps(float(f"{eps.mean():.3g}"), inside)
    return None


@check(
    "rmsnorm: all norms replaced",
    "what each sublayer and the output layer read is the stream over its root mean square, times a "
    "gain per feature",
    "One LayerNorm left behind makes the comparison about half a change.",
    "The check assumes that norms sit before the sublayers and the output layer",
)
def everywhere(s: Subject) -> str:
    readings = s.stream().readings
    left = [name for name, module in norms(s).items() if shifted(module) < UNMOVED]
    unmoved_names = f" ({', '.join(left[:3])})" if left else ""
    centered = []
    for reading in readings:
        if is_norm(reading.x, reading.state, "RMS"):
            continue
        if reading.norm == "LayerNorm":
            centered.append(reading.name)
        else:
            raise Wrong(f"{reading.name} reads the stream without an RMSNorm")
    if centered:
        where = (
            "the final norm"
            if centered == ["the output layer"]
            else f"{len(centered)} of {len(readings)} norms: before {centered[0]}"
        )
        raise Wrong(f"the mean is still taken out in {where}{unmoved_names}")
    if left:
        raise Wrong(f"the mean is still taken out in a norm that is called{unmoved_names}")
    quiet(s)
    return f"{len(readings)} norms in {LAYERS} layers: unit size, none centered"


def quiet(s: Subject) -> None:
    """At the start, where the stream is small, what comes out of a norm is 1 in size: a larger eps
    than the stream's mean square would be felt, and so would a division by the length."""
    start = s.watch(s.build(), tokens(1))
    first = start.projections[0]
    for at, row in start.rows:
        if at < first.at and (eps := eps_between(row, first.x)) and eps.far_off:
            raise Wrong(f"in front of the first projection, {too_large(eps)}")
    trace = s.watch(shake(s.build(), gains=False), tokens(1))
    for reading in stream.Stream(trace, LAYERS).readings:
        size = rms(reading.x).mean().item()
        if abs(size - 1) > 0.1:
            raise Wrong(f"""before any training, what {reading.name} reads has a root mean
                square of {size:.3g}, not 1: a large eps, gains that don't start at 1, or a
                division by something else?""")


FILE_NAMES = ("rms",)


def recognizes(s: Subject) -> bool:
    """True if a file's norms keep the mean (all of them, or some)."""
    return any(
        reading.norm
        and is_norm(reading.x, reading.state, "RMS")
        and not is_norm(reading.x, reading.state, "LayerNorm")
        for reading in s.stream().readings
    )


CHECKS = [formula, everywhere]
