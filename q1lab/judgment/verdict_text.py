"""The verdict of a comparison in sentences: the result, or the reason that there is none, and what
would settle it.

Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

from q1lab.judgment.difference_text import (
    interval_text,
    is_near_the_edge,
    level_text,
    number_writer,
    percent_level,
    percent_text,
    seed_list,
    size_range_text,
)
from q1lab.judgment.intervals import sd_interval
from q1lab.judgment.label_text import (
    names_in_text,
    sample_text,
)
from q1lab.judgment.level_text import found_in_four_of_five
from q1lab.judgment.settling import is_left_open, pairs_to_settle, pairs_word, takes_text

if TYPE_CHECKING:
    from q1lab.judgment.intervals import SeedsNeeded
    from q1lab.judgment.records import Judgment


def verdict_sentence(c: Judgment, *, published: bool = False) -> str:
    """The verdict in one or two sentences that can be quoted on their own; the reason, if there is
    no verdict. ``published``: without advice to the learner."""
    analysis = c.analysis
    base, modified = names_in_text(c)
    if c.instead is not None:
        return c.instead.sentence(published=published)
    assert analysis.ends is not None
    if analysis.verdict in ("helps", "hurts"):
        lower = "lower" if analysis.ends.high < 0 else "higher"
        where = c.subject.description.within
        return (
            f"{where[0].upper()}{where[1:]} {modified} ends with a {lower} {c.metric.name} than "
            f"{base}, by {size_range_text(analysis)}{c.metric.suffix} "
            f"({level_text(analysis)} interval)."
        )
    if analysis.verdict == "too small to matter" and analysis.delta is not None:
        return (
            f"Whatever the difference is, it is small: the {level_text(analysis)} interval lies "
            f"within ±{analysis.delta:g}{c.metric.suffix}, declared before the runs as the "
            "smallest difference that matters."
        )
    return (
        f"These runs can't tell {modified} and {base} apart: the {level_text(analysis)} interval "
        f"goes from {interval_text(analysis)}{c.metric.suffix}, so the true {c.metric.name} of "
        f"{modified} may be lower, equal or higher. That is not the same as no effect."
    )


def power_sentence(c: Judgment, *, published: bool = False) -> str:
    """The difference that these seeds could have seen, and the number that would settle it;
    empty if unknown. ``published``: without advice to the learner."""
    analysis = c.analysis
    if analysis.detectable is None:
        return ""
    text = (
        f"With {'this plan' if c.subject.plan.is_sequential else sample_text(c)}, "
        f"{found_in_four_of_five(c).replace('A true', 'a true')}"
    )
    if analysis.verdict in ("helps", "hurts") and is_near_the_edge(analysis) and c.overstated:
        text += f" {_overstated_sentence(c.overstated[0])}"
    if (needed := pairs_to_settle(c)) is not None:
        return f"{text} {settling_sentence(c)} {_roughly_sentence(c, needed)}"
    if published or analysis.seeds_needed is not None or not is_left_open(c):
        return text
    return (
        f"{text} How many {pairs_word(c)} would settle it depends on the smallest difference that "
        "matters to you: `q1lab plan` works it out for the one that you name."
    )


def settling_sentence(c: Judgment) -> str:
    """The number of pairs that would find a difference as small as δ in four studies out of five;
    empty where none is known."""
    needed = pairs_to_settle(c)
    if needed is None:
        return ""
    return (
        f"To find a difference of {needed.effect:g}{c.metric.suffix} in four studies out of five "
        f"{takes_text(c, needed)} at a {percent_level(needed.alpha)} level, on average over what "
        f"their true spread may be ({needed.low:,} to {needed.high:,}"
        f"{' or more' if needed.capped else ''})."
    )


def _roughly_sentence(c: Judgment, needed: SeedsNeeded) -> str:
    """The reason for the level that a number of pairs is for; of pairs also what the numbers
    average over, and why they are more than the measured spread alone would give."""
    level = (
        "A further look at this question may err half as often as this one: hence "
        f"{percent_level(needed.alpha)}."
    )
    if c.analysis.headline != "paired":
        return level
    sd, size = statistics.stdev(c.analysis.pairs.values()), number_writer(c.analysis).size
    low, high = sd_interval(sd, c.analysis.n - 1)
    return (
        f"The sd of these pairs is {size(sd)}{c.metric.suffix}; the true one may be {size(low)} to "
        f"{size(high)} (95% interval). The difference and the {needed.mid:,} pairs average over "
        f"such values, so they are larger than {size(sd)} alone would give; the range in brackets "
        f"is for the two ends. {level}"
    )


def _overstated_sentence(factor: float) -> str:
    """The exaggeration of a claim where the true difference is one sd of a pair's difference."""
    return (
        "Small studies that find something exaggerate it: here by "
        f"{percent_text(factor - 1)} on average if the true difference is as large as the spread "
        "(sd) of the pairs."
    )


def drawn_seeds_note(seeds: Sequence[int]) -> str:
    """The origin of seeds that q1lab drew."""
    return f"no run has used these seeds, which a hash of the question drew: {seed_list(seeds)}"
