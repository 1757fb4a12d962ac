"""Corpora as tokens, and the batches of a seed.

A token is a character; the vocabulary is the sorted set of the corpus's characters. The first 90%
of the text trains, the rest validates. Tokens stay in memory in the smallest integer type that
holds the vocabulary, and one gather takes a whole batch.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

TRAIN_SHARE = 0.9


class DataError(ValueError):
    """The corpus isn't what the study was planned with."""


@dataclass(frozen=True)
class Corpus:
    """``train`` and ``val`` are 1-D token tensors; ``characters`` lists the vocabulary in order."""

    train: Tensor
    val: Tensor
    characters: str

    @property
    def vocab_size(self) -> int:
        return len(self.characters)


def load(path: Path, sha256: str | None = None) -> Corpus:
    """Read a UTF-8 text. DataError when it isn't the text that the study was planned with."""
    raw = path.read_bytes()
    if sha256 is not None and hashlib.sha256(raw).hexdigest() != sha256:
        raise DataError(
            f"{path} has changed since the study was planned; the study can't go on with other data"
        )
    return tokenize(raw.decode())


def tokenize(text: str) -> Corpus:
    """The corpus of a text: train is the first 90% of its characters."""
    points = torch.frombuffer(bytearray(text.encode("utf-32-le")), dtype=torch.int32)
    vocabulary, tokens = torch.unique(points, return_inverse=True)
    size = vocabulary.numel()
    tokens = tokens.to(
        torch.uint8 if size <= 256 else torch.int16 if size <= 32767 else torch.int32
    )
    cut = int(TRAIN_SHARE * len(text))
    characters = "".join(map(chr, vocabulary.tolist()))
    return Corpus(tokens[:cut].contiguous(), tokens[cut:].contiguous(), characters)


def key(*parts: object) -> int:
    """A 63-bit number made from ``parts``: the same parts give the same number on every machine."""
    text = "\x1f".join(map(str, parts))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


class Batches:
    """The batches of one seed: iter i always gets the same windows, whatever the model does with
    its randomness.

    Positions are drawn in blocks from a generator keyed by (seed, block), so going on at iter k
    needs no replay.
    """

    BLOCK = 1024

    def __init__(
        self, train: Tensor, seed: int, batch_size: int, block_size: int, device: torch.device
    ) -> None:
        self.train = train.to(device)
        self.seed, self.batch_size, self.span = seed, batch_size, block_size + 1
        self.steps = torch.arange(self.span, device=device)
        self.device = device
        self._block = -1
        self._starts = torch.empty(0)

    def __call__(self, i: int) -> tuple[Tensor, Tensor]:
        """(inputs, targets) of iter ``i``, both int64 of shape (batch_size, block_size)."""
        block, row = divmod(i, self.BLOCK)
        if block != self._block:
            generator = torch.Generator().manual_seed(key("batches", self.seed, block))
            shape = (self.BLOCK, self.batch_size, 1)
            high = self.train.numel() - self.span + 1
            self._starts = torch.randint(high, shape, generator=generator).to(self.device)
            self._block = block
        window = self.train[self._starts[row] + self.steps].long()
        # a model file may call view on them
        return window[:, :-1].contiguous(), window[:, 1:].contiguous()


def windows(val: Tensor, block_size: int, count: int | None = None) -> list[tuple[int, int]]:
    """Fixed validation windows as (start, length), side by side: every target is predicted exactly
    once.

    ``count`` picks that many full windows, evenly spread, for a quick look in mid-run; None is all
    of them, the last one shorter where the text doesn't divide evenly.
    """
    targets = val.numel() - 1
    full = targets // block_size
    everything = [(i * block_size, block_size) for i in range(full)]
    if count is not None and count < full:
        return [everything[i * full // count] for i in range(count)]
    if targets % block_size:
        everything.append((full * block_size, targets % block_size))
    return everything
