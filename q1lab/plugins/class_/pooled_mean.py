"""The mean difference over all hand-ins of one change, with an interval that knows who shares what.

The model has crossed random effects: difference = mean + hand-in + sample + rest, where a sample is
a seed with its baseline run. People who train the same seed share the baseline's run, the first
weights and the batches, so that their differences go up and down together: thirty hand-ins on three
seeds are three samples, not ninety.

The variances are estimated without bias from squared differences between pairs of observations, of
one hand-in, of one sample, and of neither (analysis of variance; Searle, Casella and McCulloch
1992, chapters 4 and 5). The degrees of freedom are Satterthwaite's (1946), with a correction of our
own (CORRECTION). Where nobody shares a sample, it is Student's interval of the hand-ins' means,
which is exact for equally many seeds. docs/class.md has the measured coverage. Pure.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from q1lab.judgment.intervals import ALPHA

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

Differences = Mapping[Hashable, float]
"""A hand-in: sample → modified − baseline."""

FEWEST = {"none": 2, "all": 4, "some": 10}
"""Fewest hand-ins that are pooled where nobody shares a sample, where all have the same samples,
and where they share some of them: with fewer, the interval covers less than it says
(docs/class.md)."""
FEWEST_SAMPLES = 3

CORRECTION = 5
"""A variance with f degrees of freedom counts (f + 5) / f times in Satterthwaite's formula. Without
it, a small variance of three samples, which is often an accident, buys too many degrees of freedom:
of 30 hand-ins on 3 seeds it covers 92.4% instead of 94.3%."""


@dataclass(frozen=True)
class PooledMean:
    """The mean over the hand-ins, each of which counts the same, and the ends of its interval."""

    mean: float
    low: float
    high: float
    hand_ins: int
    samples: int
    """The samples that they have together, each counted once."""


def pool(hand_ins: Sequence[Differences], level: float = ALPHA) -> PooledMean | str:
    """The mean over the hand-ins with its interval at ``level`` (α), or why there is none."""
    import numpy as np
    from scipy import stats

    layout = Layout.of(hand_ins)
    if why := layout.why_not():
        return why
    mean, variance, freedom = layout.estimate(
        np.array([value for hand_in in hand_ins for value in hand_in.values()])
    )
    half = float(stats.t.ppf(1 - level / 2, freedom) * variance**0.5)
    center = float(mean)
    people, samples = layout.people, layout.samples
    return PooledMean(center, center - half, center + half, people.shape[1], samples.shape[1])


@dataclass(frozen=True)
class Layout:
    """The hand-in and the sample of each observation, as matrices of 0 and 1 with a row for each
    observation."""

    people: Floats
    samples: Floats

    @classmethod
    def of(cls, hand_ins: Sequence[Differences]) -> Layout:
        import numpy as np

        names = list(dict.fromkeys(sample for hand_in in hand_ins for sample in hand_in))
        column = {name: number for number, name in enumerate(names)}
        rows = [(person, column[sample]) for person, each in enumerate(hand_ins) for sample in each]
        people = np.zeros((len(rows), len(hand_ins)))
        samples = np.zeros((len(rows), len(names)))
        for row, (person, sample) in enumerate(rows):
            people[row, person] = samples[row, sample] = 1
        return cls(people, samples)

    @property
    def sharing(self) -> str:
        """``none``, ``all`` or ``some``: a key of FEWEST."""
        if self.samples.sum(0).max(initial=0) <= 1:
            return "none"
        rows, people, samples = len(self.people), self.people.shape[1], self.samples.shape[1]
        return "all" if rows == people * samples else "some"

    def why_not(self) -> str:
        """Why these hand-ins have no interval; empty if they have one."""
        fewest, people = FEWEST[self.sharing], self.people.shape[1]
        if people < fewest:
            shared = {
                "none": "",
                "all": ", all with the same seeds",
                "some": ", some with the same",
            }
            return (
                f"cannot tell: it takes {fewest} hand-ins with numbers of their own, and there are "
                f"{people}{shared[self.sharing]}"
            )
        if self.samples.shape[1] < FEWEST_SAMPLES:
            return f"cannot tell: fewer than {FEWEST_SAMPLES} seeds"
        if self.sharing != "none" and (self.people.sum(0) < 2).any():
            return "cannot tell: a hand-in has a single pair"
        return ""

    def estimate(self, observations: Floats) -> tuple[Floats, Floats, Floats]:
        """The mean over hand-ins, its variance, and that variance's degrees of freedom.
        ``observations`` has a column per row of the matrices; what stands before is kept: classes
        that are laid out alike are estimated together."""
        import numpy as np

        d, rows = observations, self.people.shape[0]
        per_person, per_sample = self.people.sum(0), self.samples.sum(0)
        people = len(per_person)
        means = d @ self.people / per_person
        mean, between = means.mean(-1), means.var(-1, ddof=1) / people
        if self.sharing == "none":
            return mean, between, np.full(mean.shape, float(people - 1))
        of_people, of_samples = (_squares(d, group) for group in (self.people, self.samples))
        in_person = of_people.sum(-1) / (rows - people)
        in_sample = of_samples.sum(-1) / (rows - len(per_sample))
        other_pairs = rows**2 - (per_person**2).sum() - (per_sample**2).sum() + rows
        excluded = (
            rows * rows * d.var(-1) - of_people @ per_person - of_samples @ per_sample
        ) / other_pairs
        weights = (self.people / (people * per_person)).sum(-1)
        of_sample, of_one = ((weights @ self.samples) ** 2).sum(), (weights**2).sum()
        shared = (excluded - in_sample) * of_sample + (in_person + in_sample - excluded) * of_one
        shared = np.maximum(shared, in_person * of_one)
        personal = np.maximum((excluded - in_person) / people, 0)
        freedom = _satterthwaite(personal, people - 1, shared, 1 / of_sample - 1)
        return mean, personal + shared, freedom


def _squares(d: Floats, group: Floats) -> Floats:
    """The sum of squares within each group."""
    sums = d @ group
    squares: Floats = (d * d) @ group - sums * sums / group.sum(0)
    return squares


def _satterthwaite(first: Floats, freedom: float, second: Floats, other: float) -> Floats:
    """The degrees of freedom of a sum of two variances, each given with its own."""
    a, b = first * (freedom + CORRECTION) / freedom, second * (other + CORRECTION) / other
    total: Floats = (a + b) ** 2 / (a**2 / freedom + b**2 / other)
    return total
