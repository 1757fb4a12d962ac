"""Numbers that the text of a week leaves open, and their values for one learner.

A guide that says "804,096 parameters" is right for one vocabulary only. So the text holds
placeholders, and they are filled for the data that the learner chose. As long as none is chosen
they name no corpus: V stands for its number of different characters.

`{data}` `{vocab}` `{ln_vocab}`
    the corpus in words, how many different characters it has, and the natural logarithm of that
    with its value, such as ln 65 = 4.1744: the loss of a uniform guess, in nats
`{small.rope.params}`
    a size (small, large), a model and a figure. Models: baseline, and the variants with a `shape`
    in week.toml; `swiglu-344` has that hidden size, `gqa-3` that many key and value heads. Figures:
    `params`,
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
from dataclasses import dataclass, field
from fractions import Fraction

from q1lab.ground.text_formats import MINUS, signed
from q1lab.judgment import intervals
from q1lab.study.corpora import DEFAULT_DATA, STDLIB_CHARACTERS, describe_corpus
from q1lab.study.presets import PRESETS

PLACEHOLDER = re.compile(
    r"\{(data|vocab|ln_vocab"
    r"|(?:small|large)\.[a-z][a-z0-9_]*(?:-[0-9]+)?\.[a-z_]+"
    r"|passes\.[a-z]+"
    r"|measured\.[a-z]+\.[a-z][a-z0-9_]*(?:\.[a-z_]+)?)(?::>([0-9]{1,2}))?\}"
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

THREE_PAIRS = 3.659
"""Power .8 on average at three pairs and 95%: the true difference, in the sd of a pair's difference
as eight pairs show it."""


@dataclass(frozen=True, slots=True)
class ModelSize:
    """The sizes of a model (biases off)."""

    layers: int
    heads: int
    width: int
    block: int
    positions: bool
    """True if it has a table of positions."""
    matrices: int
    """Those of a feed-forward layer."""
    hidden: int
    """That layer's hidden size, in features."""
    kv_heads: int

    @property
    def weights(self) -> int:
        """Those of one layer's matrices."""
        attention = 2 * self.width**2 + self.width * self.cache // self.layers
        return attention + self.matrices * self.width * self.hidden

    def parameters(self, vocab: int) -> int:
        """All of them, the table of positions counted."""
        positions = self.block * self.width if self.positions else 0
        gains = (2 * self.layers + 1) * self.width
        return vocab * self.width + positions + self.layers * self.weights + gains

    def flops(self, vocab: int) -> int:
        """Floating-point operations of the matrix products in a forward pass per token, two per
        multiply-add, attention over the whole window. Norms, softmax, activations and rotations are
        left out, as in a comparison's row."""
        layer = 2 * self.weights + 4 * self.block * self.width
        return self.layers * layer + 2 * vocab * self.width

    @property
    def cache(self) -> int:
        """The numbers that decoding keeps per token: keys and values, in all layers."""
        return 2 * self.layers * self.kv_heads * (self.width // self.heads)


@dataclass(frozen=True, slots=True)
class ModelShape:
    """The size of a model relative to the baseline's: a variant's `shape` in week.toml."""

    positions: bool = True
    matrices: int = 2
    hidden: Fraction = Fraction(4)
    """In widths."""
    kv_heads: Fraction = Fraction(1)
    """As a share of the heads."""

    def sized(self, size: str, number: int | None) -> ModelSize:
        """The model of a size (KeyError for one that there is not), with another ``number`` of key
        and value heads where the shape gives a share of them, else of hidden features."""
        layers, heads, width, block = SIZES[size]
        hidden, kv_heads = round(self.hidden * width), int(self.kv_heads * heads)
        if number is not None and self.kv_heads != 1:
            kv_heads = number
        elif number is not None:
            hidden = number
        return ModelSize(
            layers, heads, width, block, self.positions, self.matrices, hidden, kv_heads
        )


@dataclass(frozen=True, slots=True)
class MeasuredResult:
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
        return describe_corpus(self.data)

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
        if name == "three" and self.pairs < intervals.SPREAD_PAIRS:
            return None
        if name == "data":
            return self.on
        if name == "mean":
            return signed(self.mean, 3)
        if name == "sd":
            return f"{self.sd:.4f}"
        return str(getattr(self, name))


@dataclass(frozen=True, slots=True)
class TextNumbers:
    """The placeholders' values for one learner."""

    data: str = "your data"
    vocab: int | None = None
    """None as long as no data is chosen."""
    corpus: str | None = None
    """The corpus as typed after --data."""
    measured: tuple[MeasuredResult, ...] = ()
    shapes: Mapping[str, ModelShape] = field(default_factory=dict)
    """Of the variants; the baseline has one in any week."""

    def model(self, name: str, size: str) -> ModelSize:
        """A model as the placeholders name it, such as `rope` or `swiglu-344`. KeyError for a model
        or a size that there is not."""
        variant, _, number = name.partition("-")
        shape = {"baseline": ModelShape(), **self.shapes}[variant]
        return shape.sized(size, int(number) if number else None)

    def fill(self, text: str) -> str:
        """`text` with every placeholder that has a value filled in; the others stay as they are."""
        if "{" not in text:
            return text
        return PLACEHOLDER.sub(lambda match: self._value(match) or match[0], text)

    def unknown(self, text: str) -> Iterator[tuple[int, str]]:
        """The placeholders in `text` that have no value, misspelled ones among them: (line counted
        from 0, placeholder)."""
        for match in _BRACES.finditer(text):
            placeholder = PLACEHOLDER.fullmatch(match[0])
            if self._value(placeholder) is None if placeholder else _meant(match[1]):
                yield text.count("\n", 0, match.start()), match[0]

    def result(self, preset: str, variant: str) -> MeasuredResult | None:
        """The comparison of a variant at a preset, on the data of the learner's runs where that was
        measured."""
        of_preset = [
            measured
            for measured in self.measured
            if (measured.preset, measured.variant) == (preset, variant)
        ]
        same = [
            measured for measured in of_preset if measured.data == (self.corpus or DEFAULT_DATA)
        ]
        return next(iter(same or of_preset), None)

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
            return passes_over_text(second)
        if first == "measured":
            result, field = self.result(second, rest[0]), rest[1] if len(rest) > 1 else ""
            return None if result is None or field not in ("", *MEASURED) else result.field(field)
        return self._figure(first, second, rest[0])

    def _figure(self, size: str, name: str, figure: str) -> str | None:
        try:
            model, baseline = self.model(name, size), self.model("baseline", size)
        except KeyError:
            return None
        if figure not in FIGURES:
            return None
        if figure == "cache":
            return f"{model.cache:,}"
        flops, vocab = figure.startswith("flops"), self.vocab
        counts = [sized.flops if flops else sized.parameters for sized in (model, baseline)]
        model_count, base = (count(vocab or 0) for count in counts)
        per_character = counts[0](1) - counts[0](0)
        if figure in ("params", "flops"):
            return f"{model_count:,}" if vocab else f"{model_count:,} + {per_character} V"
        if figure == "added":
            return "0" if model_count == base else f"{model_count - base:+,}".replace("-", MINUS)
        share = 100 * (model_count - base) / (base + (0 if vocab else USUAL * per_character))
        digits, about = (2, "") if vocab else (0 if abs(share) >= 1 else 1, "about ")
        if figure == "than":
            more = "more" if share > 0 else "fewer"
            return "as many" if model_count == base else f"{about}{abs(share):.{digits}f}% {more}"
        return "0%" if model_count == base else f"{about}{signed(share, digits)}%"


_BRACES = re.compile(r"\{([A-Za-z_]+)(?=[}.:])[^{}\s]*\}")
_FIRST = ("data", "vocab", "ln_vocab", "variant", "small", "large", "passes", "measured")


def _meant(word: str) -> bool:
    """True if a word in braces looks like a misspelled placeholder."""
    return word != "variant" and bool(difflib.get_close_matches(word, _FIRST, 1, 0.8))


def passes_over_text(preset: str) -> str | None:
    """Iters × batch × block over the characters that train, of the built-in texts."""
    if preset not in PRESETS:
        return None
    config = PRESETS[preset]
    trains = int(0.9 * STDLIB_CHARACTERS)
    count = config["max_iters"] * config["batch_size"] * config["block_size"] / trains
    return f"{count:.1f}" if count < 10 else f"{count:.0f}"
