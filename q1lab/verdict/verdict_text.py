"""The verdict of a comparison in sentences: the result, or the reason that there is none, and what
would settle it.

Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from q1lab.ground.text_formats import duration, plural
from q1lab.statistics import interim_analyses
from q1lab.statistics.intervals import ALPHA_LATER, MIN_FOR_VERDICT, Reason
from q1lab.study.studies import ARMS
from q1lab.verdict.difference_text import (
    interval_text,
    level_text,
    number_writer,
    percent_level,
    percent_text,
    seed_list,
)
from q1lab.verdict.label_text import (
    _short_name,
    arm_names,
    is_experiment,
    left_out_text,
    sample_text,
)

if TYPE_CHECKING:
    from q1lab.verdict.comparison import Comparison


def verdict_sentence(c: Comparison) -> str:
    """The verdict in one or two sentences that can be quoted on their own; why there is none, when
    there is none."""
    analysis = c.analysis
    base, modified = arm_names(c)
    number = number_writer(analysis)
    if analysis.reason is not None or analysis.ends is None:
        return no_verdict_reason(c)
    if c.study.is_floor:
        return f"{self_comparison_sentence(base)} {_self_comparison_outcome(c)}"
    if analysis.verdict in ("helps", "hurts"):
        small, large = sorted((abs(analysis.ends.low), abs(analysis.ends.high)))
        lower = "lower" if analysis.ends.high < 0 else "higher"
        where = validity_text(c)
        return (
            f"{where[0].upper()}{where[1:]} {modified} ends with a {lower} {c.metric.name} than "
            f"{base}, by {number.size(small)} to {number.size(large)}{c.metric.suffix} "
            f"({level_text(analysis)} interval)."
        )
    if analysis.verdict == "too small to matter" and analysis.delta is not None:
        return (
            f"Whatever the difference is, it is small: the {level_text(analysis)} interval lies "
            f"within ±{analysis.delta:g}{c.metric.suffix}, the smallest difference said to matter "
            "before the runs."
        )
    return (
        f"These runs can't tell {modified} and {base} apart: the {level_text(analysis)} interval "
        f"goes from {interval_text(analysis)}{c.metric.suffix} and contains 0, so a lower, an "
        f"equal and a higher {c.metric.name} all fit. That is not the same as no effect."
    )


def validity_text(c: Comparison) -> str:
    """The conditions under which the verdict holds."""
    return c.study.description.within


def self_comparison_sentence(name: str) -> str:
    """The explanation of a study of a file against itself."""
    return (
        f"Both arms are {_short_name(name, 'baseline')}, and no two runs share a seed: nothing was "
        "changed, so nothing is claimed about a modification."
    )


def _self_comparison_outcome(c: Comparison) -> str:
    """The result of a study of a file against itself."""
    analysis = c.analysis
    if analysis.ends is not None and analysis.ends.excludes_zero():
        return (
            f"All the same the {level_text(analysis)} interval, "
            f"{interval_text(analysis)}{c.metric.suffix}, excludes 0: a false "
            f"{analysis.verdict.upper()}, as it is expected in "
            f"{percent_text(1 - analysis.level)} of such intervals."
        )
    return (
        f"As it should, the {level_text(analysis)} interval contains 0: "
        f"{interval_text(analysis)}{c.metric.suffix}. So far apart are means of such runs by their "
        "seeds alone."
    )


def no_verdict_reason(c: Comparison) -> str:
    """The reason that there is no verdict."""
    analysis = c.analysis
    if analysis.reason is Reason.GATED:
        return (
            "A gate judges this proposal, by the share of its budget that a look may spend. What "
            "it decided is in its own answer, and no second verdict is told here."
        )
    if analysis.reason is Reason.DIVERGED:
        arms = dict(zip(ARMS, arm_names(c), strict=True))
        which = "; ".join(
            f"{arms[arm]}, {seed_list(lost)}" for arm, lost in analysis.diverged.items() if lost
        )
        total = sum(len(arm.values) for arm in c.arms.values())
        return (
            f"{c.lost} of {plural(max(total, c.lost), 'run')} diverged ({which}). A mean over the "
            "others would be choosing the data, so there is none, and no verdict. Divergence is "
            "itself a result: report it."
        )
    if analysis.reason is Reason.CHOSEN:
        return (
            "These seeds were named when results of runs at them could be known, and others were "
            f"left out: {left_out_text(c)}. Picked seeds show a difference by chance, so there is "
            "no verdict. Compare all of them, the first ones, or new ones: --seeds fresh:"
            f"{max(len(c.study.seeds), MIN_FOR_VERDICT)} draws some."
        )
    if analysis.reason is Reason.INCOMPLETE and c.study.design.is_sequential:
        first, most = c.study.design.pairs
        return (
            f"After {plural(analysis.n, 'pair')} of {first} to {most} it is not known yet, so "
            "there is no verdict. The study goes on."
        )
    if analysis.reason is Reason.INCOMPLETE:
        return not_yet_sentence()
    if is_experiment(c):
        return (
            "One pair shows how two curves go, not what another seed would do: it is an "
            f"experiment and no question yet. A verdict needs at least {MIN_FOR_VERDICT} pairs."
        )
    if analysis.reason is Reason.EQUAL:
        base, modified = arm_names(c)
        return (
            f"{modified} and {base} ended with the same {c.metric.name} at each of "
            f"{plural(len(analysis.pairs), 'seed')}, to the last bit: either what differs between "
            "them does nothing, or the metric is too coarse to show it. There is no verdict; check "
            "that the change reaches the run."
        )
    if analysis.reason is Reason.TOO_FEW:
        return too_few_sentence(analysis.n, "pair" if analysis.headline == "paired" else "seed")
    if analysis.headline == "paired":
        cause = "Every pair differs by exactly the same"
    else:
        cause = "Neither arm varies between its seeds"
    return (
        f"{cause}. Without a spread there is no interval and no verdict: check that the seed "
        "reaches the run."
    )


def not_yet_sentence(planned: int | None = None) -> str:
    """The reason that there is no verdict while planned runs have not ended."""
    when = "all planned runs have ended" if planned is None else f"all {planned} planned pairs"
    return (
        f"No verdict before {when}: looking early, and stopping when it looks good, "
        "makes false verdicts more frequent."
    )


def too_few_sentence(n: int, thing: str = "pair") -> str:
    """The reason that so few pairs (or seeds per arm) give no verdict."""
    many = plural(n, thing) + ("" if thing == "pair" else " per arm")
    says = "says" if n == 1 else "say"
    return (
        f"{many} {says} too little about the spread between seeds; "
        f"a verdict needs at least {MIN_FOR_VERDICT}."
    )


def power_sentence(c: Comparison) -> str:
    """The difference that these seeds could have seen, and the number that would settle it;
    empty if unknown."""
    analysis = c.analysis
    if analysis.detectable is None:
        return ""
    number = number_writer(analysis)
    sequential = c.study.design.is_sequential
    text = f"{planned_range_sentence(c)} " if sequential else ""
    who = "Such a plan sees" if sequential else f"{sample_text(c)} see"
    smallest = f"{number.size(analysis.detectable)}{c.metric.suffix}"
    text += (
        f"{who} a true difference of roughly {smallest} or more "
        "(in 80% of studies, if their spread is as measured)."
    )
    needed = analysis.seeds_needed
    if analysis.verdict in ("helps", "hurts") and analysis.overstated is not None:
        at_one_sd, at_half_sd = analysis.overstated
        text += (
            f" A claim overstates: {at_one_sd:.1f} times on average where the truth is one sd of a "
            f"pair's difference, {at_half_sd:.1f} times where it is half of that."
        )
    settled = analysis.verdict not in ("cannot tell", "no verdict")
    if settled or not analysis.complete or sequential:
        return text
    thing = "pairs" if analysis.headline == "paired" else "seeds per arm"
    if needed is None:
        return (
            f"{text} How many would settle it depends on the smallest difference that matters: "
            "`q1lab plan` says it for one that you name."
        )
    aim = number.size(needed.effect)
    if needed.capped and needed.mid == needed.high:
        return f"{text} To settle {aim}{c.metric.suffix} would take {needed.mid:,} {thing} or more."
    most = f"{needed.high:,} or more" if needed.capped else f"{needed.high:,}"
    text += (
        f" To settle a difference of {aim}{c.metric.suffix} takes about {needed.mid:,} {thing} "
        f"({needed.low:,} to {most}: {analysis.n} {thing} know their own spread only roughly)"
    )
    extra = needed.mid - analysis.n
    seconds = [arm.costs.get("wall_s") for arm in c.arms.values()]
    if extra > 0:
        text += f", which is {extra:,} more"
        if all(seconds):
            text += f", about {duration(extra * sum(s for s in seconds if s))} of training"
    text += "."
    if analysis.verdict == "cannot tell":
        later = percent_level(ALPHA_LATER)
        text += (
            f" Seeds added now are judged by a {later} interval, since the result has been seen."
        )
    return text


def planned_range_sentence(c: Comparison) -> str:
    """The declaration of a planned range; empty for a fixed number of pairs."""
    if not c.study.design.is_sequential:
        return ""
    return planned_seeds_sentence(*c.study.design.pairs, c.analysis.alpha)


def planned_seeds_sentence(first: int, most: int, alpha: float) -> str:
    """The meaning of a planned range, before the first run and after the last."""
    spent = percent_text(
        interim_analyses.chance_of_any_claim([(n, alpha) for n in range(first, most + 1)])
    )
    return (
        f"Planned: {first} to {most} pairs, stopping when known. Each look is a "
        f"{percent_level(alpha)} interval; over all {most - first + 1} looks {spent} of null "
        "studies make a claim."
    )


def drawn_seeds_note(seeds: Sequence[int]) -> str:
    """The origin of seeds that q1lab drew."""
    return f"no run has used these seeds; a hash of the question drew them: {seed_list(seeds)}"


def later_look_note() -> str:
    """The notice before another look at a question that was asked without a planned range."""
    return (
        "this question was asked before (a study that has begun counts as a look), so the next "
        f"look is judged by a {percent_level(ALPHA_LATER)} interval"
    )
