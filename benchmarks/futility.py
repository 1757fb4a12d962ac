"""What a stop for futility saves a planned range, and what it costs in power: the tables of
docs/looks.md and docs/cost.md.

    python benchmarks/futility.py
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from q1lab.judgment import futility, interim_analyses
from q1lab.study import seed_range

FLOOR = Path(__file__).resolve().parent.parent / "docs" / "results" / "floor.jsonl"
RANGES = ((3, 8), (3, 12), (5, 20))
EFFECTS = (0, 0.5, 1, 2, 3)
STUDIES = 200_000


def declared(first: int, most: int, *, stops: bool) -> seed_range.SeedRange:
    alpha = interim_analyses.level_per_look(first, most)
    limits = interim_analyses.t_limits(first, most, alpha)
    futile = futility.futility_limits(first, most, alpha) if stops else ()
    return seed_range.SeedRange(first, most, alpha, limits, futile)


def simulated(planned: seed_range.SeedRange) -> list[tuple[float, float]]:
    """Claims in % and mean pairs, at each true effect in sd of a pair's difference."""
    noise = np.random.default_rng(38).standard_normal((STUDIES, planned.most))
    n = np.arange(planned.first, planned.most + 1)
    mean = np.cumsum(noise, axis=1)[:, planned.first - 1 :] / n
    square = np.cumsum(noise**2, axis=1)[:, planned.first - 1 :]
    standard_error = np.sqrt((square - n * mean**2) / (n - 1) / n)
    futile_below = [limits[0] for limits in planned.futility] or [0.0] * (len(n) - 1)
    cells = []
    for effect in EFFECTS:
        t = np.abs(mean + effect) / standard_error
        claims = t > np.array(planned.limits)
        over = claims | (t < np.array([*futile_below, np.inf]))
        look = over.argmax(axis=1)
        claimed = claims[np.arange(STUDIES), look].mean()
        cells.append((100 * float(claimed), float(n[look].mean())))
    return cells


def replayed(planned: seed_range.SeedRange) -> tuple[int, int, int]:
    """The real null pairs of docs/floor.md in their order, one range after another: ranges, runs
    and claims."""
    studies = map(json.loads, FLOOR.read_text(encoding="utf-8").splitlines())
    differences = [
        modified - base
        for study in studies
        for base, modified in zip(study["baseline"], study["modified"], strict=True)
    ]
    pairs, claims, ranges = 0, 0, len(differences) // planned.most
    for at in range(ranges):
        block = differences[at * planned.most :][: planned.most]
        over = seed_range.over_after(planned, block) or planned.most
        ends = seed_range.interval_at_look(planned, block[:over])
        pairs, claims = pairs + over, claims + (ends is not None and ends[0] * ends[1] > 0)
    return ranges, 2 * pairs, claims


def main() -> None:
    runs: dict[str, list[list[float]]] = {}
    for first, most in RANGES:
        for stops in (False, True):
            found = simulated(declared(first, most, stops=stops))
            how = "with the stop" if stops else "without"
            cells = (f"{claims:.1f} / {pairs:.1f}" for claims, pairs in found)
            print("|", " | ".join([f"`{first}..{most}` {how}", *cells]), "|")
            runs.setdefault(f"`{first}..{most}`", []).append([2 * pairs for _, pairs in found])
    for name, (before, after) in runs.items():
        cells = (f"{old:.1f} → {new:.1f}" for old, new in zip(before, after, strict=True))
        print("|", " | ".join([name, *cells]), "|")
    for first, most in RANGES:
        for stops in (False, True):
            ranges, runs_trained, claims = replayed(declared(first, most, stops=stops))
            how = "with the stop" if stops else "without"
            print(f"| `{first}..{most}` {how} | {ranges} | {runs_trained} | {claims} |")


if __name__ == "__main__":
    main()
