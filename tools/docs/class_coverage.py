"""The tables of docs/class.md: simulated classes, judged by the functions that `q1lab class` uses.

Numbers are in units of a run's own sd. A class is drawn run by run: a baseline's run at a seed, a
modified run for each hand-in and seed, a reaction of the change to the seed (sd 1, the same for
everybody), and for each hand-in a difference of its own (sd τ).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from q1lab.plugins.class_.pooled_mean import Layout
from q1lab.plugins.class_.standing_apart import stands_apart

CLASSES, ALARM_CLASSES = 10_000, 2_000
TAUS = (0.0, 0.5, 1.0, 3.0)

Floats = npt.NDArray[np.float64]
Seeds = list[list[Hashable]]
"""The samples of each hand-in."""


@dataclass(frozen=True)
class Setting:
    """How a class shares its seeds."""

    words: str
    people: int
    seeds: int
    """0: 3 to 8, drawn anew for each hand-in."""

    def samples(self) -> Seeds:
        own = {OWN: lambda person: True, HALF: lambda person: person % 2}.get(self.words)
        return [
            [(person, seed) if own and own(person) else seed for seed in range(many)]
            for person, many in enumerate(self._sizes())
        ]

    def baselines(self) -> Seeds:
        """The baseline's run at each of them: in two rooms it is not the same to the bit."""
        if self.words != ROOMS:
            return self.samples()
        return [[(n % 2, seed) for seed in range(many)] for n, many in enumerate(self._sizes())]

    def _sizes(self) -> list[int]:
        rng = np.random.default_rng(self.people)
        return [self.seeds or int(rng.integers(3, 9)) for _ in range(self.people)]


SHARED, OWN = "everybody on the same seeds", "everybody on seeds of their own"
ROOMS = "everybody on the same seeds, on two kinds of machines"
HALF = "half on the same seeds, half on their own"

COVERED = [
    *(Setting(SHARED, people, seeds) for people in (4, 10, 30) for seeds in (3, 5, 8)),
    *(Setting(SHARED, people, 0) for people in (10, 30)),
    *(Setting(OWN, people, seeds) for people in (2, 3, 10, 30) for seeds in (3, 8)),
    *(Setting(OWN, people, 0) for people in (10, 30)),
    *(Setting(ROOMS, people, seeds) for people in (10, 30) for seeds in (3, 8)),
    *(Setting(HALF, people, seeds) for people in (10, 30) for seeds in (3, 8)),
]
ALARMED = [
    *(Setting(SHARED, people, 3) for people in (5, 8, 15, 30)),
    *(Setting(SHARED, people, 0) for people in (10, 30)),
    *(Setting(OWN, people, 3) for people in (8, 30)),
    *(Setting(OWN, people, 0) for people in (10, 30)),
    *(Setting(HALF, people, 3) for people in (10, 30)),
]


def drawn(setting: Setting, tau: float, classes: int, seed: int) -> Floats:
    """The differences of many classes, a row each; their true mean is 0."""
    rng = np.random.default_rng(seed)
    layout, baselines = layout_of(setting.samples()), layout_of(setting.baselines()).samples
    modified = rng.normal(size=(classes, len(baselines)))
    effects = [(1.0, layout.samples), (-1.0, baselines), (tau, layout.people)]
    for sd, group in effects:
        modified += sd * rng.normal(size=(classes, group.shape[1])) @ group.T
    return modified


def layout_of(samples: Seeds) -> Layout:
    return Layout.of([dict.fromkeys(each, 0.0) for each in samples])


def coverage(setting: Setting, tau: float, classes: int = CLASSES) -> tuple[float, float]:
    """The share of classes whose 95% interval covers the truth, in %, and that of an interval that
    takes all pairs for independent."""
    layout = layout_of(setting.samples())
    assert not layout.why_not()
    d = drawn(setting, tau, classes, 7)
    mean, variance, freedom = layout.estimate(d)
    covered = np.abs(mean) <= stats.t.isf(0.025, freedom) * np.sqrt(variance)
    pairs = d.shape[1]
    alone = np.abs(d.mean(1)) <= stats.t.isf(0.025, pairs - 1) * d.std(1, ddof=1) / pairs**0.5
    return 100 * float(covered.mean()), 100 * float(alone.mean())


def named(
    setting: Setting, tau: float, wrong: int = 0, by: float = 0.0, classes: int = ALARM_CLASSES
) -> tuple[float, float]:
    """The share of classes in which an honest hand-in is named, in %, and the share that is named
    of ``wrong`` hand-ins, each worse ``by`` so many sds of a run."""
    samples = setting.samples()
    alarms = found = 0
    for row in drawn(setting, tau, classes, 8):
        values = iter(row)
        hand_ins = [
            {sample: next(values) + (by if person < wrong else 0.0) for sample in each}
            for person, each in enumerate(samples)
        ]
        apart = stands_apart(hand_ins)
        alarms += any(person >= wrong for person in apart)
        found += sum(person < wrong for person in apart)
    return 100 * alarms / classes, 100 * found / (classes * wrong) if wrong else 0.0


def table(heads: list[str], rows: Iterator[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _begin(setting: Setting) -> list[str]:
    return [setting.words, str(setting.people), str(setting.seeds or "3 to 8")]


def coverage_row(setting: Setting, classes: int = CLASSES) -> list[str]:
    covered = [coverage(setting, tau, classes) for tau in TAUS]
    return [*_begin(setting), *(f"{each:.1f}" for each, _ in covered), f"{covered[1][1]:.0f}"]


def alarm_row(setting: Setting) -> list[str]:
    return [*_begin(setting), *(f"{named(setting, tau)[0]:.1f}" for tau in (0.0, 1.0))]


def found_row(setting: Setting, wrong: int, by: float) -> list[str]:
    return [*_begin(setting), str(wrong), f"{by:g}", f"{named(setting, 0.5, wrong, by)[1]:.0f}"]


BEGIN = ["the class", "people", "seeds each"]


def texts() -> dict[str, str]:
    """The tables by their names in docs/class.md."""
    heads = [*BEGIN, *(f"τ = {tau:g}" for tau in TAUS), "taken for independent, τ = 0.5"]
    found = (
        found_row(Setting(words, 30, 3), wrong, by)
        for words in (SHARED, OWN)
        for wrong in (1, 4)
        for by in (3.0, 6.0)
    )
    return {
        "coverage": table(heads, map(coverage_row, COVERED)),
        "alarms": table([*BEGIN, "τ = 0", "τ = 1"], map(alarm_row, ALARMED)),
        "found": table([*BEGIN, "wrong files", "worse by, sds of a run", "named, %"], found),
    }
