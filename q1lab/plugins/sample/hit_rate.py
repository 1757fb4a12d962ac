"""The share of right answers to a yes-or-no question, with its exact interval."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from q1lab.judgment.intervals import ALPHA

CHANCE = 0.5
"""The share that guessing gets right."""


class BlindVerdict(StrEnum):
    """The answer to whether a reader can tell the two apart."""

    CAN_TELL = "can tell"
    CANNOT_TELL = "cannot tell"
    SWAPPED = "swapped"
    """The reader tells them apart, and takes one for the other."""


@dataclass(frozen=True)
class HitRate:
    """``hits`` right answers of ``n``, and the 95% interval of their share (Clopper-Pearson), which
    covers the true share at least that often for any number of answers."""

    hits: int
    n: int
    low: float
    high: float

    @property
    def share(self) -> float:
        return self.hits / self.n

    @property
    def verdict(self) -> BlindVerdict:
        """CANNOT TELL where the interval holds 50%."""
        if self.low > CHANCE:
            return BlindVerdict.CAN_TELL
        return BlindVerdict.SWAPPED if self.high < CHANCE else BlindVerdict.CANNOT_TELL


def hit_rate(hits: int, n: int, alpha: float = ALPHA) -> HitRate:
    """The hit rate of ``n`` answers, at least one."""
    from scipy.special import betaincinv

    low = float(betaincinv(hits, n - hits + 1, alpha / 2)) if hits else 0.0
    high = float(betaincinv(hits + 1, n - hits, 1 - alpha / 2)) if hits < n else 1.0
    return HitRate(hits, n, low, high)
