"""Why there is no verdict: each reason in one place, in a sentence or two and in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from q1lab.ground.text_formats import cut_cells, plural, printable
from q1lab.judgment.difference_text import seed_list
from q1lab.judgment.intervals import MIN_FOR_VERDICT, Reason
from q1lab.judgment.label_text import (
    arm_names,
    is_experiment,
    left_out_text,
    names_in_text,
    sample_text,
)
from q1lab.judgment.run_notes import METRIC_CELLS, ChangedPlan, UnfinishedRuns
from q1lab.judgment.subject import ARMS

if TYPE_CHECKING:
    from q1lab.judgment.records import Judgment


class NoVerdict(NamedTuple):
    """A reason for having no verdict."""

    long: str
    """For every reader."""
    short: str
    """In one line."""
    advice: str = ""
    """Advice to the learner."""


TRAIN_AGAIN = "Train again, then judge all: leaving runs out would be choosing the data."
CHECK_THE_CHANGE = "Check that the change reaches the run."


def no_verdict(c: Judgment) -> NoVerdict:
    """The reason that a judgment has no verdict."""
    analysis, plan = c.analysis, c.subject.plan
    match analysis.reason:
        case Reason.DECIDED_ELSEWHERE if c.subject.decided_elsewhere is not None:
            why = c.subject.decided_elsewhere
            return NoVerdict(why.long, why.short, why.advice)
        case Reason.CHANGED:
            return _changed(c)
        case Reason.DIVERGED:
            return _diverged(c)
        case Reason.CHOSEN:
            return _chosen(c)
        case Reason.INCOMPLETE if plan.is_sequential:
            return _range_open(c)
        case Reason.INCOMPLETE if not c.subject.is_ours:
            unfinished = next(note for note in c.notes if isinstance(note, UnfinishedRuns))
            return NoVerdict(unfinished.short(c), unfinished.short(c), TRAIN_AGAIN)
        case Reason.INCOMPLETE:
            early = "Not all planned runs have ended, and an early look decides nothing."
            return NoVerdict(not_yet_sentence(), early)
        case Reason.EQUAL if not plan.has_seeds:
            same = "Both arms have exactly the same numbers."
            return NoVerdict(same, same, CHECK_THE_CHANGE)
        case Reason.EQUAL:
            return _equal(c)
        case Reason.TOO_FEW:
            return _too_few(c)
    return _no_spread(c)


def no_verdict_reason(c: Judgment, *, published: bool = False) -> str:
    """The reason that there is no verdict; unless ``published``, with what the learner can do."""
    reason = no_verdict(c)
    return " ".join(filter(None, (reason.long, "" if published else reason.advice)))


def _changed(c: Judgment) -> NoVerdict:
    changed = next(note for note in c.notes if isinstance(note, ChangedPlan))
    return NoVerdict(
        f"{changed.long(c)} What was declared decides, so there is no verdict.",
        "Its plan is not what was declared before the runs, so they decide nothing.",
        "Put the file back as it was.",
    )


def _diverged(c: Judgment) -> NoVerdict:
    arms = dict(zip(ARMS, arm_names(c), strict=True))
    which = "; ".join(
        f"{arms[arm]}, {seed_list(lost)}" for arm, lost in c.analysis.diverged.items() if lost
    )
    total = max(sum(len(arm.values) for arm in c.arms.values()), c.lost)
    lost = f"{c.lost} of {plural(total, 'run')} diverged"
    return NoVerdict(
        f"{lost} ({which}). A mean without the worst runs would flatter the arm, so there is no "
        "mean and no verdict.",
        f"{lost}. That is a result in itself.",
        "That an arm diverges is itself a result: report it.",
    )


def _chosen(c: Judgment) -> NoVerdict:
    many = max(len(c.subject.seeds), MIN_FOR_VERDICT)
    return NoVerdict(
        "These seeds were named when their results could already be known, and others were left "
        f"out: {left_out_text(c)}. Seeds picked in this way show a difference by luck, so there is "
        "no verdict.",
        "These seeds were picked when results could be known, so they decide nothing.",
        f"Compare all seeds, the first ones, or new ones: --seeds fresh:{many} draws some.",
    )


def _range_open(c: Judgment) -> NoVerdict:
    first, most = c.subject.plan.pairs
    so_far = f"{plural(c.analysis.n, 'pair')} of {first} to {most}"
    return NoVerdict(
        f"After {so_far} the answer is still open. The study is not over.",
        f"{so_far}: not decided yet.",
    )


def _equal(c: Judgment) -> NoVerdict:
    base, modified = names_in_text(c)
    many = len(c.analysis.pairs)
    metric = cut_cells(c.metric.name, METRIC_CELLS)
    return NoVerdict(
        f"{modified} and {base} ended with the same {c.metric.name} at each of "
        f"{plural(many, 'seed')}, to the last bit: either what differs between them does nothing, "
        "or the metric is too coarse to show it. There is no verdict.",
        f"Both arms of all {plural(many, 'pair')} ended with exactly the same {metric}.",
        CHECK_THE_CHANGE,
    )


def _too_few(c: Judgment) -> NoVerdict:
    sample = sample_text(c)
    short = (
        f"{sample[0].upper()}{sample[1:]}: a verdict needs at least {MIN_FOR_VERDICT}, to see how "
        "much seeds differ."
    )
    if is_experiment(c):
        return NoVerdict(
            "One pair shows how two curves go, not what another seed would do. It is an experiment "
            f"and does not count as a question. A verdict needs at least {MIN_FOR_VERDICT} pairs.",
            short,
        )
    thing = "pair" if c.analysis.headline == "paired" else c.subject.plan.run_word
    return NoVerdict(too_few_sentence(c.analysis.n, thing), short)


def _no_spread(c: Judgment) -> NoVerdict:
    if c.analysis.headline == "paired":
        cause = "Every pair has exactly the same difference"
        short = f"{cause}, so there is no interval."
    else:
        cause = "Neither arm varies between its seeds"
        short = "The runs of each arm do not vary, so there is no interval."
    return NoVerdict(
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


def picked_seeds_note(seeds: tuple[int, ...], left_out: str, command: str) -> str:
    """The notice before a study that can get no verdict, since its seeds were picked."""
    return (
        f"no verdict will come of this: results at {seed_list(seeds)} could be seen, and others "
        f"are left out ({printable(left_out)}). To get one: {command}"
    )
