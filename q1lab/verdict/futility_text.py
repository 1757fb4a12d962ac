"""A stop for futility in words: what it saved, and the command that goes to the end all the same.

Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from q1lab.ground.text_formats import duration, plural
from q1lab.statistics.futility import LEAST_CHANCE
from q1lab.study import command_line

if TYPE_CHECKING:
    from q1lab.verdict.comparison import Comparison


def stopped_for_futility(c: Comparison) -> bool:
    """True if a planned range is over because little was left to find."""
    values = [c.analysis.pairs[seed] for seed in c.study.seeds if seed in c.analysis.pairs]
    return c.analysis.reason is None and c.study.design.stopped_for_futility(
        values, c.study.smallest_that_matters
    )


def futility_line(c: Comparison) -> str:
    """The line of the short form: the pairs that were saved, and the command that trains them; a
    series has one that is longer than a line."""
    if c.study.origin.series is not None:
        return f"Stopped, {_pairs_saved(c)} saved. --full has the command that goes to its end."
    return f"Stopped, {_pairs_saved(c)} saved. To its end: `{_full_range_command(c)}`"


def futility_sentence(c: Comparison, *, published: bool = False) -> str:
    """The reason that a range stopped early without a claim, and, unless ``published``, the way to
    its end; empty where it did not."""
    if not stopped_for_futility(c):
        return ""
    seconds = [arm.costs.get("wall_s") for arm in c.arms.values()]
    saved = c.study.design.pairs[1] - c.analysis.n
    time = f", about {duration(saved * sum(s for s in seconds if s))}" if all(seconds) else ""
    text = (
        f"It stopped after {c.analysis.n} pairs, since the chance that any later look would claim "
        f"something had fallen below {LEAST_CHANCE:.0%}. That saved {_pairs_saved(c)}{time}."
    )
    if published or not c.study.origin.is_ours:
        return text
    return f"{text} To train them all the same, at the same levels: `{_full_range_command(c)}`."


def _pairs_saved(c: Comparison) -> str:
    return plural(c.study.design.pairs[1] - c.analysis.n, "pair")


def _full_range_command(c: Comparison) -> str:
    """The command that overrules a stop for futility."""
    whole = replace(c.study, design=c.study.design.going_to_the_end())
    if c.study.origin.series is not None:  # its members go on together
        return command_line.resume_command(whole)
    return f"q1lab run {c.study.id} --seeds {whole.design.typed()}"
