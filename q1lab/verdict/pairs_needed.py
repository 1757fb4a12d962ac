"""The number of pairs that a difference needs, from the known spread of pairs: the learner's own
runs, or the figures that ship with the week."""

from __future__ import annotations

import math
import statistics
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from q1lab.ground import paths
from q1lab.ground.errors import Problem
from q1lab.ground.files import read_text
from q1lab.ground.text_formats import duration
from q1lab.index.store import Store
from q1lab.statistics import futility, interim_analyses, intervals
from q1lab.statistics.interim_analyses import VerdictChances
from q1lab.statistics.intervals import SeedsNeeded
from q1lab.study import presets
from q1lab.study.command_line import Request
from q1lab.study.metric import VAL_LOSS, Metric
from q1lab.study.studies import Study
from q1lab.verdict import comparison_cache, level_text

SHIPPED = "results.toml"


@dataclass(frozen=True)
class Spread:
    """The sd of pairwise differences, how many pairs it comes from, and where it is from.
    ``seconds``: training per pair on this machine, None where it is not known."""

    sd: float
    pairs: int
    source: str
    seconds: float | None = None
    iters: int | None = None
    data: str = ""
    """The data that the pairs trained on, and their iters."""
    metric: Metric = VAL_LOSS

    @property
    def conditions(self) -> str:
        """For what it was measured: ``2,000 iters on shakespeare``."""
        return f"{self.iters:,} iters on {self.data}" if self.iters and self.data else self.data


@dataclass(frozen=True)
class PlanChances:
    """The chance of each verdict from ``first`` to ``most`` pairs (one number where they are
    equal), if the true difference is 0, and if it is twice δ."""

    first: int
    most: int
    nothing: VerdictChances
    twice: VerdictChances


@dataclass(frozen=True)
class Advice:
    """The pairs it takes to find a difference of ``effect`` in 80% of studies. ``range`` is the
    planned range that q1lab proposes; None where the need is beyond the ranges that there are.
    ``chances`` are those of a few plans, with ``effect`` as δ."""

    effect: float
    spread: Spread
    needed: SeedsNeeded
    range: tuple[int, int] | None
    chances: tuple[PlanChances, ...]


def own_spread(
    store: Store, variant: str, preset: str | None, newest_first: Iterable[Study]
) -> Spread | None:
    """The spread of the newest study of ``variant`` with three pairs or more, whose comparison was
    computed; None without one."""
    for study in newest_first:
        if study.variant.removesuffix("*") != variant or preset not in (None, study.trainer.recipe):
            continue
        comparison = comparison_cache.cached_comparison(store, study.id)
        if (
            comparison is None
            or len(comparison.analysis.pairs) < intervals.MIN_FOR_VERDICT
            or comparison.lost
        ):
            continue
        times = [arm.costs.get("wall_s") for arm in comparison.arms.values()]
        seconds = sum(time for time in times if time) if all(times) else None
        sd = statistics.stdev(comparison.analysis.pairs.values())
        source = (
            f"{study.id} ({study.trainer.recipe}, {study.max_iters:,} iters on {study.data.name})"
        )
        pairs = len(comparison.analysis.pairs)
        return Spread(
            sd, pairs, source, seconds, study.max_iters, study.data.name, comparison.metric
        )
    return None


def shipped_spread(
    folder: Path, variant: str, preset: str, data: str = "", *, least_pairs: int = 0
) -> Spread | None:
    """The spread that the week's results file gives for a preset and a variant, if it does: that of
    ``least_pairs`` pairs or more before others, and then that on ``data``. The file says
    ``shakespeare`` where a study has ``tinyshakespeare``."""
    try:
        figures = tomllib.loads(read_text(folder / SHIPPED))
    except (OSError, ValueError):
        return None
    rows = [
        row
        for row in figures.get("results", [])
        if (row.get("preset"), row.get("variant")) == (preset, variant)
    ]
    if not rows:
        return None
    row = min(rows, key=lambda row: (row["pairs"] < least_pairs, row["data"] not in data))
    iters = presets.PRESETS[preset]["max_iters"] if preset in presets.PRESETS else None
    spread = Spread(float(row["pair_sd"]), int(row["pairs"]), "", None, iters, str(row["data"]))
    return replace(
        spread, source=f"the figures that ship with q1lab ({preset}, {spread.conditions})"
    )


def known_spread(
    store: Store, variant: str, preset: str, newest_first: Iterable[Study], data: str = ""
) -> Spread | None:
    """The spread of the learner's own runs, else the one that ships."""
    measured = own_spread(store, variant, preset, newest_first)
    return measured or shipped_spread(paths.content_dir(), variant, preset, data)


def detectable_sentence(study: Study, spread: Spread) -> str:
    """The smallest difference that a planned study can see with its last pair, in a
    sentence; empty below three pairs."""
    pairs = len(study.seeds)
    if pairs < intervals.MIN_FOR_VERDICT or study.design.headline != "paired":
        return ""
    alpha = study.design.level or intervals.ALPHA
    smallest = intervals.detectable_in_sd(pairs, pairs, "paired", alpha) * spread.sd
    text = (
        f"with {pairs} pairs, a true difference of about {smallest:.2g}{study.metric.suffix} is "
        f"found in four studies out of five, if pairs spread like {spread.source}"
    )
    same = spread.iters == study.max_iters and spread.data in study.data.name
    setting = f"{study.max_iters:,} iters on {study.data.name}"
    return text if same else f"{text}; this study is for {setting}, where the spread may differ"


def advise(effect: float, spread: Spread) -> Advice:
    """Pairs for a difference of ``effect``: as the sd was measured, and over the sd's own 95%
    interval.

    The proposed range goes to a quarter more than that, because its looks cost some power. Problem
    if the effect is 0.
    """
    if not (math.isfinite(effect) and effect > 0):
        raise Problem(f"--detect {effect:g}: ", next="give a difference above 0")
    needed = intervals.seeds_needed(effect, spread.sd, headline="paired", df=spread.pairs - 1)
    most = max(interim_analyses.FIRST_MOST, math.ceil(1.25 * needed.mid))
    within = most <= interim_analyses.MOST_PAIRS
    proposed = (interim_analyses.FIRST_LEAST, most) if within else None
    plans = dict.fromkeys([*USUAL_PLANS, *([proposed] if proposed else [])])
    chances = tuple(_chances(*plan, effect / spread.sd) for plan in plans)
    return Advice(effect, spread, needed, proposed, chances)


USUAL_PLANS = ((3, 3), (5, 5), (8, 8), (3, 8))
"""The plans whose chances are always shown: so many pairs at least, and at most."""


def _chances(first: int, most: int, delta: float) -> PlanChances:
    """``delta`` is in sds of a pair's difference."""
    fixed = first == most
    alpha = intervals.ALPHA if fixed else interim_analyses.level_per_look(first, most)
    futile = () if fixed else futility.futility_limits(first, most, alpha)
    nothing, twice = (
        interim_analyses.verdict_chances(first, most, alpha, effect, delta, futile)
        for effect in (0.0, 2 * delta)
    )
    return PlanChances(first, most, nothing, twice)


def chances_table(advice: Advice) -> tuple[str, ...]:
    """The chances of the plans, in studies out of 100, as lines of a table that fits into the
    app's dialog in a terminal of 80 columns."""
    unit = advice.spread.metric.suffix
    names = "claim  too small  can't tell"
    lines = [
        f"Verdicts of 100 studies with this spread and δ = {advice.effect:g}{unit}",
        "(a claim is HELPS or HURTS):",
        f"{'':7}{'if nothing changed':<{len(names)}}   "
        f"if it differs by {2 * advice.effect:g}{unit}",
        f"{'pairs':<7}{names}   {names}",
    ]
    for plan in advice.chances:
        pairs = str(plan.first) if plan.first == plan.most else f"{plan.first}..{plan.most}"
        cells = "   ".join(
            f"{100 * chance.claim:5.0f}{100 * chance.too_small:11.0f}"
            f"{100 * chance.cannot_tell:12.0f}"
            for chance in (plan.nothing, plan.twice)
        )
        lines.append(f"{pairs:<7}{cells}")
    return tuple(lines)


def advice_lines(advice: Advice, command: str) -> tuple[str, ...]:
    """The advice in lines, the command to type last; ``command`` is what begins ``q1lab run`` for
    it, without its seeds."""
    needed, spread = advice.needed, advice.spread
    unit = spread.metric.suffix
    most = f"{needed.high:,} or more" if needed.capped else f"{needed.high:,}"
    lines = [
        f"To find a true difference of {advice.effect:g}{unit} in four studies out of five takes "
        f"about {needed.mid:,} pairs ({needed.low:,} to {most}, since the spread is known only "
        "roughly).",
        f"The spread (sd) is {spread.sd:.2g}{unit}, from {spread.pairs} pairs: {spread.source}.",
    ]
    if spread.seconds is not None:
        time = duration(needed.mid * spread.seconds)
        lines.append(f"On this machine that is about {time} of training, one run after another.")
    if advice.range is None:
        return (*lines, "A planned range does not go so far:", f"  {command} --seeds {needed.mid}")
    first, last = advice.range
    typed = Request("", seeds=f"{first}..{last}").parsed_seeds
    design = typed.kind.declared(typed, typed.seeds, "paired", lambda: intervals.ALPHA)
    declared = level_text.planned_seeds_sentence(design, design.level or intervals.ALPHA)
    return (*lines, declared, "Begin it:", f"  {command} --seeds {first}..{last}")
