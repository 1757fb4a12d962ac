"""The tables of docs/verdict.md, computed by q1lab's own limits and functions.

Studies are simulated with nothing changed, but where a column names a true difference.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from scipy import special

from q1lab.commands.demo.shipped_runs import read_runs
from q1lab.judgment import interim_analyses
from q1lab.judgment.face import Face
from q1lab.judgment.intervals import (
    ALPHA,
    ENUMERATE_UP_TO,
    SEED,
    detectable_in_sd,
    resample_indices,
)

RESULTS = Path(__file__).parents[2] / "docs" / "results"
STUDIES = 200_000

Ends = tuple[np.ndarray, np.ndarray]


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


RELU_SQUARED = Path(__file__).with_name("relu_squared.json")
"""Trained by `q1lab run relu_squared --preset quick --seeds 8 --set eval_interval=25 --data
shakespeare`; judged as the range 3..8."""


def example() -> str:
    """A verdict in full."""
    return f"```text\n{Face(read_runs(RELU_SQUARED).judge()).full().strip()}\n```"


# ── intervals


def paired_t(d: np.ndarray, alpha: float = ALPHA) -> Ends:
    n = d.shape[1]
    half = special.stdtrit(n - 1, 1 - alpha / 2) * d.std(axis=1, ddof=1) / np.sqrt(n)
    return d.mean(axis=1) - half, d.mean(axis=1) + half


def welch(a: np.ndarray, b: np.ndarray) -> Ends:
    va, vb = (arm.var(axis=1, ddof=1) / arm.shape[1] for arm in (a, b))
    df = (va + vb) ** 2 / (va**2 / (a.shape[1] - 1) + vb**2 / (b.shape[1] - 1))
    half = special.stdtrit(df, 1 - ALPHA / 2) * np.sqrt(va + vb)
    mean = b.mean(axis=1) - a.mean(axis=1)
    return mean - half, mean + half


def bootstrap(d: np.ndarray) -> Ends:
    """The percentile interval of the mean, over all resamples, or 4,000 where there are too many."""
    n = d.shape[1]
    draw = np.random.default_rng(SEED).integers(0, n, (4_000, n))
    picks = resample_indices(n) if n**n <= ENUMERATE_UP_TO else draw
    weights = np.stack([(picks == i).mean(axis=1) for i in range(n)])
    studies = d[: STUDIES // 10]
    ends = [
        np.quantile(part @ weights, (ALPHA / 2, 1 - ALPHA / 2), axis=1, method="inverted_cdf")
        for part in np.array_split(studies, 200)
    ]
    low, high = np.concatenate(ends, axis=1)
    return low, high


def coverage() -> str:
    rng = np.random.default_rng(SEED)
    sizes = (3, 5, 8, 10)
    rows: dict[str, list[str]] = {
        "percentile bootstrap of pairs": [],
        "Welch's t": [],
        "paired t": [],
    }
    for n in sizes:
        a, b = rng.standard_normal((2, STUDIES, n))
        for name, (low, high) in zip(
            rows, (bootstrap(b - a), welch(a, b), paired_t(b - a)), strict=True
        ):
            rows[name].append(f"{100 * np.mean((low <= 0) & (high >= 0)):.1f}")
    head = ["a “95%” interval covers, in %", *(f"{n} pairs" for n in sizes)]
    return table(head, ([name, *cells] for name, cells in rows.items()))


def power() -> str:
    """The smallest true difference that four studies of five find, in sds of one run."""
    lines = []
    for n in (3, 5, 8, 12, 20):
        sizes = [detectable_in_sd(n, n, "welch", ALPHA)]
        sizes += [
            detectable_in_sd(n, n, "paired", ALPHA) * math.sqrt(2 * (1 - rho))
            for rho in (0, 0.5, 0.9)
        ]
        lines.append([str(n), *(f"{size:.2f}" for size in sizes)])
    return table(
        ["runs per arm", "Welch", "paired, ρ = 0", "paired, ρ = .5", "paired, ρ = .9"], lines
    )


# ── looks


def looks() -> str:
    """Claims in %, by ways to look again, at 95% each time and at half the error of the look before."""

    def nested(levels: Sequence[float], sizes: Sequence[int]) -> float:
        return interim_analyses.chance_of_any_claim(list(zip(sizes, levels, strict=True)))

    def apart(levels: Sequence[float], _: Sequence[int]) -> float:
        return 1 - math.prod(1 - level for level in levels)

    lines = []
    for what, chance, sizes in (
        ("looks at 3 and 5 pairs", nested, (3, 5)),
        ("looks at 3, 5 and 10 pairs", nested, (3, 5, 10)),
        ("a look after each pair from 3 to 12", nested, range(3, 13)),
        ("two studies with fresh seeds", apart, range(2)),
        ("twenty", apart, range(20)),
    ):
        halved = [ALPHA / 2**before for before in range(len(sizes))]
        rates = (chance([ALPHA] * len(sizes), sizes), chance(halved, sizes))
        lines.append([what, *(f"{100 * rate:.1f}" for rate in rates)])
    return table(["nothing changed; claims in %", "95% each time", "q1lab's rule"], lines)


def limits(first: int, most: int) -> tuple[float, np.ndarray]:
    """The level of each look of a plan, and |t| at each."""
    alpha = ALPHA if first == most else interim_analyses.level_per_look(first, most)
    return alpha, np.array(interim_analyses.t_limits(first, most, alpha))


def t_at_looks(differences: np.ndarray, first: int) -> np.ndarray:
    """|t| of each study after each pair from the first look on."""
    n = np.arange(first, differences.shape[1] + 1)
    mean = differences.cumsum(axis=1)[:, first - 1 :] / n
    squares = (differences**2).cumsum(axis=1)[:, first - 1 :]
    return np.abs(mean) / np.sqrt((squares - n * mean**2) / (n - 1) / n)


def ranges() -> str:
    """The level of each look, then claims in % and mean pairs by the true difference."""
    lines = []
    for first, most in ((3, 3), (8, 8), (3, 5), (3, 8), (3, 12), (5, 20)):
        alpha, least = limits(first, most)
        name = str(first) if first == most else f"{first}..{most}"
        cells = [f"`--seeds {name}`", f"{100 - 100 * alpha:.4g}%"]
        for effect in (0, 0.5, 1, 2):
            rng = np.random.default_rng(SEED)
            beyond = t_at_looks(rng.standard_normal((STUDIES, most)) + effect, first) > least
            claims = beyond.any(axis=1)
            pairs = np.where(claims, first + beyond.argmax(axis=1), most)
            cells.append(f"{100 * claims.mean():.1f} / {pairs.mean():.1f}")
        lines.append(cells)
    return table(["", "each look's interval", "0", "0.5 sd", "1 sd", "2 sd"], lines)


# ── what is assumed

Draw = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]
"""Differences of pairs, 0 on average, of so many (studies, pairs)."""


def lognormal(rng: np.random.Generator, shape: tuple[int, int], sigma: float) -> np.ndarray:
    return np.exp(sigma * rng.standard_normal(shape)) - math.exp(sigma**2 / 2)


def stuck_runs(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    is_stuck = rng.random(shape) < 0.2
    return math.sqrt(2) * rng.standard_normal(shape) + 8 * (is_stuck - 0.2)


def shared_luck(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    own, shared = rng.standard_normal(shape), rng.standard_normal((shape[0], 1))
    return math.sqrt(1.8) * own + math.sqrt(0.2) * shared


DRAWS: dict[str, Draw] = {
    "differences are lognormal, σ 0.5": partial(lognormal, sigma=0.5),
    "differences are lognormal, σ 1": partial(lognormal, sigma=1.0),
    "one run of five of an arm gets stuck, eight sds higher": stuck_runs,
    "a tenth of each arm's variance is shared by its seeds": shared_luck,
}
PLANS = ((3, 3), (5, 5), (8, 8), (12, 12), (3, 8))
"""Fewest and most pairs; a fixed number is one look."""


def assumed() -> str:
    lines = []
    for what, draw in DRAWS.items():
        cells = [what]
        for first, most in PLANS:
            differences = draw(np.random.default_rng(SEED), (STUDIES, most))
            beyond = t_at_looks(differences, first) > limits(first, most)[1]
            cells.append(f"{100 * beyond.any(axis=1).mean():.1f}")
        lines.append(cells)
    plans = [f"{n} pairs" if n == most else f"`{n}..{most}`" for n, most in PLANS]
    return table(["claims in %, if", *plans], lines)


def floor() -> str:
    """Real runs of the baseline against itself, regrouped at random into studies."""
    rows = [json.loads(line) for line in (RESULTS / "floor.jsonl").read_text().splitlines()]
    losses = np.array(
        [loss for row in rows for arm in ("baseline", "modified") for loss in row[arm]]
    )
    rng = np.random.default_rng(0)
    lines = []
    for pairs in (3, 5, 8):
        studies = np.array([rng.permutation(losses)[: 2 * pairs] for _ in range(20_000)])
        low, high = paired_t(studies[:, pairs:] - studies[:, :pairs])
        lines.append([str(pairs), f"{100 * np.mean((low > 0) | (high < 0)):.1f}"])
    return table(["pairs", "false claims, %"], lines)


TABLES: dict[str, Callable[[], str]] = {
    "full": example,
    "coverage": coverage,
    "power": power,
    "looks": looks,
    "ranges": ranges,
    "assumed": assumed,
    "floor": floor,
}
