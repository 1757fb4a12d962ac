"""docs/gate.md's table and picture: nights of 100 ideas, judged by the gate and by what loops do
instead."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import looks

from q1lab.statistics import intervals
from tests.kit.nights import IDEAS, Night, by_gate, losses

PLANTED, NIGHTS = 5, 2000
SIZES = (2.0, 3.0, 5.0)
"""Improvements of the ideas that do something, in sd of one run."""


def keep_if(
    seeds: int, better: Callable[[list[float], list[float]], bool]
) -> Callable[[random.Random, list[float]], Night]:
    """A loop that trains each idea ``seeds`` times, and keeps it where it is ``better`` than what
    it kept last."""

    def night(rng: random.Random, ideas: list[float]) -> Night:
        level, found = 0.0, Night(runs=seeds)
        best = losses(rng, level, seeds)
        for gain in ideas:
            mine = losses(rng, level - gain, seeds)
            found.runs += seeds
            if better(best, mine):
                best, level = mine, level - gain
                found.true += gain > 0
                found.false += gain == 0
        return found

    return night


def is_lower(best: list[float], mine: list[float]) -> bool:
    return statistics.fmean(mine) < statistics.fmean(best)


def p_below(best: list[float], mine: list[float]) -> bool:
    """p < .05 by Welch's test, and lower."""
    ends = intervals._welch(best, mine, intervals.ALPHA)
    return ends.high < 0


def bootstrap_below(best: list[float], mine: list[float]) -> bool:
    """The 95% percentile bootstrap interval lies below 0."""
    found = intervals._bootstrap(best, mine, [], "welch")
    return found.high < 0


RIVALS: dict[str, Callable[[random.Random, list[float]], Night]] = {
    "`q1lab gate`": by_gate,
    "keep if lower, one run": keep_if(1, is_lower),
    "3 seeds, p < .05 each": keep_if(3, p_below),
    "3 seeds, bootstrap interval below 0": keep_if(3, bootstrap_below),
}


def some_nights(rule: str, size: float, seed: int, many: int) -> list[Night]:
    rng = random.Random(f"{rule} {size} {seed}")
    found = []
    for _ in range(many):
        ideas = [0.0] * IDEAS
        for at in rng.sample(range(IDEAS), PLANTED if size else 0):
            ideas[at] = size
        found.append(RIVALS[rule](rng, ideas))
    return found


def nights(rule: str, size: float, many: int) -> Iterator[Night]:
    with ProcessPoolExecutor(2) as pool:
        parts = [pool.submit(some_nights, rule, size, at, many // 20) for at in range(20)]
        for part in parts:
            yield from part.result()


def measured(many: int = NIGHTS) -> dict[tuple[str, float], list[Night]]:
    return {(rule, size): list(nights(rule, size, many)) for rule in RIVALS for size in (0, *SIZES)}


def text(found: dict[tuple[str, float], list[Night]]) -> str:
    """The table: false keeps, what was found, and what it cost."""
    many = len(next(iter(found.values())))
    head = ["rule", "nights with a false keep, %", "false keeps a night"]
    head += [f"found at {size:g} sd, %" for size in SIZES]
    head += ["runs, nothing to find", *(f"runs at {size:g} sd" for size in SIZES)]
    lines = []
    for rule in RIVALS:
        null = found[rule, 0]
        wrong = "".join("h" if night.false else "c" for night in null)
        hits = [
            100 * sum(night.true for night in found[rule, size]) / (PLANTED * many)
            for size in SIZES
        ]
        runs = [statistics.fmean(night.runs for night in found[rule, at]) for at in (0, *SIZES)]
        lines.append(
            [
                rule,
                looks.percent(wrong),
                f"{statistics.fmean(night.false for night in null):.2f}",
                *(f"{hit:.0f}" for hit in hits),
                *(f"{run:.0f}" for run in runs),
            ]
        )
    return looks.table(head, lines)


def picture(found: dict[tuple[str, float], list[Night]], file: Path) -> None:
    """Ideas found against nights with a false keep, a mark a rule and size; its runs beside it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.6), layout="constrained")
    left = figure.subplots()
    many = len(next(iter(found.values())))
    for rule, mark in zip(RIVALS, "os^D", strict=True):
        wrong = 100 * sum(night.false > 0 for night in found[rule, 0]) / many
        hits = [100 * sum(n.true for n in found[rule, s]) / (PLANTED * many) for s in SIZES]
        left.plot([wrong] * len(SIZES), hits, mark + ":", label=rule.replace("`", ""), ms=7)
        for size, hit in zip(SIZES, hits, strict=True):
            runs = statistics.fmean(night.runs for night in found[rule, size])
            left.annotate(
                f"{size:g} sd, {runs:.0f} runs",
                (wrong, hit),
                textcoords="offset points",
                xytext=(8, -3) if wrong < 50 else (-8, -3),
                ha="left" if wrong < 50 else "right",
                fontsize=7,
            )
    left.axvline(5, color="#888888", lw=0.8, ls="--")
    left.set_xlabel("nights of 100 ideas that do nothing in which one is kept, %")
    left.set_ylabel("ideas that do something and are kept, %")
    left.set_xlim(-3, 105)
    left.set_ylim(0, 106)
    left.legend(fontsize=8, loc="lower right")
    figure.savefig(file, metadata={"Date": None})
