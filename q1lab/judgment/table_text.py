"""Cells and captions of a comparison's tables: losses by seed, costs of the arms. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from q1lab.judgment import cost_columns as costs
from q1lab.judgment.difference_text import number_writer, percent_change
from q1lab.judgment.intervals import MIN_FOR_VERDICT
from q1lab.judgment.subject import ARMS

if TYPE_CHECKING:
    from q1lab.judgment.records import Judgment


def loss_cell(c: Judgment, arm: str, seed: int) -> str:
    """A run's final number, or ``diverged``, ``no number``, or ``no run``."""
    if seed in c.analysis.diverged.get(arm, []):
        return "diverged"
    if seed not in c.arms[arm].values:
        return "no number" if seed in c.arms[arm].unfinished else "no run"
    value = c.arms[arm].values[seed]
    return "diverged" if value is None else run_value(c, value)


def run_value(c: Judgment, value: float) -> str:
    """The value that a run ended with, with as many decimals as all runs' values have where the
    metric's unit is not known (metric.py)."""
    if c.metric.unit:
        return number_writer(c.analysis).loss(value)
    ended = [loss for arm in c.arms.values() for loss in arm.values.values() if loss is not None]
    return number_writer(c.analysis).loss(value, ended)


def difference_cell(c: Judgment, seed: int) -> str:
    """Modified − baseline of one seed; empty where not both arms finished."""
    pairs = c.analysis.pairs
    return number_writer(c.analysis).end(pairs[seed]) if seed in pairs else ""


MOST_SEEDS = 20
"""Seeds that a table shows one by one; of more, the ends of the row speak for it."""

SEEDS_PER_END = 5
"""Seeds shown from either end of a folded table, and of those without a pair."""


def seeds_shown(c: Judgment, seeds: Sequence[int]) -> list[int]:
    """The seeds that a table shows: all of them, or of many those with the lowest and the highest
    differences and those that are no pair, by seed."""
    if len(seeds) <= MOST_SEEDS:
        return list(seeds)
    odd = [seed for seed in seeds if seed not in c.analysis.pairs]
    return sorted({*pairs_shown(c.analysis.pairs), *odd[:SEEDS_PER_END]})


def pairs_shown(pairs: Mapping[int, float]) -> list[int]:
    """The pairs that a plot shows, by seed: all of them, or of many the ends."""
    by_difference = sorted(pairs, key=lambda seed: (pairs[seed], seed))
    if len(pairs) > MOST_SEEDS:
        by_difference = by_difference[:SEEDS_PER_END] + by_difference[-SEEDS_PER_END:]
    return sorted(by_difference)


def folded_note(c: Judgment, shown: int, total: int) -> str:
    """The seeds that a folded table leaves out, and the place to find them."""
    if not c.analysis.pairs:
        runs = f"{total:,} {c.subject.plan.run_word}s"
        return f"The first {shown} of {runs}; `--json` and `q1lab export` have all."
    return (
        f"{shown} of {total:,} seeds: the {SEEDS_PER_END} lowest and the {SEEDS_PER_END} highest "
        "differences, and runs without a pair; `--json` and `q1lab export` have all."
    )


def cost_change(c: Judgment, key: str) -> str:
    """The modified arm's cost against the baseline's: ``−1.0%``; empty when one is not known, and
    no number where the interval over single runs contains 0, or runs are too few for one."""
    base, modified = (c.arms[arm].costs.get(key) for arm in ARMS)
    if not base or not modified:
        return ""
    if key in costs.measured_costs() and (c.timed is not None or len(c.analysis.pairs) == 1):
        ends = (c.timed or {}).get(key)
        if ends is None or not ends.excludes_zero():
            return UNCLEAR
    return percent_change(base, modified)


UNCLEAR = "not clear"

BUSY_FROM = 0.1
"""Share by which one arm's runs differ in speed from which other work was probably running."""


def timing_note(c: Judgment) -> str:
    """The certainty of a change of speed or time; empty if unknown."""
    if c.timed is None and len(c.analysis.pairs) != 1:
        return ""
    labels = costs.measured_costs()
    clear = [key for key in labels if cost_change(c, key) not in ("", UNCLEAR)]
    parts = []
    for key in clear:
        ends = (c.timed or {})[key]
        low, high = (percent_change(1.0, 1.0 + end) for end in (ends.low, ends.high))
        parts.append(f"the change of {labels[key]} is {low} to {high} (95% interval)")
    if unclear := [label for key, label in labels.items() if cost_change(c, key) == UNCLEAR]:
        few = min((len(arm.values) for arm in c.arms.values()), default=0) < MIN_FOR_VERDICT
        why = (
            "fewer than three runs per arm" if few else "the 95% interval of the change contains 0"
        )
        which = f"that of {' and '.join(unclear)} is " if clear else ""
        parts.append(f"{which}{UNCLEAR}: {why}")
    spans = [arm.tokens_per_s_ends for arm in c.arms.values()]
    shares = [high / low - 1 for low, high in (pair for pair in spans if pair) if low > 0]
    if shares and max(shares) >= BUSY_FROM:
        parts.append(
            f"within an arm tokens/s vary by up to {max(shares):.0%}, more than on a quiet machine"
        )
    if c.subject.are_model_files:
        parts.append("tokens/s: median run, without evaluation; wall clock: mean run, with it")
    return " ".join(f"{part[0].upper()}{part[1:]}." for part in parts)
