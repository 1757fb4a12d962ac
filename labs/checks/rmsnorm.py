"""RMSNorm: each token's features are divided by their root mean square; no mean is taken out.

Norm modules are found by what they hold (one-axis parameters of the model's width, or none) and do
(a tensor of that width in, the same shape out). All norms, also those that are plain functions, are
judged by what reaches the projections, beside the stream that they read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from labs.checks import stream
from labs.checks.property_check import NotJudged, Warned, Wrong, check
from labs.checks.stream import centered, is_norm, normalized
from labs.checks.subject import LAYERS, B, C, Subject, T, loud, shake, tokens, twin

NO_GAIN = "no learned gain"
NO_EPS = "no eps: a token of zeros gives NaN"
OFFSET = "with an offset"
UNMOVED = 1e-3  # outputs that move by less take the mean out


def norms(s: Subject) -> dict[str, nn.Module]:
    """The norm modules that a model calls, by path."""
    return s.once("norms", lambda: find_norms(s))


def find_norms(s: Subject) -> dict[str, nn.Module]:
    model = s.build()
    shapes: dict[str, bool] = {}

    def watch(name: str):  # type: ignore[no-untyped-def]
        def hook(module: nn.Module, args: tuple[object, ...], out: object) -> None:
            x = args[0] if args else None
            same = (
                isinstance(x, Tensor)
                and isinstance(out, Tensor)
                and x.shape == out.shape
                and x.shape[-1] == C
            )
            shapes[name] = shapes.get(name, True) and same

        return hook

    hooks = [module.register_forward_hook(watch(name)) for name, module in model.named_modules()]
    with torch.no_grad():
        model(tokens(), tokens())
    for hook in hooks:
        hook.remove()
    modules = dict(model.named_modules())
    norm_modules: dict[str, nn.Module] = {}
    for name, same in shapes.items():
        module = modules[name]
        parameters = list(module.parameters())
        if not same or any(name.startswith(other + ".") for other in norm_modules):
            continue
        if (parameters and all(tuple(p.shape) == (C,) for p in parameters)) or (
            not parameters and not list(module.children()) and scales_away(module)
        ):
            norm_modules[name] = module
    return norm_modules


def scales_away(module: nn.Module) -> bool:
    """True if 8x gives the same output as x, and not zeros."""
    x = token_features()
    with torch.no_grad():
        output, scaled_output = module(x), module(8 * x)
    return bool(
        output.abs().max() > 0 and torch.allclose(output, scaled_output, rtol=1e-2, atol=1e-3)
    )


def token_features() -> Tensor:
    """Tokens whose features have a mean: (B, T, C)."""
    return torch.randn(B, T, C, generator=torch.Generator().manual_seed(6)) * 2 + 1.5


def ask(module: nn.Module, x: Tensor) -> Tensor:
    """A norm's output for x, in float64 where the module can."""
    with torch.no_grad():
        try:
            return twin(module)(x.double()).double()
        except RuntimeError:
            return module(x.float()).double()


def each(s: Subject) -> dict[str, nn.Module]:
    norm_modules = norms(s)
    if not norm_modules:
        raise NotJudged("no norm is a module; see what the sublayers read, below")
    return norm_modules


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


def slip(module: nn.Module) -> str:
    """The formula that a norm computes in place of x / RMS(x) · gain, as ": …"; "" if it has no
    name here."""
    gained_module, gains = with_gains(module)
    x = token_features().double()
    out = ask(gained_module, x)
    words = start_of_gains(module, x, list(gains.values()), out)
    words = words or slip_of(x, list(gains.values()), out)
    return words and f": {words}"


def start_of_gains(module: nn.Module, x: Tensor, gains: list[Tensor], out: Tensor) -> str:
    """The gains with which a norm starts, where its formula is right; "" where it is not."""
    base = x / rms(x)
    for p, g in zip(module.parameters(), gains, strict=True):
        low, high = (f"{value:.2g}" for value in (p.min().item(), p.max().item()))
        start = f"at {low}" if low == high else f"between {low} and {high}"
        for words, gain in (
            (f"its gains start {start}, and have to start at 1", g),
            (f"the gain is 1 + g, and g starts {start}, where 0 is needed", 1 + g),
        ):
            if torch.allclose(out, base * gain, rtol=2e-4, atol=2e-4):
                return words
    return ""


@check(
    "rmsnorm: scale",
    "8x gives what x gives",
    "Invariance to scale is what the norm is for; it survives without the mean.",
)
def scale(s: Subject) -> str:
    gaps = []
    for name, module in each(s).items():
        small, large = ask(module, token_features()), ask(module, 8 * token_features())
        gaps.append((large - small).abs().max().item())
        if gaps[-1] > 1e-2:
            raise Wrong(
                f"{name}: outputs up to {small.abs().max().item():.3g} move by {gaps[-1]:.3g} when "
                f"its input is 8 times as large{slip(module)}"
            )
    return f"{len(gaps)} norms, the largest change {max(gaps):.1g}"


@check(
    "rmsnorm: no centering",
    "x + 3 does not give what x gives",
    "LayerNorm takes the mean out, so a shift leaves no trace; RMSNorm gives exactly that up.",
)
def shift(s: Subject) -> str:
    gaps = []
    for name, module in each(s).items():
        gaps.append(shifted(module))
        if gaps[-1] < UNMOVED:
            raise Wrong(
                f"{name}: a shift of all features by 3 leaves no trace: the mean is still taken out"
            )
    return f"a shift by 3 moves the outputs by {min(gaps):.2g} or more"


def shifted(module: nn.Module) -> float:
    """The change of a norm's outputs when 3 is added to all features."""
    x = token_features()
    return (ask(module, x + 3) - ask(module, x)).abs().max().item()


@check(
    "rmsnorm: each token by itself",
    "a token's output depends on its own features only",
    "A mean over the wrong axis mixes tokens, or the rows of a batch.",
)
def axis(s: Subject) -> str:
    for name, module in each(s).items():
        x = token_features()
        before = ask(module, x)
        changed = x.clone()
        changed[0, 4] = changed[0, 4] * 5 - 2
        moved = (ask(module, changed) - before).abs().amax(-1) > 1e-5
        moved[0, 4] = False
        if moved.any():
            b, t = moved.nonzero()[0].tolist()
            over = "the batch" if b != 0 else "time"
            raise Wrong(
                f"{name}: changing token [0, 4] moves token [{b}, {t}]: is the mean taken over "
                f"{over}?"
            )
    return "changing one token moves no other"


@check(
    "rmsnorm: unit size at the start",
    "at initialization each token's output has a root mean square of 1",
    "The gain starts at 1. Dividing by the length instead leaves 1/√C, by the mean square no "
    "fixed size.",
)
def unit(s: Subject) -> str:
    for name, module in each(s).items():
        sizes = rms(ask(module, token_features()))
        if (sizes - 1).abs().max() > 0.01:
            low, high = sizes.min().item(), sizes.max().item()
            words = f"between {low:.3g} and {high:.3g}" if high - low > 1e-3 else f"{low:.4g}"
            raise Wrong(f"{name}: the root mean square of its output is {words}{slip(module)}")
    return "1.000 for every token"


@check(
    "rmsnorm: the formula",
    "equal to x / √(mean of x² + eps) · gain in float64, with gains that are not 1",
    "With gains of 1 many mistakes look right: a gain in the wrong place is one.",
)
def formula(s: Subject) -> str:
    notes: list[str] = []
    if not norms(s):
        return of_functions(s)
    for name, module in norms(s).items():
        gained_module, gains = with_gains(module)
        x = token_features().double()
        out, base = ask(gained_module, x), x / rms(x)
        options = {} if gains else {NO_GAIN: base}
        for key, g in gains.items():
            options["x / RMS · g"] = base * g
            options["the gain is 1 + g, with g from 0"] = base * (1 + g)
            options["the gain is exp(g), with g from 0"] = base * g.exp()
            for other in [o for o in gains if o != key]:
                options[f"{OFFSET}, {other}"] = base * g + gains[other]
                options[f"the gain is 1 + g; {OFFSET}, {other}"] = base * (1 + g) + gains[other]
        match = next(
            (
                words
                for words, expected in options.items()
                if torch.allclose(out, expected, rtol=2e-4, atol=2e-4)
            ),
            None,
        )
        eps = eps_of(module)
        if eps.far_off:
            raise Wrong(f"{name}: {too_large(eps)}")
        if match is None:
            if words := slip_of(x, list(gains.values()), out):
                raise Wrong(f"{name}: {words}")
            expected = options.get("x / RMS · g", base)
            at = (out - expected).abs().flatten().argmax()
            from_zero = any(not p.detach().any() for p in module.parameters())
            raise Wrong(
                f"{name}: {out.flatten()[at]:.4f} where the formula gives "
                f"{expected.flatten()[at]:.4f}, with gains between 0.5 and 1.5"
                + (", of parameters that start at 0" if from_zero else "")
            )
        if OFFSET in match and "bias" in s.fields:
            raise Wrong(f"{name}: {match}, although the config says bias=False: RMSNorm has a gain")
        if match == NO_GAIN and (fixed := fixed_gain(module)):
            raise Wrong(
                f"{name}.{fixed} is a tensor of {C} numbers and no parameter, so it never learns: "
                f"wrap it in nn.Parameter"
            )
        notes += [match, str(eps)]
    seen = "; ".join(dict.fromkeys(note for note in notes if note))
    is_unusual = any(note in (NO_GAIN, NO_EPS) or OFFSET in note for note in notes)
    return Warned(seen) if is_unusual else seen


def fixed_gain(module: nn.Module) -> str:
    """The name of a tensor of one number per feature that a norm holds and that is not a
    parameter."""
    for name, value in (*vars(module).items(), *module.named_buffers()):
        if isinstance(value, Tensor) and tuple(value.shape) == (C,):
            return name
    return ""


def slip_of(x: Tensor, gains: list[Tensor], out: Tensor) -> str:
    """The formula that gives out in place of x / RMS(x) · gain, where it can be named; all float64
    (…, C), each gain (C,)."""
    square = x.pow(2).mean(-1, keepdim=True)
    mean, half = x.mean(-1, keepdim=True), C // 2
    variance = (x - mean).pow(2).mean(-1, keepdim=True)
    base = x / square.sqrt()
    slip_outputs: dict[str, Tensor] = {
        "the mean is taken out first: that is LayerNorm": (x - mean) / variance.sqrt(),
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
        slip_outputs[
            f"{C // size} groups of {size} features each have a mean square of their own"
        ] = (groups / rms(groups)).flatten(-2)
    for eps in (1e-3, 1e-2, 0.1, 1.0):
        slip_outputs[f"eps is {eps:g}, which moves what it divides; the baseline has 1e-5"] = (
            x / (square + eps).sqrt()
        )
        slip_outputs[f"eps is {eps:g}, added outside the root; the baseline has 1e-5"] = x / (
            square.sqrt() + eps
        )
    for g in gains:
        inside = x * g
        slips = {
            "the gain is inside the root mean square": inside / rms(inside),
            "the gain is inside the mean square and applied again": inside / rms(inside) * g,
            "the gain is inside the mean square only": x / rms(inside),
            "the gain is applied twice": base * g * g,
            "the gain is not applied": base,
            "the gain is added, not multiplied": base + g,
            "the gain is added, less 1, not multiplied": base + g - 1,
            **{words: slipped * g for words, slipped in slip_outputs.items()},
        }
        for words, expected in slips.items():
            if torch.allclose(out, expected, rtol=2e-4, atol=2e-4):
                return words
    return next(
        (words for words, slipped in slip_outputs.items() if torch.allclose(out, slipped, 2e-4)), ""
    )


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
            raise Wrong(
                f"{reading.name} reads the stream over its root mean square times "
                f"{gain.mean():.4f} on average, and no gain of the model is that: is it applied "
                "twice, or is something else divided by?"
            )
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
    return (
        f"eps is {eps.size:.2g}, {place} the root, where the baseline has 1e-5: at the start the "
        "mean square of an embedding is 0.0004, and eps is to be nothing beside it"
    )


def eps_of(module: nn.Module) -> Eps:
    """The place and the size of a norm's eps, from two small inputs."""
    felt = []
    with torch.no_grad():
        if not torch.isfinite(module(torch.zeros(1, 1, C))).all():
            return Eps(math.inf)
        for size in (1e-3, 1e-2):
            ratio = module(torch.full((1, 1, C), size))[0, 0, 0].item()
            if not 0 < ratio < 1:
                return Eps(0.0)
            felt.append((size**2 * (1 / ratio**2 - 1), size * (1 / ratio - 1)))
    for place, sizes in enumerate(zip(*felt, strict=True)):
        if math.isclose(*sizes, rel_tol=0.05):
            return Eps(float(f"{sizes[0]:.3g}"), inside=place == 0)
    return Eps(0.0)


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
    size = rms(first.x).mean().item()
    if size < 0.9:
        raise Wrong(
            f"before any training, what the first layer reads has a root mean square of "
            f"{size:.3g}, not 1: is eps larger than the mean square of an embedding, 0.0004?"
        )
    model = s.build()
    residual_stream = stream.Stream(s.watch(shake(model, gains=False), tokens(1)), LAYERS)
    for reading in residual_stream.readings:
        size = rms(reading.x).mean().item()
        if abs(size - 1) > 0.1:
            raise Wrong(
                f"before any training, what {reading.name} reads has a root mean square of "
                f"{size:.3g}, not 1: a large eps, gains that don't start at 1, or a division by "
                "something else?"
            )


def eps_between(before: Tensor, after: Tensor) -> Eps | None:
    """The eps with which an RMSNorm of gains 1 makes these rows (T, C) of others; None if no eps
    does."""
    before, after = before.double(), after.double()
    if (
        torch.allclose(before, after)
        or (torch.cosine_similarity(before, after, dim=-1) < 1 - 1e-5).any()
    ):
        return None
    square = before.pow(2).mean(-1)
    eps = square / after.pow(2).mean(-1) - square
    return Eps(eps.mean().item()) if eps.std() < 0.02 * eps.mean() else None


FILE_NAMES = ("rms",)


def recognizes(s: Subject) -> bool:
    """True if a file's norms keep the mean (all of them, or some)."""
    return any(
        reading.norm
        and is_norm(reading.x, reading.state, "RMS")
        and not is_norm(reading.x, reading.state, "LayerNorm")
        for reading in s.stream().readings
    )


CHECKS = [scale, shift, axis, unit, formula, everywhere]
