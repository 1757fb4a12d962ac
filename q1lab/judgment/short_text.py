"""The short form of a comparison: six lines at most, each a sentence or a command.

It has the verdict, the size of the difference, how sure that is, the one caveat that matters most
here, the command that would settle it, and the command that prints the rest. Every number in it is
written by the functions that write the full form. Pure.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from q1lab.ground.text_formats import MINUS, cut_cells, printable
from q1lab.judgment import level_text
from q1lab.judgment.blocks import Block, HeadlineBlock, Sentence
from q1lab.judgment.difference_text import (
    interval_text,
    is_near_the_edge,
    mean_text,
    percent_level,
    size_range_text,
)
from q1lab.judgment.intervals import MAX_SEEDS, UNDECIDED
from q1lab.judgment.label_text import arm_names, brief_names, sample_text, verdict_word
from q1lab.judgment.lines import cells_of
from q1lab.judgment.notes import Outlier, heaviest
from q1lab.judgment.settling import pairs_to_settle, takes_text

if TYPE_CHECKING:
    from q1lab.judgment.records import Judgment


def short_blocks(c: Judgment) -> tuple[Block, ...]:
    """The short form, six lines at most: the headline, what decides, and where the rest is."""
    lines = (*short_sentences(c), rest_line(c))
    return (headline_block(c), *(Sentence("short", text) for text in lines))


def headline_block(c: Judgment) -> HeadlineBlock:
    """The verdict, and what it is of."""
    return HeadlineBlock(
        verdict_word(c),
        c.analysis.verdict,
        arm_names(c),
        "" if c.analysis.mean is None else mean_text(c.analysis) + c.metric.suffix,
        sample_text(c),
        c.metric.direction,
    )


def short_sentences(c: Judgment) -> tuple[str, ...]:
    """The lines below the headline: four at most, and fewer where names make one longer than a
    line."""
    size, (why, total), caveat, settling = (
        size_line(c),
        _confidence_lines(c),
        caveat_line(c),
        settling_line(c),
    )
    sentences = [line for line in (size, why, total, caveat, settling) if line]
    # the scope goes first; what is unknown of other runs stays
    first = ("" if heaviest(c.notes) else caveat, "" if c.subject.limit else settling)
    for line in (*first, total, why):
        if _rows(_headline_text(c), *sentences, rest_line(c)) > MOST_ROWS and line in sentences:
            sentences.remove(line)
    return tuple(sentences)


MOST_ROWS = 6


def _rows(*texts: str) -> int:
    """The rows that sentences take at 80 columns."""
    return sum(-(-cells_of(text) // level_text.LINE) for text in texts)


def _headline_text(c: Judgment) -> str:
    block = headline_block(c)
    base, modified = brief_names(block.names)
    difference = f" = {block.mean} ({block.better}; {block.seeds})" if block.mean else ""
    return f"{block.word}   {modified} {MINUS} {base}{difference}"


def _confidence_lines(c: Judgment) -> tuple[str, str]:
    """The looks at the question, or the error rate of this one, and what all questions add up
    to."""
    if c.instead is not None:
        return c.instead.confidence, ""
    looks, total = level_text.looks_line(c), level_text.sum_line(c)
    why = looks or ("" if c.subject.plan.is_sequential else level_text.level_reason(c))
    return (why or total or confidence_line(c), total if why else "")


SHORT_NAME = 12
"""The most columns of a name in the line of the size; the headline shows longer names."""


def size_line(c: Judgment) -> str:
    """The size of the difference with its interval; the reason, where there is no verdict."""
    analysis = c.analysis
    if c.instead is not None:
        return c.instead.short
    assert analysis.ends is not None
    modified = brief_names(arm_names(c))[1]
    unit = c.metric.suffix
    measured = f"({percent_level(analysis.alpha)} interval)"
    if analysis.verdict in ("helps", "hurts"):
        side = "below" if analysis.ends.high < 0 else "above"
        ends = f"{size_range_text(analysis)}{unit}"
        subject = modified if modified == cut_cells(modified, SHORT_NAME) else "It"
        return f"{subject} ends {ends} {side} the baseline {measured}."
    if analysis.verdict == "too small to matter" and analysis.delta is not None:
        limit = f"±{analysis.delta:g}{unit}"
        return f"The difference lies within {limit}: {interval_text(analysis)} {measured}."
    return f"The true difference may be {interval_text(analysis)}{unit} {measured}."


def confidence_line(c: Judgment) -> str:
    """The error rate of a verdict; for a study that can't tell, the difference that it would have
    found."""
    if c.instead is not None:
        return c.instead.confidence
    return level_text.error_rate_line(c) or level_text.found_in_four_of_five(c)


def caveat_line(c: Judgment) -> str:
    """The caveat that matters most here: that of the weightiest note, else the scope."""
    if c.instead is not None:
        return c.instead.caveat
    if (note := heaviest(c.notes)) is not None:
        return note.short(c)
    if c.analysis.verdict in ("helps", "hurts") and is_near_the_edge(c.analysis):
        return "This is close to 0, and small studies exaggerate what they find."
    if c.analysis.verdict == "cannot tell" and level_text.level_reason(c):
        return level_text.found_in_four_of_five(c)
    if c.analysis.verdict == "cannot tell":
        return "That is not the same as no effect."
    iters = c.subject.settings.get("max_iters")
    data = cut_cells(printable(c.subject.data_name), DATA_NAME)
    budget = f"after {iters:,} iters on {data}" if iters else ""
    return f"This holds {budget or c.subject.description.within}; elsewhere it may differ."


DATA_NAME = 24
"""Columns of the data's name in a caveat."""


def settling_line(c: Judgment) -> str:
    """The command that would settle the question; empty where it is settled. For runs that were
    trained elsewhere, the reason that nothing here can settle it."""
    if c.subject.limit:
        return c.subject.limit
    if c.instead is not None:
        return c.instead.command
    return _more_pairs_line(c) if c.analysis.verdict in UNDECIDED else ""


def _more_pairs_line(c: Judgment) -> str:
    if any(isinstance(note, Outlier) for note in c.notes):
        return ""  # the outlier's runs have to be examined first
    if (needed := pairs_to_settle(c)) is not None:
        text = f"To settle {needed.effect:g}{c.metric.suffix} {takes_text(c, needed)}"
        if needed.mid >= MAX_SEEDS:
            return f"{text}."
        return f"{text}: `{c.subject.run_command} --seeds {needed.mid}`"
    if not c.subject.are_model_files or c.analysis.detectable is None:
        return ""
    smaller = float(f"{c.analysis.detectable / 2:.1g}")
    command = shlex.join(("q1lab", "plan", c.subject.names[1], "--detect", f"{smaller:g}"))
    return f"To find a smaller difference: `{command}`"


def rest_line(c: Judgment) -> str:
    """The command that prints the full form; for numbers that were not kept, the option."""
    if not c.subject.id:
        return "Everything else: the same command with --full"
    return f"Everything else: `q1lab compare {c.subject.id} --full`"
