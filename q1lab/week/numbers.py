"""Numbers that the text of a week leaves open, and what they are for one learner.

A guide that says "804,096 parameters" is right for one vocabulary only. So the text holds
placeholders, and they are filled for the data that the learner chose. As long as none is chosen
they name no corpus: V stands for its number of different characters.

`{data}` `{vocab}` `{ln_vocab}`
    the corpus in words, how many different characters it has, and the natural logarithm of that
    with its value, such as ln 65 = 4.1744: the loss of a uniform guess, in nats
`{small.rope.params}`
    a size (small, large), a model and a figure. Models: baseline, rmsnorm, rope, swiglu, gqa, mqa;
    `swiglu-344` has that hidden size, `gqa-3` that many key and value heads. Figures: `params`,
    `added` (parameters above the baseline's), `percent` (the same, in percent), `than` (in words:
    8.15% fewer), `flops` (of the matrix products, forward, per token), `flops_percent`, `cache`
    (numbers kept per token)
`{measured.cpu.rope}`
    a preset and a variant: what `results.toml` holds. Alone it is a phrase; with a field
    (`.mean`, `.interval`, `.pairs`, `.data`, `.sd`, `.three`) it is that field. `.three` needs 8
    pairs: fewer know their spread too roughly

`{passes.gpu}`
    how often a run of that preset reads a text of the built-in ones' length

`:>10` before the closing brace right-aligns to ten characters, for columns in code blocks.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from q1lab.formats import MINUS, signed
from q1lab.study.command import DEFAULT_DATA
from q1lab.study.corpora import STDLIB_CHARACTERS, in_words
from q1lab.study.presets import PRESETS

PLACEHOLDER = re.compile(
    r"\{(data|vocab|ln_vocab"
    r"|(?:small|large)\.[a-z]+(?:-[0-9]+)?\.[a-z_]+"
    r"|passes\.[a-z]+"
    r"|measured\.[a-z]+\.[a-z_]+(?:\.[a-z_]+)?)(?::>([0-9]{1,2}))?\}"
)

SIZES: Mapping[str, tuple[int, int, int, int]] = {
    "small": (4, 4, 128, 64),
    "large": (6, 6, 384, 256),
}
"""Layers, heads, features and block size: presets quick and cpu, and preset gpu."""

USUAL = 80
"""A usual number of different characters: a share is worked out with it as long as no data is
chosen, and rounded so that it holds for others, too."""

FIGURES = ("params", "added", "percent", "than", "flops", "flops_percent", "cache")
MEASURED = ("mean", "interval", "pairs", "data", "sd", "three")

SPREAD_PAIRS = 8
"""Pairs from which on `.three` is given."""

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
    def on(self) -> str:
        return in_words(self.data)

    @property
    def interval(self) -> str:
        return f"{signed(self.low, 3)} to {signed(self.high, 3)}"

    def field(self, name: str) -> str | None:
        """One figure as text, or the whole as a phrase when `name` is empty; None for a figure that
        these pairs can't give."""
        if not name:
            return (
                f"{signed(self.mean, 3)} nats (95% interval {self.interval}; "
                f"{self.pairs} pairs on {self.on})"
            )
        if name == "three" and self.pairs < SPREAD_PAIRS:
            return None
        if name == "data":
            return self.on
        if name == "mean":
            return signed(self.mean, 3)
        if name == "sd":
            return f"{self.sd:.4f}"
        return str(getattr(self, name))


@dataclass(frozen=True, slots=True)
class Numbers:
    """What the placeholders mean for one learner."""

    data: str = "your data"
    vocab: int | None = None
    """None as long as no data is chosen."""
    corpus: str | None = None
    """The corpus as typed after --data."""
    measured: tuple[Measured, ...] = ()

    def fill(self, text: str) -> str:
        """`text` with every placeholder that has a value filled in; the others stay as they are."""
        if "{" not in text:
            return text
        return PLACEHOLDER.sub(lambda match: self._value(match) or match[0], text)

    def unknown(self, text: str) -> Iterator[tuple[int, str]]:
        """The placeholders in `text` that have no value, misspelled ones among them: (line counted
        from 0, placeholder)."""
        for match in _BRACES.finditer(text):
            known = PLACEHOLDER.fullmatch(match[0])
            if self._value(known) is None if known else _meant(match[1]):
                yield text.count("\n", 0, match.start()), match[0]

    def result(self, preset: str, variant: str) -> Measured | None:
        """The comparison of a variant at a preset, on the data of the learner's runs where that was
        measured."""
        found = [one for one in self.measured if (one.preset, one.variant) == (preset, variant)]
        same = [one for one in found if one.data == (self.corpus or DEFAULT_DATA)]
        return next(iter(same or found), None)

    def _value(self, match: re.Match[str]) -> str | None:
        name, width = match[1], int(match[2] or 0)
        value = self._named(name)
        return None if value is None else value.rjust(width)

    def _named(self, name: str) -> str | None:
        if name == "data":
            return self.data
        if name == "vocab":
            return str(self.vocab or "V")
        if name == "ln_vocab":
            return f"ln {self.vocab} = {math.log(self.vocab):.4f}" if self.vocab else "ln V"
        first, second, *rest = name.split(".")
        if first == "passes":
            return passes(second)
        if first == "measured":
            result, what = self.result(second, rest[0]), rest[1] if len(rest) > 1 else ""
            return None if result is None or what not in ("", *MEASURED) else result.field(what)
        return _figure(first, second, rest[0], self.vocab)


_BRACES = re.compile(r"\{([A-Za-z_]+)(?=[}.:])[^{}\s]*\}")
_FIRST = ("data", "vocab", "ln_vocab", "variant", "small", "large", "passes", "measured")


def _meant(word: str) -> bool:
    """Whether a word in braces, which is no placeholder as it stands, was meant as one."""
    return word != "variant" and bool(difflib.get_close_matches(word, _FIRST, 1, 0.8))


def passes(preset: str) -> str | None:
    """Iters × batch × block over the characters that train, of the built-in texts."""
    if preset not in PRESETS:
        return None
    config = PRESETS[preset]
    trains = int(0.9 * STDLIB_CHARACTERS)
    many = config["max_iters"] * config["batch_size"] * config["block_size"] / trains
    return f"{many:.1f}" if many < 10 else f"{many:.0f}"


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
    """Floating-point operations of the matrix products in a forward pass per token, two per
    multiply-add, attention over the whole window. Norms, softmax, activations and rotations are
    left out, as in a comparison's row."""
    layers, heads, width, block = SIZES[size]
    name, hidden, groups = _shape(model, heads, width)
    weights = 2 * width * width + 2 * width * groups * (width // heads)
    weights += (3 if name == "swiglu" else 2) * width * hidden
    return layers * (2 * weights + 4 * block * width) + 2 * vocab * width


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


def _figure(size: str, model: str, what: str, vocab: int | None) -> str | None:
    if what not in FIGURES:
        return None
    try:
        if what == "cache":
            return f"{cache(model, size):,}"
        count = flops if what.startswith("flops") else parameters
        own, base = (count(name, size, vocab or 0) for name in (model, "baseline"))
        per_character = count(model, size, 1) - count(model, size, 0)
    except KeyError:
        return None
    if what in ("params", "flops"):
        return f"{own:,}" if vocab else f"{own:,} + {per_character} V"
    if what == "added":
        return "0" if own == base else f"{own - base:+,}".replace("-", MINUS)
    share = 100 * (own - base) / (base + (0 if vocab else USUAL * per_character))
    digits, about = (2, "") if vocab else (0 if abs(share) >= 1 else 1, "about ")
    if what == "than":
        more = "more" if share > 0 else "fewer"
        return "as many" if own == base else f"{about}{abs(share):.{digits}f}% {more}"
    return "0%" if own == base else f"{about}{signed(share, digits)}%"
