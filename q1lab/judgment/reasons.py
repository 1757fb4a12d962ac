"""The words in a verdict's place: each reason to have none, and a model against itself, which asks
nothing that a verdict could answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from q1lab.ground.text_formats import cut_cells, plural
from q1lab.judgment.difference_text import interval_text, level_text
from q1lab.judgment.intervals import MIN_FOR_VERDICT, Interval, Reason
from q1lab.judgment.label_text import (
    arm_names,
    names_in_text,
    sample_text,
    short_name,
    the_baseline,
)
from q1lab.judgment.level_text import false_claim_sentence
from q1lab.judgment.notes import heaviest
from q1lab.judgment.run_notes import METRIC_CELLS, ChangedPlan, UnfinishedRuns
from q1lab.judgment.subject import ARMS

if TYPE_CHECKING:
    from q1lab.judgment.records import Judgment


class Instead(NamedTuple):
    """The words in a verdict's place."""

    long: str
    """For every reader."""
    short: str
    """In one line."""
    advice: str = ""
    """Advice to the learner."""
    word: str = "NO VERDICT"
    confidence: str = ""
    """Of the short form, as are the next two: how often such a result comes by luck."""
    caveat: str = ""
    command: str = ""
    """The line with the command that leads to a verdict."""

    def sentence(self, *, published: bool = False) -> str:
        """The long form; unless ``published``, with what the learner can do."""
        return " ".join(filter(None, (self.long, "" if published else self.advice)))


TRAIN_AGAIN = "Train again, then judge all: leaving runs out would be choosing the data."
CHECK_THE_CHANGE = "Check that the change reaches the run."


def told_instead(c: Judgment) -> Instead:
    """The words in the place of a judgment's verdict (``Judgment.instead``)."""
    analysis, plan = c.analysis, c.subject.plan
    match analysis.reason:
        case None if analysis.ends is not None:
            return _nothing_changed(c, analysis.ends)
        case Reason.CHANGED:
            return _changed(c)
        case Reason.DIVERGED:
            return _diverged(c)
        case Reason.INCOMPLETE if plan.is_sequential:
            return _range_open(c)
        case Reason.INCOMPLETE if not c.subject.run_command:
            short = next(note for note in c.notes if isinstance(note, UnfinishedRuns)).short(c)
            return Instead(short, short, TRAIN_AGAIN, caveat=TRAIN_AGAIN)
        case Reason.INCOMPLETE:
            early = "Not all planned runs have ended, and an early look decides nothing."
            return Instead(not_yet_sentence(), early, command=_going_on(c))
        case Reason.EQUAL if not analysis.pairs:
            same = "Both arms have exactly the same numbers."
            return Instead(
                same, same, CHECK_THE_CHANGE, word="ALL EQUAL", caveat=_note(c) or CHECK_THE_CHANGE
            )
        case Reason.EQUAL:
            return _equal(c)
        case Reason.TOO_FEW:
            return _too_few(c)
    return _no_spread(c)


def _nothing_changed(c: Judgment, ends: Interval) -> Instead:
    level, unit = level_text(c.analysis), c.metric.suffix
    interval = f"{interval_text(c.analysis)}{unit}"
    long, measured = self_comparison_sentence(*c.subject.names), f"{interval} ({level} interval)"
    if ends.excludes_zero():
        false_claim = false_claim_sentence(c)
        return Instead(
            f"{long} Even so, the {level} interval, {interval}, excludes 0. {false_claim}",
            f"Even so the runs differ by {measured}.",
            word="NOTHING CHANGED",
            confidence=false_claim,
            caveat=_note(c),
        )
    return Instead(
        f"{long} As it should, the {level} interval contains 0: {interval}. That is how far apart "
        "seeds alone put the means of such runs.",
        f"Seeds alone give {measured}: that is the floor.",
        word="NOTHING CHANGED",
        confidence="The means of equal models may lie that far apart.",
        caveat=_note(c),
    )


def self_comparison_sentence(name: str, other: str) -> str:
    """The explanation of a study of a file against itself, or against its copy."""
    both = "Both arms have the same code"
    if name == other.removesuffix("*"):
        both = f"Both arms are {the_baseline(short_name(name))}, the second (*) on seeds of its own"
    return f"{both}: nothing was changed, so nothing is claimed about a modification."


def _note(c: Judgment) -> str:
    note = heaviest(c.notes)
    return "" if note is None else note.short(c)


def _going_on(c: Judgment) -> str:
    if c.subject.is_training:
        return f"To watch it: `q1lab attach {c.subject.id}`"
    return f"To go on: `{c.subject.run_command}`"


def _to_a_verdict(c: Judgment, seeds: str) -> str:
    return f"To get a verdict: `{c.subject.run_command} --seeds {seeds}`"


def _changed(c: Judgment) -> Instead:
    changed = next(note for note in c.notes if isinstance(note, ChangedPlan))
    return Instead(
        f"{changed.long(c)} What was declared decides, so there is no verdict.",
        "Its plan is not what was declared before the runs, so they decide nothing.",
        "Put the file back as it was.",
    )


def _diverged(c: Judgment) -> Instead:
    arms = dict(zip(ARMS, arm_names(c), strict=True))
    which = "; ".join(
        f"{arms[arm]}, {c.subject.plan.run_label(*lost)}"
        for arm, lost in c.analysis.diverged.items()
        if lost
    )
    total = max(sum(len(arm.values) for arm in c.arms.values()), c.lost)
    lost = f"{c.lost} of {plural(total, 'run')} diverged"
    return Instead(
        f"{lost} ({which}). A mean without the worst runs would flatter the arm, so there is no "
        "mean and no verdict.",
        f"{lost}. That is a result in itself.",
        "That an arm diverges is itself a result: report it.",
    )


def _range_open(c: Judgment) -> Instead:
    first, most = c.subject.plan.pairs
    so_far = f"{plural(c.analysis.n, 'pair')} of {first} to {most}"
    return Instead(
        f"After {so_far} the answer is still open. The study is not over.",
        f"{so_far}: not decided yet.",
        command=_going_on(c),
    )


def _equal(c: Judgment) -> Instead:
    base, modified = names_in_text(c)
    many = len(c.analysis.pairs)
    metric = cut_cells(c.metric.name, METRIC_CELLS)
    short = f"Both arms of all {plural(many, 'pair')} ended with exactly the same {metric}."
    if c.subject.is_floor and "*" not in c.subject.names[1]:
        return Instead(
            f"{short} {self_comparison_sentence(*c.subject.names)}",
            short,
            word="ALL EQUAL",
            caveat="As they should: both arms have the same code.",
        )
    return Instead(
        f"{modified} and {base} ended with the same {c.metric.name} at each of "
        f"{plural(many, 'seed')}, to the last bit: either what differs between them does nothing, "
        "or the metric is too coarse to show it. There is no verdict.",
        short,
        CHECK_THE_CHANGE,
        word="ALL EQUAL",
        caveat=_note(c) or CHECK_THE_CHANGE,
    )


def _too_few(c: Judgment) -> Instead:
    sample = sample_text(c)
    short = (
        f"{sample[0].upper()}{sample[1:]}: a verdict needs at least {MIN_FOR_VERDICT}, to see how "
        "much seeds differ."
    )
    command = _to_a_verdict(c, str(max(MIN_FOR_VERDICT, c.analysis.n)))
    if len(c.subject.seeds) == len(c.analysis.pairs) == 1:
        return Instead(
            "One pair shows how two curves go, not what another seed would do. It is an experiment "
            f"and does not count as a question. A verdict needs at least {MIN_FOR_VERDICT} pairs.",
            short,
            word="ONE PAIR",
            command=command,
        )
    thing = "pair" if c.analysis.headline == "paired" else c.subject.plan.run_word
    return Instead(too_few_sentence(c.analysis.n, thing), short, command=command)


def _no_spread(c: Judgment) -> Instead:
    if c.analysis.headline == "paired":
        cause = "Every pair has exactly the same difference"
        short = f"{cause}, so there is no interval."
    else:
        cause = "Neither arm varies between its seeds"
        short = "The runs of each arm do not vary, so there is no interval."
    return Instead(
        f"{cause}. Without a spread there is no interval and no verdict.",
        short,
        "Check that the seed reaches the run.",
    )


def not_yet_sentence(planned: int | None = None) -> str:
    """The reason that there is no verdict while planned runs have not ended."""
    when = "all planned runs have ended" if planned is None else f"all {planned} planned pairs"
    return (
        f"There is no verdict before {when}: stopping as soon as the result looks good makes false "
        "verdicts more frequent."
    )


def too_few_sentence(n: int, thing: str = "pair") -> str:
    """The reason that too few pairs (or seeds per arm) give no verdict."""
    many = plural(n, thing) + ("" if thing == "pair" else " per arm")
    says = "says" if n == 1 else "say"
    return (
        f"{many} {says} too little about the spread between seeds; "
        f"a verdict needs at least {MIN_FOR_VERDICT}."
    )
