"""The notes of a comparison in sentences: what the reader of a verdict must know as well.

Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from q1lab.ground.files import printable
from q1lab.ground.text_formats import MINUS, cut_middle, plural
from q1lab.statistics.intervals import ALPHA, ALPHA_LATER, Note, NoteKind
from q1lab.study.series import SWEEP, Series
from q1lab.study.studies import ARMS
from q1lab.verdict.difference_text import level_text, percent_text, seed_list
from q1lab.verdict.label_text import arm_names, left_out_text, sample_text
from q1lab.verdict.scope_text import iters_text
from q1lab.verdict.table_text import cost_change

if TYPE_CHECKING:
    from q1lab.verdict.comparison import Comparison


def note_sentences(c: Comparison) -> list[str]:
    """The notes of a comparison, a sentence or two each."""
    sentences = [note_sentence(note, c) for note in c.analysis.notes]
    around = record_sentence(c)
    return [*sentences, around] if around else sentences


def note_sentence(note: Note, c: Comparison) -> str:
    """One note in words."""
    analysis = c.analysis
    facts = note.facts
    headline, other = ("paired", "Welch") if analysis.headline == "paired" else ("Welch", "paired")
    match note.kind:
        case NoteKind.UNPAIRED:
            alone = seed_list(facts["seeds"])
            return f"{alone[0].upper()}{alone[1:]} ran in one arm only and can't be paired."
        case NoteKind.EQUAL:
            return (
                f"{facts['equal']} of {plural(facts['pairs'], 'finished pair')} ended equal, to "
                "the last bit: check that the change reaches every run."
            )
        case NoteKind.SERIES:
            return _series_note(c)
        case NoteKind.ASKED:
            return _asked_note(c, facts)
        case NoteKind.LEFT_OUT:
            return f"Left out: {left_out_text(c)}, of runs that train the same."
        case NoteKind.CONDITIONS:
            return _conditions_note(facts["differ"])
        case NoteKind.TRAINER:
            return (
                "Some of these runs were trained after an upgrade of q1lab's trainer: "
                "that alone can "
                "change a loss."
            )
        case NoteKind.ALLOWED:
            differences = printable(", ".join(facts["what"]))
            return f"The runs were taken in although they differ: {differences}."
        case NoteKind.DIVERGED_OR_STUCK:
            return _diverged_or_stuck_note(
                facts["arms"], dict(zip(ARMS, arm_names(c), strict=True))
            )
        case NoteKind.DISAGREE:
            does, does_not = ("bootstrap CI", f"{headline} interval")
            if not facts["bootstrap"]:
                does, does_not = does_not, does
            covers = (
                f"{analysis.bootstrap.true_coverage:.0f}%"
                if analysis.bootstrap
                else "less than 95%"
            )
            return (
                f"The {does} excludes 0, the {does_not} does not. The {headline} interval "
                f"decides: the bootstrap CI covers about {covers} at {sample_text(c)}."
            )
        case NoteKind.TEMPTING:
            return (
                f"The {other} interval alone would say {facts['verdict'].upper()}. The {headline} "
                "interval was declared before the runs; picking the better-looking one afterwards "
                "makes false verdicts more frequent."
            )
        case NoteKind.BELOW_DELTA:
            return (
                f"The whole interval is smaller than {analysis.delta:g}{c.metric.suffix}, the "
                "smallest difference said to matter before the runs."
            )
        case NoteKind.SHORT:
            fallen, lately = facts["fallen"], facts["lately"]
            return (
                f"At {iters_text(c) or 'this budget'} little is trained: the {c.metric.name} lies "
                f"{fallen:.2f}{c.metric.suffix} below that of a uniform guess, and {lately:.2f} "
                "of them came in the last quarter of the iters, so it still falls fast. Whatever "
                "the verdict, it says nothing of a budget at which the curves have leveled off."
            )
        case NoteKind.RISING:
            return (
                f"The {c.metric.name} was lowest at iter {facts['at']:,} and rose by "
                f"{facts['rise']:.2f}{c.metric.suffix} to the end: this compares overfitted "
                "models, and the arm that learns faster may lose by that alone. The budget of the "
                f"minimum is a new question, declared as one: {facts['command']}"
            )
        case NoteKind.UNFINISHED:
            more = len(facts["runs"]) - MOST_NAMED
            left = printable(", ".join(facts["runs"][:MOST_NAMED])) + (
                f" and {more} more" if more > 0 else ""
            )
            planned = plural(facts["of"], "run")
            return f"{len(facts['runs'])} of {planned} have not finished: {left}."
        case NoteKind.DAMAGED:
            lines = plural(facts["lines"], "damaged line")
            return f"{lines} in the event files could not be read and were left out."
        case NoteKind.COMMAND:
            return _command_note(c, facts)
        case NoteKind.UNCHECKED:
            return "The model file was trained without its checks (--unchecked)."
        case NoteKind.OVERRULED:
            # both arms' files may overrule the same check, for the same reason or another one
            reasons = list(dict.fromkeys(facts["checks"]))
            checks = len({reason.partition("”")[0] for reason in reasons})
            more = len(reasons) - MOST_NAMED
            reason_list = "; ".join(
                cut_middle(printable(reason), 120) for reason in reasons[:MOST_NAMED]
            )
            return (
                f"{plural(checks, 'check')} of the model files failed and "
                f"{'was' if checks == 1 else 'were'} overruled: {reason_list}"
                + (f"; and {more} more" if more > 0 else "")
                + "."
            )
        case NoteKind.SIZE:
            return (
                f"The arms differ by {cost_change(c, 'n_params')} in parameters: part of the "
                "difference may come from size, not from the idea. A baseline of the same size "
                "would tell."
            )


def _command_note(c: Comparison, facts: Mapping[str, Any]) -> str:
    """Cautions about how the runs were made, and the correlation of the arms over the seeds."""
    parts = list(c.study.description.cautions)
    if (r := facts.get("correlation")) is not None:
        low, high = (f"{end:.2f}".replace("-", MINUS) for end in facts["between"])
        r = f"{r:.2f}".replace("-", MINUS)
        parts.insert(
            max(0, len(parts) - 1),
            f"Over the seeds the arms correlate by r = {r} ({low} to {high}).",
        )
    return " ".join(parts)


def _asked_note(c: Comparison, facts: Mapping[str, Any]) -> str:
    """The number of times that the question was asked, and the effect on this look."""
    many, count = c.asking.studies, c.asking.all_looks
    times = "once" if many == 1 else f"{many} times"
    text = f"This question was asked {times}, with {plural(count, 'look')} in all. "
    if facts.get("could_be"):
        sets = plural(facts["could_be"], "other set") + " of seeds"
        text += (
            f"When its seeds were named, results at {sets} could be known: to choose among them "
            "is to ask with each. "
        )
    if facts.get("unreadable"):
        lines = plural(facts["unreadable"], "line")
        text += f"{lines} of the record can't be read and may have been more of it. "
    text += (
        f"If nothing had changed, up to {percent_text(c.asking.total)} of such series would claim "
        "a difference."
    )
    return text + (
        f" So this look is judged by a {level_text(c.analysis)} interval." if facts["later"] else ""
    )


def record_sentence(c: Comparison) -> str:
    """The other questions on record, also for readers of a post; empty if unknown."""
    family = c.asking.family
    if family is None or len(c.study.seeds) < 2:
        return ""
    only = "It is the only question on record"
    text = f"{only} so far"
    if family.questions > 1:
        text = only if family.here == 1 else f"It is one of {family.here} questions on record"
        text += f" about this {c.study.description.about}"
        if family.texts > 1:
            text += f", and one of {family.questions} in all"
        if family.shared:
            text += f"; {family.shared} of the others used the same baseline runs"
    return (
        f"{text}. If nothing helped, up to {math.ceil(100 * family.total - 1e-9)} of 100 such "
        "records would claim at least one difference."
    )


def _diverged_or_stuck_note(arms: Sequence[Sequence[Any]], names: Mapping[str, str]) -> str:
    parts = []
    for arm, runs, diverged, stuck in arms:
        how = [f"{diverged} diverged"] * bool(diverged) + [f"{stuck} got stuck"] * bool(stuck)
        parts.append(f"of {plural(runs, 'run')} of {names[arm]} on record {' and '.join(how)}")
    text = "; ".join(parts)
    return (
        f"{text[0].upper()}{text[1:]}. With such an arm the interval claims a difference more "
        "often than its level says, however many seeds there are."
    )


def _conditions_note(differ: Mapping[str, Mapping[str, Sequence[str]]]) -> str:
    parts = []
    for key, values in differ.items():
        values_text = "; ".join(
            f"{printable(value)} in {len(runs)} of them "
            f"({printable(runs[0])}{', …' if runs[1:] else ''})"
            for value, runs in values.items()
        )
        parts.append(f"{key.replace('_', ' ')} ({values_text})")
    return (
        f"The runs differ in {' and in '.join(parts)}: that alone can change a loss, so the "
        "difference may not be the modification's."
    )


def _series_note(c: Comparison) -> str:
    """The α that a study shares with those declared together with it; empty without a series."""
    return "" if c.study.origin.series is None else series_share_sentence(c.study.origin.series)


def series_share_sentence(series: Series) -> str:
    """The share of 5% that each study of a series may spend."""
    many = len(series.members)
    members_text = (
        f"{many} modifications" if series.kind == SWEEP else f"{many} values of {series.axis}"
    )
    return (
        f"One of {members_text} that were declared together ({printable(series.id)}). "
        f"They share 5%: each may claim a difference in {percent_text(series.alpha)} of null "
        f"studies, or in {percent_text(series.alpha * ALPHA_LATER / ALPHA)} where its question was "
        "asked before."
    )


MOST_NAMED = 12
"""Runs that a note names one by one."""

CAVEATS = frozenset(
    {
        NoteKind.CONDITIONS,
        NoteKind.TRAINER,
        NoteKind.ALLOWED,
        NoteKind.UNCHECKED,
        NoteKind.OVERRULED,
        NoteKind.SIZE,
        NoteKind.DIVERGED_OR_STUCK,
    }
)
"""Kinds of notes after which the difference may have another reason than the modification."""
