"""The numbers in a week's text: what its templates may name.

``small.rope.params``: a size (small, large), a model and a figure; ``small["gqa-3"]`` is the
variant with another number. ``measured.cpu.rope.mean``: what the results file holds.
``passes.gpu``: how often a run of that preset reads a built-in text. Without a choice of data, V
stands for its characters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

from q1lab.ground.text_formats import MINUS, signed
from q1lab.judgment import intervals
from q1lab.study.corpus_titles import DEFAULT_DATA, STDLIB_CHARACTERS, describe_corpus
from q1lab.study.presets import PRESETS

SIZES: Mapping[str, tuple[int, int, int, int]] = {
    "small": (4, 4, 128, 64),
    "large": (6, 6, 384, 256),
}
"""Layers, heads, features and block size: presets quick and cpu, and preset gpu."""


class ChosenData(NamedTuple):
    """The corpus that a learner trains on."""

    words: str
    """What it is."""
    vocab: int
    """The number of its different characters."""
    corpus: str
    """What to type after --data."""


class OwnVerdict(NamedTuple):
    """What the comparison says that the learner has read of their own modification."""

    verdict: str
    sentence: str


class Share(NamedTuple):
    """A difference in percent, as it is written."""

    percent: float
    digits: int
    about: str


USUAL = 80
"""A usual number of different characters: a share is worked out with it as long as no data is
chosen, and rounded so that it holds for others, too."""

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
    corpus: str
    count: int
    difference: float
    low: float
    high: float
    baseline_sd: float
    pair_sd: float
    source: str
    """The file or command that it comes from."""

    @property
    def mean(self) -> str:
        return signed(self.difference, 3)

    @property
    def interval(self) -> str:
        return f"{signed(self.low, 3)} to {signed(self.high, 3)}"

    @property
    def pairs(self) -> str:
        return str(self.count)

    @property
    def data(self) -> str:
        return describe_corpus(self.corpus)

    @property
    def sd(self) -> str:
        return f"{self.baseline_sd:.4f}"

    @property
    def three(self) -> str:
        """The true difference that three pairs would see in four studies out of five."""
        assert self.count >= intervals.SPREAD_PAIRS, "too few pairs to know their spread"
        return f"{THREE_PAIRS * self.pair_sd:.3f}"

    def __str__(self) -> str:
        return f"{self.mean} nats (95% interval {self.interval}; {self.count} pairs on {self.data})"


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of a model beside the baseline's, as text."""

    model: ModelSize
    baseline: ModelSize
    vocab: int | None

    @property
    def params(self) -> str:
        return self._count(self.model.parameters)

    @property
    def flops(self) -> str:
        return self._count(self.model.flops)

    @property
    def cache(self) -> str:
        return f"{self.model.cache:,}"

    @property
    def added(self) -> str:
        more = self.model.parameters(0) - self.baseline.parameters(0)
        return f"{more:+,}".replace("-", MINUS) if more else "0"

    @property
    def than(self) -> str:
        share, digits, about = self._share("parameters")
        more = "more" if share > 0 else "fewer"
        return f"{about}{abs(share):.{digits}f}% {more}" if share else "as many"

    @property
    def percent(self) -> str:
        share, digits, about = self._share("parameters")
        return f"{about}{signed(share, digits)}%" if share else "0%"

    @property
    def flops_percent(self) -> str:
        share, digits, about = self._share("flops")
        return f"{about}{signed(share, digits)}%" if share else "0%"

    def _count(self, count: Any) -> str:
        if self.vocab:
            return f"{count(self.vocab):,}"
        return f"{count(0):,} + {count(1) - count(0)} V"

    def _share(self, kind: str) -> Share:
        counts = [
            getattr(model, kind)(self.vocab or USUAL) for model in (self.model, self.baseline)
        ]
        share = 100 * (counts[0] - counts[1]) / counts[1]
        if self.vocab:
            return Share(share, 2, "")
        return Share(share, 0 if abs(share) >= 1 else 1, "about ")


@dataclass(frozen=True)
class Models:
    """The models of one size by name, such as ``rope`` or ``swiglu-344``."""

    size: str
    shapes: Mapping[str, ModelShape]
    vocab: int | None

    def __getitem__(self, name: str) -> Figures:
        variant, _, number = name.partition("-")
        shape = {"baseline": ModelShape(), **self.shapes}[variant]
        sized = shape.sized(self.size, int(number) if number else None)
        return Figures(sized, ModelShape().sized(self.size, None), self.vocab)


def names_for_text(
    shapes: Mapping[str, ModelShape],
    results: Sequence[MeasuredResult],
    data: ChosenData | None,
) -> dict[str, Any]:
    """What a template may name. ``data``: the learner's corpus, if they have chosen one."""
    words, vocab, corpus = data or ("your data", None, DEFAULT_DATA)
    measured: dict[str, dict[str, MeasuredResult]] = {}
    for result in results:  # the first counts, unless another is of the learner's data
        of_preset = measured.setdefault(result.preset, {})
        if of_preset.setdefault(result.variant, result).corpus != corpus == result.corpus:
            of_preset[result.variant] = result
    return {
        "data": words,
        "vocab": str(vocab or "V"),
        "ln_vocab": f"ln {vocab} = {math.log(vocab):.4f}" if vocab else "ln V",
        "measured": measured,
        "passes": {preset: _passes(config) for preset, config in PRESETS.items()},
        **{size: Models(size, shapes, vocab) for size in SIZES},
    }


def _passes(config: Mapping[str, Any]) -> str:
    """Iters × batch × block over the characters that train, of the built-in texts."""
    count = config["max_iters"] * config["batch_size"] * config["block_size"]
    passes = count / int(0.9 * STDLIB_CHARACTERS)
    return f"{passes:.1f}" if passes < 10 else f"{passes:.0f}"
