"""The short form of a comparison: six lines at most, each a sentence or a command.

It has the verdict, the size of the difference, how sure that is, the one caveat that matters most
here, the command that would settle it, and the command that prints the rest. Every number in it is
written by the functions that write the full form. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from q1lab.ground.files import printable
from q1lab.ground.text_formats import plural
from q1lab.statistics import interim_analyses
from q1lab.statistics.intervals import (
    ALPHA,
    MAX_SEEDS,
    MIN_FOR_VERDICT,
    NoteKind,
    Reason,
)
from q1lab.verdict.difference_text import (
    interval_text,
    level_text,
    number_writer,
    percent_text,
    seed_list,
)
from q1lab.verdict.label_text import arm_names, brief_names, sample_text
from q1lab.verdict.scope_text import EXPLORATORY
from q1lab.verdict.table_text import cost_change

if TYPE_CHECKING:
    from q1lab.verdict.comparison import Comparison


def short_sentences(c: Comparison) -> tuple[str, ...]:
    """The lines below the headline, four at most."""
    lines = (size_line(c), confidence_line(c), caveat_line(c), settling_line(c))
    return tuple(line for line in lines if line)


def size_line(c: Comparison) -> str:
    """The size of the difference with its interval; the reason, where there is no verdict."""
    analysis = c.analysis
    if analysis.reason is not None or analysis.ends is None:
        return _no_verdict_line(c)
    base, modified = brief_names(arm_names(c))
    number, unit = number_writer(analysis), c.metric.suffix
    measured = f"({level_text(analysis)} interval)"
    if c.study.is_floor:
        return f"Nothing was changed; seeds alone give {interval_text(analysis)}{unit} {measured}."
    if analysis.verdict in ("helps", "hurts"):
        small, large = sorted((abs(analysis.ends.low), abs(analysis.ends.high)))
        side = "below" if analysis.ends.high < 0 else "above"
        ends = f"{number.size(small)} to {number.size(large)}{unit}"
        return f"{modified} ends {ends} {side} {base} {measured}."
    if analysis.verdict == "too small to matter" and analysis.delta is not None:
        limit = f"±{analysis.delta:g}{unit}"
        return f"It lies within {limit}: from {interval_text(analysis)} {measured}."
    return f"The true difference may be {interval_text(analysis)}{unit} {measured}."


def _no_verdict_line(c: Comparison) -> str:
    analysis = c.analysis
    match analysis.reason:
        case Reason.GATED:
            return "A gate judges this proposal; its answer is in `q1lab gate`."
        case Reason.DIVERGED:
            total = max(sum(len(arm.values) for arm in c.arms.values()), c.lost)
            return f"{c.lost} of {plural(total, 'run')} diverged. That is a result: report it."
        case Reason.CHOSEN:
            return "These seeds were picked when results were known, so they decide nothing."
        case Reason.INCOMPLETE:
            first, most = c.study.design.pairs
            if c.study.design.is_sequential:
                return f"{plural(analysis.n, 'pair')} of {first} to {most}: not decided yet."
            return "Not all planned runs have ended, and an early look decides nothing."
        case Reason.EQUAL:
            pairs = plural(len(analysis.pairs), "pair")
            return f"Both arms of all {pairs} ended with exactly the same {c.metric.name}."
        case Reason.TOO_FEW:
            return (
                f"{sample_text(c)[0].upper()}{sample_text(c)[1:]}: a verdict needs at least "
                f"{MIN_FOR_VERDICT}, to see how much seeds differ."
            )
        case _:
            return "The runs do not vary from seed to seed, so there is no interval."


def confidence_line(c: Comparison) -> str:
    """The error rate of the verdict, with the reason for any level other than 95%; for a study
    that can't tell, the difference that it would have found."""
    analysis = c.analysis
    if analysis.reason is not None or analysis.ends is None:
        return ""
    if (level := level_reason(c)) != "":
        return level
    if analysis.verdict == "cannot tell":
        return found_in_four_of_five(c)
    return "If nothing had changed, 5 in 100 such studies would claim a difference."


def level_reason(c: Comparison) -> str:
    """The reason that an interval is not a 95% interval; empty for one that is."""
    analysis, design = c.analysis, c.study.design
    if abs(analysis.alpha - ALPHA) < 1e-9:
        return ""
    level = level_text(analysis)
    asked = next((note.facts for note in analysis.notes if note.kind is NoteKind.ASKED), None)
    if design.is_sequential:
        first, most = design.pairs
        planned = [(n, analysis.alpha) for n in range(first, most + 1)]
        spent = percent_text(interim_analyses.chance_of_any_claim(planned))
        return f"{level} at each of {most - first + 1} planned looks, so {spent} false in all."
    if c.study.origin.series is not None and c.asking.all_looks <= 1:
        many = len(c.study.origin.series.members)
        return f"{level} instead of 95%: {many} studies declared together share the 5%."
    if asked is not None and asked.get("could_be") and c.asking.all_looks <= 1:
        return f"{level} instead of 95%: results at other sets of seeds could be known."
    looks = plural(max(c.asking.all_looks, 2), "look")
    return f"{level} instead of 95%: this question was asked before ({looks} in all)."


def found_in_four_of_five(c: Comparison) -> str:
    """The true difference that such a study finds in 80% of cases; empty if unknown."""
    analysis = c.analysis
    if analysis.detectable is None:
        return ""
    size = f"{number_writer(analysis).size(analysis.detectable)}{c.metric.suffix}"
    return f"Such a study finds a true difference of {size} or more 4 times out of 5."


CAVEAT_ORDER = (
    NoteKind.CONDITIONS,
    NoteKind.TRAINER,
    NoteKind.ALLOWED,
    NoteKind.DAMAGED,
    NoteKind.EQUAL,
    NoteKind.DIVERGED_OR_STUCK,
    NoteKind.OVERRULED,
    NoteKind.UNCHECKED,
    NoteKind.RISING,
    NoteKind.SIZE,
    NoteKind.SHORT,
    NoteKind.DISAGREE,
    NoteKind.TEMPTING,
    NoteKind.UNPAIRED,
    NoteKind.BELOW_DELTA,
)
"""Kinds of notes, the one that weighs most first; others wait for the full form."""


def caveat_line(c: Comparison) -> str:
    """The caveat that matters most here: that of the weightiest note, else the scope."""
    if c.analysis.reason is not None and c.analysis.reason is not Reason.EQUAL:
        return ""
    notes = {note.kind: note for note in c.analysis.notes}
    for kind in CAVEAT_ORDER:
        if kind in notes:
            return _caveat(c, kind)
    if c.analysis.reason is Reason.EQUAL:
        return "Check that the change reaches the run."
    if c.analysis.verdict in ("helps", "hurts") and is_near_the_edge(c):
        return "It was a close call, and small studies that find something exaggerate it."
    if c.analysis.verdict == "cannot tell" and level_reason(c):
        return found_in_four_of_five(c)
    if c.analysis.verdict == "cannot tell":
        return "That is not the same as no effect."
    iters = c.study.trainer.hyperparameters.get("max_iters")
    budget = f"after {iters:,} iters on {printable(c.study.data.name)}" if iters else ""
    return f"This holds {budget or c.study.description.within}; elsewhere it may differ."


def _caveat(c: Comparison, kind: NoteKind) -> str:
    analysis = c.analysis
    facts = next(note.facts for note in analysis.notes if note.kind is kind)
    match kind:
        case NoteKind.CONDITIONS:
            keys = " and ".join(key.replace("_", " ") for key in facts["differ"])
            return f"The runs differ in {keys}, which may be the reason instead."
        case NoteKind.TRAINER:
            return "q1lab's trainer changed between the runs, which may be the reason instead."
        case NoteKind.ALLOWED:
            return "The runs were taken in although their settings differ."
        case NoteKind.DAMAGED:
            return f"{plural(facts['lines'], 'damaged line')} of the event files can't be read."
        case NoteKind.EQUAL:
            pairs = plural(facts["pairs"], "pair")
            return f"{facts['equal']} of {pairs} ended equal to the last bit: check the change."
        case NoteKind.DIVERGED_OR_STUCK:
            return "Runs of these arms diverged or got stuck, so false claims are more frequent."
        case NoteKind.OVERRULED:
            return "The model file fails checks that were overruled."
        case NoteKind.UNCHECKED:
            return "The model file was not checked."
        case NoteKind.RISING:
            return f"The {c.metric.name} rose from iter {facts['at']:,} on: the models overfit."
        case NoteKind.SIZE:
            return (
                f"The model also has {cost_change(c, 'n_params')} parameters: size may help, too."
            )
        case NoteKind.SHORT:
            return "The loss still falls fast at the end, so a longer run may say otherwise."
        case NoteKind.DISAGREE:
            return (
                f"The bootstrap interval disagrees; the {level_text(analysis)} t interval decides."
            )
        case NoteKind.TEMPTING:
            return f"The other interval would say {facts['verdict'].upper()}; it was not declared."
        case NoteKind.UNPAIRED:
            alone = seed_list(facts["seeds"])
            end = "do not count" if analysis.headline == "paired" else "nothing is paired by seed"
            joined = "and" if analysis.headline == "paired" else "so"
            return f"{alone[0].upper()}{alone[1:]} ran in one arm only, {joined} {end}."
        case _:
            return "The whole interval is smaller than the difference that you said matters."


def is_near_the_edge(c: Comparison) -> bool:
    """True if the interval's nearer end is closer to 0 than half of the interval's half width:
    there a claim overstates the difference noticeably."""
    ends = c.analysis.ends
    if ends is None:
        return False
    nearer = min(abs(ends.low), abs(ends.high))
    return nearer < (ends.high - ends.low) / 4


def settling_line(c: Comparison) -> str:
    """The command that would settle the question; empty where it is settled. For runs that were
    trained elsewhere, the reason that nothing here can settle it."""
    analysis, study = c.analysis, c.study
    if not study.origin.is_ours:
        return EXPLORATORY
    if study.is_floor:
        return ""
    again = f"q1lab run {study.id}"
    match analysis.reason:
        case Reason.INCOMPLETE:
            return f"To go on: `{again}`"
        case Reason.TOO_FEW:
            return f"To get a verdict: `{again} --seeds {max(MIN_FOR_VERDICT, analysis.n)}`"
        case Reason.CHOSEN:
            many = max(len(study.seeds), MIN_FOR_VERDICT)
            return f"To get a verdict: `{again} --seeds fresh:{many}`"
        case None:
            return _more_pairs_line(c, again) if analysis.verdict == "cannot tell" else ""
    return ""


def _more_pairs_line(c: Comparison, again: str) -> str:
    needed, unit = c.analysis.seeds_needed, c.metric.suffix
    if needed is not None and not c.study.design.is_sequential:
        size = f"{number_writer(c.analysis).size(needed.effect)}{unit}"
        if needed.mid >= MAX_SEEDS:
            return f"To settle {size} would take {MAX_SEEDS:,} pairs or more."
        return f"To settle {size}, about: `{again} --seeds {max(needed.mid, c.analysis.n + 1)}`"
    if not c.study.trainer.has_model_files or c.analysis.detectable is None:
        return ""
    smaller = float(f"{c.analysis.detectable / 2:.1g}")
    return f"Pairs for a smaller one: `q1lab plan {c.study.variant} --detect {smaller:g}`"


def rest_line(c: Comparison) -> str:
    """The command that prints the full form; for numbers that were not kept, the option."""
    if not c.study.id:
        return "Everything else: the same command with --full"
    return f"Everything else: `q1lab compare {c.study.id} --full`"
