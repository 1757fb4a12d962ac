"""The short form of a comparison: six lines at most, each a sentence or a command.

It has the verdict, the size of the difference, how sure that is, the one caveat that matters most
here, the command that would settle it, and the command that prints the rest. Every number in it is
written by the functions that write the full form. Pure.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from q1lab.ground.files import printable
from q1lab.ground.text_formats import cut_cells, plural
from q1lab.judgment import level_text, verdict_text
from q1lab.judgment.difference_text import (
    interval_text,
    is_near_the_edge,
    number_writer,
    percent_level,
    percent_text,
    size_range_text,
)
from q1lab.judgment.futility_text import futility_line, stopped_for_futility
from q1lab.judgment.intervals import (
    MAX_SEEDS,
    MIN_FOR_VERDICT,
    Reason,
)
from q1lab.judgment.label_text import arm_names, brief_names, sample_text
from q1lab.judgment.notes import Outlier, heaviest
from q1lab.judgment.scope_text import origin_sentence

if TYPE_CHECKING:
    from q1lab.judgment.records import Judgment


def short_sentences(c: Judgment) -> tuple[str, ...]:
    """The lines below the headline, four at most."""
    lines = [size_line(c), *_confidence_lines(c), caveat_line(c), settling_line(c)]
    told = [line for line in lines if line]
    if len(told) > 4 and not heaviest(c.notes):  # the scope goes before what settles it
        told.remove(caveat_line(c))
    return tuple(told[:4])


def _confidence_lines(c: Judgment) -> tuple[str, ...]:
    """The looks at the question, or the error rate of this one, and what all questions add up
    to."""
    if c.analysis.reason is not None or c.analysis.ends is None:
        return ()
    looks, total = level_text.looks_line(c), level_text.sum_line(c)
    why = looks or ("" if c.subject.plan.is_sequential else level_text.level_reason(c))
    return (why or total or confidence_line(c), total if why else "")


SHORT_NAME = 12
"""The most columns of a name in the line of the size; the headline shows longer names."""


def size_line(c: Judgment) -> str:
    """The size of the difference with its interval; the reason, where there is no verdict."""
    analysis = c.analysis
    if analysis.reason is not None or analysis.ends is None:
        return _no_verdict_line(c)
    modified = brief_names(arm_names(c))[1]
    unit = c.metric.suffix
    measured = f"({percent_level(analysis.alpha)} interval)"
    if c.subject.is_floor:
        ends = f"{interval_text(analysis)}{unit} {measured}"
        if analysis.ends.excludes_zero():
            return f"Even so the runs differ by {ends}."
        return f"Seeds alone give {ends}: that is the floor."
    if analysis.verdict in ("helps", "hurts"):
        side = "below" if analysis.ends.high < 0 else "above"
        ends = f"{size_range_text(analysis)}{unit}"
        subject = modified if modified == cut_cells(modified, SHORT_NAME) else "It"
        return f"{subject} ends {ends} {side} the baseline {measured}."
    if analysis.verdict == "too small to matter" and analysis.delta is not None:
        limit = f"±{analysis.delta:g}{unit}"
        return f"The difference lies within {limit}: {interval_text(analysis)} {measured}."
    return f"The true difference may be {interval_text(analysis)}{unit} {measured}."


def _no_verdict_line(c: Judgment) -> str:
    analysis = c.analysis
    match analysis.reason:
        case Reason.GATED:
            return "A gate judges this proposal; its answer is in `q1lab gate`."
        case Reason.DIVERGED:
            total = max(sum(len(arm.values) for arm in c.arms.values()), c.lost)
            return f"{c.lost} of {plural(total, 'run')} diverged. That is a result in itself."
        case Reason.CHANGED:
            return "Its plan is not what was declared before the runs, so they decide nothing."
        case Reason.CHOSEN:
            return "These seeds were picked when results were known, so they decide nothing."
        case Reason.INCOMPLETE:
            first, most = c.subject.plan.pairs
            if c.subject.plan.is_sequential:
                return f"{plural(analysis.n, 'pair')} of {first} to {most}: not decided yet."
            if not c.subject.is_ours:
                return verdict_text.without_number_line(c)
            return "Not all planned runs have ended, and an early look decides nothing."
        case Reason.EQUAL if not c.subject.plan.has_seeds:
            return verdict_text.EQUAL_LISTS
        case Reason.EQUAL:
            pairs = plural(len(analysis.pairs), "pair")
            return (
                f"Both arms of all {pairs} ended with exactly the same "
                f"{cut_cells(c.metric.name, METRIC_NAME)}."
            )
        case Reason.TOO_FEW:
            return (
                f"{sample_text(c)[0].upper()}{sample_text(c)[1:]}: a verdict needs at least "
                f"{MIN_FOR_VERDICT}, to see how much seeds differ."
            )
        case _ if c.analysis.headline == "paired":
            return "Every pair has exactly the same difference, so there is no interval."
        case _:
            return "The runs of each arm do not vary, so there is no interval."


def confidence_line(c: Judgment) -> str:
    """The error rate of a verdict; for a study that can't tell, the difference that it would have
    found."""
    if c.analysis.reason is not None or c.analysis.ends is None:
        return ""
    if c.subject.is_floor:
        return _floor_line(c)
    return level_text.error_rate_line(c) or level_text.found_in_four_of_five(c)


def caveat_line(c: Judgment) -> str:
    """The caveat that matters most here: that of the weightiest note, else the scope."""
    if c.analysis.reason is Reason.INCOMPLETE and not c.subject.is_ours:
        return verdict_text.TRAIN_AGAIN
    if c.analysis.reason is not None and c.analysis.reason is not Reason.EQUAL:
        return ""
    if (note := heaviest(c.notes)) is not None:
        return note.short(c)
    if c.analysis.reason is Reason.EQUAL:
        return "Check that the change reaches the run."
    if c.subject.is_floor:
        return ""
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


def _floor_line(c: Judgment) -> str:
    """The meaning of a model's interval against itself."""
    analysis = c.analysis
    if analysis.ends is not None and analysis.ends.excludes_zero():
        share = percent_text(1 - analysis.level)
        return f"That is a false {analysis.verdict.upper()}, which {share} of such studies give."
    return "The means of equal models may lie that far apart."


DATA_NAME, METRIC_NAME = 24, 24
"""Columns of such a name in a caveat."""


def settling_line(c: Judgment) -> str:
    """The command that would settle the question; empty where it is settled. For runs that were
    trained elsewhere, the reason that nothing here can settle it."""
    analysis, subject = c.analysis, c.subject
    if not subject.is_ours:
        return origin_sentence(c)
    if subject.is_floor:
        return ""
    run_command = subject.run_command
    match analysis.reason:
        case Reason.INCOMPLETE:
            if subject.is_training:
                return f"To watch it: `q1lab attach {subject.id}`"
            return f"To go on: `{run_command}`"
        case Reason.TOO_FEW:
            return f"To get a verdict: `{run_command} --seeds {max(MIN_FOR_VERDICT, analysis.n)}`"
        case Reason.CHOSEN:
            many = max(len(subject.seeds), MIN_FOR_VERDICT)
            return f"To get a verdict: `{run_command} --seeds fresh:{many}`"
        case None:
            return _more_pairs_line(c, run_command) if analysis.verdict == "cannot tell" else ""
    return ""


def _more_pairs_line(c: Judgment, run_command: str) -> str:
    if any(isinstance(note, Outlier) for note in c.notes):
        return ""  # the outlier's runs have to be examined first
    if stopped_for_futility(c):
        return futility_line(c)
    needed, unit = c.analysis.seeds_needed, c.metric.suffix
    if needed is not None and not c.subject.plan.is_sequential:
        size = f"{number_writer(c.analysis).size(needed.effect)}{unit}"
        if needed.mid >= MAX_SEEDS:
            thing = "pairs" if c.analysis.headline == "paired" else "seeds per arm"
            return f"To settle {size} would take {MAX_SEEDS:,} {thing} or more."
        return (
            f"To settle {size}, about: `{run_command} --seeds {max(needed.mid, c.analysis.n + 1)}`"
        )
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
