"""The hand-ins that stand apart from the others of one change.

Rosner's generalized extreme studentized deviate test (1983): the hand-in that is farthest from the
others is set aside, then the next, a quarter of them at most. The last one that was too far, and
all that were set aside before it, stand apart. So several wrong files don't hide each other.

What is compared are the hand-ins' mean differences. Where people share seeds, each seed's mean over
the hand-ins is taken out first, and seeds that nobody else has are left out. How far one is, is the
smaller of two studentized distances, with and without weights for the number of seeds: the first is
right where people differ by their seeds alone, the second where their files differ more.
docs/class.md has the rate of false alarms. Pure.
"""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING

from q1lab.plugins.class_.pooled_mean import Differences

if TYPE_CHECKING:
    from q1lab.plugins.class_.pooled_mean import Floats

FEWEST = 5
"""Fewest hand-ins that are compared."""
FEWEST_SEEDS = 2
"""Fewest seeds by which a hand-in is compared: the same ones as others, or ones of its own with
those of all others who have that."""
LEVEL = 0.025
"""The level of each step. All steps together name an honest hand-in in at most 5% of classes."""


def stands_apart(hand_ins: Sequence[Differences]) -> list[int]:
    """The numbers of the hand-ins that stand apart, in order."""
    import numpy as np

    counts = Counter(sample for hand_in in hand_ins for sample in hand_in)
    sums: dict[Hashable, float] = defaultdict(float)
    for hand_in in hand_ins:
        for sample, value in hand_in.items():
            sums[sample] += value
    outliers: list[int] = []
    for is_shared in (True, False):
        parts = {
            number: part
            for number, hand_in in enumerate(hand_ins)
            if len(part := _part(hand_in, counts, is_shared)) >= FEWEST_SEEDS
        }
        means = [_mean(part, counts, sums) for part in parts.values()]
        sizes = [float(len(part)) for part in parts.values()]
        extremes = _extreme(np.array(means), np.array(sizes), len(hand_ins))
        outliers += [list(parts)[place] for place in extremes]
    return sorted(outliers)


def _part(hand_in: Differences, counts: Mapping[Hashable, int], is_shared: bool) -> Differences:
    """The seeds of a hand-in that others have, too; or those of its own, if it shares fewer than
    two."""
    shared = {sample: value for sample, value in hand_in.items() if counts[sample] > 1}
    if is_shared:
        return shared
    own_seeds = {sample: value for sample, value in hand_in.items() if counts[sample] == 1}
    return own_seeds if len(shared) < FEWEST_SEEDS else {}


def _mean(
    hand_in: Differences, counts: Mapping[Hashable, int], sums: Mapping[Hashable, float]
) -> float:
    """The mean difference of a hand-in, without what its seeds do to everybody; of a seed of few
    people this is stretched to the spread that a seed of many would have."""
    values = []
    for sample, value in hand_in.items():
        many = counts[sample]
        is_shared = many > 1
        center = sums[sample] / many if is_shared else 0.0
        stretch = (many / (many - 1)) ** 0.5 if is_shared else 1.0
        values.append((value - center) * stretch)
    return statistics.fmean(values)


def _extreme(means: Floats, sizes: Floats, compared: int) -> list[int]:
    """The places of the means that stand apart. ``compared`` are all hand-ins that are judged."""
    import numpy as np
    from scipy import stats

    left = np.arange(len(means))
    aside: list[int] = []
    most = 0
    for _ in range(len(means) // 4 if len(means) >= FEWEST else 0):
        weights = (np.ones(len(left)), sizes[left])
        distances = np.minimum(*(_studentized(means[left], each) for each in weights))
        place = int(np.argmax(distances))
        limit = stats.t.isf(LEVEL / (2 * (compared - len(aside))), len(left) - 2)
        aside.append(int(left[place]))
        if distances[place] > limit:
            most = len(aside)
        left = np.delete(left, place)
    return aside[:most]


def _studentized(means: Floats, weights: Floats) -> Floats:
    """Each mean's distance from that of the others, in units of its error as the others give it."""
    import numpy as np

    share = weights / weights.sum()
    residuals = np.sqrt(weights) * (means - share @ means)
    squares, free = (residuals**2).sum(), len(means) - 2
    leverage = residuals**2 / (1 - share)
    rest = np.maximum(squares - leverage, 0) / free
    with np.errstate(divide="ignore", invalid="ignore"):
        distances: Floats = np.nan_to_num(np.sqrt(leverage / rest), nan=0.0, posinf=1e12)
    return distances
