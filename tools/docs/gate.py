"""docs/gate.md's tables and picture: nights of 100 ideas, judged by the gate and by what loops do
instead, and by the gate under conditions that its rule does not assume."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import looks
import numpy as np

from q1lab.judgment import intervals, svg
from q1lab.plugins.gate.gate_rule import RULES_BY_NUMBER
from tests.kit import many_nights
from tests.kit.nights import IDEAS, Night, losses

PLANTED, NIGHTS, NIGHTS_OF_GATE = 5, 2000, 20_000
COLORS = ("modified", "baseline", "prediction", "soft")
SIZES = (2.0, 3.0, 5.0)
"""Improvements of the ideas that do something, in sd of one run."""


def keep_if(
    seeds: int, better: Callable[[list[float], list[float]], bool]
) -> Callable[[random.Random, list[float]], Night]:
    """A loop that trains each idea ``seeds`` times, and keeps it where it is ``better`` than what
    it kept last."""

    def night(rng: random.Random, ideas: list[float]) -> Night:
        level, result = 0.0, Night(runs=seeds)
        best = losses(rng, level, seeds)
        for gain in ideas:
            idea_losses = losses(rng, level - gain, seeds)
            result.runs += seeds
            if better(best, idea_losses):
                best, level = idea_losses, level - gain
                result.true += gain > 0
                result.false += gain == 0
        return result

    return night


def is_lower(best: list[float], idea: list[float]) -> bool:
    return statistics.fmean(idea) < statistics.fmean(best)


def p_below(best: list[float], idea: list[float]) -> bool:
    """p < .05 by Welch's test, and lower."""
    ends = intervals._welch(best, idea, intervals.ALPHA)
    return ends.high < 0


def bootstrap_below(best: list[float], idea: list[float]) -> bool:
    """The 95% percentile bootstrap interval lies below 0."""
    interval = intervals._bootstrap(best, idea, [], "welch")
    return interval.high < 0


GATE = "`q1lab gate`"
RIVALS: dict[str, Callable[[random.Random, list[float]], Night]] = {
    "keep if lower, one run": keep_if(1, is_lower),
    "3 seeds, p < .05 each": keep_if(3, p_below),
    "3 seeds, bootstrap interval below 0": keep_if(3, bootstrap_below),
}


def some_nights(rule: str, size: float, seed: int, many: int) -> list[Night]:
    rng = random.Random(f"{rule} {size} {seed}")
    nights_so_far = []
    for _ in range(many):
        ideas = [0.0] * IDEAS
        for at in rng.sample(range(IDEAS), PLANTED if size else 0):
            ideas[at] = size
        nights_so_far.append(RIVALS[rule](rng, ideas))
    return nights_so_far


def nights(rule: str, size: float, many: int) -> Iterator[Night]:
    with ProcessPoolExecutor(2) as pool:
        parts = [pool.submit(some_nights, rule, size, at, many // 20) for at in range(20)]
        for part in parts:
            yield from part.result()


def nights_of_gate(size: float) -> list[Night]:
    gains = many_nights.planted(NIGHTS_OF_GATE, size, PLANTED)
    judged = many_nights.judge_nights(many_nights.Night(gains), seed=int(size))
    counts = zip(judged.false, judged.true, judged.runs, strict=True)
    return [Night(int(false), int(true), int(runs)) for false, true, runs in counts]


def measured(many: int = NIGHTS) -> dict[tuple[str, float], list[Night]]:
    sizes = (0, *SIZES)
    gate = {(GATE, size): nights_of_gate(size) for size in sizes}
    rivals = {(rule, size): list(nights(rule, size, many)) for rule in RIVALS for size in sizes}
    return gate | rivals


# ── the gate under other conditions

NO_GAINS = np.zeros((NIGHTS_OF_GATE, IDEAS))


def after_a_keep(spread: float, then: float = 0.0) -> many_nights.Night:
    """A large idea is kept early, and runs spread otherwise from then on."""
    first = many_nights.planted_at(NIGHTS_OF_GATE, 6.0 * max(1.0, spread), 5)
    later = (40, then) if then else None
    return many_nights.Night(first, planted_spread=spread, then=later)


def found_at_3_sd(**changes: float) -> many_nights.Night:
    gains = many_nights.planted(NIGHTS_OF_GATE, 3.0, PLANTED)
    return many_nights.Night(gains, **changes)  # type: ignore[arg-type]


FALSE_KEEPS = {
    "all runs spread alike": many_nights.Night(NO_GAINS),
    **{
        f"ideas spread {spread:g} times as much": many_nights.Night(NO_GAINS, spread=spread)
        for spread in (0.2, 0.5, 2, 3, 5)
    },
    "a keep halves the spread from then on": after_a_keep(0.5),
    "a keep doubles the spread from then on": after_a_keep(2),
    "runs of one seed correlate by −0.5": many_nights.Night(NO_GAINS, correlation=-0.5),
    "runs of one seed correlate by −0.8": many_nights.Night(NO_GAINS, correlation=-0.8),
    "one run in ten gets stuck, 10 sd above": many_nights.Night(NO_GAINS, stuck=(0.1, 10)),
    "one run in ten of the ideas alone": many_nights.Night(
        NO_GAINS, stuck=(0.1, 10), stuck_arms="ideas"
    ),
    "the same, and their other runs are 1 sd better": many_nights.Night(
        NO_GAINS, stuck=(0.1, 10), stuck_arms="centered"
    ),
}
POWER = {
    "all runs spread alike": found_at_3_sd(),
    "runs of one seed correlate by 0.6": found_at_3_sd(correlation=0.6),
    "runs get worse by 0.1 sd from one idea to the next": found_at_3_sd(drift=0.1),
    "one run of an idea in five diverges": found_at_3_sd(diverging=0.2),
}
QUIETER = (1.0, 0.5, 0.2)


def false_keeps() -> str:
    """The table of nights with a false keep, by the rule now and by the first one."""
    lines = []
    for name, night in FALSE_KEEPS.items():
        rates = []
        for number in sorted(RULES_BY_NUMBER, reverse=True):
            judged = many_nights.judge_nights(night, 1, RULES_BY_NUMBER[number])
            rates.append(looks.percent("".join("h" if false else "c" for false in judged.false)))
        lines.append([name, *rates])
    return looks.table(["", "nights with a false keep, %", "by the first rule, %"], lines)


def power() -> str:
    """The table of what is found, by the rule now and by the first one."""
    rows: dict[str, tuple[many_nights.Night, bool]] = {
        f"of 5 at 3 sd: {name}": (night, False) for name, night in POWER.items()
    }
    for spread in QUIETER:
        name = f"at 5 of its own sd, after a keep to {spread:g} of the spread, %"
        rows[name] = after_a_keep(spread, 5.0), True
    lines = []
    for name, (night, after) in rows.items():
        shares = []
        for number in sorted(RULES_BY_NUMBER, reverse=True):
            true = many_nights.judge_nights(night, 2, RULES_BY_NUMBER[number]).true
            share = 100 * (true == 2).sum() / max(1, (true >= 1).sum())
            shares.append(f"{share:.0f}" if after else f"{true.mean():.2f}")
        lines.append([name, *shares])
    return looks.table(["found", "now", "by the first rule"], lines)


def text(nights_by_rule: dict[tuple[str, float], list[Night]]) -> str:
    """The table: false keeps, what was found, and what it cost."""
    head = ["rule", "nights with a false keep, %", "false keeps a night"]
    head += [f"found at {size:g} sd, %" for size in SIZES]
    head += ["runs, nothing to find", *(f"runs at {size:g} sd" for size in SIZES)]
    lines = []
    for rule in (GATE, *RIVALS):
        null = nights_by_rule[rule, 0]
        wrong = "".join("h" if night.false else "c" for night in null)
        hits = [
            100 * statistics.fmean(night.true for night in nights_by_rule[rule, size]) / PLANTED
            for size in SIZES
        ]
        runs = [
            statistics.fmean(night.runs for night in nights_by_rule[rule, at]) for at in (0, *SIZES)
        ]
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


def picture(nights_by_rule: dict[tuple[str, float], list[Night]], file: Path) -> None:
    """Ideas found against nights with a false keep, a mark a rule and size; its runs beside it."""
    plot = svg.Plot(50, 30, 640, 300, (-3, 105), (0, 106))
    drawn = [*plot.grid(), plot.line([(5, 0), (5, 106)], "soft", 1, "5 3")]
    styles = zip(("circle", "square", "cross", "diamond"), COLORS, strict=True)
    for at, (rule, (mark, color)) in enumerate(zip((GATE, *RIVALS), styles, strict=True)):
        wrong = 100 * statistics.fmean(night.false > 0 for night in nights_by_rule[rule, 0])
        points = []
        for size in SIZES:
            found = nights_by_rule[rule, size]
            hit = 100 * statistics.fmean(night.true for night in found) / PLANTED
            runs = statistics.fmean(night.runs for night in found)
            points.append((wrong, hit))
            x, y = plot.x(wrong), plot.y(hit)
            side = (x - 9, svg.END) if wrong > 50 else (x + 9, "")
            words = f"{size:g} sd, {runs:.0f} runs"
            drawn.append(svg.mark(x, y, mark, color, 4.5))
            drawn.append(svg.text(side[0], y + 4, words, 10, "soft", side[1]))
        drawn.append(plot.line(points, color, 1, "1 3"))
        key = plot.top + 220 + 18 * at
        drawn.append(svg.mark(440, key, mark, color, 4.5))
        drawn.append(svg.text(452, key + 4, rule.replace("`", "")))
    across = "nights of 100 ideas that do nothing in which one is kept, %"
    drawn.append(svg.text(plot.left + plot.width, 366, across, 12, "ink", svg.END))
    title = "ideas that do something and are kept, %"
    drawn.append(svg.text(14, 20, title))
    file.write_text(svg.document(710, 380, f"{title}, against {across}", drawn))
