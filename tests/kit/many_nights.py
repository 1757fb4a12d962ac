"""Thousands of nights of ideas at once, judged by the gate's rule in numpy. tests/plugins/gate compares
each of its decisions with the gate's own code (plugins/gate/gate_rule.py)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from q1lab.plugins.gate import gate_rule
from q1lab.plugins.gate.gate_rule import RULES, GateRules
from tests.kit.nights import IDEAS

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Night:
    """The conditions of a night. ``gains`` are the ideas' improvements in sd of one run of the first
    baseline, one row for each night; an idea that does something is *planted*."""

    gains: Array
    spread: float = 1.0
    """The spread of ideas without an effect, in that of their baseline."""
    planted_spread: float = 1.0
    """The spread of planted ideas; kept ones are the next baseline."""
    then: tuple[int, float] | None = None
    """(idea, gain): an idea that improves by so many sd of the present baseline, after a keep."""
    correlation: float = 0.0
    """Of two runs of one seed."""
    stuck: tuple[float, float] = (0.0, 0.0)
    """The share of runs that get stuck, and by how many sd."""
    stuck_arms: str = "both"
    """``both``; ``ideas`` alone; ``centered``: ideas alone, which else are better by as much."""
    drift: float = 0.0
    """By how many sd runs get worse from one idea to the next."""
    diverging: float = 0.0
    """The share of the ideas' runs that diverge."""


@dataclass
class Kept:
    """Counts of each night."""

    false: Array
    true: Array
    runs: Array


def judge_nights(night: Night, seed: int, rules: GateRules = RULES) -> Kept:
    rng = np.random.default_rng(seed)
    n, ideas = night.gains.shape
    size = np.array([gate_rule.look_size(max(1, df), rules) for df in range(1001)])
    kept = Kept(*(np.zeros(n, int) for _ in range(3)))
    level, sd, any_kept = np.zeros(n), np.ones(n), np.zeros(n, bool)
    looks = np.zeros(n, int)
    runs, mean, squares = np.zeros(n), np.zeros(n), np.zeros(n)  # of the present baseline
    other_squares, other_df = np.zeros(n), np.zeros(n)

    def draw(center: Array, spread: Array, many: int, arm: str, like: Array | None = None) -> Array:
        errors = rng.normal(size=(len(center), many))
        if like is not None:
            errors = night.correlation * like + np.sqrt(1 - night.correlation**2) * errors
        share, by = night.stuck
        if share and (arm == "modified" or night.stuck_arms == "both"):
            errors = errors + by * (rng.random(errors.shape) < share)
            errors -= share * by * (night.stuck_arms == "centered")
        return center[:, None] + spread[:, None] * errors

    for at in range(ideas):
        gain = night.gains[:, at]
        if night.then is not None and at == night.then[0]:
            gain = np.where(any_kept, night.then[1] * sd, 0.0)
        planted = gain > 0
        idea_sd = sd * np.where(planted, night.planted_spread, night.spread)
        idea_sd = np.where(planted & any_kept, sd, idea_sd)
        base_center, idea_center = level + night.drift * at, level - gain + night.drift * at
        new = np.nonzero(runs == 0)[0]
        if len(new):
            first = draw(base_center[new], sd[new], rules.baseline_runs, "baseline")
            runs[new], mean[new] = rules.baseline_runs, first.mean(1)
            squares[new] = ((first - first.mean(1, keepdims=True)) ** 2).sum(1)
            kept.runs[new] += rules.baseline_runs
        df = other_df + runs - 1
        pooled = np.sqrt((other_squares + squares) / df)
        first_run = draw(idea_center, idea_sd, 1, "modified")[:, 0]
        kept.runs += 1
        margin = -special.stdtrit(df, rules.screen) * pooled * np.sqrt(1 + 1 / runs)
        earns = (first_run < mean - margin) & (rng.random(n) >= night.diverging)
        at_look = np.nonzero(earns & (looks < rules.looks))[0]
        if not len(at_look):
            continue
        looks[at_look] += 1
        most, early = rules.most_pairs, rules.early_pairs
        base = draw(base_center[at_look], sd[at_look], most, "baseline")
        like = (base - base_center[at_look, None]) / sd[at_look, None]
        modified = draw(idea_center[at_look], idea_sd[at_look], most, "modified", like)
        diverged = rng.random(modified.shape) < night.diverging
        ahead = base[:, :early].mean(1) - modified[:, :early].mean(1)
        goes_on = (ahead > rules.futile * pooled[at_look]) & ~diverged[:, :early].any(1)
        pairs = np.where(goes_on, size[np.minimum(df[at_look].astype(int), 1000)], early)
        kept.runs[at_look] += 2 * pairs
        counted = np.arange(most) < pairs[:, None]
        known = pooled[at_look], df[at_look]
        keeps = decide(base, modified, counted, *known, rules)
        keeps &= goes_on & ~(diverged & counted).any(1)
        base_mean, base_squares = _moments(base, counted)
        idea_squares = _moments(modified, counted)[1]
        moved = base_mean - mean[at_look]
        total = runs[at_look] + pairs
        squares[at_look] += base_squares + moved**2 * runs[at_look] * pairs / total
        mean[at_look] += moved * pairs / total
        runs[at_look] = total
        other_squares[at_look] += idea_squares
        other_df[at_look] += pairs - 1
        new_base = at_look[keeps]
        if rules.forgets:
            other_squares[new_base], other_df[new_base] = idea_squares[keeps], pairs[keeps] - 1
        else:
            other_squares[new_base] += squares[new_base]
            other_df[new_base] += runs[new_base] - 1
        runs[new_base] = mean[new_base] = squares[new_base] = 0
        kept.false[new_base] += ~planted[new_base]
        kept.true[new_base] += planted[new_base]
        level[new_base] -= gain[new_base]
        sd[new_base], any_kept[new_base] = idea_sd[new_base], True
    return kept


def _moments(losses: Array, counted: Array) -> tuple[Array, Array]:
    """The mean of the counted losses of each row, and the sum of squared distances from it."""
    mean = (losses * counted).sum(1) / counted.sum(1)
    return mean, (((losses - mean[:, None]) * counted) ** 2).sum(1)


def decide(
    base: Array, modified: Array, counted: Array, sd: Array, df: Array, rules: GateRules
) -> Array:
    """``gate_rule.decide_look`` for many looks: True for those that keep. ``sd`` and ``df`` are of
    the spread before the look."""
    n = counted.sum(1)
    (base_mean, base_squares), (idea_mean, idea_squares) = (
        _moments(losses, counted) for losses in (base, modified)
    )
    all_df = df + 2.0 * (n - 1)
    error = np.sqrt((sd**2 * df + base_squares + idea_squares) / all_df * 2 / n)
    base_var, idea_var = base_squares / (n - 1), idea_squares / (n - 1)
    wider = idea_var / sd**2 > special.fdtri(n - 1, df, 1 - rules.wider_at)
    welch_df = (n - 1) * (base_var + idea_var) ** 2 / (base_var**2 + idea_var**2)
    error = np.where(wider, np.sqrt((base_var + idea_var) / n), error)
    all_df = np.round(np.where(wider, welch_df, all_df), 1)
    if rules.looks_at_pairs:
        pair_error = np.sqrt(_moments(modified - base, counted)[1] / (n - 1) / n)
        wider = (pair_error / error) ** 2 > special.fdtri(n - 1, all_df, 1 - rules.wider_at)
        error, all_df = np.where(wider, pair_error, error), np.where(wider, n - 1, all_df)
    quantile = -special.stdtrit(all_df, rules.alpha_per_look)
    keeps: Array = idea_mean - base_mean + quantile * error < 0
    return keeps


def planted(nights: int, gain: float, many: int = 5, seed: int = 0, ideas: int = IDEAS) -> Array:
    """The gains of nights with ``many`` planted ideas at random places."""
    order = np.random.default_rng(seed).random((nights, ideas)).argsort(1)
    return np.where(order < many, gain, 0.0)


def planted_at(nights: int, gain: float, place: int, ideas: int = IDEAS) -> Array:
    gains = np.zeros((nights, ideas))
    gains[:, place] = gain
    return gains
