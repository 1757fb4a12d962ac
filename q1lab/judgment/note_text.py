"""The notes of a comparison in sentences: what the reader of a verdict must know as well.

Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from q1lab.ground.files import printable
from q1lab.ground.text_formats import MINUS, cut_cells, cut_middle, first_names, plural
from q1lab.judgment import level_text
from q1lab.judgment.difference_text import number_writer, seed_list
from q1lab.judgment.intervals import Note, NoteKind
from q1lab.judgment.label_text import arm_names, brief_names, sample_text
from q1lab.judgment.scope_text import iters_text
from q1lab.judgment.subject import ARMS
from q1lab.judgment.table_text import cost_change, run_value

if TYPE_CHECKING:
    from q1lab.judgment.records import Judgment


def note_sentences(c: Judgment, *, published: bool = False) -> list[str]:
    """The notes of a comparison, a sentence or two each; the reasons for its level stand with the
    verdict (level_text.py)."""
    notes = [note for note in c.analysis.notes if note.kind not in OF_THE_LEVEL]
    return [note_sentence(note, c, published=published) for note in notes]


def note_sentence(note: Note, c: Judgment, *, published: bool = False) -> str:
    """One note in words; unless ``published``, with what the learner can do."""
    analysis = c.analysis
    facts = note.facts
    headline, other = ("paired", "Welch") if analysis.headline == "paired" else ("Welch", "paired")
    match note.kind:
        case NoteKind.UNPAIRED:
            alone = seed_list(facts["seeds"])
            return f"{alone[0].upper()}{alone[1:]} ran in one arm only and can't be paired."
        case NoteKind.EQUAL:
            pairs = plural(facts["pairs"], "finished pair")
            text = f"{facts['equal']} of {pairs} ended equal, to the last bit"
            return f"{text}." if published else f"{text}: check that the change reaches every run."
        case NoteKind.SERIES:
            share = c.subject.share
            return "" if share is None else level_text.series_share_sentence(share)
        case NoteKind.ASKED:
            return level_text.looks_line(c)
        case NoteKind.OUTLIER:
            return outlier_sentence(c, facts, published=published)
        case NoteKind.CHANGED_PLAN:
            return changed_plan_sentence(facts["parts"])
        case NoteKind.OTHER_RUNS:
            return OTHER_RUNS_SENTENCE
        case NoteKind.CONDITIONS:
            return _conditions_note(facts["differ"])
        case NoteKind.CODE:
            return "" if published else changed_code_sentence(facts["files"])
        case NoteKind.TRAINER:
            return (
                "Some of these runs were trained after an upgrade of q1lab's trainer, which alone "
                "can change a result."
            )
        case NoteKind.ALLOWED:
            differences = printable(", ".join(facts["what"]))
            return f"The runs were imported although they differ: {differences}."
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
                f"decides, because with {sample_text(c)} the bootstrap CI contains the truth in "
                f"only about {covers} of studies."
            )
        case NoteKind.TEMPTING:
            return (
                f"The {other} interval alone would say {facts['verdict'].upper()}. The {headline} "
                "interval was declared before the runs; picking the better-looking one afterwards "
                "makes false verdicts more frequent."
            )
        case NoteKind.BELOW_DELTA:
            return (
                f"Even the far end of the interval is smaller than {analysis.delta:g}"
                f"{c.metric.suffix} (δ), declared before the runs as the smallest difference that "
                "matters."
            )
        case NoteKind.SHORT:
            fallen, lately = facts["fallen"], facts["lately"]
            return (
                f"After {iters_text(c) or 'so few iters'} the models have learned little: the "
                f"{c.metric.name} is {fallen:.2f}{c.metric.suffix} below that of a uniform guess, "
                f"and {lately:.2f} of that came in the last quarter of the run. The verdict says "
                "nothing about longer runs, whose curves level off."
            )
        case NoteKind.RISING:
            text = (
                f"The {c.metric.name} was lowest at iter {facts['at']:,} and rose by "
                f"{facts['rise']:.2f}{c.metric.suffix} by the end, so these models are overfitted, "
                "and the arm that learns faster may look worse for that reason alone."
            )
            if published:
                return text
            return (
                f"{text} To compare them at the minimum, ask it as a new question: "
                f"{facts['command']}"
            )
        case NoteKind.UNFINISHED:
            more = len(facts["runs"]) - MOST_NAMED
            comma = ", " if c.subject.is_ours else "; "
            left = printable(comma.join(facts["runs"][:MOST_NAMED])) + (
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
        case NoteKind.LEFT_OPEN:
            left_open = facts["what"]
            more = len(left_open) - MOST_NAMED
            listed = "; ".join(
                cut_middle(printable(opening), 160) for opening in left_open[:MOST_NAMED]
            )
            return (
                f"The checks of the model files leave open: {listed}"
                + (f"; and {more} more" if more > 0 else "")
                + "."
            )
        case NoteKind.SIZE:
            return (
                f"The arms differ by {cost_change(c, 'n_params')} in parameters, so part of the "
                "difference may come from size and not from the idea. A baseline of the same size "
                "would show it."
            )


TRAIN_AGAIN = "Train again, then judge all: leaving runs out would be choosing the data."
"""The advice where a run from elsewhere has no result."""
EQUAL_LISTS = "Both arms have exactly the same numbers."
"""The reason for no verdict where the runs' seeds are not known."""


def without_number_line(c: Judgment) -> str:
    """The number of runs from elsewhere without a result, and the first of them."""
    facts = next(note.facts for note in c.analysis.notes if note.kind is NoteKind.UNFINISHED)
    name = cut_cells(printable(facts["runs"][0]), 40)
    return f"{len(facts['runs'])} of {plural(facts['of'], 'run')} did not finish: {name}."


OTHER_RUNS_SENTENCE = "Which other runs there were is not known here."

PLAN_PARTS = {
    "seeds": "its seeds",
    "source": "its model files",
    "data": "its text",
    "budget": "its settings",
    "judged": "its way to judge",
    "plan": "its names and other facts",
}


def changed_plan_sentence(parts: Sequence[str]) -> str:
    """The parts of a plan that differ from the declaration before the first run."""
    return (
        f"The plan (study.json) is not what was declared when the study was begun: "
        f"{', '.join(PLAN_PARTS.get(part, part) for part in parts)}."
    )


def picked_seeds_note(seeds: Sequence[int], left_out: str, command: str) -> str:
    """The notice before a study that can get no verdict, since its seeds were picked."""
    return (
        f"no verdict will come of this: results at {seed_list(seeds)} could be seen, and others "
        f"are left out ({left_out}). To get one: {command}"
    )


def _command_note(c: Judgment, facts: Mapping[str, Any]) -> str:
    """Cautions about how the runs were made, and the correlation of the arms over the seeds."""
    parts = list(c.subject.description.cautions)
    if (r := facts.get("correlation")) is not None:
        low, high = (f"{end:.2f}".replace("-", MINUS) for end in facts["between"])
        r = f"{r:.2f}".replace("-", MINUS)
        parts.insert(
            max(0, len(parts) - 1),
            f"Over the seeds, the results of the two arms correlate by r = {r} ({low} to {high}).",
        )
    return " ".join(parts)


def changed_code_sentence(files: Sequence[str]) -> str:
    """The imported files that are others now than when the runs were planned."""
    names = [cut_middle(printable(name), LONGEST_FILE_NAME) for name in files]
    return f"The code has changed since these runs: {first_names(names, 1)}."


def outlier_sentence(c: Judgment, facts: Mapping[str, Any], *, published: bool = False) -> str:
    """The value that lies far from all others, what it decides, and, unless ``published``, the
    advice to look at it."""
    thing = "pairs" if not facts["arm"] else "runs"
    text = outlier_line(c, facts)
    if facts["without"] not in (c.analysis.verdict, "no verdict"):
        text += (
            f" The other {thing} would say {facts['without'].upper()}, but leaving one out would "
            "be choosing the data."
        )
    if published:
        return text
    return f"{text} Look at its curves: if something broke there, the change is not to blame."


def outlier_line(c: Judgment, facts: Mapping[str, Any]) -> str:
    """The outlier, and what it does to the interval."""
    number = number_writer(c.analysis)
    which = f"The pair of seed {facts['seed']} ({number(facts['value'])})"
    if facts["arm"]:
        name = dict(zip(ARMS, brief_names(arm_names(c)), strict=True))[facts["arm"]]
        which = f"Seed {facts['seed']} of {name} ({run_value(c, facts['value'])})"
    if facts["without"] not in (c.analysis.verdict, "no verdict"):
        return f"{which} is an outlier, and it alone decides."
    return f"{which} is an outlier and widens the interval."


def record_sentence(c: Judgment, *, published: bool = False) -> str:
    """The questions on record, and the claims to expect among them by luck; empty without a
    verdict's level. ``published``: for readers of this study alone."""
    if len(c.subject.seeds) < 2 or c.subject.is_floor or not c.asking.of_home.questions:
        return ""
    if c.asking.of_home.questions > 1:
        return level_text.sum_sentence(c)
    if published:  # to a reader of one study there is only this one
        return ""
    return (
        "This is your only question so far. If nothing had changed, at most "
        f"{level_text.in_hundred(c.asking.of_home.total)} people would claim a difference here."
    )


def _diverged_or_stuck_note(arms: Sequence[Sequence[Any]], names: Mapping[str, str]) -> str:
    parts = []
    for arm, runs, diverged, stuck in arms:
        how = [f"{diverged} diverged"] * bool(diverged) + [f"{stuck} got stuck"] * bool(stuck)
        parts.append(f"of {plural(runs, 'run')} of {names[arm]} on record {' and '.join(how)}")
    text = "; ".join(parts)
    return (
        f"{text[0].upper()}{text[1:]}. With such an arm, false claims are more frequent than the "
        "level says, and more seeds do not change that."
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
    return f"The runs differ in {' and in '.join(parts)}. That alone may explain the difference."


OF_THE_LEVEL = frozenset({NoteKind.SERIES, NoteKind.ASKED})
"""Kinds of notes that explain the level of the interval."""

LONGEST_FILE_NAME = 24
"""Letters of a file's name in a note."""

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
