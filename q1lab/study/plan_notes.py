"""Notes on a study before it trains, a sentence each. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from q1lab.ground.text_formats import passes_text, plural, printable
from q1lab.judgment.difference_text import percent_level
from q1lab.judgment.intervals import MIN_FOR_VERDICT
from q1lab.judgment.subject import Share, run_label

SAME_CODE = "both arms run the same code, so their difference will be luck alone"

LOOK_RULE = (
    "A study counts as a look once all of its planned runs have ended; what was refused or "
    "interrupted, and what never trained, costs nothing."
)
"""The rule by which a study counts as a look; the docs say it in the same words."""

MANY_PASSES = 3
"""From here on a small model begins to learn its text by heart."""


def many_passes_note(many: float | None) -> str:
    """A warning before runs that read their text often; empty for other runs."""
    if many is None or many <= MANY_PASSES:
        return ""
    return (
        f"a run reads its text in {passes_text(many)}; in more than {MANY_PASSES} a model can "
        "learn it by heart, so look at where the val loss is lowest"
    )


def sweep_note(share: Share) -> str:
    """The share of 5% that each study of a sweep may spend."""
    return (
        f"{share.many} studies are declared together ({printable(share.id)}) and share one 5% "
        f"error rate: each has a {percent_level(share.alpha)} interval"
    )


def drawn_seeds_note(seeds: Sequence[int]) -> str:
    """The origin of seeds that q1lab drew."""
    return f"no run has used these seeds, which a hash of the question drew: {run_label(*seeds)}"


def range_note(pairs: tuple[int, int], level: float) -> str:
    """The meaning of a planned range."""
    first, most = pairs
    return (
        f"{first} to {most} pairs, over as soon as the answer is known: the {most - first + 1} "
        f"planned looks share one error rate, so each has a {percent_level(level)} interval"
    )


def later_look_note(looks: int, level: float) -> str:
    """The notice before another look at a question."""
    return (
        f"this question was looked at {'once' if looks == 1 else f'{looks} times'} before, so this "
        f"look is judged by a {percent_level(level)} interval. {LOOK_RULE}"
    )


def not_yet_note(planned: int) -> str:
    """The reason that there is no verdict while planned pairs have not ended."""
    return (
        f"There is no verdict before all {planned} planned pairs: stopping as soon as the result "
        "looks good makes false verdicts more frequent."
    )


def too_few_note(pairs: int) -> str:
    """The reason that too few pairs give no verdict."""
    return (
        f"{plural(pairs, 'pair')} can't show how much seeds differ; a verdict takes at least "
        f"{MIN_FOR_VERDICT}."
    )
