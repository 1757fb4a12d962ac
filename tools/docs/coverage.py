"""Measures how often intervals are right and verdicts are false, and fills the tables of
docs/statistics.md.

    python tools/docs/coverage.py            print the tables (several minutes)
    python tools/docs/coverage.py --write    and put them into docs/statistics.md, between their marks
    python tools/docs/coverage.py --write asking levels         these two alone

The last two lines are what ``q1lab.compare.stats.COVERAGE`` holds. Both arms are drawn from one
normal distribution, so the true difference is 0: an interval covers when it contains 0, and a claim
is false when it does not. Bootstrap resamples are enumerated where the program enumerates them, and
drawn at random beyond.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from scipy import special

from q1lab.compare import looks as sequential
from q1lab.compare.stats import (
    ALPHA,
    ALPHA_LATER,
    ENUMERATE_UP_TO,
    detectable_in_sd,
    percentile_ends,
    resample_indices,
)

STUDIES = 100_000
RESAMPLES = 4_000
MANY = 10_000  # enumerations above this are slow, and a fifth of the studies do
SIZES = (2, 3, 4, 5, 6, 8, 10, 15, 20, 30)
Arms = tuple[np.ndarray, np.ndarray]
PAGE = Path(__file__).parents[2] / "docs" / "statistics.md"


def arms(
    rng: np.random.Generator, n: int, rho: float, sds: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """STUDIES null studies: two arrays of shape (STUDIES, n) whose columns correlate by ``rho``."""
    shared = rng.standard_normal((STUDIES, n))
    a, b = (
        sd * (np.sqrt(rho) * shared + np.sqrt(1 - rho) * rng.standard_normal((STUDIES, n)))
        for sd in sds
    )
    return a, b


def contains_zero(low: np.ndarray, high: np.ndarray) -> float:
    """How often, in %."""
    return float(100 * np.mean((low <= 0) & (high >= 0)))


def resampled_means(
    values: np.ndarray, rng: np.random.Generator, enumerate_all: bool
) -> np.ndarray:
    """Means of resamples of each row: shape (rows, resamples)."""
    n = values.shape[1]
    picks = resample_indices(n) if enumerate_all else rng.integers(0, n, (RESAMPLES, n))
    weights = np.stack([(picks == i).mean(axis=1) for i in range(n)])
    return values @ weights


def bootstrap(a: np.ndarray, b: np.ndarray, rng: np.random.Generator, paired: bool) -> float:
    """Coverage of the percentile bootstrap interval of the difference, in %."""
    n = a.shape[1]
    ways = n ** (n if paired else 2 * n)
    every = ways <= ENUMERATE_UP_TO
    studies = len(a) // 5 if every and ways > MANY else len(a)
    batch = max(1, 2_000_000 // (ways if every else RESAMPLES))
    ends = []
    for start in range(0, studies, batch):
        x, y = a[start : min(start + batch, studies)], b[start : min(start + batch, studies)]
        if paired:
            means = resampled_means(y - x, rng, every)
        else:
            mx, my = resampled_means(x, rng, every), resampled_means(y, rng, every)
            means = (my[:, :, None] - mx[:, None, :]).reshape(len(x), -1) if every else my - mx
        ends.append(percentile_ends(means))
    low, high = np.concatenate(ends, axis=1)
    return contains_zero(low, high)


def welch(a: np.ndarray, b: np.ndarray, alpha: float = ALPHA) -> Arms:
    """The ends of the Welch interval of each study."""
    na, nb = a.shape[1], b.shape[1]
    va, vb = a.var(axis=1, ddof=1) / na, b.var(axis=1, ddof=1) / nb
    df = (va + vb) ** 2 / (va**2 / (na - 1) + vb**2 / (nb - 1))
    half = special.stdtrit(df, 1 - alpha / 2) * np.sqrt(va + vb)
    mean = b.mean(axis=1) - a.mean(axis=1)
    return mean - half, mean + half


def paired_t(a: np.ndarray, b: np.ndarray, alpha: float = ALPHA) -> Arms:
    """The ends of the paired t interval of each study."""
    n, d = a.shape[1], b - a
    half = special.stdtrit(n - 1, 1 - alpha / 2) * d.std(axis=1, ddof=1) / np.sqrt(n)
    return d.mean(axis=1) - half, d.mean(axis=1) + half


def claims(ends: Arms) -> np.ndarray:
    """Which studies claim a difference: their interval excludes 0."""
    return (ends[0] > 0) | (ends[1] < 0)


def table(head: list[str], rows: dict[str, list[str]]) -> str:
    lines = [head, ["---"] * len(head), *([name, *cells] for name, cells in rows.items())]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def coverage_table(rng: np.random.Generator) -> str:
    cases = [(f"n = {n}", n, 0.0, (1.0, 1.0)) for n in (2, 3, 5, 10)]
    cases += [
        ("n = 3, sds 1 : 3", 3, 0.0, (1.0, 3.0)),
        ("n = 3, pairs correlate .9", 3, 0.9, (1.0, 1.0)),
    ]
    rows: dict[str, list[str]] = {
        "bootstrap, arms apart": [],
        "bootstrap, pairs": [],
        "Welch t": [],
        "paired t": [],
    }
    for _, n, rho, sds in cases:
        a, b = arms(rng, n, rho, sds)
        found = (
            bootstrap(a, b, rng, paired=False),
            bootstrap(a, b, rng, paired=True),
            contains_zero(*welch(a, b)),
            contains_zero(*paired_t(a, b)),
        )
        for name, value in zip(rows, found, strict=True):
            rows[name].append(f"{value:.1f}")
    return table(['a "95%" interval covers, in %', *(case[0] for case in cases)], rows)


def false_claims_table(rng: np.random.Generator) -> str:
    a, b = arms(rng, 10, 0.0, (1.0, 1.0))

    def looks(alpha: float) -> float:
        return float(
            np.mean(np.any([claims(welch(a[:, :n], b[:, :n], alpha)) for n in (3, 5, 10)], axis=0))
        )

    three = a[:, :3], b[:, :3]
    ideas = [claims(welch(a[:, :3], rng.standard_normal((len(a), 3)))) for _ in range(5)]
    rates = {
        "one look, 3 seeds, Welch": np.mean(claims(welch(*three))),
        "one look, 3 seeds, paired t": np.mean(claims(paired_t(*three))),
        "looking at 3, 5 and 10 seeds, Welch, α = .05 each time": looks(0.05),
        "the same with α = .025": looks(0.025),
        "the better of Welch and paired t, chosen afterwards, 3 seeds": np.mean(
            claims(welch(*three)) | claims(paired_t(*three))
        ),
        "five modifications against one baseline, at least one claim": np.mean(
            np.any(ideas, axis=0)
        ),
    }
    rows = {name: [f"{100 * rate:.1f}"] for name, rate in rates.items()}
    return table(["nothing changed; a difference is claimed in", "% of studies"], rows)


def asking_table() -> str:
    """Ways of asking again, judged by a 95% interval each time, and by what q1lab does instead."""
    rng = np.random.default_rng(2)
    pairs = rng.standard_normal((STUDIES, 12))

    def any_of(sets: Iterable[Sequence[int]], later: float) -> str:
        """Claims in %, where each set of pairs is judged by a paired interval, the first at 95%."""
        found = np.zeros(STUDIES, dtype=bool)
        for place, seeds in enumerate(sets):
            d = pairs[:, list(seeds)]
            found |= claims(paired_t(np.zeros_like(d), d, later if place else ALPHA))
        return f"{100 * np.mean(found):.1f}"

    def firsts(*sizes: int) -> list[range]:
        return [range(n) for n in sizes]

    ways: dict[str, list[Sequence[int]]] = {
        "looks at 3 and 5 pairs": [*firsts(3, 5)],
        "looks at 3, 5 and 10 pairs": [*firsts(3, 5, 10)],
        "a look after each pair from 3 to 12": [*firsts(*range(3, 13))],
        "three studies of 3 pairs with fresh seeds": [range(3 * k, 3 * k + 3) for k in range(3)],
    }
    rows = {name: [any_of(sets, ALPHA), any_of(sets, ALPHA_LATER)] for name, sets in ways.items()}
    for many in (5, 8):
        best = any_of(itertools.combinations(range(many), 3), ALPHA)
        rows[f"the best 3 of {many} seeds, chosen afterwards"] = [best, "no verdict"]
    base = rng.standard_normal((STUDIES, 3))
    ideas = [claims(paired_t(base, rng.standard_normal((STUDIES, 3)))) for _ in range(4)]
    share = 100 * np.mean(np.any(ideas, axis=0))
    rows["the best of four modifications against one baseline, 3 pairs"] = [
        f"{share:.1f}",
        "a sweep",
    ]
    head = ["nothing changed; paired intervals claim a difference in % of studies"]
    return table([*head, "95% each time", "as q1lab judges later looks"], rows)


def levels_table() -> str:
    """The level of each look, as an interval's, of some planned ranges."""
    first = (3, 5)
    rows = {
        f"`{least}..{most}`": [
            f"{sequential.level(least, most):.5f}",
            f"{100 - 100 * sequential.level(least, most):.2f}%",
        ]
        for least in first
        for most in (5, 8, 10, 12, 16, 20)
        if least < most
    }
    return table(["range", "α of each look", "interval of each look"], rows)


def power_table() -> str:
    rows: dict[str, list[str]] = {}
    for n in (3, 5, 8, 10, 20):
        cells = [detectable_in_sd(n, n, "welch", ALPHA)]
        cells += [
            detectable_in_sd(n, n, "paired", ALPHA) * np.sqrt(2 * (1 - rho))
            for rho in (0, 0.5, 0.9)
        ]
        rows[str(n)] = [f"{cell:.2f}" for cell in cells]
    return table(
        ["seeds per arm", "Welch", "paired, ρ = 0", "paired, ρ = .5", "paired, ρ = .9"], rows
    )


def exaggeration(rng: np.random.Generator) -> str:
    """What claims look like when the true difference is half an sd and 3 seeds cannot see it."""
    a, b = arms(rng, 3, 0.0, (1.0, 1.0))
    b = b + 0.5
    claimed = claims(welch(a, b))
    seen = (b.mean(axis=1) - a.mean(axis=1))[claimed]
    return (
        f"{100 * claimed.mean():.1f}% of such studies claim a difference; "
        "the claimed ones overstate it "
        f"{np.abs(seen).mean() / 0.5:.1f} times on average, "
        f"and {100 * np.mean(seen < 0):.0f}% have the wrong sign."
    )


def main() -> None:
    wanted = [word for word in sys.argv[1:] if word != "--write"]
    rng = np.random.default_rng(1)
    parts: dict[str, Callable[[], str]] = {
        "coverage": lambda: coverage_table(rng),
        "false claims": lambda: false_claims_table(rng),
        "power": power_table,
        "exaggeration": lambda: exaggeration(rng),
        "asking": asking_table,
        "levels": levels_table,
    }
    for name, make in parts.items():
        if wanted and name not in wanted:
            continue
        text = make()
        sys.stdout.write(text + "\n\n")
        if "--write" in sys.argv[1:]:
            begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
            before, rest = PAGE.read_text(encoding="utf-8").split(begin)
            PAGE.write_text(
                before + begin + text + "\n" + end + rest.split(end)[1], encoding="utf-8"
            )
    if wanted:
        return
    for name, paired in (("welch", False), ("paired", True)):
        covers = {
            n: round(bootstrap(*arms(rng, n, 0.0, (1.0, 1.0)), rng, paired), 1) for n in SIZES
        }
        sys.stdout.write(f"{name}: {covers}\n")


if __name__ == "__main__":
    main()
