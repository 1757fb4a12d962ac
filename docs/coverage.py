"""Measures what intervals that call themselves 95% cover, and writes the table of docs/statistics.md.

    python docs/coverage.py            print the tables (about four minutes)
    python docs/coverage.py --write    and put the first one into docs/statistics.md, between its marks

The second table is what ``q1lab.stats.COVERAGE`` holds. Two arms are drawn from one normal distribution, so
the true difference is 0, and an interval covers when it contains 0. Bootstrap resamples are enumerated
where the program enumerates them, and drawn at random beyond.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from scipy import special

from q1lab.stats import ENUMERATE_UP_TO, percentile_ends, resample_indices

STUDIES = 100_000
RESAMPLES = 4_000
BATCH = 500
SIZES = (2, 3, 4, 5, 6, 8, 10, 15, 20, 30)
PAGE = Path(__file__).with_name("statistics.md")
BEGIN, END = "<!-- coverage: begin (python docs/coverage.py --write) -->", "<!-- coverage: end -->"


def arms(
    rng: np.random.Generator, n: int, rho: float, sds: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """STUDIES null studies: two arrays of shape (STUDIES, n) whose columns correlate by ``rho``."""
    shared = rng.standard_normal((STUDIES, n))
    a, b = (sd * (np.sqrt(rho) * shared + np.sqrt(1 - rho) * rng.standard_normal((STUDIES, n))) for sd in sds)
    return a, b


def contains_zero(low: np.ndarray, high: np.ndarray) -> float:
    """How often, in %."""
    return float(100 * np.mean((low <= 0) & (high >= 0)))


def resampled_means(values: np.ndarray, rng: np.random.Generator, enumerate_all: bool) -> np.ndarray:
    """Means of resamples of each row: shape (rows, resamples)."""
    n = values.shape[1]
    picks = resample_indices(n) if enumerate_all else rng.integers(0, n, (RESAMPLES, n))
    weights = np.stack([(picks == i).mean(axis=1) for i in range(n)])
    return values @ weights


def bootstrap(a: np.ndarray, b: np.ndarray, rng: np.random.Generator, paired: bool) -> float:
    """Coverage of the percentile bootstrap interval of the difference."""
    n = a.shape[1]
    every = n ** (n if paired else 2 * n) <= ENUMERATE_UP_TO
    ends = []
    batch = BATCH if paired or not every or n < 4 else 50
    for start in range(0, STUDIES, batch):
        x, y = a[start : start + batch], b[start : start + batch]
        if paired:
            means = resampled_means(y - x, rng, every)
        elif every:
            mx, my = resampled_means(x, rng, True), resampled_means(y, rng, True)
            means = (my[:, :, None] - mx[:, None, :]).reshape(len(x), -1)
        else:
            means = resampled_means(y, rng, False) - resampled_means(x, rng, False)
        ends.append(percentile_ends(means))
    low, high = np.concatenate(ends, axis=1)
    return contains_zero(low, high)


def welch(a: np.ndarray, b: np.ndarray) -> float:
    n = a.shape[1]
    va, vb = a.var(axis=1, ddof=1) / n, b.var(axis=1, ddof=1) / n
    df = (va + vb) ** 2 / ((va**2 + vb**2) / (n - 1))
    half = special.stdtrit(df, 0.975) * np.sqrt(va + vb)
    mean = b.mean(axis=1) - a.mean(axis=1)
    return contains_zero(mean - half, mean + half)


def paired_t(a: np.ndarray, b: np.ndarray) -> float:
    n = a.shape[1]
    d = b - a
    half = special.stdtrit(n - 1, 0.975) * d.std(axis=1, ddof=1) / np.sqrt(n)
    return contains_zero(d.mean(axis=1) - half, d.mean(axis=1) + half)


def main() -> None:
    rng = np.random.default_rng(1)
    cases = [(f"n = {n}", n, 0.0, (1.0, 1.0)) for n in (2, 3, 5, 10)]
    cases += [("n = 3, sds 1 : 3", 3, 0.0, (1.0, 3.0)), ("n = 3, pairs correlate .9", 3, 0.9, (1.0, 1.0))]
    rows: dict[str, list[str]] = {
        "bootstrap, arms apart": [],
        "bootstrap, pairs": [],
        "Welch t": [],
        "paired t": [],
    }
    for _, n, rho, sds in cases:
        a, b = arms(rng, n, rho, sds)
        for name, value in zip(
            rows,
            (bootstrap(a, b, rng, False), bootstrap(a, b, rng, True), welch(a, b), paired_t(a, b)),
            strict=True,
        ):
            rows[name].append(f"{value:.1f}")
    table = [
        '| a "95%" interval covers, in % | ' + " | ".join(case[0] for case in cases) + " |",
        "|---" * (len(cases) + 1) + "|",
        *(f"| {name} | " + " | ".join(cells) + " |" for name, cells in rows.items()),
    ]
    sys.stdout.write("\n".join(table) + "\n")
    if "--write" in sys.argv[1:]:
        text = PAGE.read_text(encoding="utf-8")
        before, rest = text.split(BEGIN)
        after = rest.split(END)[1]
        PAGE.write_text(before + BEGIN + "\n" + "\n".join(table) + "\n" + END + after, encoding="utf-8")
    for name, paired in (("welch", False), ("paired", True)):
        covers = {n: round(bootstrap(*arms(rng, n, 0.0, (1.0, 1.0)), rng, paired), 1) for n in SIZES}
        sys.stdout.write(f"{name}: {covers}\n")


if __name__ == "__main__":
    main()
