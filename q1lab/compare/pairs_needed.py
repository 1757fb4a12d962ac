"""The designs that a study may have, and what each can say of a difference, from the known spread
of pairs: the learner's own runs, or the figures that ship with the week."""

from __future__ import annotations

import math
import statistics
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from q1lab.compare import comparison_cache
from q1lab.ground import paths
from q1lab.ground.errors import Problem
from q1lab.ground.files import read_text
from q1lab.ground.text_formats import duration
from q1lab.journal.store import Store
from q1lab.judgment import interim_analyses, intervals
from q1lab.judgment.interim_analyses import VerdictChances
from q1lab.judgment.intervals import SeedsNeeded
from q1lab.judgment.metric import VAL_LOSS, Metric
from q1lab.study import presets
from q1lab.study.studies import Study
from q1lab.study.trainer import COMMAND

SHIPPED = "results.toml"


@dataclass(frozen=True)
class Spread:
    """The sd of pairwise differences, the number of pairs behind it, and its source. ``seconds``:
    the time of a pair on this machine, None if unknown. ``study``: the learner's study that it
    comes from, if any."""

    sd: float
    pairs: int
    source: str
    seconds: float | None = None
    iters: int | None = None
    data: str = ""
    """The data that the pairs trained on, and their iters."""
    metric: Metric = VAL_LOSS
    study: str = ""
    timed: str = ""
    """The measurement of the seconds, in words."""

    @property
    def conditions(self) -> str:
        """The conditions of the measurement: ``2,000 iters on shakespeare``."""
        return f"{self.iters:,} iters on {self.data}" if self.iters and self.data else self.data


@dataclass(frozen=True)
class DesignChances:
    """A design of ``first`` to ``most`` pairs (one number where they are equal): the true
    difference that it finds in 80% of studies, and the chance of each verdict where nothing
    changed, and at the difference that is planned for."""

    first: int
    most: int
    sees: float
    nothing: VerdictChances
    planned_for: VerdictChances

    @property
    def seeds(self) -> str:
        """The design as it is typed after --seeds."""
        return f"{self.first}" if self.first == self.most else f"{self.first}..{self.most}"


@dataclass(frozen=True)
class Advice:
    """The designs for a difference of ``effect``, which is also their δ, and the number of pairs
    that would find it in 80% of studies."""

    effect: float
    spread: Spread
    needed: SeedsNeeded
    designs: tuple[DesignChances, ...]

    @property
    def cheapest(self) -> DesignChances | None:
        """The design with the fewest pairs on average of those that find the difference in 80% of
        studies; None if there is none."""
        able = [design for design in self.designs if design.planned_for.claim >= intervals.POWER]
        return min(able, key=lambda design: design.planned_for.mean_pairs, default=None)

    @property
    def seeds(self) -> str:
        """The value of --seeds that finds the difference: the cheapest design's, else the fixed
        number of pairs."""
        return f"{self.needed.mid}" if self.cheapest is None else self.cheapest.seeds


def own_spread(
    store: Store, variant: str, preset: str | None, newest_first: Iterable[Study]
) -> Spread | None:
    """The spread of the newest study of ``variant`` with three pairs or more that differ, whose
    comparison was computed; None without one."""
    for study in newest_first:
        if study.variant.removesuffix("*") != variant or preset not in (None, study.trainer.preset):
            continue
        comparison = comparison_cache.cached_comparison(store, study.id)
        if (
            comparison is None
            or len(comparison.analysis.pairs) < intervals.MIN_FOR_VERDICT
            or not comparison.analysis.paired
            or comparison.diverged
        ):
            continue
        times = [arm.costs.get("wall_s") for arm in comparison.arms.values()]
        pairs = len(comparison.analysis.pairs)
        at_once = min(study.trainer.jobs, 2 * pairs)
        was_timed_here = not study.trainer.launcher and all(times)
        seconds = sum(time for time in times if time) / at_once if was_timed_here else None
        size = f"{study.trainer.preset}, {study.max_iters:,} iters on " if study.max_iters else ""
        setting = f"{size}{study.data.name}"
        source = f"{study.id} ({setting})" if setting else study.id
        return Spread(
            statistics.stdev(comparison.analysis.pairs.values()),
            pairs,
            source,
            seconds,
            study.max_iters,
            study.data.name,
            comparison.metric,
            study.id,
            f"as in {study.id}",
        )
    return None


def shipped_spread(folder: Path, variant: str, preset: str, data: str = "") -> Spread | None:
    """The spread that the week's results file gives for a preset and a variant, if there is one:
    one of enough pairs before others, then one on ``data``. The file says shakespeare where a
    study has tinyshakespeare."""
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
    row = min(
        rows, key=lambda row: (row["pairs"] < intervals.SPREAD_PAIRS, row["data"] not in data)
    )
    iters = presets.PRESETS[preset]["max_iters"] if preset in presets.PRESETS else None
    spread = Spread(float(row["pair_sd"]), int(row["pairs"]), "", None, iters, str(row["data"]))
    return replace(
        spread, source=f"the figures that ship with q1lab ({preset}, {spread.conditions})"
    )


def known_spread(
    store: Store, variant: str, preset: str | None, newest_first: Iterable[Study], data: str = ""
) -> Spread | None:
    """The spread of the learner's own runs (at any preset where none is given), else the one that
    ships."""
    measured = own_spread(store, variant, preset, newest_first)
    usual = preset or presets.default_preset("cpu")
    return measured or shipped_spread(paths.content_dir(), variant, usual, data)


def spread_for(store: Store, study: Study, newest_first: Iterable[Study]) -> Spread | None:
    """The spread for a study being planned: of studies that train with the same program, or the
    one that ships for q1lab's own loop. An arm of a command may have any name."""
    name, program = study.variant.removesuffix("*"), _program(study)
    alike = (other for other in newest_first if _program(other) == program)
    if study.trainer.kind == COMMAND:
        return own_spread(store, name, study.trainer.preset, alike)
    return known_spread(store, name, study.trainer.preset, alike, study.data.name)


def _program(study: Study) -> tuple[object, ...]:
    return study.trainer.loop.run, study.trainer.loop.folder, study.metric


def detectable_sentence(study: Study, spread: Spread) -> str:
    """The smallest difference that a planned study can see with its last pair, in a
    sentence; empty below three pairs."""
    pairs = len(study.seeds)
    if pairs < intervals.MIN_FOR_VERDICT:
        return ""
    alpha = study.design.level or intervals.ALPHA
    smallest = (
        intervals.detectable_in_sd(pairs, pairs, "paired", alpha, spread.pairs - 1) * spread.sd
    )
    return (
        f"with {pairs} pairs, a true difference of about {smallest:.2g}{study.metric.suffix} is "
        f"found in four studies out of five, if pairs spread like {spread.source}"
        f"{_other_setting(study, spread)}"
    )


LITTLE = 0.5
"""Share of studies that find δ; a study being planned is told when its design finds it less
often."""


def sees_little_sentence(study: Study, spread: Spread, delta: float, may_spend: float) -> str:
    """The chance that a study being planned finds a difference of ``delta``, and the design that
    could, in a sentence; empty where it finds that in half of all studies or more. ``may_spend`` is
    the chance of a false claim that it may have."""
    first, most = study.design.pairs
    if first < intervals.MIN_FOR_VERDICT:
        return ""
    planned = _chances(first, most, delta, spread, may_spend).planned_for.claim
    if planned >= LITTLE:
        return ""
    difference = f"a difference of {delta:g}{study.metric.suffix} (δ)"
    text = f"{first} pairs" if first == most else f"{first} to {most} pairs"
    text = f"{text} would find {difference} in {100 * planned:.0f} of 100 studies"
    better = advise(delta, spread, may_spend).cheapest
    if better is None:
        text += f", and no planned range finds it in {100 * intervals.POWER:.0f}"
    else:
        chances = better.planned_for
        text += (
            f"; `--seeds {better.seeds}` would in {100 * chances.claim:.0f}, with "
            f"{2 * chances.mean_pairs:.0f} runs on average"
        )
    return f"{text}, if pairs spread like {spread.source}{_other_setting(study, spread)}"


def _other_setting(study: Study, spread: Spread) -> str:
    if spread.iters == study.max_iters and spread.data in study.data.name:
        return ""
    setting = f"{study.max_iters:,} iters on {study.data.name}"
    return f"; this study is for {setting}, where the spread may differ"


USUAL_DESIGNS = ((3, 3), (8, 8), (3, 8))
"""The designs that are always shown: (fewest pairs, most pairs)."""


def advise(effect: float, spread: Spread, may_spend: float = intervals.ALPHA) -> Advice:
    """The usual designs for a difference of ``effect``, and a longer range where none of them finds
    it. Problem if the effect is 0."""
    return with_longer_range(advise_usual(effect, spread, may_spend))


def advise_usual(effect: float, spread: Spread, may_spend: float) -> Advice:
    """The usual designs for a difference of ``effect``. Problem if the effect is 0."""
    if not (math.isfinite(effect) and effect > 0):
        raise Problem(f"--detect {effect:g}: ", next="give a difference above 0")
    needed = intervals.seeds_needed(
        effect, spread.sd, headline="paired", alpha=may_spend, df=spread.pairs - 1
    )
    designs = (_chances(*pairs, effect, spread, may_spend) for pairs in USUAL_DESIGNS)
    return Advice(effect, spread, needed, tuple(designs))


def with_longer_range(advice: Advice) -> Advice:
    """If no design finds the difference in 80% of studies, one more: the shortest range that does,
    if there is one. It has a quarter more pairs than the fixed number would take, since its looks
    cost some power."""
    if advice.cheapest is not None:
        return advice
    needed, first = advice.needed, interim_analyses.FIRST_LEAST
    least = max(math.ceil(1.25 * needed.mid), USUAL_DESIGNS[-1][1] + 1)
    for most in range(least, interim_analyses.MOST_PAIRS + 1):
        longer = _chances(first, most, advice.effect, advice.spread, needed.alpha)
        if longer.planned_for.claim >= intervals.POWER:
            return replace(advice, designs=(*advice.designs, longer))
    return advice


def _chances(
    first: int, most: int, effect: float, spread: Spread, may_spend: float
) -> DesignChances:
    alpha, df = may_spend, spread.pairs - 1
    if first == most:
        sees = intervals.detectable_in_sd(first, first, "paired", alpha, df)
    else:
        alpha = interim_analyses.level_per_look(first, most, may_spend)
        sees = interim_analyses.planned_detectable(first, most, alpha, df)
    planned = effect / spread.sd
    nothing, planned_for = (
        interim_analyses.verdict_chances(first, most, alpha, true, planned, df)
        for true in (0.0, planned)
    )
    return DesignChances(first, most, sees * spread.sd, nothing, planned_for)


# ── in words


def chances_lines(advice: Advice, designs: Iterable[DesignChances]) -> Iterator[str]:
    """Each design in four lines: its pairs and runs; how many of 100 studies end with each verdict
    if the difference is the one that is planned for, and if there is none; and the difference that
    80 of 100 find."""
    unit = advice.spread.metric.suffix
    for design in designs:
        runs = f"{2 * design.most} runs"
        if design.first < design.most:
            runs = f"at most {runs}, {2 * design.nothing.mean_pairs:.0f} on average"
        yield ""
        yield f"{design.seeds} pairs, {runs}"
        yield (
            f"  If the true difference is {advice.effect:g}{unit}, of 100 such studies "
            f"{_verdicts(design.planned_for)}."
        )
        yield f"  If there is none, {_verdicts(design.nothing)}."
        yield f"  80 of 100 find a true difference of {design.sees:.2g}{unit}."


def _verdicts(chances: VerdictChances) -> str:
    claim, small, unknown = (
        f"{100 * share:.0f}" for share in (chances.claim, chances.too_small, chances.cannot_tell)
    )
    return f"{claim} say HELPS or HURTS, {small} TOO SMALL TO MATTER, {unknown} CANNOT TELL"


def time_sentence(advice: Advice) -> str:
    """The time that each design takes at most on this machine; empty where that is unknown."""
    seconds = advice.spread.seconds
    if seconds is None:
        return ""
    times = {design.most: duration(design.most * seconds) for design in advice.designs}
    each = ", ".join(f"{time} for {pairs} pairs" for pairs, time in sorted(times.items()))
    return f"Time on this machine, {advice.spread.timed}: {each}."


def needed_sentence(advice: Advice) -> str:
    """The fixed number of pairs that finds the difference, in a sentence."""
    needed, spread = advice.needed, advice.spread
    most = f"{needed.high:,} or more" if needed.capped else f"{needed.high:,}"
    return (
        f"To find {advice.effect:g}{spread.metric.suffix} in 80 of 100 studies takes about "
        f"{needed.mid:,} pairs ({needed.low:,} to {most}, as the spread is known only roughly)."
    )


def spread_sentence(spread: Spread) -> str:
    """The spread that the chances rest on, in a sentence."""
    return (
        f"The spread (sd) is {spread.sd:.2g}{spread.metric.suffix}, from {spread.pairs} pairs: "
        f"{spread.source}. So few pairs show it only roughly; the figures below count that in."
    )
