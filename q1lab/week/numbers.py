"""Numbers that the text of a week leaves open, and what they are for one learner.

A guide that says "804,096 parameters" is right for one vocabulary only. So the text holds
placeholders, and they are filled for the data that the learner chose:

`{data}` `{corpus}` `{vocab}` `{ln_vocab}`
    the corpus in words, what to type after --data, how many different characters it has, and the
    natural logarithm of that: the loss of a uniform guess, in nats
`{small.rope.params}`
    a size (small, large), a model and a figure. Models: baseline, rmsnorm, rope, swiglu, gqa, mqa;
    `swiglu-344` has that hidden size, `gqa-3` that many key and value heads. Figures: `params`,
    `added` (parameters above the baseline's), `percent` (the same, in percent), `than` (in words:
    8.15% fewer), `flops` (forward, per token), `flops_percent`, `cache` (numbers kept per token)
`{measured.cpu.rope}`
    a preset and a variant: what `results.toml` holds. Alone it is a phrase; with a field
    (`.mean`, `.interval`, `.pairs`, `.data`, `.sd`, `.three`) it is that field

`:>10` before the closing brace right-aligns to ten characters, for columns in code blocks.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from q1lab.study.command import DEFAULT_DATA

PLACEHOLDER = re.compile(
    r"\{(data|corpus|vocab|ln_vocab"
    r"|(?:small|large)\.[a-z]+(?:-[0-9]+)?\.[a-z_]+"
    r"|measured\.[a-z]+\.[a-z_]+(?:\.[a-z_]+)?)(?::>([0-9]{1,2}))?\}"
)

SIZES: Mapping[str, tuple[int, int, int, int]] = {
    "small": (4, 4, 128, 64),
    "large": (6, 6, 384, 256),
}
"""Layers, heads, features and block size: presets quick and cpu, and preset gpu."""

SHAKESPEARE = ("Tiny Shakespeare", 65)
"""Whose numbers the text gives as long as no data is chosen; `{data}` says so in the text."""

FIGURES = ("params", "added", "percent", "than", "flops", "flops_percent", "cache")
MEASURED = ("mean", "interval", "pairs", "data", "sd", "three")

THREE_PAIRS = 3.267
"""Power .8 at three pairs and 95%: the true difference, in sds of a pair's difference."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One comparison that was really run: modified minus baseline, in nats of validation loss."""

    preset: str
    variant: str
    data: str
    pairs: int
    mean: float
    low: float
    high: float
    sd: float
    """Of one run of the baseline, over seeds."""
    pair_sd: float
    """Of the differences of the pairs."""
    source: str
    """The file or command that it comes from."""
    line: int = 1

    @property
    def three(self) -> str:
        """The true difference that three pairs would see in four studies out of five."""
        return f"{THREE_PAIRS * self.pair_sd:.3f}"

    @property
    def interval(self) -> str:
        return f"{signed(self.low)} to {signed(self.high)}"

    def field(self, name: str) -> str:
        """One figure as text, or the whole as a phrase when `name` is empty."""
        if not name:
            return (
                f"{signed(self.mean)} nats (95% interval {self.interval}; "
                f"{self.pairs} pairs on {self.data})"
            )
        if name == "mean":
            return signed(self.mean)
        if name == "sd":
            return f"{self.sd:.4f}"
        return str(getattr(self, name))


@dataclass(frozen=True, slots=True)
class Numbers:
    """What the placeholders mean for one learner."""

    data: str = SHAKESPEARE[0]
    vocab: int = SHAKESPEARE[1]
    corpus: str = DEFAULT_DATA
    """What to type after --data; what q1lab takes by itself, as long as nothing is chosen."""
    measured: tuple[Measured, ...] = ()

    def fill(self, text: str) -> str:
        """`text` with every placeholder that has a value filled in; the others stay as they are."""
        if "{" not in text:
            return text
        return PLACEHOLDER.sub(lambda match: self._value(match) or match[0], text)

    def unknown(self, text: str) -> Iterator[tuple[int, str]]:
        """The placeholders in `text` that have no value: (line counted from 0, placeholder)."""
        for match in PLACEHOLDER.finditer(text):
            if self._value(match) is None:
                yield text.count("\n", 0, match.start()), match[0]

    def result(self, preset: str, variant: str) -> Measured | None:
        """The comparison of a variant at a preset, on the learner's data where that was
        measured."""
        found = [one for one in self.measured if (one.preset, one.variant) == (preset, variant)]
        same = [one for one in found if one.data == self.corpus]
        return next(iter(same or found), None)

    def _value(self, match: re.Match[str]) -> str | None:
        name, width = match[1], int(match[2] or 0)
        value = self._named(name)
        return None if value is None else value.rjust(width)

    def _named(self, name: str) -> str | None:
        if name in ("data", "corpus", "vocab"):
            return str(getattr(self, name))
        if name == "ln_vocab":
            return f"{math.log(self.vocab):.4f}"
        first, second, *rest = name.split(".")
        if first == "measured":
            result, what = self.result(second, rest[0]), rest[1] if len(rest) > 1 else ""
            return None if result is None or what not in ("", *MEASURED) else result.field(what)
        return _figure(first, second, rest[0], self.vocab)


def signed(number: float, digits: int = 3) -> str:
    """A number with its sign, a true minus sign among them."""
    return f"{number:+.{digits}f}".replace("-", "\N{MINUS SIGN}")


def parameters(model: str, size: str, vocab: int) -> int:
    """The parameters of a model of q1lab (biases off), its table of positions counted.

    `model` is a name as in the placeholders, such as `rope` or `swiglu-344`. KeyError for a model
    or a size that there is not.
    """
    layers, heads, width, block = SIZES[size]
    name, hidden, groups = _shape(model, heads, width)
    attention = 2 * width * width + 2 * width * groups * (width // heads)
    feed_forward = (3 if name == "swiglu" else 2) * width * hidden
    positions = 0 if name == "rope" else block * width
    gains = (2 * layers + 1) * width
    return vocab * width + positions + layers * (attention + feed_forward) + gains


def flops(model: str, size: str, vocab: int) -> int:
    """Floating-point operations of a forward pass per token, two per multiply-add, attention over
    the whole window; norms, softmax and activations are left out, RoPE's rotations are counted."""
    layers, heads, width, block = SIZES[size]
    name, hidden, groups = _shape(model, heads, width)
    weights = 2 * width * width + 2 * width * groups * (width // heads)
    weights += (3 if name == "swiglu" else 2) * width * hidden
    turning = 6 * width * layers if name == "rope" else 0
    return layers * (2 * weights + 4 * block * width) + 2 * vocab * width + turning


def cache(model: str, size: str) -> int:
    """The numbers that decoding keeps per token: keys and values, in all layers."""
    layers, heads, width, _ = SIZES[size]
    return 2 * layers * _shape(model, heads, width)[2] * (width // heads)


def _shape(model: str, heads: int, width: int) -> tuple[str, int, int]:
    """A model's name, hidden size and number of key and value heads."""
    name, _, number = model.partition("-")
    if name not in ("baseline", "rmsnorm", "rope", "swiglu", "gqa", "mqa"):
        raise KeyError(model)
    hidden = 4 * width
    if name == "swiglu":
        hidden = int(number) if number else round(2 / 3 * hidden)
    groups = {"gqa": int(number or heads // 2), "mqa": 1}.get(name, heads)
    return name, hidden, groups


def _figure(size: str, model: str, what: str, vocab: int) -> str | None:
    if what not in FIGURES:
        return None
    try:
        if what == "cache":
            return f"{cache(model, size):,}"
        count = flops if what.startswith("flops") else parameters
        own, base = count(model, size, vocab), count("baseline", size, vocab)
    except KeyError:
        return None
    if what in ("params", "flops"):
        return f"{own:,}"
    if what == "added":
        return "0" if own == base else f"{own - base:+,}".replace("-", "\N{MINUS SIGN}")
    share = 100 * (own - base) / base
    if what == "than":
        return "as many" if own == base else f"{abs(share):.2f}% {'more' if share > 0 else 'fewer'}"
    return "0%" if own == base else f"{signed(share, 2)}%"
