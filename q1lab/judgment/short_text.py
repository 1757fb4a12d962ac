"""The short form of a comparison: six lines at most, each a sentence or a command.

It has the verdict, the size of the difference, how sure that is, the one caveat that matters most
here, the command that would settle it, and the command that prints the rest. Every number in it is
written by the functions that write the full form. Pure.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from q1lab.ground.files import printable
from q1lab.ground.text_formats import cut_cells, plural
from q1lab.judgment import level_text, note_text
from q1lab.judgment.difference_text import (
    interval_text,
    is_near_the_edge,
    number_writer,
    percent_level,
    percent_text,
    seed_list,
    size_range_text,
)
from q1lab.judgment.futility_text import futility_line, stopped_for_futility
from q1lab.judgment.intervals import (
    MAX_SEEDS,
    MIN_FOR_VERDICT,
    Note,
    NoteKind,
    Reason,
)
from q1lab.judgment.label_text import arm_names, brief_names, sample_text
from q1lab.judgment.scope_text import origin_sentence
from q1lab.judgment.table_text import cost_change

if TYPE_CHECKING:
    from q1lab.judgment.records import Judgment


def short_sentences(c: Judgment) -> tuple[str, ...]:
    """The lines below the headline, four at most."""
    lines = [size_line(c), *_confidence_lines(c), caveat_line(c), settling_line(c)]
    told = [line for line in lines if line]
    if len(told) > 4 and not _weightiest_note(c):  # the scope goes before what settles it
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
                return note_text.without_number_line(c)
            return "Not all planned runs have ended, and an early look decides nothing."
        case Reason.EQUAL if not c.subject.plan.has_seeds:
            return note_text.EQUAL_LISTS
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


CAVEAT_ORDER = (
    NoteKind.CONDITIONS,
    NoteKind.CODE,
    NoteKind.TRAINER,
    NoteKind.ALLOWED,
    NoteKind.DAMAGED,
    NoteKind.EQUAL,
    NoteKind.OUTLIER,
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
"""Kinds of notes, the weightiest first; all others are in the full form alone."""


def caveat_line(c: Judgment) -> str:
    """The caveat that matters most here: that of the weightiest note, else the scope."""
    if c.analysis.reason is Reason.INCOMPLETE and not c.subject.is_ours:
        return note_text.TRAIN_AGAIN
    if c.analysis.reason is not None and c.analysis.reason is not Reason.EQUAL:
        return ""
    if (note := _weightiest_note(c)) is not None:
        return _caveat(c, note)
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


def _weightiest_note(c: Judgment) -> Note | None:
    notes = {note.kind: note for note in c.analysis.notes}
    return next((notes[kind] for kind in CAVEAT_ORDER if kind in notes), None)


def _floor_line(c: Judgment) -> str:
    """The meaning of a model's interval against itself."""
    analysis = c.analysis
    if analysis.ends is not None and analysis.ends.excludes_zero():
        share = percent_text(1 - analysis.level)
        return f"That is a false {analysis.verdict.upper()}, which {share} of such studies give."
    return "The means of equal models may lie that far apart."


DATA_NAME, METRIC_NAME = 24, 24
"""Columns of such a name in a caveat."""


def _caveat(c: Judgment, note: Note) -> str:
    analysis, facts = c.analysis, note.facts
    metric = cut_cells(printable(c.metric.name), METRIC_NAME)
    match note.kind:
        case NoteKind.CONDITIONS:
            if early := _early_line(facts["differ"].get("last step", {})):
                return early
            keys = " and ".join(key.replace("_", " ") for key in facts["differ"])
            return f"The runs differ in {keys}, which may be the reason instead."
        case NoteKind.CODE:
            return note_text.changed_code_sentence(facts["files"])
        case NoteKind.TRAINER:
            return "q1lab's trainer changed between the runs, which may be the reason instead."
        case NoteKind.ALLOWED:
            return "The runs were taken in although their settings differ."
        case NoteKind.DAMAGED:
            return f"{plural(facts['lines'], 'damaged line')} of the event files can't be read."
        case NoteKind.EQUAL:
            pairs = plural(facts["pairs"], "pair")
            return f"{facts['equal']} of {pairs} ended equal to the last bit: check the change."
        case NoteKind.OUTLIER:
            return note_text.outlier_line(c, facts)
        case NoteKind.DIVERGED_OR_STUCK:
            return "Runs of these arms diverged or got stuck, which makes false claims likelier."
        case NoteKind.OVERRULED:
            return "The model file fails checks that were overruled."
        case NoteKind.LEFT_OPEN:
            return "The checks of the model files leave something open."
        case NoteKind.UNCHECKED:
            return "The model file was not checked."
        case NoteKind.RISING:
            return f"The {metric} rose from iter {facts['at']:,} on: the models overfit."
        case NoteKind.SIZE:
            return (
                f"The parameters differ by {cost_change(c, 'n_params')}, "
                "which may be the reason instead."
            )
        case NoteKind.SHORT:
            return f"The {metric} still falls fast at the end: longer runs may say otherwise."
        case NoteKind.DISAGREE:
            return (
                f"The bootstrap interval disagrees; the {percent_level(analysis.alpha)} t interval "
                "decides."
            )
        case NoteKind.TEMPTING:
            return f"The other interval would say {facts['verdict'].upper()}; it was not declared."
        case NoteKind.UNPAIRED:
            alone = seed_list(facts["seeds"])
            end = "and do not count" if analysis.headline == "paired" else "so nothing is paired"
            return f"{alone[0].upper()}{alone[1:]} ran in one arm only, {end}."
        case _:
            return "The difference is smaller than what you said, before the runs, would matter."


RUN_NAME = 24
"""Columns of a run's name in a caveat."""


def _early_line(runs_by_step: Mapping[str, Sequence[str]]) -> str:
    """The run that ended before all others, or how many did; empty where most did."""
    last = max(map(int, runs_by_step), default=0)
    early = [
        (int(step), run) for step, runs in runs_by_step.items() if int(step) < last for run in runs
    ]
    many = sum(map(len, runs_by_step.values()))
    if not early or 2 * len(early) > many:
        return ""
    if len(early) > 1:
        return f"{len(early)} of {many} runs ended before step {last:,}, which may be the reason."
    step, run = early[0]
    name = cut_cells(printable(run), RUN_NAME)
    return f"{name} ended at step {step:,}, not {last:,}, which may be the reason."


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
    if any(note.kind is NoteKind.OUTLIER for note in c.analysis.notes):
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
