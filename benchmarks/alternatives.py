"""What other ways of judging a study would gain and cost: the figures under "Said no to" in
docs/statistics.md.

    python benchmarks/alternatives.py [STUDY]

STUDY is one of at least eight pairs with many evaluations; without it, the figures from its curves
are left out. The one of the page:

    q1lab run rmsnorm --seeds 10 --preset quick --data shakespeare --max-iters 200 --set n_layer=2
        --set n_head=2 --set n_embd=64 --set eval_interval=10 --set log_interval=10
"""

from __future__ import annotations

import json
import math
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy import optimize, special

from q1lab.judgment import interim_analyses

CARD = Path(__file__).resolve().parent.parent / "docs" / "results" / "card.jsonl"
STUDIES = 200_000
FIRST, MOST = 3, 12
BANKED, NEW = 32, 8
"""Baseline seeds on file, and new pairs, for the regression."""

PRIOR_DF = 3.6
"""How much a prior on the spread knows, in degrees of freedom; fitted to the 15 spreads of
docs/card.md."""

E_PRECISIONS = (0.1, 0.5)
"""Of the normal prior on the effect in sds that an e-value takes: one over its variance. The second
is the best for an effect of 1."""


def paths(pairs: int) -> np.ndarray:
    return np.random.default_rng(7).standard_normal((STUDIES, pairs))


def t_paths(effect: float) -> tuple[np.ndarray, np.ndarray]:
    """|t| after each pair from FIRST to MOST, and those numbers of pairs."""
    x = paths(MOST) + effect
    n = np.arange(FIRST, MOST + 1)
    mean = x.cumsum(axis=1)[:, FIRST - 1 :] / n
    square = (x**2).cumsum(axis=1)[:, FIRST - 1 :]
    return np.abs(mean) / np.sqrt((square - n * mean**2) / (n - 1) / n), n


def sequential(claims: np.ndarray, n: np.ndarray) -> str:
    """The share of studies that claim, and the mean pairs."""
    over = claims.copy()
    over[:, -1] = True
    look = over.argmax(axis=1)
    return f"{100 * claims.any(axis=1).mean():.1f} / {n[look].mean():.1f}"


def levels() -> None:
    """One level, levels that rise with n, and e-values, over 3..12."""
    n = range(FIRST, MOST + 1)
    flat = interim_analyses.level_per_look(FIRST, MOST)
    slope = optimize.brentq(
        lambda c: interim_analyses.chance_of_any_claim([(k, c * k) for k in n]) - 0.05,
        1e-4,
        4e-3,
        xtol=1e-7,
    )
    limits = {
        "one level": [special.stdtrit(k - 1, 1 - flat / 2) for k in n],
        "rising levels": [special.stdtrit(k - 1, 1 - slope * k / 2) for k in n],
    }
    print(f"rising levels over {FIRST}..{MOST}: {FIRST * slope:.4f} to {MOST * slope:.4f}")
    for effect in (0, 1, 2):
        t, pairs = t_paths(effect)
        cells = [f"{way} {sequential(t > np.array(at), pairs)}" for way, at in limits.items()]
        for precision in E_PRECISIONS:
            share = precision / (pairs + precision)
            fit = t**2 / (pairs - 1)
            e_value = np.sqrt(share) * ((1 + fit) / (1 + share * fit)) ** (pairs / 2)
            cells.append(f"e-values ({precision}) {sequential(e_value > 20, pairs)}")
        print(f"effect {effect} (claims in % / mean pairs):", ", ".join(cells))


def found_in_80(claims: Callable[[float], float]) -> float:
    return float(optimize.brentq(lambda effect: claims(effect) - 0.8, 0.1, 20, xtol=1e-3))


def three_pairs() -> None:
    """What three pairs see, and with a prior on the spread."""
    x = paths(3)
    mean, sd = x.mean(axis=1), x.std(axis=1, ddof=1)
    error = sd / math.sqrt(3)
    t_limit = special.stdtrit(2, 0.975)
    print(
        "three pairs see:",
        f"{found_in_80(lambda at: float((np.abs(mean + at) > t_limit * error).mean())):.2f}",
    )
    limit = special.stdtrit(2 + PRIOR_DF, 0.975)

    def claim_rate(effect: float, ratio: float) -> float:
        """Where the true spread is ``ratio`` times the prior's."""
        pooled = np.sqrt((PRIOR_DF + 2 * (ratio * sd) ** 2) / (PRIOR_DF + 2))
        return float((np.abs(ratio * mean + effect) > limit * pooled / math.sqrt(3)).mean())

    print(
        "with a prior on the spread they see",
        f"{found_in_80(lambda at: claim_rate(at, 1.0)):.2f}; false claims in % where the true",
        "spread is 1, 2 and 3 times the prior's:",
        ", ".join(f"{100 * claim_rate(0.0, ratio):.1f}" for ratio in (1.0, 2.0, 3.0)),
    )


def banked() -> None:
    """A regression on the baseline's loss, with BANKED baseline seeds on file."""
    losses: dict[tuple[str, int], dict[int, float]] = defaultdict(dict)
    for line in CARD.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["kind"] == "run":
            losses[row["model"], row["iters"]][row["seed"]] = row["val_loss"]
    ratios = []
    for (model, iters), by_seed in losses.items():
        if model == "baseline":
            continue
        seeds = sorted(by_seed.keys() & losses["baseline", iters].keys())
        base = np.array([losses["baseline", iters][seed] for seed in seeds])
        modified = np.array([by_seed[seed] for seed in seeds])
        slope = np.cov(base, modified)[0, 1] / base.var(ddof=1)
        rest = ((modified - modified.mean() - slope * (base - base.mean())) ** 2).sum()
        residual = rest / (len(seeds) - 2)
        price = 1 / NEW + (1 / NEW - 1 / BANKED) / (NEW - 3)
        regressed = residual * price + (slope - 1) ** 2 * base.var(ddof=1) / BANKED
        ratios.append((modified - base).var(ddof=1) / NEW / regressed)
    print(
        f"a regression on {BANKED} banked baselines has {min(ratios):.1f} to {max(ratios):.1f}",
        f"times less variance than {NEW} pairs over {len(ratios)} studies",
        f"(median {statistics.median(ratios):.1f})",
    )


def curves(study_id: str) -> None:
    """The early loss as a control variate, and the mean of the last evaluations."""
    from q1lab.study import studies

    study = studies.load(study_id)
    evals: dict[tuple[str, int], dict[int, float]] = {}
    ends: dict[tuple[str, int], float] = {}
    for run in study.runs:
        for line in study.files.run(run.name).events.read_text(encoding="utf-8").splitlines():
            event = json.loads(line)
            if event["type"] == "eval":
                evals.setdefault((run.arm, run.seed), {})[event["iter"]] = event["val_loss"]
            elif event["type"] == "exit":
                ends[run.arm, run.seed] = event["val_loss"]
    iters = sorted(set.intersection(*(set(by_iter) for by_iter in evals.values())) - {0})

    def differences(value: Callable[[tuple[str, int]], float]) -> np.ndarray:
        return np.array(
            [value(("modified", seed)) - value(("baseline", seed)) for seed in study.seeds]
        )

    final = differences(ends.__getitem__)
    gains = []
    for at in iters:
        if at < study.max_iters:
            early = differences(lambda run, at=at: evals[run][at])  # type: ignore[misc]
            r = abs(float(np.corrcoef(early, final)[0, 1]))
            cost = at / study.max_iters
            gains.append((math.sqrt(1 - r**2) + r * math.sqrt(cost)) ** 2)
    print(
        f"the early loss as a control variate, over {len(gains)} iters of {study_id}:",
        f"{min(gains):.2f} to {max(gains):.2f} times the variance for the same compute",
    )
    for many in (2, 3, 5):
        last = iters[-many:]
        mean = differences(lambda run, last=last: statistics.fmean(evals[run][at] for at in last))  # type: ignore[misc]
        ratio = mean.var(ddof=1) / final.var(ddof=1)
        print(f"the mean of the last {many} evaluations: {ratio:.2f} times the variance")


def main() -> None:
    levels()
    three_pairs()
    banked()
    for study_id in sys.argv[1:]:
        curves(study_id)


if __name__ == "__main__":
    main()
